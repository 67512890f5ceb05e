// Exports a range of recorded time as one file, MP4 or MKV, without transcoding: frames untouched, none
// missing, none twice.
//
// Range:  from the key frame at or before the start (a clip has to begin with one) up to the end, to the
// frame. Frames
//         that begin before the end are in; a few later ones may be, where they are decoded before one that
//         is.
// Gaps:   footage is joined: after a gap the clip goes on without a pause, as a person who cuts the pauses
// out would
//         have it, and a chapter, titled with the time of day, begins. Audio and video keep their distance
//         throughout.
// Tracks: one of video and one of audio, with unchanged parameters. A camera that changed its resolution or
// codec
//         within the range ends in kFailedPrecondition, with the time: MP4 and MKV say these once for a whole
//         track.
// Names:  creation_time is the producer time of the first frame.
// Memory: one fragment and, for a progressive MP4, some 100 bytes a frame; limits.frames_max bounds that.
//
// Errors:  kNotFound: stream; no footage in the range. kInvalidArgument: an empty range, one that is too
// long.
//          kFailedPrecondition: the parameters change. kUnsupported: a codec that the format cannot hold.
//          kCorruption: stored footage is damaged. kIo, kNoSpace: writing. kCancelled. Others as
//          FragmentStore.
// Threads: any number of exports at a time; a call lasts as long as reading and writing do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "fragments/fragment_store.h"

namespace millrace {

enum class ClipFormat : std::uint8_t { kMp4, kMkv };

std::optional<ClipFormat> ClipFormatFromString(std::string_view name);  // "mp4", "mkv"
std::string_view ContentType(ClipFormat format);                        // "video/mp4", "video/x-matroska"

struct ClipRequest {
  std::string stream;
  Timestamp start;
  Timestamp end;
  ClipFormat format = ClipFormat::kMp4;
};

struct ClipSummary {
  Timestamp first;       // producer time of the first frame
  Timestamp last;        // producer time at which the last one ends
  Duration duration{0};  // of the clip: footage, without the gaps
  std::uint64_t fragments = 0;
  std::uint64_t video_frames = 0;
  std::uint64_t audio_frames = 0;
  std::uint64_t gaps = 0;
  std::uint64_t bytes = 0;
};

struct ClipLimits {
  std::size_t fragments_max = 100'000;
  std::uint64_t frames_max = 8'000'000;  // of a progressive MP4, whose index is held in memory
};

// Takes the clip's bytes in order; what it returns ends the export.
using ByteSink = std::function<Result<void>(ByteSpan bytes)>;

class ClipExporter {
 public:
  // Asked between fragments; true ends the export with kCancelled.
  using CancelCheck = std::function<bool()>;

  // `store` outlives the exporter.
  explicit ClipExporter(FragmentStore& store, ClipLimits limits = {}) : store_(store), limits_(limits) {}

  // Checks the request as far as the index can tell: so that a server can answer with an error before it
  // sends bytes.
  Result<void> Check(const ClipRequest& request);

  // To a file that appears when it is whole (it is written next to it, as <path>.part, and renamed). A file
  // of this name is replaced. MP4 is progressive with its index in front, so that players can start before
  // they have it all.
  Result<ClipSummary> ToFile(const ClipRequest& request, const std::filesystem::path& path,
                             const CancelCheck& cancelled = {});

  // To a sink that cannot seek. MP4 is fragmented then (one movie fragment a stored fragment).
  Result<ClipSummary> ToSink(const ClipRequest& request, const ByteSink& sink,
                             const CancelCheck& cancelled = {});

 private:
  FragmentStore& store_;
  const ClipLimits limits_;
};

}  // namespace millrace
