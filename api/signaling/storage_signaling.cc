#include "api/signaling/storage_signaling.h"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"
#include "media/webrtc/sdp_lines.h"
#include "wire/base64.h"
#include "wire/json_writer.h"

namespace millrace::api {
namespace {

constexpr std::string_view kCandidate = "candidate:";

ClientSignal Signal(const char* action, const std::string& json) {
  return {action, "", wire::EncodeBase64({reinterpret_cast<const std::uint8_t*>(json.data()), json.size()})};
}

// The text under this name of a payload, which is base64 of a JSON object.
std::optional<std::string> TextIn(const std::string& payload, const char* name) {
  const auto bytes = wire::DecodeBase64(payload);
  if (!bytes) return std::nullopt;
  boost::system::error_code ec;
  const auto value = boost::json::parse({reinterpret_cast<const char*>(bytes->data()), bytes->size()}, ec);
  if (ec || !value.is_object()) return std::nullopt;
  const auto* text = value.get_object().if_contains(name);
  if (text == nullptr || !text->is_string()) return std::nullopt;
  return std::string(text->get_string().data(), text->get_string().size());
}

}  // namespace

void StorageSignaling::SendOffer(const std::string& sdp) {
  {
    const std::lock_guard lock(mutex_);
    (void)member_->Take();
    offered_ = true;
  }
  wire::JsonWriter json(sdp.size() + 64);
  json.BeginObject().Key("type").String("offer").Key("sdp").String(sdp).EndObject();
  const auto sent = hub_.Send(*member_, Signal("SDP_OFFER", std::move(json).Take()));
  if (sent) return;
  Log(LogLevel::kWarning, "a storage session's offer cannot be sent", {{"reason", sent.error().message}});
  not_told_ = true;
}

void StorageSignaling::SendCandidate(const IceCandidate& candidate) {
  wire::JsonWriter json;
  json.BeginObject().Key("candidate").String(candidate.text);
  json.Key("sdpMid").String(candidate.mid).Key("sdpMLineIndex").Integer(0).EndObject();
  // Without it the peer may find another way.
  (void)hub_.Send(*member_, Signal("ICE_CANDIDATE", std::move(json).Take()));
}

WebrtcSignaling::Signals StorageSignaling::Take(bool connected) {
  SignalingHub::Member::Taken taken;
  bool offered = false;
  {
    const std::lock_guard lock(mutex_);
    taken = member_->Take();
    offered = offered_;
  }
  Signals signals;
  if (taken.closed) {
    signals.over = Error{ErrorCode::kCancelled, "the channel was deleted, or is not recorded any more"};
  } else if (!connected && taken.ended) {
    signals.over = Error{ErrorCode::kCancelled, "the storage session was joined anew"};
  } else if (not_told_) {
    signals.over = Error{ErrorCode::kUnavailable, "the offer could not be sent to the channel"};
  }
  if (!offered) return signals;
  for (const SignalingHub::Message& message : taken.messages) {
    const ClientSignal& signal = message.signal;
    if (signal.action == "SDP_ANSWER") {
      // What is no description answers like an empty one: the reason is told once, by who reads it.
      signals.answers.push_back(TextIn(signal.payload, "sdp").value_or(""));
      continue;
    }
    const auto text = TextIn(signal.payload, "candidate");
    if (!text || !text->starts_with(kCandidate) || signals.candidates.size() >= kIceCandidatesMax) continue;
    if (IsUsableCandidate(std::string_view(*text).substr(kCandidate.size())))
      signals.candidates.push_back({*text});
  }
  return signals;
}

}  // namespace millrace::api
