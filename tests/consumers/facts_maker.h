// Facts of made-up fragments, for tests that need no media.
#pragma once

#include <cstdint>
#include <vector>

#include "fragments/fragment.h"

namespace millrace::testing {

inline constexpr Timestamp kFactsStart = Timestamp::FromSeconds(1'763'690'820);

inline TrackInfo H264Track(std::uint8_t level = 0x1f) {
  TrackInfo track;
  track.number = 1;
  track.codec = Codec::kH264;
  track.width = 1920;
  track.height = 1080;
  track.codec_private = {1, 0x64, 0x00, level, 0xff, 0xe0, 0x00};
  return track;
}

inline TrackInfo AacTrack() {
  TrackInfo track;
  track.number = 2;
  track.codec = Codec::kAac;
  track.sample_rate = 48'000;
  track.channels = 2;
  track.codec_private = {0x11, 0x90};
  return track;
}

// The fragment of this counter, `ms` long, beginning at kFactsStart + start_ms; 25 frames a second.
inline FragmentFacts MakeFacts(std::uint64_t counter, std::int64_t start_ms, std::int64_t ms = 1000,
                               std::uint64_t run = 1, std::vector<TrackInfo> tracks = {H264Track()}) {
  FragmentFacts facts;
  facts.number = {.counter = counter, .server_ms = 1'763'690'820'000, .random = 5};
  facts.start = kFactsStart + std::chrono::milliseconds(start_ms);
  facts.duration = std::chrono::milliseconds(ms);
  facts.server_start = facts.start;
  facts.bytes = static_cast<std::uint64_t>(ms) * 500;  // 4 Mbit/s
  facts.run = run;
  facts.run_start = kFactsStart;
  facts.tracks = std::move(tracks);
  facts.tracks_id = TracksId(facts.tracks);
  for (const TrackInfo& track : facts.tracks) {
    TrackFacts of;
    of.track = track.number;
    if (track.kind() == TrackKind::kVideo) {
      of.frames = static_cast<std::uint32_t>(ms / 40);
      of.first_dts = facts.start;
      of.end_dts = facts.end_time();
    }
    facts.track_facts.push_back(of);
  }
  return facts;
}

}  // namespace millrace::testing
