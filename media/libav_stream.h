// A track of ours as libavformat's muxers want it described.
//
// Threads: pure; any.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavutil/channel_layout.h>
#include <libavutil/mem.h>
}

#include <cstring>

#include "base/result.h"
#include "media/codec.h"
#include "media/libav_codec.h"

namespace millrace {

// Errors: kResourceExhausted.
inline Result<void> DescribeTrack(const TrackInfo& track, AVCodecParameters& parameters) {
  parameters.codec_id = ToAvCodec(track.codec);
  if (track.kind() == TrackKind::kVideo) {
    parameters.codec_type = AVMEDIA_TYPE_VIDEO;
    parameters.width = static_cast<int>(track.width);
    parameters.height = static_cast<int>(track.height);
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

}  // namespace millrace
