// One WebRTC connection: GStreamer's webrtcbin, in a pipeline of its own.
//
// Where the peer has asked for it with an SDP offer, the answer comes out, with all of our candidates in it,
// since an HTTP answer is the only thing that the peer is told. Where the peer waits to be asked, our offer
// comes out, and our candidates after it one by one; its answer is handed in. The peer's candidates may come
// one by one either way.
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
#include "media/webrtc/sdp_answer.h"
#include "media/webrtc/sdp_offer.h"
#include "media/webrtc/webrtc_settings.h"

namespace millrace {

// RTP of one of an offer's media, as caps.
GstCapsPtr RtpCaps(const SdpMedia& media, std::uint32_t ssrc);

class WebrtcPeer {
 public:
  struct Events {
    // Once: our answer, or our offer. Errors: kInvalidArgument (what the peer's offer says cannot be set up),
    // kInternal.
    std::function<void(Result<std::string>)> on_description;
    std::function<void(const IceCandidate&)> on_candidate{};  // ours, behind our offer
    std::function<void()> on_connected{};                     // once
    std::function<void(Error)> on_ended{};  // at most once; it was refused, failed or was closed
    // RTP of one of the offer's media begins to come; link the pad before this returns. Once for each: a peer
    // that sends one of its media from another source beside or after the first ends with kUnsupported.
    std::function<void(GstPad*, const SdpMedia&)> on_receive{};
  };
  WebrtcPeer(const WebrtcSettings& settings, SdpOffer offer, Events events);
  WebrtcPeer(const WebrtcSettings& settings, SdpProposal proposal, Events events);
  ~WebrtcPeer();  // Stop()
  WebrtcPeer(const WebrtcPeer&) = delete;
  WebrtcPeer& operator=(const WebrtcPeer&) = delete;

  // Builds the pipeline, without the elements that media go to or come from.
  // Errors: kInternal: an element is missing.
  Result<void> Build();
  // For each of the media that we send, in their order: what is linked to its pad is sent. RTP with
  // the payload type that the medium has, and this SSRC. REQUIRES: built, not started. Errors: kInternal.
  Result<GstPadPtr> RequestSender(std::size_t media, std::uint32_t ssrc);
  // Returns at once; the description comes as an event. REQUIRES: built.
  void Start();
  // The answer to our offer, once. Errors: those of SdpAnswer::Read, where what answers another offer changes
  // nothing; kInvalidArgument, where there is no offer yet. That it cannot be set up ends the connection.
  Result<void> TakeAnswer(std::string_view text);
  // Answers with what has been gathered so far, where gathering began before `since`: a STUN or TURN server
  // may be slow.
  void StopGathering(std::chrono::steady_clock::time_point since);
  // The peer's; what is too much is ignored.
  void AddCandidates(const std::vector<IceCandidate>& candidates);
  void Stop();
  void End(Error error);

  // The peer's; null: the offer is ours.
  const SdpOffer* offer() const { return offer_ ? &*offer_ : nullptr; }
  // Those of the peer's offer; of ours what it took of it, once it has answered.
  const std::vector<SdpMedia>& media() const { return media_; }
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
  static void OnOfferMade(GstPromise* promise, gpointer self);
  static void OnAnswerSet(GstPromise* promise, gpointer self);
  static void OnRemoteSet(GstPromise* promise, gpointer self);
  static void OnAnswerMade(GstPromise* promise, gpointer self);

  Result<void> ConfigureIce();
  // webrtc_negotiation.cc
  void SetDescription(const char* signal, const std::string& text, bool offer, GstPromise* promise);
  // RTP as it is sent: where the offer is ours, with what the offer says of it.
  GstCapsPtr SenderCaps(const SdpMedia& media, std::uint32_t ssrc) const;
  void Fail(Error error);

  const WebrtcSettings& settings_;
  const std::optional<SdpOffer> offer_;
  const SdpProposal proposal_;  // where the offer is ours
  // Behind each mid of our offer, so that what answers another one is told from what answers this.
  const std::string mid_mark_;
  const Events events_;
  std::vector<SdpMedia> media_;  // the owner's thread, and webrtcbin's after the descriptions
  GstElementPtr pipeline_;
  GstElementPtr rtpbin_;
  GstElement* bin_ = nullptr;  // the pipeline's
  std::atomic<bool> connected_ = false;
  std::atomic<bool> ended_ = false;
  std::atomic<bool> receives_video_ = false;
  std::atomic<bool> receives_audio_ = false;
  std::atomic<std::chrono::steady_clock::rep> last_heard_ = 0;

  std::mutex mutex_;
  std::string made_;                                 // GUARDED_BY(mutex_); webrtcbin's answer, or our offer
  std::string first_mid_;                            // GUARDED_BY(mutex_); of our offer
  std::chrono::steady_clock::time_point made_at_{};  // GUARDED_BY(mutex_)
  bool described_ = false;                           // GUARDED_BY(mutex_); on_description ran
  std::vector<IceCandidate> candidates_;             // GUARDED_BY(mutex_); ours
  std::size_t remote_candidates_ = 0;                // GUARDED_BY(mutex_)
};

}  // namespace millrace
