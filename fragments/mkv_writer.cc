#include "fragments/mkv_writer.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "parser/ebml_writer.h"

namespace millrace {
namespace {

constexpr std::uint64_t kMatroskaVersion = 4;
constexpr std::uint64_t kTrackTypeVideo = 1;
constexpr std::uint64_t kTrackTypeAudio = 2;
constexpr std::uint64_t kOpusSeekPreRollNs = 80'000'000;  // RFC 9559 section 5.1.4.1.29

void AppendInfo(Bytes& out, Duration duration) {
  const std::size_t info = BeginMaster(out, ElementId::kInfo, 2);
  AppendUnsigned(out, ElementId::kTimestampScale, 1'000'000);
  AppendText(out, ElementId::kMuxingApp, "Millrace");
  AppendText(out, ElementId::kWritingApp, "Millrace");
  AppendFloat(out, ElementId::kDuration, static_cast<double>(duration.count()) / 1e6);
  EndMaster(out, info, 2);
}

void AppendTrackEntry(Bytes& out, const TrackInfo& track) {
  const std::size_t entry = BeginMaster(out, ElementId::kTrackEntry, 4);
  const bool video = track.kind() == TrackKind::kVideo;
  AppendUnsigned(out, ElementId::kTrackNumber, track.number);
  AppendUnsigned(out, ElementId::kTrackUid, track.number);
  AppendUnsigned(out, ElementId::kTrackType, video ? kTrackTypeVideo : kTrackTypeAudio);
  AppendUnsigned(out, ElementId::kFlagLacing, 0);
  AppendText(out, ElementId::kLanguage, "und");
  AppendText(out, ElementId::kCodecId, MatroskaCodecId(track.codec));
  if (!track.codec_private.empty()) AppendBinary(out, ElementId::kCodecPrivate, track.codec_private);
  if (track.codec == Codec::kOpus) AppendUnsigned(out, ElementId::kSeekPreRoll, kOpusSeekPreRollNs);
  if (video) {
    const std::size_t settings = BeginMaster(out, ElementId::kVideo, 1);
    AppendUnsigned(out, ElementId::kPixelWidth, track.width);
    AppendUnsigned(out, ElementId::kPixelHeight, track.height);
    EndMaster(out, settings, 1);
  } else {
    const std::size_t settings = BeginMaster(out, ElementId::kAudio, 1);
    AppendFloat(out, ElementId::kSamplingFrequency, track.sample_rate);
    AppendUnsigned(out, ElementId::kChannels, track.channels);
    EndMaster(out, settings, 1);
  }
  EndMaster(out, entry, 4);
}

void AppendHead(Bytes& out, const std::vector<TrackInfo>& tracks, Duration duration) {
  AppendMatroskaHeader(out, kMatroskaVersion);
  AppendElementId(out, ElementId::kSegment);
  AppendUnknownSize(out);
  AppendInfo(out, duration);
  const std::size_t entries = BeginMaster(out, ElementId::kTracks, 4);
  for (const TrackInfo& track : tracks) AppendTrackEntry(out, track);
  EndMaster(out, entries, 4);
}

}  // namespace

Result<void> CheckMkvTrack(const TrackInfo& track) {
  const std::string where = "track " + std::to_string(track.number) + ": ";
  if (track.number < 1 || track.number > 126) {
    return Error{ErrorCode::kInvalidArgument, where + "numbers are 1 to 126"};
  }
  if (CodecFromMatroska(MatroskaCodecId(track.codec), track.codec_private) != track.codec) {
    return Error{ErrorCode::kInvalidArgument,
                 where + "the codec data is not that of " + std::string(ToString(track.codec))};
  }
  if (track.kind() == TrackKind::kVideo && (track.width == 0 || track.height == 0)) {
    return Error{ErrorCode::kInvalidArgument, where + "the picture size is missing"};
  }
  if (track.kind() == TrackKind::kAudio && (track.sample_rate == 0 || track.sample_rate > 768'000 ||
                                            track.channels == 0 || track.channels > 255)) {
    return Error{ErrorCode::kInvalidArgument, where + "sample rate or channels are out of range"};
  }
  return {};
}

std::size_t MkvOverhead(const std::vector<TrackInfo>& tracks) {
  Bytes head;
  AppendHead(head, tracks, Duration{0});
  return head.size() + 32;  // the Cluster's header and Timestamp
}

Result<WrittenMkv> WriteMkv(const std::vector<TrackInfo>& tracks, Timestamp cluster_start, Duration duration,
                            std::span<const Frame> frames) {
  if (tracks.empty() || cluster_start.ns < 0) {
    return Error{ErrorCode::kInvalidArgument, "a fragment needs tracks and a start after 1970"};
  }
  for (const TrackInfo& track : tracks) MILLRACE_RETURN_IF_ERROR(CheckMkvTrack(track));
  std::size_t size = MkvOverhead(tracks);
  for (const Frame& frame : frames) size += frame.data.size() + kBlockOverheadMax;

  Bytes out;
  out.reserve(size);
  AppendHead(out, tracks, duration);
  WrittenMkv document;
  document.cluster_offset = out.size();
  document.frame_offsets.reserve(frames.size());
  const std::size_t cluster = BeginMaster(out, ElementId::kCluster);
  const std::int64_t start_ms = cluster_start.millis();
  AppendUnsigned(out, ElementId::kTimestamp, static_cast<std::uint64_t>(start_ms));
  for (const Frame& frame : frames) {
    const bool known = std::any_of(tracks.begin(), tracks.end(),
                                   [&](const TrackInfo& track) { return track.number == frame.track; });
    const std::int64_t relative_ms = RoundToMillis(frame.pts) - start_ms;
    if (!known || relative_ms < INT16_MIN || relative_ms > INT16_MAX) {
      return Error{ErrorCode::kInvalidArgument, "frame of track " + std::to_string(frame.track) + " at " +
                                                    std::to_string(relative_ms) +
                                                    " ms from the start cannot stand in this Cluster"};
    }
    AppendSimpleBlockHeader(out,
                            {.track = frame.track,
                             .relative_timestamp = static_cast<std::int16_t>(relative_ms),
                             .key_frame = frame.key_frame},
                            frame.data.size());
    document.frame_offsets.push_back(out.size());
    const ByteSpan data = frame.data.span();
    out.insert(out.end(), data.begin(), data.end());
  }
  EndMaster(out, cluster);
  document.bytes = SharedBytes(std::move(out));
  return document;
}

}  // namespace millrace
