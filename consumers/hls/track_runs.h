// What a segment carries of a fragment, whatever its container: the samples of the tracks that can be played,
// with exact times.
//
//   timescale  video 90,000; audio its sample rate
//   time zero  of every track: 1970 (docs/decisions/0004-epoch-times-in-segments.md)
//   video      decode times and durations from fragments/decode_times.h
//   audio      the sample positions of the facts' anchors, counted from the run's start
//
// A segment may be of one track alone, and of a piece of the fragment: a fragment that lasts longer than a
// playlist's target duration is cut into pieces of equal length by decode time, so that a sample is in
// exactly one of them and pieces next to each other equal the whole.
//
// Threads: pure; any.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "fragments/fragment.h"
#include "media/frame.h"

namespace millrace {

inline constexpr std::uint32_t kVideoTimescale = 90'000;

struct SegmentSelection {
  std::optional<std::uint32_t> track{};  // TrackInfo::number; none: all that can be played
  std::uint32_t piece = 0;               // from 0
  std::uint32_t pieces = 1;              // that the fragment is cut into, by time
  friend bool operator==(const SegmentSelection&, const SegmentSelection&) = default;
};

struct TrackSample {
  const Frame* frame = nullptr;         // one of those that were given
  std::uint32_t duration = 0;           // in the track's timescale
  std::int32_t composition_offset = 0;  // pts - dts
};

struct TrackRun {
  const TrackInfo* info = nullptr;  // one of the facts'
  std::uint32_t timescale = 0;
  std::uint64_t decode_time = 0;  // of the first sample
  std::uint64_t bytes = 0;
  std::vector<TrackSample> samples;

  bool video() const { return info->kind() == TrackKind::kVideo; }
};

// The runs of the selected tracks, in the order of the facts' tracks; those without a sample in the fragment
// are left out, those with none in the piece stand with no sample. `facts` and `frames` outlive what comes
// back. Errors: kNotFound: there is no such track that can be played, or none of its frames in the fragment.
//         kCorruption: frames and facts do not belong together, or times that run backwards.
//         kUnsupported, kInvalidArgument: as PlayableTracks. kInvalidArgument also: no such piece, or G.711
//         that is not made AAC yet (consumers/player_audio.h).
Result<std::vector<TrackRun>> MakeTrackRuns(const FragmentFacts& facts, const std::vector<Frame>& frames,
                                            const SegmentSelection& selection = {});

}  // namespace millrace
