#include "api/signaling/signaling_message.h"

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <cctype>

#include "api/aws/aws_input.h"
#include "wire/json_writer.h"

namespace millrace::api {
namespace {

constexpr std::size_t kIdMax = 256;

// The text under this name, which is written in lowerCamel here; none: it is not there, or no text.
std::optional<std::string> Text(const boost::json::object& object, std::string name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr) {
    name[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(name[0])));
    value = object.if_contains(name);
  }
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return std::string(value->get_string().data(), value->get_string().size());
}

bool IsId(const std::string& text) { return text.size() <= kIdMax && kAwsNamePattern.matches(text); }

bool IsBase64(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '+' || c == '/' || c == '=';
  });
}

ParsedSignal Bad(std::string message, std::string correlation_id = "") {
  return {std::nullopt, {Error{ErrorCode::kInvalidArgument, std::move(message)}, std::move(correlation_id)}};
}

}  // namespace

ParsedSignal ParseSignal(std::string_view text) {
  boost::system::error_code ec;
  const auto value = boost::json::parse(boost::json::string_view(text.data(), text.size()), ec);
  if (ec || !value.is_object()) return Bad("The message is no JSON object.");
  const auto& object = value.get_object();
  const std::string correlation_id = Text(object, "correlationId").value_or("");
  if (!correlation_id.empty() && !IsId(correlation_id)) return Bad("correlationId is invalid.");

  ClientSignal signal{Text(object, "action").value_or(""), Text(object, "recipientClientId").value_or(""),
                      Text(object, "messagePayload").value_or(""), correlation_id};
  if (signal.action != "SDP_OFFER" && signal.action != "SDP_ANSWER" && signal.action != "ICE_CANDIDATE") {
    return Bad("action must be SDP_OFFER, SDP_ANSWER or ICE_CANDIDATE.", correlation_id);
  }
  if (!signal.recipient.empty() && !IsId(signal.recipient))
    return Bad("recipientClientId is invalid.", correlation_id);
  if (signal.payload.empty() || signal.payload.size() > kSignalPayloadMax || !IsBase64(signal.payload)) {
    return Bad("messagePayload must be 1 to 10000 characters of base64.", correlation_id);
  }
  return {std::move(signal), {Error{ErrorCode::kInvalidArgument, ""}}};
}

std::string ServerSignal(const ClientSignal& signal, std::string_view sender) {
  wire::JsonWriter json(signal.payload.size() + 128);
  json.BeginObject();
  json.Key("messageType").String(signal.action);
  json.Key("messagePayload").String(signal.payload);
  if (!sender.empty()) json.Key("senderClientId").String(sender);
  json.EndObject();
  return std::move(json).Take();
}

std::string StatusSignal(std::string_view correlation_id, std::string_view error_type, int status,
                         std::string_view description) {
  wire::JsonWriter json;
  json.BeginObject().Key("messageType").String("STATUS_RESPONSE").Key("statusResponse").BeginObject();
  json.Key("correlationId").String(correlation_id);
  json.Key("errorType").String(error_type);
  json.Key("statusCode").String(std::to_string(status));
  json.Key("description").String(description);
  json.EndObject().EndObject();
  return std::move(json).Take();
}

std::string GoAwaySignal() { return R"({"messageType":"GO_AWAY"})"; }

}  // namespace millrace::api
