// The clip that every simulated camera shows: encoded once, kept in memory, shared by all cameras and
// clients.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "media/codec.h"

namespace millrace::camera_sim {

// One access unit of video or one packet of audio.
struct Unit {
  // Ticks of the track since the clip's start. `pts` is when it was captured; `send` when a real camera would
  // have encoded it and could send it: never before it was captured, and never falling.
  std::int64_t pts = 0;
  std::int64_t send = 0;
  bool key = false;
  Bytes data;  // H.264: NAL units with 4-byte lengths; AAC: one raw access unit
};

struct ClipTrack {
  TrackInfo info;
  std::uint32_t timescale = 0;  // ticks a second: 90000 for video, the sample rate for audio
  std::int64_t duration = 0;    // ticks; the clip starts again after it, so stamps run on without a seam
  std::vector<Unit> units;      // in sending (decode) order
};

struct Clip {
  ClipTrack video;
  std::optional<ClipTrack> audio;
};

}  // namespace millrace::camera_sim
