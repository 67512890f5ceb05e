// From a fragment's facts and the times of its frames to what remuxing needs: decode times and durations of
// video, places and lengths of audio in samples. Pure functions: the rule itself stands in fragment.h.
//
//   auto video = VideoDecodeTimes(facts.track_facts[0], pts);    // pts: of that track, in the MKV's order
//   auto audio = AudioSamples(facts.track_facts[1]);
//
// What holds within a run: decode times strictly increase, also from one fragment to the next, where the next
// one's first decode time is this one's end_dts; no frame is decoded after it is shown (dts <= pts).
//
// Errors:  kCorruption: the facts do not belong to these frames, or contradict themselves. Facts
//          are read from disk: nothing in them is taken on trust.
// Threads: any.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "fragments/fragment.h"

namespace millrace {

struct VideoTime {
  Timestamp dts;
  Duration duration{0};  // up to the next frame's dts; of the last one: up to end_dts
  friend bool operator==(const VideoTime&, const VideoTime&) = default;
};

// `pts`: the presentation times of the track's frames in decode order. One entry a frame, in the same order.
Result<std::vector<VideoTime>> VideoDecodeTimes(const TrackFacts& facts, std::span<const Timestamp> pts);

struct AudioSpan {
  std::uint64_t sample = 0;   // of the frame's first sample, since FragmentFacts::run_start
  std::uint64_t samples = 0;  // up to the next frame in the fragment (a gap counts to the frame before it);
                              // of the last one: samples_per_frame
  friend bool operator==(const AudioSpan&, const AudioSpan&) = default;
};

// One entry for each of the facts.frames frames of the track, in their order.
Result<std::vector<AudioSpan>> AudioSamples(const TrackFacts& facts);

}  // namespace millrace
