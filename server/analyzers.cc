#include "server/analyzers.h"

#include <algorithm>
#include <filesystem>
#include <thread>
#include <utility>

#include "base/log.h"

namespace millrace::server {
namespace {

constexpr Duration kResultsKept = std::chrono::hours(168);

std::vector<std::string> CommandFor(const AnalyzersConfig& config, const std::string& endpoint,
                                    const std::string& name, const std::string& plugin) {
  std::error_code ec;
  std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", ec);
  std::vector<std::string> command = {
      ec ? "/proc/self/exe" : self.string(), "--endpoint", endpoint, "analyze", "--supervised",
      plugin.empty() ? "--analyzer" : "--plugin", plugin.empty() ? name : plugin, "--application",
      "millrace-" + name, "--output", "millrace-" + name,
      // Always the same, so that a new process need not wait for the old one's leases.
      "--owner", "server", "--frames", config.frames, "--when-behind", config.when_behind, "--frame-max",
      std::to_string(std::chrono::duration<double>(config.frame_max).count())};
  if (plugin.empty() && !config.faces_model.empty()) {
    command.insert(command.end(), {"--model", config.faces_model});
  }
  return command;
}

// A key for the analyzer of this name: it reads fragments and known faces, and writes its own results.
Result<wire::AccessKey> MakeKey(const std::string& name, api::CredentialStore& credentials) {
  const wire::AccessKey key = api::MakeAccessKey();
  const std::string application = "millrace-" + name;
  api::Policy policy{
      application,
      {{true,
        {"kinesis:GetShardIterator", "kinesis:GetRecords", "kinesisvideo:GetMediaForFragmentList"},
        {"*"}},
       {true, {"millrace:GetFaceCollection"}, {"arn:aws:millrace:*:*:face-collection/*"}},
       {true, {"millrace:RunApplication"}, {"arn:aws:millrace:*:*:application/" + application}},
       {true, {"kinesis:PutRecords"}, {"arn:aws:kinesis:*:*:stream/" + application}}}};
  api::User user{"millrace:" + application, {key}, {std::make_shared<const api::Policy>(std::move(policy))}};
  MILLRACE_RETURN_IF_ERROR(credentials.AddBuiltIn(std::move(user)));
  return key;
}

}  // namespace

std::set<std::string> Analyzers::Names(const AnalyzersConfig& config) {
  std::set<std::string> names{"faces"};
  for (const auto& [name, plugin] : config.plugins) names.insert(name);
  return names;
}

Result<void> Analyzers::Start(const AnalyzersConfig& config, const std::string& endpoint, CameraFleet& fleet,
                              api::ApplicationLeases& leases, storage::RecordLog& log,
                              api::CredentialStore* credentials) {
  for (const std::string& name : Names(config)) {
    auto configured = config.plugins.find(name);
    const std::string plugin = configured == config.plugins.end() ? "" : configured->second;
    auto made = log.CreateStream("millrace-" + name, 1, kResultsKept);
    if (!made && made.error().code != ErrorCode::kAlreadyExists) return std::move(made).error();
    SupervisorOptions options;
    options.name = name;
    options.command = CommandFor(config, endpoint, name, plugin);
    if (credentials != nullptr) {
      MILLRACE_ASSIGN_OR_RETURN(const wire::AccessKey key, MakeKey(name, *credentials));
      // Not on the command line, which every user of the machine can read.
      options.environment = {"MILLRACE_ACCESS_KEY_ID=" + key.id, "MILLRACE_SECRET_ACCESS_KEY=" + key.secret};
    }
    options.backoff = {.base = config.restart_min, .max = config.restart_max};
    options.frame_max = config.frame_max;
    options.silence_max = config.silence_max;
    options.memory_bytes_max = config.memory_bytes_max;
    auto wanted = [&fleet, name = name] {
      std::set<std::string> streams;
      for (const CameraStatus& camera : fleet.List()) {
        const auto& analyzers = camera.settings.analyzers;
        if (std::find(analyzers.begin(), analyzers.end(), name) != analyzers.end()) {
          streams.insert(camera.settings.stream);
        }
      }
      return streams;
    };
    // So that a camera that asks for it again is analysed from then on, and not from where the last one
    // stopped.
    auto unwanted = [&leases, name = name] {
      auto deleted = leases.Delete("millrace-" + name);
      if (!deleted && deleted.error().code != ErrorCode::kNotFound) {
        Log(LogLevel::kWarning, "leases not deleted",
            {{"analyzer", name}, {"error", deleted.error().ToString()}});
      }
    };
    supervisors_.push_back(
        std::make_unique<AnalyzerSupervisor>(std::move(options), std::move(wanted), std::move(unwanted)));
  }
  return {};
}

void Analyzers::Stop() {
  std::vector<std::thread> stops;
  for (auto& supervisor : supervisors_) stops.emplace_back([&supervisor] { supervisor->Stop(); });
  for (std::thread& stop : stops) stop.join();
}

std::vector<api::AnalyzerStatus> Analyzers::statuses() const {
  std::vector<api::AnalyzerStatus> statuses;
  for (const auto& supervisor : supervisors_) statuses.push_back(supervisor->status());
  return statuses;
}

}  // namespace millrace::server
