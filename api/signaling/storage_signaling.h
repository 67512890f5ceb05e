// The server's storage session with one client of a channel, as the client sees it: offer and candidates go
// to its WebSocket as messages of nobody (no senderClientId), and what it sends to nobody by name comes back.
//
// Threads: as webrtc_signaling.h.
#pragma once

#include <atomic>
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
  std::string first_mid_;               // of the offer; candidates come after it
  std::atomic<bool> not_told_ = false;  // the offer did not go out
};

}  // namespace millrace::api
