// RFC 6381 names of what a track holds, for CODECS of a multivariant playlist; and which tracks HLS and DASH
// can carry, in which form (docs/codecs.md).
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "media/codec.h"

namespace millrace {

// By the track's configuration: "avc1.64001f", "hvc1.1.6.L93.90" (ISO/IEC 14496-15 annex E), "av01.0.04M.08"
// (AV1's ISO media file format binding, section 5), "vp09.00.31.08" (VP Codec ISO Media File Format Binding),
// "mp4a.40.2", "opus". Errors: kUnsupported: a codec that fragmented MP4 does not carry, with why and what
// plays it instead.
//         kInvalidArgument: the codec's configuration is missing or malformed.
Result<std::string> CodecString(const TrackInfo& track);

// The tracks that a player gets, as it gets them, in the order of `tracks`: G.711 as the AAC that it is made
// (consumers/player_audio.h), all others as they are. Every video track has to be playable; audio that is not
// is left out where there is video, so that the picture can be watched. Errors: as CodecString; kUnsupported
// also where nothing is left.
Result<std::vector<TrackInfo>> PlayableTracks(const std::vector<TrackInfo>& tracks);

}  // namespace millrace
