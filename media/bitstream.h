// What frames say of themselves and of their track, whatever the codec: containers and depayloaders leave
// some of it out, and producers get some of it wrong.
//
// Errors:  none: what cannot be read leaves what was there.
// Threads: pure functions, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "media/codec.h"

namespace millrace {

// Whether decoding can start with this frame: VP8, VP9 and AV1 by their headers, H.265 by the type of its
// slices. None: the container's flag holds (H.264, whose recovery points are not told here; audio).
std::optional<bool> KeyFrameByBitstream(const TrackInfo& track, ByteSpan frame);

// The same with the container's flag in hand. `track`: nullptr for one of an unknown codec.
bool IsKeyFrame(const TrackInfo* track, ByteSpan frame, bool flagged);

// Puts right, by a key frame (of audio: any frame), what `track` says:
//   width, height  H.264 and H.265 by codec_private's sequence parameter set; VP8, VP9 and AV1 by the key
//   frame codec_private  AV1 (av1C) and VP9 (WebM's features): made where it is missing or of another profile
// and without a frame: Opus runs at 48 kHz (RFC 7845 section 5.1), its header is made where it is missing;
// G.711's codec_private names its rate and channels.
void CompleteTrack(TrackInfo& track, ByteSpan key_frame);
void CompleteTrack(TrackInfo& track);

// The track of this number; nullptr: there is none.
const TrackInfo* FindTrack(const std::vector<TrackInfo>& tracks, std::uint32_t number);

// By how many frames decode order may run ahead of display order; none: the headers leave it open.
std::optional<std::uint32_t> ReorderDepthByHeaders(const TrackInfo& track);

// The bytes of each NAL unit's length: of H.264 and H.265, else 0.
std::size_t NalLengthBytes(const TrackInfo& track);

}  // namespace millrace
