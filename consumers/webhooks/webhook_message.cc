#include "consumers/webhooks/webhook_message.h"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "wire/base64.h"
#include "wire/digest.h"

namespace millrace {
namespace {

namespace json = boost::json;

// One record has few events; a plugin that writes more has its first ones sent.
constexpr std::size_t kEventsMax = 100;

const json::object* Member(const json::object* object, const char* name) {
  const auto* value = object != nullptr ? object->if_contains(name) : nullptr;
  return value != nullptr ? value->if_object() : nullptr;
}

std::string Text(const json::object* object, const char* name) {
  const auto* value = object != nullptr ? object->if_contains(name) : nullptr;
  const auto* text = value != nullptr ? value->if_string() : nullptr;
  return text != nullptr ? std::string(*text) : std::string();
}

std::string IdOf(const std::string& what) { return "msg_" + wire::UuidOf(AsBytes(what)); }

}  // namespace

std::vector<WebhookMessage> WebhookMessagesOf(ByteSpan record, const std::string& stream) {
  std::vector<WebhookMessage> messages;
  json::error_code ec;
  const json::value parsed = json::parse(AsText(record), ec);
  const auto* found = ec ? nullptr : parsed.if_object();
  const auto* events = found != nullptr ? found->if_contains("Events") : nullptr;
  if (events == nullptr || !events->is_array()) return messages;
  const std::string analyzer = Text(Member(found, "StreamProcessorInformation"), "Analyzer");
  const json::object* video = Member(Member(found, "InputInformation"), "KinesisVideo");
  const std::string fragment = Text(video, "FragmentNumber");
  const auto* at = video != nullptr ? video->if_contains("FrameOffsetInSeconds") : nullptr;
  const std::string offset = at != nullptr ? json::serialize(*at) : std::string();
  for (const json::value& event : events->get_array()) {
    if (messages.size() == kEventsMax) break;
    const auto* members = event.if_object();
    WebhookMessage message;
    message.type = Text(members, "Type");
    if (message.type.empty()) continue;
    json::object data{{"stream", stream}, {"analyzer", analyzer}, {"fragment_number", fragment}};
    data["event"] = *members;
    const json::object body{
        {"type", message.type}, {"timestamp", Text(members, "Time")}, {"data", std::move(data)}};
    message.body = json::serialize(body);
    // With an EventId the fragment is no part of it; without, nothing else tells two of them apart.
    std::string what = stream + "\n" + analyzer + "\n" + json::serialize(*members);
    if (Text(members, "EventId").empty()) what += "\n" + fragment + "\n" + offset;
    message.id = IdOf(what);
    messages.push_back(std::move(message));
  }
  return messages;
}

WebhookMessage TestMessage(const std::string& webhook, Timestamp now) {
  const std::string time = FormatRfc3339(now);
  const json::object body{{"type", "Test"}, {"timestamp", time}, {"data", {{"webhook", webhook}}}};
  return {IdOf(webhook + "\n" + time), "Test", json::serialize(body)};
}

std::vector<std::pair<std::string, std::string>> WebhookHeaders(const WebhookMessage& message,
                                                                std::string_view key, Timestamp now) {
  const std::string seconds = std::to_string(now.millis() / 1000);
  std::vector<std::pair<std::string, std::string>> headers{
      {"Content-Type", "application/json"}, {"webhook-id", message.id}, {"webhook-timestamp", seconds}};
  if (!key.empty()) {
    const wire::Digest digest =
        wire::HmacSha256(AsBytes(key), message.id + "." + seconds + "." + message.body);
    headers.emplace_back("webhook-signature", "v1," + wire::EncodeBase64(digest));
  }
  return headers;
}

}  // namespace millrace
