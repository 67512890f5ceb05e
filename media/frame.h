// A frame: one access unit of video, or one packet of audio, with its times.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/time.h"

namespace millrace {

struct Frame {
  std::uint32_t track = 0;  // TrackInfo::number
  // When it is to be shown or heard, on the producer's clock (absolute).
  Timestamp pts;
  // The server's clock when it arrived.
  Timestamp arrival;
  // How long it lasts; zero where unknown (usual for video: the next frame tells).
  Duration duration{0};
  // Video: decoding can start here (H.264: IDR, or a recovery point that the depayloader marks). Audio:
  // always true.
  bool key_frame = false;
  // Packets of it, or right before it, were lost.
  bool after_loss = false;
  // The frame as it goes into Matroska: length-prefixed NAL units, raw AAC, ….
  SharedBytes data;
};

}  // namespace millrace
