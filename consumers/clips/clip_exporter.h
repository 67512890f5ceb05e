// Exports a range of recorded time as one file, MP4 or MKV, without transcoding: frames untouched, none
// missing, none twice.
//
// Range:  to the frame, from the key frame at or before the start (a clip has to begin with one) up to the
//         end: frames that begin before the end are in; a few later ones may be, where they are decoded
//         before one that is. Or whole fragments: those that start within the range, both ends included, by
//         the producer's clock or the server's; of fragments of one start by the producer's the newest; where
//         the first of them does not begin with a key frame, those that it needs come before it.
// Gaps:   footage is joined: after a gap the clip goes on without a pause, as a person who cuts the
//         pauses out would have it, and a chapter, titled with the time of day, begins. Audio and
//         video keep their distance throughout.
// Tracks: all whose codec Millrace knows, with unchanged parameters; in MP4 G.711 is made AAC
//         (consumers/player_audio.h). A camera that changed its resolution or
//         codec within the range ends in kFailedPrecondition, with the time: MP4 and MKV say these once for a
//         whole track. Stretches() says where one file after the other can be had.
// Names:  creation_time is the producer time of the first frame.
// Memory: one fragment and, for an MP4 with its index in front, ClipOutline::index_bytes; limits.frames_max
//         bounds that.
//
// Errors:  kNotFound: stream; no footage in the range. kInvalidArgument: an empty range, one that is too
// long.
//          kFailedPrecondition: the parameters change. kUnsupported: a codec that the format cannot hold, or
//          that Millrace does not know.
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
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "fragments/fragment_store.h"
#include "media/codec.h"

namespace millrace {

struct ClipPlan;

enum class ClipFormat : std::uint8_t { kMp4, kMkv };

std::optional<ClipFormat> ClipFormatFromString(std::string_view name);  // "mp4", "mkv"
std::string_view ContentType(ClipFormat format);                        // "video/mp4", "video/x-matroska"

enum class ClipCut : std::uint8_t { kFrames, kFragmentsByProducerTime, kFragmentsByServerTime };

struct ClipRequest {
  std::string stream;
  Timestamp start;
  Timestamp end;
  ClipFormat format = ClipFormat::kMp4;
  ClipCut cut = ClipCut::kFrames;
  // Of the range, only the stretch that begins with this fragment.
  std::optional<FragmentNumber> stretch{};
};

// What a clip is going to be, as far as the index can tell.
struct ClipOutline {
  FragmentNumber first;  // its first fragment
  Timestamp start;       // producer time of that
  Timestamp end;         // producer time at which the last one ends
  Duration duration{0};  // without the gaps; whole fragments
  std::uint64_t fragments = 0;
  std::uint64_t frames = 0;       // at most
  std::vector<TrackInfo> tracks;  // of video, then of audio; none: of codecs that Millrace does not know
  std::uint64_t index_bytes = 0;  // what an MP4's index takes in memory while it is made
};

// Why a track cannot be put into a file of this format.
enum class TrackFault : std::uint8_t { kNone, kCodec, kNoCodecPrivate, kBadCodecPrivate };
TrackFault FaultOf(const TrackInfo& track, ClipFormat format);
// The same in words, with the way round. Errors: kUnsupported.
Result<void> CheckTrack(const TrackInfo& track, ClipFormat format);

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
  std::uint64_t frames_max = 4'000'000;  // of an MP4 with its index in front, which is held in memory
};

// Takes the clip's bytes in order; what it returns ends the export.
using ByteSink = std::function<Result<void>(ByteSpan bytes)>;

class ClipExporter {
 public:
  // Asked between fragments; true ends the export with kCancelled.
  using CancelCheck = std::function<bool()>;

  // `store` outlives the exporter.
  explicit ClipExporter(FragmentStore& store, ClipLimits limits = {}) : store_(store), limits_(limits) {}

  // Of what the request asks for, whatever its format can hold.
  Result<ClipOutline> Outline(const ClipRequest& request);
  // Checks the request as far as the index can tell: so that a server can answer with an error before it
  // sends bytes.
  Result<void> Check(const ClipRequest& request);
  // The range in the stretches that one file each can hold, in the order of their recording.
  Result<std::vector<ClipOutline>> Stretches(const ClipRequest& request);

  // To a file that appears when it is whole (it is written next to it, as <path>.part, and renamed). A file
  // of this name is replaced. MP4 is progressive with its index in front, so that players can start before
  // they have it all.
  Result<ClipSummary> ToFile(const ClipRequest& request, const std::filesystem::path& path,
                             const CancelCheck& cancelled = {});

  // To a sink that cannot seek. MP4 is fragmented then (one movie fragment a stored fragment).
  Result<ClipSummary> ToSink(const ClipRequest& request, const ByteSink& sink,
                             const CancelCheck& cancelled = {});

  // To a sink that cannot seek, as MP4 with its index in front, not fragmented. The fragments are read twice:
  // for the index, then for the media. `begin` is told the clip's length before its first bytes; all errors
  // of the footage come before that, but for those of footage that goes, or is damaged, in between.
  Result<ClipSummary> ToIndexedSink(const ClipRequest& request,
                                    const std::function<Result<void>(std::uint64_t bytes)>& begin,
                                    const ByteSink& sink, const CancelCheck& cancelled = {});

 private:
  Result<ClipPlan> Plan(const ClipRequest& request);

  FragmentStore& store_;
  const ClipLimits limits_;
};

}  // namespace millrace
