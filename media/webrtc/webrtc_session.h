// One peer's connection as the server keeps it: it is opened, answers, lives while the peer is there, and is
// closed by the thread that keeps all of them (webrtc_sessions.h). What flows in it, and which way, is its
// maker's.
//
// Threads: Open, Look and Close by one owner at a time, and they may block; the others from any thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "media/webrtc/webrtc_peer.h"
#include "media/webrtc/webrtc_signaling.h"

namespace millrace {

struct WebrtcTimes {
  std::chrono::milliseconds gathering_max{1000};  // what a STUN server has not said by then is not told
  std::chrono::milliseconds connecting_max{20'000};
};

class WebrtcSession {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;
  using OnAnswer = std::function<void(Result<std::string>)>;

  WebrtcSession(const WebrtcSettings& settings, const WebrtcTimes& times, std::string stream)
      : settings_(settings), times_(times), stream_(std::move(stream)) {}
  virtual ~WebrtcSession() = default;  // REQUIRES: closed, or never opened
  WebrtcSession(const WebrtcSession&) = delete;
  WebrtcSession& operator=(const WebrtcSession&) = delete;

  // `answered` runs once, on any thread, and must not block. Errors: kInternal; then it does not run.
  Result<void> Open(SdpOffer offer, OnAnswer answered);
  // The same where the peer waits to be asked. Errors: kInternal.
  Result<void> Offer(SdpProposal proposal, std::shared_ptr<WebrtcSignaling> signaling);
  // Called several times a second. Why it is over; none: it goes on.
  std::optional<Error> Look(SteadyTime now);
  void Close();

  const std::string& stream() const { return stream_; }
  // REQUIRES: opened, not closed.
  WebrtcPeer& peer() { return *peer_; }

 private:
  // The peer is built: adds what its media come from or go to.
  virtual Result<void> Prepare(WebrtcPeer& peer) = 0;
  // RTP of one of the media begins to come. On webrtcbin's threads.
  virtual void Receive(GstPad* pad, const SdpMedia& media) = 0;
  virtual void Connected() = 0;  // on webrtcbin's threads
  virtual std::optional<Error> LookAtMedia(SteadyTime now) = 0;
  // The peer will be stopped: nothing more is to be sent to it.
  virtual void Closing() {}
  // The peer's threads and its pipeline are gone. Also where Prepare failed.
  virtual void Stopped() = 0;

  WebrtcPeer::Events PeerEvents();
  Result<void> Start();
  std::optional<Error> TakeSignals();

  const WebrtcSettings& settings_;
  const WebrtcTimes times_;
  const std::string stream_;
  SteadyTime opened_;
  bool prepared_ = false;
  std::unique_ptr<WebrtcPeer> peer_;
  std::shared_ptr<WebrtcSignaling> signaling_;  // where the offer is ours
  bool answered_ = false;                       // the peer has
  std::mutex mutex_;
  std::optional<Error> ended_;  // GUARDED_BY(mutex_)
};

}  // namespace millrace
