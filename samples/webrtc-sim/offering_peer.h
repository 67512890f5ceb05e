// One WebRTC connection that this side offers: GStreamer's webrtcbin on loopback. The offer goes out whole,
// with its candidates in it, as WHIP and WHEP want it.
//
// Threads: one owner; events come on webrtcbin's threads.
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

namespace millrace::webrtc_sim {

class OfferingPeer {
 public:
  struct Events {
    std::function<void(const std::string& sdp)> on_offer;  // once
    std::function<void(GstPad*)> on_receive{};             // RTP begins to come
    std::function<void(const std::string&)> on_trouble{};  // what cannot go on
  };
  // The webrtcbin is made in `pipeline`, which outlives this and is not running yet. It is reached at
  // `address`.
  OfferingPeer(GstElement* pipeline, const std::string& address, Events events);
  OfferingPeer(const OfferingPeer&) = delete;
  OfferingPeer& operator=(const OfferingPeer&) = delete;

  // Links a source pad that gives RTP: it is sent.
  void Send(GstPad* rtp);
  // Media of these caps is received.
  void Receive(const std::string& caps);
  void TakeAnswer(const std::string& sdp);
  bool connected() const { return connected_; }
  // RTP packets that were sent a second time since they were asked for.
  std::uint64_t retransmissions() const;

 private:
  static void OnNegotiation(GstElement* bin, gpointer self);
  static void OnOfferMade(GstPromise* promise, gpointer self);
  static void OnGathering(GObject* bin, GParamSpec* property, gpointer self);
  static void OnConnection(GObject* bin, GParamSpec* property, gpointer self);
  static void OnPadAdded(GstElement* bin, GstPad* pad, gpointer self);
  static void OnTransceiver(GstElement* bin, GObject* transceiver, gpointer self);

  const Events events_;
  GstElement* bin_ = nullptr;  // the pipeline's
  std::atomic<bool> offered_ = false;
  std::atomic<bool> connected_ = false;
};

}  // namespace millrace::webrtc_sim
