#include "media/webrtc/webrtc_peer.h"

#define GST_USE_UNSTABLE_API  // all of webrtcbin's interface is, since 1.14
#include <gst/sdp/sdp.h>
#include <gst/webrtc/webrtc.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>
#include <utility>

namespace millrace {
namespace {

// How long a lost packet is waited for, so that it can be asked for several times over a long way; packets in
// order do not wait.
constexpr guint kJitterMs = 1000;
// Of which RTCP takes a twentieth: some 30 packets a second. Without it the first seconds' losses, while the
// peer's bit rate is not known, would be told too late to be mended.
constexpr double kRtcpSessionBits = 1e6;
constexpr guint kSendersMax = 4;  // that a peer's RTP comes from; each costs a jitter buffer with its threads

}  // namespace

GstCapsPtr RtpCaps(const SdpMedia& media, std::uint32_t ssrc) {
  return GstCapsPtr(gst_caps_new_simple(
      "application/x-rtp", "media", G_TYPE_STRING, media.kind == TrackKind::kVideo ? "video" : "audio",
      "encoding-name", G_TYPE_STRING, RtpEncodingName(media.codec), "payload", G_TYPE_INT,
      static_cast<int>(media.payload_type), "clock-rate", G_TYPE_INT, static_cast<int>(media.clock_rate),
      "ssrc", G_TYPE_UINT, ssrc, nullptr));
}

namespace {

// Browsers take 16 characters for a mid, "audio1" and this.
std::string MidMark() {
  std::array<char, 10> mark{};
  std::snprintf(mark.data(), mark.size(), "-%08x", g_random_int());
  return mark.data();
}

// "stun:host:port" (RFC 7064) as GStreamer writes it: "stun://host:port".
std::string GstUri(const std::string& uri, const std::string& user) {
  const std::size_t colon = uri.find(':') + 1;
  return uri.substr(0, colon) + "//" + user + uri.substr(colon);
}

// The same candidate with another address; empty: it is not of this machine, or of another family.
std::string WithAddress(const std::string& candidate, const std::string& address) {
  if (candidate.find(" typ host") == std::string::npos) return "";
  std::size_t at = 0;
  for (int blanks = 0; blanks < 4; ++blanks) at = candidate.find(' ', at) + 1;
  const std::size_t end = candidate.find(' ', at);
  const std::string own = candidate.substr(at, end - at);
  const bool same_family = (own.find(':') == std::string::npos) == (address.find(':') == std::string::npos);
  return same_family && own != address ? candidate.substr(0, at) + address + candidate.substr(end) : "";
}

}  // namespace

WebrtcPeer::WebrtcPeer(const WebrtcSettings& settings, SdpOffer offer, Events events)
    : settings_(settings), offer_(std::move(offer)), events_(std::move(events)), media_(offer_->media()) {}

WebrtcPeer::WebrtcPeer(const WebrtcSettings& settings, SdpProposal proposal, Events events)
    : settings_(settings),
      proposal_(std::move(proposal)),
      mid_mark_(MidMark()),
      events_(std::move(events)),
      media_(proposal_.media) {}

WebrtcPeer::~WebrtcPeer() { Stop(); }

Result<void> WebrtcPeer::Build() {
  InitGStreamer();
  pipeline_.reset(GST_ELEMENT(gst_object_ref_sink(gst_pipeline_new(nullptr))));
  bin_ = gst_element_factory_make("webrtcbin", nullptr);
  if (bin_ == nullptr) return Error{ErrorCode::kInternal, "GStreamer lacks webrtcbin"};
  gst_bin_add(GST_BIN(pipeline_.get()), bin_);
  gst_util_set_object_arg(G_OBJECT(bin_), "bundle-policy", "max-bundle");
  g_object_set(bin_, "latency", kJitterMs, nullptr);
  MILLRACE_RETURN_IF_ERROR(ConfigureIce());
  g_signal_connect(bin_, "pad-added", G_CALLBACK(&WebrtcPeer::OnPadAdded), this);
  g_signal_connect(bin_, "on-new-transceiver", G_CALLBACK(&WebrtcPeer::OnTransceiver), this);
  g_signal_connect(bin_, "on-ice-candidate", G_CALLBACK(&WebrtcPeer::OnCandidate), this);
  g_signal_connect(bin_, "notify::ice-gathering-state", G_CALLBACK(&WebrtcPeer::OnGathering), this);
  g_signal_connect(bin_, "notify::connection-state", G_CALLBACK(&WebrtcPeer::OnConnection), this);
  rtpbin_.reset(gst_bin_get_by_name(GST_BIN(bin_), "rtpbin"));
  if (rtpbin_ == nullptr) return Error{ErrorCode::kInternal, "webrtcbin has no rtpbin"};
  g_object_set(rtpbin_.get(), "max-streams", kSendersMax, nullptr);
  g_signal_connect(rtpbin_.get(), "element-added", G_CALLBACK(&WebrtcPeer::OnManagerElement), this);
  const GstBusPtr bus(gst_element_get_bus(pipeline_.get()));
  gst_bus_set_sync_handler(bus.get(), &WebrtcPeer::OnMessage, this, nullptr);
  return {};
}

void WebrtcPeer::OnManagerElement(GstBin*, GstElement* element, gpointer self) {
  if (g_object_class_find_property(G_OBJECT_GET_CLASS(element), "internal-session") == nullptr) return;
  GObject* raw = nullptr;
  g_object_get(element, "internal-session", &raw, nullptr);
  const std::unique_ptr<GObject, ReleaseByPointer<g_object_unref>> session(raw);
  if (session == nullptr) return;
  g_object_set(session.get(), "bandwidth", kRtcpSessionBits, nullptr);
  g_signal_connect(session.get(), "on-receiving-rtcp", G_CALLBACK(&WebrtcPeer::OnRtcp), self);
}

void WebrtcPeer::OnRtcp(GObject*, GstBuffer*, gpointer self) {
  static_cast<WebrtcPeer*>(self)->last_heard_ = std::chrono::steady_clock::now().time_since_epoch().count();
}

Result<void> WebrtcPeer::ConfigureIce() {
  GObject* raw = nullptr;
  g_object_get(bin_, "ice-agent", &raw, nullptr);
  if (raw == nullptr) return Error{ErrorCode::kInternal, "GStreamer lacks libnice's elements"};
  const std::unique_ptr<GObject, ReleaseByPointer<g_object_unref>> ice(raw);
  g_object_set(ice.get(), "ice-tcp", FALSE, nullptr);
  if (settings_.port_min != 0) {
    // The upper end first: neither may pass the other.
    g_object_set(ice.get(), "max-rtp-port", static_cast<guint>(settings_.port_max), nullptr);
    g_object_set(ice.get(), "min-rtp-port", static_cast<guint>(settings_.port_min), nullptr);
  }
  for (const std::string& address : GatheringAddresses(settings_)) {
    gboolean added = FALSE;
    g_signal_emit_by_name(ice.get(), "add-local-ip-address", address.c_str(), &added);
  }
  if (!settings_.stun_servers.empty())
    g_object_set(bin_, "stun-server", GstUri(settings_.stun_servers.front(), "").c_str(), nullptr);
  for (const auto& turn : settings_.turn_servers) {
    const GStringPtr user(g_uri_escape_string(turn.username.c_str(), nullptr, FALSE));
    const GStringPtr password(g_uri_escape_string(turn.password.c_str(), nullptr, FALSE));
    const std::string url = GstUri(turn.url, std::string(user.get()) + ":" + password.get() + "@");
    gboolean added = FALSE;
    g_signal_emit_by_name(bin_, "add-turn-server", url.c_str(), &added);
  }
  return {};
}

Result<GstPadPtr> WebrtcPeer::RequestSender(std::size_t media, std::uint32_t ssrc) {
  const GstCapsPtr caps = SenderCaps(media_[media], ssrc);
  GstPadTemplate* sinks = gst_element_get_pad_template(bin_, "sink_%u");
  GstPadPtr pad(gst_element_request_pad(bin_, sinks, ("sink_" + std::to_string(media)).c_str(), caps.get()));
  if (pad == nullptr) return Error{ErrorCode::kInternal, "webrtcbin takes no media to send"};
  GstWebRTCRTPTransceiver* transceiver = nullptr;
  g_object_get(pad.get(), "transceiver", &transceiver, nullptr);
  g_object_set(transceiver, "direction", GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_SENDONLY, "do-nack",
               offer_ || media_[media].kind == TrackKind::kVideo ? TRUE : FALSE, "codec-preferences",
               caps.get(), nullptr);
  gst_object_unref(transceiver);
  return pad;
}

void WebrtcPeer::OnCandidate(GstElement*, guint, gchar* candidate, gpointer self) {
  auto* peer = static_cast<WebrtcPeer*>(self);
  const std::string text = candidate;
  std::vector<IceCandidate> made;
  {
    const std::lock_guard lock(peer->mutex_);
    if (!text.starts_with("candidate:") || peer->candidates_.size() >= kIceCandidatesMax) return;
    for (const std::string& address : peer->settings_.public_addresses) {
      if (std::string outside = WithAddress(text, address); !outside.empty())
        made.push_back({std::move(outside), peer->first_mid_});
    }
    made.push_back({text, peer->first_mid_});
    peer->candidates_.insert(peer->candidates_.end(), made.begin(), made.end());
  }
  if (peer->offer_) return;
  for (const IceCandidate& each : made) peer->events_.on_candidate(each);
}

void WebrtcPeer::OnConnection(GObject* bin, GParamSpec*, gpointer self) {
  auto* peer = static_cast<WebrtcPeer*>(self);
  GstWebRTCPeerConnectionState state{};
  g_object_get(bin, "connection-state", &state, nullptr);
  switch (state) {
    case GST_WEBRTC_PEER_CONNECTION_STATE_CONNECTED:
      if (!peer->connected_.exchange(true) && peer->events_.on_connected) peer->events_.on_connected();
      break;
    case GST_WEBRTC_PEER_CONNECTION_STATE_FAILED:
      peer->End({ErrorCode::kUnavailable, "the peer cannot be reached, or is gone"});
      break;
    case GST_WEBRTC_PEER_CONNECTION_STATE_CLOSED:
      peer->End({ErrorCode::kUnavailable, "the peer closed the connection"});
      break;
    default:
      break;
  }
}

void WebrtcPeer::End(Error error) {
  if (ended_.exchange(true)) return;
  if (events_.on_ended) events_.on_ended(std::move(error));
}

void WebrtcPeer::OnPadAdded(GstElement*, GstPad* pad, gpointer self) {
  auto* peer = static_cast<WebrtcPeer*>(self);
  if (gst_pad_get_direction(pad) != GST_PAD_SRC || !peer->events_.on_receive) return;
  const GstCapsPtr current(gst_pad_get_current_caps(pad));
  const GstCapsPtr caps(current ? gst_caps_ref(current.get()) : gst_pad_query_caps(pad, nullptr));
  if (caps == nullptr || gst_caps_get_size(caps.get()) == 0) return;
  const char* kind = gst_structure_get_string(gst_caps_get_structure(caps.get(), 0), "media");
  if (kind == nullptr) return;
  const bool video = std::string_view(kind) == "video";
  const auto media = std::find_if(peer->media_.begin(), peer->media_.end(), [video](const SdpMedia& each) {
    return (each.kind == TrackKind::kVideo) == video;
  });
  if (media == peer->media_.end()) return;
  if ((video ? peer->receives_video_ : peer->receives_audio_).exchange(true)) {
    return peer->End({ErrorCode::kUnsupported, std::string("the peer sends its ") + kind +
                                                   " from a second source (SSRC): it is to connect again"});
  }
  peer->events_.on_receive(pad, *media);
}

// Lost packets are asked for again. Of sound not where the offer is ours: browsers know no retransmission of
// it, and refuse an offer that sends it.
void WebrtcPeer::OnTransceiver(GstElement*, GObject* transceiver, gpointer self) {
  GstWebRTCKind kind = GST_WEBRTC_KIND_UNKNOWN;
  g_object_get(transceiver, "kind", &kind, nullptr);
  const bool answers = static_cast<WebrtcPeer*>(self)->offer() != nullptr;
  g_object_set(transceiver, "do-nack", answers || kind == GST_WEBRTC_KIND_VIDEO ? TRUE : FALSE, nullptr);
}

GstBusSyncReply WebrtcPeer::OnMessage(GstBus*, GstMessage* message, gpointer self) {
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
    GError* raw = nullptr;
    gst_message_parse_error(message, &raw, nullptr);
    const GErrorPtr error(raw);
    static_cast<WebrtcPeer*>(self)->End(
        {ErrorCode::kUnavailable,
         error != nullptr && error->message != nullptr ? error->message : "unknown"});
  }
  gst_message_unref(message);
  return GST_BUS_DROP;
}

void WebrtcPeer::AddCandidates(const std::vector<IceCandidate>& candidates) {
  for (const IceCandidate& candidate : candidates) {
    {
      const std::lock_guard lock(mutex_);
      if (remote_candidates_ >= kIceCandidatesMax) return;
      ++remote_candidates_;
    }
    g_signal_emit_by_name(bin_, "add-ice-candidate", 0U, candidate.text.c_str());
  }
}

void WebrtcPeer::Stop() {
  if (pipeline_ == nullptr) return;
  ended_ = true;
  gst_element_set_state(pipeline_.get(), GST_STATE_NULL);
  const GstBusPtr bus(gst_element_get_bus(pipeline_.get()));
  gst_bus_set_sync_handler(bus.get(), nullptr, nullptr, nullptr);
  rtpbin_.reset();
  bin_ = nullptr;
  pipeline_.reset();
}

}  // namespace millrace
