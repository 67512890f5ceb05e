#include "samples/webrtc-sim/offering_peer.h"

#define GST_USE_UNSTABLE_API  // all of webrtcbin's interface is
#include <gst/sdp/sdp.h>
#include <gst/webrtc/webrtc.h>

#include <memory>
#include <stdexcept>
#include <utility>

#include "media/gst_handles.h"

namespace millrace::webrtc_sim {
namespace {

using DescriptionPtr =
    std::unique_ptr<GstWebRTCSessionDescription, ReleaseByPointer<gst_webrtc_session_description_free>>;

DescriptionPtr DescriptionOf(GstWebRTCSDPType type, const std::string& text) {
  GstSDPMessage* message = nullptr;
  if (gst_sdp_message_new_from_text(text.c_str(), &message) != GST_SDP_OK) return nullptr;
  return DescriptionPtr(gst_webrtc_session_description_new(type, message));
}

}  // namespace

OfferingPeer::OfferingPeer(GstElement* pipeline, const std::string& address, Events events)
    : events_(std::move(events)) {
  bin_ = gst_element_factory_make("webrtcbin", nullptr);
  if (bin_ == nullptr) throw std::runtime_error("GStreamer lacks webrtcbin");
  gst_util_set_object_arg(G_OBJECT(bin_), "bundle-policy", "max-bundle");
  GObject* raw = nullptr;
  g_object_get(bin_, "ice-agent", &raw, nullptr);
  if (raw == nullptr) throw std::runtime_error("GStreamer lacks libnice's elements");
  const std::unique_ptr<GObject, ReleaseByPointer<g_object_unref>> ice(raw);
  g_object_set(ice.get(), "ice-tcp", FALSE, nullptr);
  raw = nullptr;
  g_object_get(ice.get(), "agent", &raw, nullptr);
  const std::unique_ptr<GObject, ReleaseByPointer<g_object_unref>> agent(raw);
  // No router is asked to let us in: that takes a fifth of a second, and sockets.
  if (agent != nullptr) g_object_set(agent.get(), "upnp", FALSE, nullptr);
  gboolean added = FALSE;
  g_signal_emit_by_name(ice.get(), "add-local-ip-address", address.c_str(), &added);
  const GstElementPtr rtpbin(gst_bin_get_by_name(GST_BIN(bin_), "rtpbin"));
  // Reports tell when a picture was taken. When it is sent, the default, is known only once the pipeline
  // has a latency: the first reports would be seconds off.
  g_object_set(rtpbin.get(), "rtcp-sync-send-time", FALSE, nullptr);
  g_signal_connect(bin_, "on-negotiation-needed", G_CALLBACK(&OfferingPeer::OnNegotiation), this);
  g_signal_connect(bin_, "on-new-transceiver", G_CALLBACK(&OfferingPeer::OnTransceiver), this);
  g_signal_connect(bin_, "notify::ice-gathering-state", G_CALLBACK(&OfferingPeer::OnGathering), this);
  g_signal_connect(bin_, "notify::connection-state", G_CALLBACK(&OfferingPeer::OnConnection), this);
  g_signal_connect(bin_, "pad-added", G_CALLBACK(&OfferingPeer::OnPadAdded), this);
  gst_bin_add(GST_BIN(pipeline), bin_);
}

void OfferingPeer::Send(GstPad* rtp) {
  const GstPadPtr sink(gst_element_request_pad_simple(bin_, "sink_%u"));
  if (sink == nullptr || gst_pad_link(rtp, sink.get()) != GST_PAD_LINK_OK)
    throw std::runtime_error("webrtcbin does not take RTP");
}

void OfferingPeer::Receive(const std::string& caps_text) {
  const GstCapsPtr caps(gst_caps_from_string(caps_text.c_str()));
  GObject* transceiver = nullptr;
  g_signal_emit_by_name(bin_, "add-transceiver", GST_WEBRTC_RTP_TRANSCEIVER_DIRECTION_RECVONLY, caps.get(),
                        &transceiver);
  if (transceiver == nullptr) throw std::runtime_error("webrtcbin does not receive " + caps_text);
  gst_object_unref(transceiver);
}

void OfferingPeer::TakeAnswer(const std::string& sdp) {
  const DescriptionPtr answer = DescriptionOf(GST_WEBRTC_SDP_TYPE_ANSWER, sdp);
  if (answer == nullptr) return events_.on_trouble("the answer is no SDP");
  GstPromise* promise = gst_promise_new();
  g_signal_emit_by_name(bin_, "set-remote-description", answer.get(), promise);
  gst_promise_unref(promise);
}

std::uint64_t OfferingPeer::retransmissions() const {
  std::uint64_t sent = 0;
  GstIterator* all = gst_bin_iterate_all_by_element_factory_name(GST_BIN(bin_), "rtprtxsend");
  const auto add = [](const GValue* value, gpointer sum) {
    guint packets = 0;
    g_object_get(g_value_get_object(value), "num-rtx-packets", &packets, nullptr);
    *static_cast<std::uint64_t*>(sum) += packets;
  };
  while (gst_iterator_foreach(all, add, &sent) == GST_ITERATOR_RESYNC) {
    sent = 0;
    gst_iterator_resync(all);
  }
  gst_iterator_free(all);
  return sent;
}

void OfferingPeer::OnTransceiver(GstElement*, GObject* transceiver, gpointer) {
  g_object_set(transceiver, "do-nack", TRUE, nullptr);
}

void OfferingPeer::OnNegotiation(GstElement* bin, gpointer self) {
  GstPromise* promise = gst_promise_new_with_change_func(&OfferingPeer::OnOfferMade, self, nullptr);
  g_signal_emit_by_name(bin, "create-offer", nullptr, promise);
}

void OfferingPeer::OnOfferMade(GstPromise* promise, gpointer self) {
  auto* peer = static_cast<OfferingPeer*>(self);
  GstWebRTCSessionDescription* raw = nullptr;
  if (gst_promise_wait(promise) == GST_PROMISE_RESULT_REPLIED) {
    gst_structure_get(gst_promise_get_reply(promise), "offer", GST_TYPE_WEBRTC_SESSION_DESCRIPTION, &raw,
                      nullptr);
  }
  gst_promise_unref(promise);
  const DescriptionPtr offer(raw);
  if (offer == nullptr) return peer->events_.on_trouble("webrtcbin made no offer");
  GstPromise* set = gst_promise_new();
  g_signal_emit_by_name(peer->bin_, "set-local-description", offer.get(), set);
  gst_promise_unref(set);
}

void OfferingPeer::OnGathering(GObject* bin, GParamSpec*, gpointer self) {
  auto* peer = static_cast<OfferingPeer*>(self);
  GstWebRTCICEGatheringState state{};
  g_object_get(bin, "ice-gathering-state", &state, nullptr);
  if (state != GST_WEBRTC_ICE_GATHERING_STATE_COMPLETE || peer->offered_.exchange(true)) return;
  GstWebRTCSessionDescription* raw = nullptr;
  g_object_get(bin, "local-description", &raw, nullptr);
  const DescriptionPtr offer(raw);
  if (offer == nullptr) return peer->events_.on_trouble("webrtcbin has no offer");
  const GStringPtr text(gst_sdp_message_as_text(offer->sdp));
  peer->events_.on_offer(text.get());
}

void OfferingPeer::OnConnection(GObject* bin, GParamSpec*, gpointer self) {
  GstWebRTCPeerConnectionState state{};
  g_object_get(bin, "connection-state", &state, nullptr);
  static_cast<OfferingPeer*>(self)->connected_ = state == GST_WEBRTC_PEER_CONNECTION_STATE_CONNECTED;
}

void OfferingPeer::OnPadAdded(GstElement*, GstPad* pad, gpointer self) {
  auto* peer = static_cast<OfferingPeer*>(self);
  if (gst_pad_get_direction(pad) == GST_PAD_SRC && peer->events_.on_receive) peer->events_.on_receive(pad);
}

}  // namespace millrace::webrtc_sim
