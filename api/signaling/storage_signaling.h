// The server's storage session with one client of a channel, as the client sees it: offer and candidates go
// to its WebSocket as messages of nobody (no senderClientId), and what it sends to nobody by name comes back.
//
// What came before the offer is not taken: the client still sent it to its session before.
//
// Threads: as webrtc_signaling.h.
#pragma once

#include <atomic>
#include <mutex>
#include <string>

#include "api/signaling/signaling_hub.h"
#include "media/webrtc/webrtc_signaling.h"

namespace millrace::api {

class StorageSignaling final : public WebrtcSignaling {
 public:
  // `member`: of SignalingHub::JoinStorage. The hub outlives this.
  StorageSignaling(SignalingHub& hub, SignalingHub::MemberPtr member)
      : hub_(hub), member_(std::move(member)) {}

  void SendOffer(const std::string& sdp) override;
  void SendCandidate(const IceCandidate& candidate) override;
  Signals Take(bool connected) override;

 private:
  SignalingHub& hub_;
  const SignalingHub::MemberPtr member_;
  std::mutex mutex_;
  bool offered_ = false;                // GUARDED_BY(mutex_)
  std::atomic<bool> not_told_ = false;  // the offer did not go out
};

}  // namespace millrace::api
