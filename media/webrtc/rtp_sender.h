// Sends one of a peer's media: packets that were made once for all (rtp_payloader.h) get this peer's payload
// type, SSRC and sequence numbers, their payload is shared.
//
// Bounded: what waits for the network takes at most `bytes_max`; what comes then is not taken.
// Threads: one owner at a time. The peer is stopped before the sender goes.
#pragma once

#include <gst/app/gstappsrc.h>

#include <memory>
#include <optional>

#include "base/result.h"
#include "media/webrtc/rtp_payloader.h"
#include "media/webrtc/webrtc_peer.h"

namespace millrace {

class RtpSender {
 public:
  // REQUIRES: the peer is built, not started; senders are made in the order of the offer's media.
  // Errors: kInternal.
  static Result<std::unique_ptr<RtpSender>> Attach(WebrtcPeer& peer, std::size_t media,
                                                   std::size_t bytes_max);
  // `place`: of the frame on the pipeline's clock, by which RTCP tells how sound and picture belong together.
  // False: there is no room.
  bool Send(const RtpFrame& frame, GstClockTime place);
  TrackKind kind() const { return media_.kind; }

 private:
  RtpSender(SdpMedia media, std::size_t bytes_max);

  const SdpMedia media_;
  const std::size_t bytes_max_;
  const std::uint32_t ssrc_;
  std::uint16_t sequence_;
  GstAppSrc* source_ = nullptr;  // the pipeline's
};

}  // namespace millrace
