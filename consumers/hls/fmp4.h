// Fragmented MP4 (CMAF) from fragments as players get them (consumers/player_audio.h): one init segment per
// set of tracks, one media segment per fragment.
//
// A segment is a pure function of the fragment's facts and its frames, so that segments made one by one, in
// any order, on any day, equal one long remux: times are those of track_runs.h, with signed composition
// offsets (trun v1) and no edit list (cameras' AAC carries no priming). mdat has the frames as they are
// stored, video first, then audio.
//
// Threads: pure functions; any.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "consumers/hls/track_runs.h"
#include "fragments/fragment.h"
#include "media/codec.h"
#include "media/frame.h"

namespace millrace {

// Bytes to send one after the other. Large frames are views into the fragment, never copied.
struct MediaSegment {
  std::vector<SharedBytes> parts;
  std::uint64_t bytes = 0;         // sum of the parts' sizes
  std::uint64_t copied_bytes = 0;  // of these, made or copied here; the rest is shared with the frames' owner
};

// ftyp and moov for `tracks`, those that can be played (PlayableTracks).
// Errors: kUnsupported (codec), kInvalidArgument (a malformed configuration, track numbers of zero or twice).
Result<Bytes> MakeInitSegment(const std::vector<TrackInfo>& tracks);

// styp, moof and mdat of one fragment, or of what is selected of it. `frames` are all of the fragment's, as
// the parser gives them; those of tracks that HLS cannot play are left out. Errors: as MakeTrackRuns.
Result<MediaSegment> MakeMediaSegment(const FragmentFacts& facts, const std::vector<Frame>& frames,
                                      const SegmentSelection& selection = {});

}  // namespace millrace
