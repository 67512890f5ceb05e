// RFC 6381 names of what a track holds, for CODECS of a multivariant playlist; and which tracks HLS can
// carry.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "media/codec.h"

namespace millrace {

// "avc1.64001f" (profile, constraints and level as the avcC has them), "mp4a.40.2".
// Errors: kUnsupported: a codec that HLS does not carry here, with what plays it instead.
//         kInvalidArgument: the codec's configuration is missing or malformed.
Result<std::string> CodecString(const TrackInfo& track);

// The tracks that a player gets, in the order of `tracks`: every video track has to be playable; audio that
// is not (G.711) is left out where there is video, so that the picture can be watched. Errors: as
// CodecString; kUnsupported also where nothing is left.
Result<std::vector<TrackInfo>> PlayableTracks(const std::vector<TrackInfo>& tracks);

}  // namespace millrace
