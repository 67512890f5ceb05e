#include "server/webhooks_config.h"

#include <fstream>
#include <utility>

#include "server/config_section.h"

namespace millrace::server {
namespace {

constexpr std::size_t kWebhooksMax = 16;
// Those whose events people wait for.
const std::set<std::string> kUsual{"motion", "tamper"};

bool IsWebhookName(const std::string& name) {
  return !name.empty() && name.size() <= 64 &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
             std::string::npos;
}

bool IsWord(const std::string& text) { return !text.empty() && text.size() <= 256; }

// The file's first line.
Result<std::string> ReadSecret(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!file || !std::getline(file, line)) {
    return Error{ErrorCode::kInvalidArgument, "no secret can be read from '" + path + "'"};
  }
  if (line.ends_with('\r')) line.pop_back();
  return WebhookKeyOf(line);
}

std::set<std::string> Set(std::vector<std::string> values) {
  return {std::make_move_iterator(values.begin()), std::make_move_iterator(values.end())};
}

Result<WebhookSettings> ReadWebhook(const std::string& name, const YAML::Node& node, const std::string& file,
                                    const std::set<std::string>& known) {
  Section section(node, file, "webhooks." + name,
                  {"url", "secret_file", "analyzers", "events", "streams", "ca_file", "give_up_after_h"});
  WebhookSettings made;
  made.name = name;
  if (!IsWebhookName(name)) section.Fail(node, "a webhook's name is 1 to 64 of a-z A-Z 0-9 _ -");
  std::string url, secret_file, ca_file;
  section.Text("url", url);
  section.Text("secret_file", secret_file);
  section.Text("ca_file", ca_file);
  std::vector<std::string> analyzers, events, streams;
  section.Texts("analyzers", analyzers, "the name of an analyzer",
                [&](const std::string& each) { return known.contains(each); });
  section.Texts("events", events, "a type of events, such as MotionStarted", IsWord);
  section.Texts("streams", streams, "the name of a video stream", IsWord);
  std::uint64_t hours = 24;
  section.Number("give_up_after_h", hours, 1, 168);
  if (!section.Child("url").IsDefined()) section.Fail(node, "webhook '" + name + "' needs a 'url'");
  MILLRACE_RETURN_IF_ERROR(section.Finish());
  auto parsed = WebhookUrl::Parse(url);
  if (!parsed) section.Fail(section.Child("url"), parsed.error().message);
  if (!secret_file.empty()) {
    auto key = ReadSecret(secret_file);
    if (!key) section.Fail(section.Child("secret_file"), key.error().message);
    if (key) made.key = std::move(*key);
  }
  MILLRACE_RETURN_IF_ERROR(section.Finish());
  made.url = std::move(*parsed);
  made.ca_file = ca_file;
  made.analyzers = analyzers.empty() ? kUsual : Set(std::move(analyzers));
  made.types = Set(std::move(events));
  made.streams = Set(std::move(streams));
  made.give_up_after = std::chrono::hours(hours);
  return made;
}

}  // namespace

Result<WebhooksConfig> ReadWebhooks(const YAML::Node& node, const std::string& file,
                                    const std::set<std::string>& analyzers) {
  WebhooksConfig made;
  if (!node.IsDefined() || node.IsNull()) return made;
  if (!node.IsMap() || node.size() > kWebhooksMax) {
    const std::string line = node.Mark().is_null() ? "" : ":" + std::to_string(node.Mark().line + 1);
    return Error{ErrorCode::kInvalidArgument,
                 file + line + ": 'webhooks' must be names, 16 at most, with a mapping of settings each"};
  }
  for (const auto& webhook : node) {
    const std::string name = webhook.first.IsScalar() ? webhook.first.Scalar() : "";
    MILLRACE_ASSIGN_OR_RETURN(made[name], ReadWebhook(name, webhook.second, file, analyzers));
  }
  return made;
}

}  // namespace millrace::server
