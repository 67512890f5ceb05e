// What an export is going to write, from the index alone: which fragments, in which order, joined how.
//
// Threads: pure values; MakeClipPlan waits for the disk.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "consumers/clips/clip_exporter.h"
#include "fragments/fragment_store.h"
#include "media/codec.h"

namespace millrace {

// A stretch of one run without a hole. Its frames' decode times and samples count from `run_start`; in the
// clip they are all moved by the same time.
struct ClipPiece {
  std::size_t first_fragment = 0;  // index in ClipPlan::fragments
  Timestamp start;                 // producer time of the first presentation
  Timestamp run_start;
  Duration shift{0};  // clip time = time since run_start + shift; whole ms

  Duration clip_start() const { return start - run_start + shift; }  // of the first presentation
};

struct ClipPlan {
  std::vector<TrackInfo> tracks;  // of video, then of audio
  // Of each: the how-manieth of its kind it is in the fragments.
  std::vector<std::size_t> ordinals;
  std::vector<FragmentNumber> fragments;
  std::vector<ClipPiece> pieces;   // one or more
  std::uint64_t video_frames = 0;  // at most
  std::uint64_t audio_frames = 0;
  bool reordered = false;  // there are B-frames
  Duration end{0};         // clip time at which the last frame ends; whole ms
  Timestamp last_end{};    // producer time at which the last fragment ends

  // Moves the clip so that its first presentation is at zero. Decode times before that are then negative.
  void BeginAtPresentation();

  // The clip's track that one of a fragment's tracks goes to: an index of `tracks`; -1: it has changed.
  int IndexOf(const std::vector<TrackInfo>& fragment, std::size_t index) const;
  bool Begins(const FragmentNumber& number) const { return !fragments.empty() && fragments[0] == number; }
};

// Exact to the nanosecond below, for any count. REQUIRES: rate > 0.
Duration SamplesToTime(std::uint64_t samples, std::uint32_t rate);

// Errors: as ClipExporter.
Result<ClipPlan> MakeClipPlan(FragmentStore& store, const ClipRequest& request, const ClipLimits& limits);
// One for each stretch in which the tracks keep their parameters.
Result<std::vector<ClipPlan>> MakeClipPlans(FragmentStore& store, const ClipRequest& request,
                                            const ClipLimits& limits);

}  // namespace millrace
