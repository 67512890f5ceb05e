#include "consumers/hls/ts_segment.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <utility>

extern "C" {
#include <libavformat/avformat.h>
#include <libavutil/dict.h>
}

#include "consumers/hls/codec_string.h"
#include "consumers/hls/ts_continuity.h"
#include "media/libav_handles.h"
#include "media/libav_stream.h"

namespace millrace {
namespace {

// A frame with its place in the transport stream.
struct TsFrame {
  std::size_t stream = 0;
  const Frame* frame = nullptr;
  std::int64_t dts = 0;  // ticks of 1/90,000 s
  std::int64_t pts = 0;
};

// A buffer that grows, behind an AVIOContext.
class DynamicOutput {
 public:
  DynamicOutput() = default;
  DynamicOutput(const DynamicOutput&) = delete;
  DynamicOutput& operator=(const DynamicOutput&) = delete;
  ~DynamicOutput() {
    if (io_ != nullptr) (void)Take();
  }
  int Open() { return avio_open_dyn_buf(&io_); }
  AVIOContext* io() { return io_; }
  Bytes Take() {
    std::uint8_t* data = nullptr;
    const int size = avio_close_dyn_buf(io_, &data);
    io_ = nullptr;
    Bytes bytes(data, data + size);
    av_free(data);
    return bytes;
  }

 private:
  AVIOContext* io_ = nullptr;
};

Error MuxerError(const FragmentFacts& facts, const char* what, int code) {
  return {code == AVERROR(ENOMEM) ? ErrorCode::kResourceExhausted : ErrorCode::kInternal,
          "fragment " + facts.number.ToString() + ": MPEG-TS: " + what + ": " + AvErrorText(code)};
}

// In the order of decode times.
Result<std::vector<TsFrame>> Interleave(const FragmentFacts& facts, const std::vector<TrackRun>& runs) {
  // Far below what 64 bits hold, in the muxer's units of 1/27,000,000 s too.
  constexpr std::uint64_t kTicksMax = std::uint64_t{1} << 54;
  std::vector<TsFrame> frames;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    std::uint64_t time = runs[i].decode_time;
    for (const TrackSample& sample : runs[i].samples) {
      // 90,000 times a sample's number since 1970 fits 64 bits for 20 centuries at 384 kHz.
      const std::uint64_t ticks = runs[i].timescale == kVideoTimescale
                                      ? time
                                      : time / runs[i].timescale * kVideoTimescale +
                                            time % runs[i].timescale * kVideoTimescale / runs[i].timescale;
      if (ticks > kTicksMax) return MuxerError(facts, "a time", AVERROR(ERANGE));
      const auto dts = static_cast<std::int64_t>(ticks);
      frames.push_back({i, sample.frame, dts, dts + sample.composition_offset});
      time += sample.duration;
    }
  }
  std::stable_sort(frames.begin(), frames.end(),
                   [](const TsFrame& a, const TsFrame& b) { return a.dts < b.dts; });
  return frames;
}

Result<AvOutputPtr> OpenMuxer(const FragmentFacts& facts, const std::vector<TrackRun>& runs,
                              AVIOContext* io) {
  AVFormatContext* context = nullptr;
  int code = avformat_alloc_output_context2(&context, nullptr, "mpegts", nullptr);
  if (code < 0) return MuxerError(facts, "no muxer", code);
  AvOutputPtr muxer(context);
  context->pb = io;
  context->flags |= AVFMT_FLAG_CUSTOM_IO;
  context->max_delay = 0;
  context->avoid_negative_ts = AVFMT_AVOID_NEG_TS_DISABLED;
  for (const TrackRun& run : runs) {
    AVStream* stream = avformat_new_stream(context, nullptr);
    if (stream == nullptr) return MuxerError(facts, "a track", AVERROR(ENOMEM));
    stream->id = static_cast<int>(0x100 + (&run - runs.data()));
    stream->time_base = {1, static_cast<int>(kVideoTimescale)};
    MILLRACE_RETURN_IF_ERROR(DescribeTrack(*run.info, *stream->codecpar));
  }
  AVDictionary* options = nullptr;
  av_dict_set(&options, "mpegts_copyts", "1", 0);  // times as they are
  av_dict_set(&options, "pat_period", "3600", 0);  // the tables in front, once
  av_dict_set(&options, "sdt_period", "3600", 0);
  code = avformat_write_header(context, &options);
  av_dict_free(&options);
  if (code < 0) return MuxerError(facts, "its header", code);
  return muxer;
}

Result<Bytes> Mux(const FragmentFacts& facts, const std::vector<TrackRun>& runs) {
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<TsFrame> frames, Interleave(facts, runs));
  DynamicOutput output;
  if (int code = output.Open(); code < 0) return MuxerError(facts, "its output", code);
  MILLRACE_ASSIGN_OR_RETURN(const AvOutputPtr muxer, OpenMuxer(facts, runs, output.io()));
  AvPacketPtr packet(av_packet_alloc());
  if (!packet) return MuxerError(facts, "a packet", AVERROR(ENOMEM));
  for (const TsFrame& frame : frames) {
    if (frame.frame->data.size() > static_cast<std::size_t>(std::numeric_limits<int>::max() / 2)) {
      return MuxerError(facts, "a frame", AVERROR(ERANGE));
    }
    // A copy: bitstream filters look past a packet's end.
    int code = av_new_packet(packet.get(), static_cast<int>(frame.frame->data.size()));
    if (code < 0) return MuxerError(facts, "a frame", code);
    std::copy(frame.frame->data.span().begin(), frame.frame->data.span().end(), packet->data);
    packet->stream_index = static_cast<int>(frame.stream);
    packet->dts = frame.dts;
    packet->pts = frame.pts;
    if (frame.frame->key_frame) packet->flags |= AV_PKT_FLAG_KEY;
    code = av_write_frame(muxer.get(), packet.get());
    av_packet_unref(packet.get());
    if (code < 0) return MuxerError(facts, "a frame", code);
  }
  const int code = av_write_trailer(muxer.get());
  if (code < 0) return MuxerError(facts, "its end", code);
  return output.Take();
}

}  // namespace

Result<void> CheckTsTracks(const std::vector<TrackInfo>& tracks) {
  for (const TrackInfo& track : tracks) {
    if (track.codec == Codec::kH264 || track.codec == Codec::kH265 || track.codec == Codec::kAac) continue;
    return Error{ErrorCode::kUnsupported, "track " + std::to_string(track.number) + " (" +
                                              std::string(ToString(track.codec)) +
                                              ") cannot be played as MPEG_TS, which carries H.264, H.265 and "
                                              "AAC: ask for FRAGMENTED_MP4"};
  }
  return {};
}

Result<MediaSegment> MakeTsSegment(const FragmentFacts& facts, const std::vector<Frame>& frames,
                                   const SegmentSelection& selection) {
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<TrackRun> runs, MakeTrackRuns(facts, frames, selection));
  std::vector<TrackInfo> tracks;
  for (const TrackRun& run : runs) tracks.push_back(*run.info);
  MILLRACE_RETURN_IF_ERROR(CheckTsTracks(tracks));
  MILLRACE_ASSIGN_OR_RETURN(const Bytes muxed, Mux(facts, runs));
  MILLRACE_ASSIGN_OR_RETURN(Bytes aligned, AlignContinuity(muxed));
  MediaSegment segment;
  segment.bytes = segment.copied_bytes = aligned.size();
  segment.parts.emplace_back(std::move(aligned));
  return segment;
}

}  // namespace millrace
