// The stored fragments of a clip's range, and where in it one file has to end because the tracks change.
//
// Threads: pure values; ReadClipRange waits for the disk.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "consumers/clips/clip_exporter.h"
#include "fragments/fragment_store.h"
#include "media/codec.h"

namespace millrace {

// The parts of a fragment's facts that joining needs.
struct ClipFragment {
  FragmentNumber number;
  Timestamp start;
  Timestamp end;
  std::uint64_t run = 0;
  Timestamp run_start;
  bool independent = true;
  bool reordered = false;  // there are B-frames
  Duration begins{0};      // since run_start: the earliest decode time or sample
  Duration ends{0};        // since run_start: where the last frame of any track ends
  std::size_t tracks = 0;  // index in ClipRange::track_sets
  std::uint32_t video_frames = 0;
  std::uint32_t audio_frames = 0;
};

struct ClipRange {
  std::vector<ClipFragment> fragments;  // one or more, in the order of their numbers
  std::vector<std::vector<TrackInfo>> track_sets;
};

// A track of a file, and which of the fragments' tracks go to it: the `ordinal`-th of its kind.
struct ClipTrack {
  TrackInfo info;
  std::size_t ordinal = 0;
};

// Fragments one after the other that one file can hold: each track keeps its parameters.
struct TrackStretch {
  std::size_t begin = 0;          // in ClipRange::fragments
  std::size_t end = 0;            // behind the last
  std::vector<ClipTrack> tracks;  // of video, then of audio
};

// Two tracks that one entry of a file can describe: the number does not matter.
bool SameParameters(TrackInfo a, const TrackInfo& b);
// "h264 1920x1080", "aac 48000 Hz, 2 channels"
std::string Describe(const TrackInfo& track);

// Errors: as ClipExporter.
Result<ClipRange> ReadClipRange(FragmentStore& store, const ClipRequest& request, const ClipLimits& limits);

// In order; one or more, and together all of the range.
std::vector<TrackStretch> SplitByTracks(const ClipRange& range);

}  // namespace millrace
