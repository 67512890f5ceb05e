// Our codecs under libav's names.
//
// Threads: pure functions, any thread.
#pragma once

extern "C" {
#include <libavcodec/codec_id.h>
}

#include "media/codec.h"

namespace millrace {

// AV_CODEC_ID_NONE: libav has no such codec.
constexpr AVCodecID ToAvCodec(Codec codec) {
  switch (codec) {
    case Codec::kH264:
      return AV_CODEC_ID_H264;
    case Codec::kH265:
      return AV_CODEC_ID_HEVC;
    case Codec::kAv1:
      return AV_CODEC_ID_AV1;
    case Codec::kVp8:
      return AV_CODEC_ID_VP8;
    case Codec::kVp9:
      return AV_CODEC_ID_VP9;
    case Codec::kAac:
      return AV_CODEC_ID_AAC;
    case Codec::kOpus:
      return AV_CODEC_ID_OPUS;
    case Codec::kPcmMulaw:
      return AV_CODEC_ID_PCM_MULAW;
    case Codec::kPcmAlaw:
      return AV_CODEC_ID_PCM_ALAW;
  }
  return AV_CODEC_ID_NONE;
}

}  // namespace millrace
