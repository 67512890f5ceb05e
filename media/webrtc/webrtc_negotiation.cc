// The descriptions of a WebrtcPeer: the peer's offer and our answer, or our offer and the peer's answer.
// webrtcbin works on them one after the other on its own thread; each step goes on in the one before's
// promise.
#define GST_USE_UNSTABLE_API  // all of webrtcbin's interface is, since 1.14
#include <gst/sdp/sdp.h>
#include <gst/webrtc/webrtc.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "media/webrtc/sdp_lines.h"
#include "media/webrtc/webrtc_peer.h"

namespace millrace {
namespace {

using PromisePtr = std::unique_ptr<GstPromise, ReleaseMiniObject>;

// The failure that a promise was answered with.
std::optional<std::string> FailureOf(GstPromise* promise) {
  if (gst_promise_wait(promise) != GST_PROMISE_RESULT_REPLIED) return "the connection was given up";
  const GstStructure* reply = gst_promise_get_reply(promise);
  if (reply == nullptr || !gst_structure_has_field(reply, "error")) return std::nullopt;
  GError* raw = nullptr;
  gst_structure_get(reply, "error", G_TYPE_ERROR, &raw, nullptr);
  const GErrorPtr error(raw);
  return error != nullptr && error->message != nullptr ? error->message : "unknown";
}

// What a promise of an offer or an answer was kept with, as text; empty: webrtcbin made none.
std::string DescriptionIn(GstPromise* promise, const char* name) {
  GstWebRTCSessionDescription* made = nullptr;
  gst_structure_get(gst_promise_get_reply(promise), name, GST_TYPE_WEBRTC_SESSION_DESCRIPTION, &made,
                    nullptr);
  if (made == nullptr) return "";
  const GStringPtr text(gst_sdp_message_as_text(made->sdp));
  gst_webrtc_session_description_free(made);
  return text.get();
}

// A medium as it is offered: RTP's caps, with what stands in a=fmtp, a=rtcp-fb and a=extmap.
GstCapsPtr OfferCaps(const SdpMedia& media, bool receive) {
  GstCapsPtr caps(gst_caps_new_simple(
      "application/x-rtp", "media", G_TYPE_STRING, media.kind == TrackKind::kVideo ? "video" : "audio",
      "encoding-name", G_TYPE_STRING, RtpEncodingName(media.codec), "payload", G_TYPE_INT,
      static_cast<int>(media.payload_type), "clock-rate", G_TYPE_INT, static_cast<int>(media.clock_rate),
      "rtcp-fb-nack-pli", G_TYPE_BOOLEAN, media.kind == TrackKind::kVideo, nullptr));
  const auto set = [&](const std::string& name, const std::string& value) {
    gst_caps_set_simple(caps.get(), name.c_str(), G_TYPE_STRING, value.c_str(), nullptr);
  };
  if (media.channels > 1) set("encoding-params", std::to_string(media.channels));
  if (receive) {
    gst_caps_set_simple(caps.get(), "rtcp-fb-transport-cc", G_TYPE_BOOLEAN, TRUE, nullptr);
    set("extmap-1", kTransportCcUri);
  }
  std::string_view rest = media.format_parameters;
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find(';'));
    rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
    if (const std::size_t equals = pair.find('='); equals != std::string_view::npos)
      set(std::string(pair.substr(0, equals)), std::string(pair.substr(equals + 1)));
  }
  return caps;
}

}  // namespace

void WebrtcPeer::Start() {
  // Frames are not waited for: nothing of this pipeline is to be in step with a clock.
  if (gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE)
    return Fail({ErrorCode::kInternal, "webrtcbin does not start"});
  if (offer_) {
    return SetDescription("set-remote-description", offer_->filtered(), true,
                          gst_promise_new_with_change_func(&WebrtcPeer::OnRemoteSet, this, nullptr));
  }
  for (const SdpMedia& media : proposal_.media) {
    if (!proposal_.receive) break;  // its senders were requested
    const GstCapsPtr caps = OfferCaps(media, true);
    GstWebRTCRTPTransceiver* transceiver = nullptr;
    g_signal_emit_by_name(bin_, "add-transceiver", GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_RECVONLY, caps.get(),
                          &transceiver);
    if (transceiver != nullptr) gst_object_unref(transceiver);
  }
  const PromisePtr made(gst_promise_new_with_change_func(&WebrtcPeer::OnOfferMade, this, nullptr));
  g_signal_emit_by_name(bin_, "create-offer", nullptr, made.get());
}

GstCapsPtr WebrtcPeer::SenderCaps(const SdpMedia& media, std::uint32_t ssrc) const {
  if (offer_) return RtpCaps(media, ssrc);
  GstCapsPtr caps = OfferCaps(media, false);
  gst_caps_set_simple(caps.get(), "ssrc", G_TYPE_UINT, ssrc, nullptr);
  return caps;
}

// Takes the promise.
void WebrtcPeer::SetDescription(const char* signal, const std::string& text, bool offer,
                                GstPromise* promise) {
  const PromisePtr owned(promise);
  GstSDPMessage* sdp = nullptr;
  if (gst_sdp_message_new_from_text(text.c_str(), &sdp) != GST_SDP_OK)
    return Fail({ErrorCode::kInvalidArgument, "the SDP cannot be read"});
  GstWebRTCSessionDescription* description =
      gst_webrtc_session_description_new(offer ? GST_WEBRTC_SDP_TYPE_OFFER : GST_WEBRTC_SDP_TYPE_ANSWER, sdp);
  g_signal_emit_by_name(bin_, signal, description, owned.get());
  gst_webrtc_session_description_free(description);
}

void WebrtcPeer::OnRemoteSet(GstPromise* promise, gpointer self) {
  auto* peer = static_cast<WebrtcPeer*>(self);
  if (auto failure = FailureOf(promise))
    return peer->Fail({ErrorCode::kInvalidArgument, "the offer cannot be set up: " + *failure});
  const PromisePtr next(gst_promise_new_with_change_func(&WebrtcPeer::OnAnswerMade, self, nullptr));
  g_signal_emit_by_name(peer->bin_, "create-answer", nullptr, next.get());
}

void WebrtcPeer::OnAnswerMade(GstPromise* promise, gpointer self) {
  auto* peer = static_cast<WebrtcPeer*>(self);
  if (auto failure = FailureOf(promise))
    return peer->Fail({ErrorCode::kInvalidArgument, "the offer cannot be answered: " + *failure});
  const std::string text = DescriptionIn(promise, "answer");
  if (text.empty()) return peer->Fail({ErrorCode::kInternal, "webrtcbin made no answer"});
  {
    const std::lock_guard lock(peer->mutex_);
    peer->made_ = text;
    peer->made_at_ = std::chrono::steady_clock::now();
  }
  peer->SetDescription("set-local-description", text, false, gst_promise_new());
}

void WebrtcPeer::OnOfferMade(GstPromise* promise, gpointer self) {
  auto* peer = static_cast<WebrtcPeer*>(self);
  if (auto failure = FailureOf(promise))
    return peer->Fail({ErrorCode::kInternal, "no offer can be made: " + *failure});
  const std::string text = DescriptionIn(promise, "offer");
  if (text.empty()) return peer->Fail({ErrorCode::kInternal, "webrtcbin made no offer"});
  const std::string told =
      WithOtherMids(text, [&](std::string_view mid) { return std::string(mid) + peer->mid_mark_; });
  {
    const std::lock_guard lock(peer->mutex_);
    peer->made_ = told;
    if (const auto lines = SplitSdpLines(peer->made_))
      peer->first_mid_ = FindSdpAttribute(*lines, "mid").value_or("");
    if (std::exchange(peer->described_, true)) return;
  }
  // First, since candidates come as soon as webrtcbin has its own description.
  peer->events_.on_description(told);
  peer->SetDescription("set-local-description", text, true, gst_promise_new());
}

Result<void> WebrtcPeer::TakeAnswer(std::string_view text) {
  std::string offer;
  {
    const std::lock_guard lock(mutex_);
    offer = made_;
  }
  if (offer.empty()) return Error{ErrorCode::kInvalidArgument, "the answer came before the offer"};
  MILLRACE_ASSIGN_OR_RETURN(const SdpAnswer answer, SdpAnswer::Read(text, offer, proposal_));
  media_ = answer.media();
  // webrtcbin has its own names of them.
  const std::string own = WithOtherMids(answer.filtered(), [this](std::string_view mid) {
    return std::string(mid.substr(0, mid.size() - (mid.ends_with(mid_mark_) ? mid_mark_.size() : 0)));
  });
  SetDescription("set-remote-description", own, false,
                 gst_promise_new_with_change_func(&WebrtcPeer::OnAnswerSet, this, nullptr));
  return {};
}

void WebrtcPeer::OnAnswerSet(GstPromise* promise, gpointer self) {
  if (auto failure = FailureOf(promise)) {
    static_cast<WebrtcPeer*>(self)->Fail(
        {ErrorCode::kInvalidArgument, "the answer cannot be set up: " + *failure});
  }
}

void WebrtcPeer::OnGathering(GObject* bin, GParamSpec*, gpointer self) {
  GstWebRTCICEGatheringState state{};
  g_object_get(bin, "ice-gathering-state", &state, nullptr);
  if (state == GST_WEBRTC_ICE_GATHERING_STATE_COMPLETE)
    static_cast<WebrtcPeer*>(self)->StopGathering(std::chrono::steady_clock::now());
}

void WebrtcPeer::StopGathering(std::chrono::steady_clock::time_point since) {
  std::string made;
  std::vector<IceCandidate> candidates;
  {
    const std::lock_guard lock(mutex_);
    if (!offer_ || made_.empty() || made_at_ > since || described_) return;
    described_ = true;
    made = made_;
    candidates = candidates_;
  }
  events_.on_description(offer_->MakeAnswer(made, candidates));
}

void WebrtcPeer::Fail(Error error) {
  bool told = false;
  {
    const std::lock_guard lock(mutex_);
    told = std::exchange(described_, true);
  }
  if (!told) events_.on_description(error);
  End(std::move(error));
}

}  // namespace millrace
