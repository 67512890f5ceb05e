// The manifest of a playback session over DASH (ISO/IEC 23009-1): one representation a track, segments by
// SegmentTemplate and SegmentTimeline, in milliseconds. What it names is relative to it, and authorized by
// the session's token.
//
//   getMP4InitFragment.mp4?SessionToken=…&TrackNumber=1&SequenceNumber=…
//   getMP4MediaFragment.mp4?SessionToken=…&TrackNumber=1&From=…&Time=$Time$   the fragment that starts at
//   $Time$
//                                                   by producer time, and was not ingested before number From
//
// A period is a stretch without a discontinuity. kOnDemand is static: periods follow each other without gaps.
// The others are dynamic: live periods begin at the server time of their first fragment; those of a replay
// where its schedule has them. S elements have kvs:ts (seconds, with three digits) and kvs:fn where the
// session shows them.
//
// Threads: pure functions; any.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "consumers/playback/timeline.h"
#include "media/codec.h"

namespace millrace {

struct ManifestTracks {
  std::vector<TrackInfo> playable;  // PlayableTracks of a set
  std::uint64_t bandwidth_bps = 0;  // of all together
  double frame_rate = 0;            // 0: not known
};

// `tracks`: of every tracks_id in the timeline. REQUIRES: something is listed.
// Errors: as CodecString.
Result<std::string> RenderManifest(const PlaybackSession& session, const Timeline& timeline,
                                   const std::map<std::uint64_t, ManifestTracks>& tracks,
                                   const std::string& token, Timestamp now);

}  // namespace millrace
