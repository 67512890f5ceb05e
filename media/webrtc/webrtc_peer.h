// One WebRTC connection that a peer has asked for with an SDP offer: GStreamer's webrtcbin, in a pipeline of
// its own. The answer comes out, with all of our candidates in it, since an HTTP answer is the only thing
// that the peer is told; the peer's candidates may come one by one.
//
// Ends when ICE or DTLS fail, when the peer closes, or when nobody connects in time; webrtcbin itself does
// not notice a peer that vanishes: the owner looks at what it hears.
//
// Threads: Start and Stop by one owner, and both block (Stop until all threads of the connection are gone);
// the others from any thread. Events come on webrtcbin's threads and must neither block nor call Stop.
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "media/gst_handles.h"
#include "media/webrtc/sdp_offer.h"
#include "media/webrtc/webrtc_settings.h"

namespace millrace {

// RTP of one of an offer's media, as caps.
GstCapsPtr RtpCaps(const SdpMedia& media, std::uint32_t ssrc);

class WebrtcPeer {
 public:
  struct Events {
    // Once. Errors: kInvalidArgument (what the offer says cannot be set up), kDeadlineExceeded, kInternal.
    std::function<void(Result<std::string>)> on_answer;
    std::function<void()> on_connected{};   // once
    std::function<void(Error)> on_ended{};  // at most once; it was refused, failed or was closed
    // RTP of one of the offer's media begins to come; link the pad before this returns. Once for each: a peer
    // that sends one of its media from another source beside or after the first ends with kUnsupported.
    std::function<void(GstPad*, const SdpMedia&)> on_receive{};
  };
  WebrtcPeer(const WebrtcSettings& settings, SdpOffer offer, Events events);
  ~WebrtcPeer();  // Stop()
  WebrtcPeer(const WebrtcPeer&) = delete;
  WebrtcPeer& operator=(const WebrtcPeer&) = delete;

  // Builds the pipeline, without the elements that media go to or come from.
  // Errors: kInternal: an element is missing.
  Result<void> Build();
  // For each of the offer's media that we send, in their order: what is linked to its pad is sent. RTP with
  // the payload type that the offer gives, and this SSRC. REQUIRES: built, not started. Errors: kInternal.
  Result<GstPadPtr> RequestSender(std::size_t media, std::uint32_t ssrc);
  // Returns at once; the answer comes as an event. REQUIRES: built.
  void Start();
  // Answers with what has been gathered so far, where gathering began before `since`: a STUN or TURN server
  // may be slow.
  void StopGathering(std::chrono::steady_clock::time_point since);
  // The peer's; what is too much is ignored.
  void AddCandidates(const std::vector<IceCandidate>& candidates);
  void Stop();
  void End(Error error);

  const SdpOffer& offer() const { return offer_; }
  // Built ones.
  GstElement* pipeline() const { return pipeline_.get(); }
  GstElement* rtpbin() const { return rtpbin_.get(); }
  bool connected() const { return connected_; }
  // When RTCP came last; the epoch: never.
  std::chrono::steady_clock::time_point last_heard() const {
    return std::chrono::steady_clock::time_point(std::chrono::steady_clock::duration(last_heard_.load()));
  }
  bool ended() const { return ended_; }

 private:
  static GstBusSyncReply OnMessage(GstBus* bus, GstMessage* message, gpointer self);
  static void OnPadAdded(GstElement* bin, GstPad* pad, gpointer self);
  static void OnTransceiver(GstElement* bin, GObject* transceiver, gpointer self);
  static void OnCandidate(GstElement* bin, guint mline, gchar* candidate, gpointer self);
  static void OnGathering(GObject* bin, GParamSpec* property, gpointer self);
  static void OnConnection(GObject* bin, GParamSpec* property, gpointer self);
  static void OnManagerElement(GstBin* manager, GstElement* element, gpointer self);
  static void OnRtcp(GObject* session, GstBuffer* packets, gpointer self);
  static void OnRemoteSet(GstPromise* promise, gpointer self);
  static void OnAnswerMade(GstPromise* promise, gpointer self);

  Result<void> ConfigureIce();
  void SetDescription(const char* signal, const std::string& text, bool offer, GstPromise* promise);
  void Answer();
  void Fail(Error error);

  const WebrtcSettings& settings_;
  const SdpOffer offer_;
  const Events events_;
  GstElementPtr pipeline_;
  GstElementPtr rtpbin_;
  GstElement* bin_ = nullptr;  // the pipeline's
  std::atomic<bool> connected_ = false;
  std::atomic<bool> ended_ = false;
  std::atomic<bool> receives_video_ = false;
  std::atomic<bool> receives_audio_ = false;
  std::atomic<std::chrono::steady_clock::rep> last_heard_ = 0;

  std::mutex mutex_;
  std::string made_answer_;                       // GUARDED_BY(mutex_); webrtcbin's
  std::chrono::steady_clock::time_point made_{};  // GUARDED_BY(mutex_); then
  bool answered_ = false;                         // GUARDED_BY(mutex_)
  std::vector<IceCandidate> candidates_;          // GUARDED_BY(mutex_); ours
  std::size_t remote_candidates_ = 0;             // GUARDED_BY(mutex_)
};

}  // namespace millrace
