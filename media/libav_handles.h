// Owners for libav's handles: the only place that says how each is let go.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/frame.h>
}

#include <memory>
#include <string>

namespace millrace {

template <auto Release>
struct ReleaseByAddress {  // av_frame_free(&p)
  template <typename T>
  void operator()(T* handle) const noexcept {
    Release(&handle);
  }
};

using AvFramePtr = std::unique_ptr<AVFrame, ReleaseByAddress<av_frame_free>>;
using AvPacketPtr = std::unique_ptr<AVPacket, ReleaseByAddress<av_packet_free>>;
using AvBufferPtr = std::unique_ptr<AVBufferRef, ReleaseByAddress<av_buffer_unref>>;
using AvCodecContextPtr = std::unique_ptr<AVCodecContext, ReleaseByAddress<avcodec_free_context>>;
using AvInputPtr = std::unique_ptr<AVFormatContext, ReleaseByAddress<avformat_close_input>>;

struct ReleaseAvOutput {
  void operator()(AVFormatContext* output) const noexcept { avformat_free_context(output); }
};
using AvOutputPtr = std::unique_ptr<AVFormatContext, ReleaseAvOutput>;

// An avio_alloc_context()'s context; its buffer may have been replaced, so it goes with it.
struct ReleaseAvIo {
  void operator()(AVIOContext* io) const noexcept {
    av_freep(&io->buffer);
    avio_context_free(&io);
  }
};
using AvIoPtr = std::unique_ptr<AVIOContext, ReleaseAvIo>;

// "Invalid data found when processing input"
inline std::string AvErrorText(int code) {
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  av_strerror(code, text, sizeof(text));
  return text;
}

}  // namespace millrace
