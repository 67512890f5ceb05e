// MPEG-TS segments from stored fragments, without transcoding, by libavformat's muxer: PAT, PMT, and the
// selected tracks, H.264 and H.265 with their parameter sets in band, AAC with ADTS headers.
//
// As CMAF segments (fmp4.h) they are a pure function of the fragment's facts and its frames: times are those
// of track_runs.h in ticks of 1/90,000 s since 1970, of which MPEG-TS keeps 33 bits; continuity counters fit
// from each segment to each other one (ts_continuity.h).
//
// Threads: pure functions; any.
#pragma once

#include <vector>

#include "base/result.h"
#include "consumers/hls/fmp4.h"

namespace millrace {

// Errors: as MakeTrackRuns; kUnsupported: a track that MPEG-TS cannot carry here; kInternal: the muxer's.
Result<MediaSegment> MakeTsSegment(const FragmentFacts& facts, const std::vector<Frame>& frames,
                                   const SegmentSelection& selection = {});

// Whether MPEG-TS carries these tracks. Errors: kUnsupported, with the way round.
Result<void> CheckTsTracks(const std::vector<TrackInfo>& tracks);

}  // namespace millrace
