// The server's storage session with one client of a channel, as the client sees it: offer and candidates go
// to its WebSocket as messages of nobody (no senderClientId), and what it sends to nobody by name comes back.
//
// What the client still sends to its session before is not taken: what came before the offer, and answers
// with the mids of another one.
//
// Threads: as webrtc_signaling.h.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
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
  std::optional<std::string> first_mid_;  // GUARDED_BY(mutex_); of the offer, once that is sent
  std::atomic<bool> not_told_ = false;    // the offer did not go out
};

}  // namespace millrace::api
