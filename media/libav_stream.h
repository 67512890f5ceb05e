// A track of ours as libavformat's muxers want it described.
//
// Threads: pure; any.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/channel_layout.h>
#include <libavutil/mem.h>
#include <libavutil/pixfmt.h>
}

#include <cstring>

#include "base/result.h"
#include "media/codec.h"
#include "media/libav_codec.h"
#include "media/vpx.h"

namespace millrace {

// MP4 says of VP9 what its CodecPrivate has; libavformat takes it from the parameters alone.
inline void DescribeVp9(const TrackInfo& track, AVCodecParameters& parameters) {
  const Vp9Features features = DecodeVp9Features(track.codec_private).value_or(Vp9Features{});
  constexpr AVPixelFormat kFormats[3][3] = {
      {AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUV422P, AV_PIX_FMT_YUV444P},
      {AV_PIX_FMT_YUV420P10, AV_PIX_FMT_YUV422P10, AV_PIX_FMT_YUV444P10},
      {AV_PIX_FMT_YUV420P12, AV_PIX_FMT_YUV422P12, AV_PIX_FMT_YUV444P12}};
  const std::size_t depth = features.bit_depth == 12 ? 2 : features.bit_depth == 10 ? 1 : 0;
  const std::size_t chroma = features.chroma_subsampling == 3 ? 2 : features.chroma_subsampling == 2 ? 1 : 0;
  parameters.format = kFormats[depth][chroma];
  parameters.profile = features.profile;
  parameters.level = features.level;
}

// Errors: kResourceExhausted.
inline Result<void> DescribeTrack(const TrackInfo& track, AVCodecParameters& parameters) {
  parameters.codec_id = ToAvCodec(track.codec);
  if (track.kind() == TrackKind::kVideo) {
    parameters.codec_type = AVMEDIA_TYPE_VIDEO;
    parameters.width = static_cast<int>(track.width);
    parameters.height = static_cast<int>(track.height);
    if (track.codec == Codec::kVp9) DescribeVp9(track, parameters);
  } else {
    parameters.codec_type = AVMEDIA_TYPE_AUDIO;
    parameters.sample_rate = static_cast<int>(track.sample_rate);
    av_channel_layout_default(&parameters.ch_layout, static_cast<int>(track.channels));
  }
  if (track.codec_private.empty()) return {};
  const std::size_t bytes = track.codec_private.size();
  auto* extra = static_cast<std::uint8_t*>(av_mallocz(bytes + AV_INPUT_BUFFER_PADDING_SIZE));
  if (extra == nullptr) return Error{ErrorCode::kResourceExhausted, "out of memory"};
  std::memcpy(extra, track.codec_private.data(), bytes);
  parameters.extradata = extra;
  parameters.extradata_size = static_cast<int>(bytes);
  return {};
}

// What an MP4 (else an MKV) file wants to know of a stream besides the parameters that it has.
inline void DescribeStream(AVStream& stream, bool mp4) {
  AVCodecParameters& parameters = *stream.codecpar;
  if (parameters.codec_type == AVMEDIA_TYPE_VIDEO) {
    // Parameter sets out of band, as they are stored: hvc1, not hev1.
    if (parameters.codec_id == AV_CODEC_ID_HEVC && mp4) parameters.codec_tag = MKTAG('h', 'v', 'c', '1');
    stream.time_base = {1, 90'000};
  } else {
    constexpr int kAacFrameSamples = 1024;
    if (parameters.codec_id == AV_CODEC_ID_AAC) parameters.frame_size = kAacFrameSamples;
    stream.time_base = {1, parameters.sample_rate > 0 ? parameters.sample_rate : 90'000};
  }
}

}  // namespace millrace
