#include "parser/writer/picture_writer.h"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>
}

#include <utility>

#include "media/libav_handles.h"
#include "parser/writer/muxer.h"

namespace millrace {
namespace {

constexpr AVRational kMicroseconds{1, 1'000'000};
constexpr int kSideMax = 16384;

Error OutOfMemory() { return Error{ErrorCode::kResourceExhausted, "no memory for encoding"}; }

struct FreeScaler {
  void operator()(SwsContext* scaler) const noexcept { sws_freeContext(scaler); }
};

}  // namespace

class PictureWriter::Encoder {
 public:
  AvCodecContextPtr context;
  AvFramePtr frame;
  AvPacketPtr packet;
  std::unique_ptr<SwsContext, FreeScaler> scaler;
  AVPixelFormat scaled_from = AV_PIX_FMT_NONE;
};

PictureWriter::PictureWriter(const PictureWriterOptions& options)
    : options_(options), encoder_(std::make_unique<Encoder>()) {}
PictureWriter::~PictureWriter() = default;

Result<std::unique_ptr<PictureWriter>> PictureWriter::Create(const std::string& path,
                                                             const PictureWriterOptions& options) {
  if (options.width < 2 || options.height < 2 || options.width > kSideMax || options.height > kSideMax ||
      options.frames_per_second < 1 || options.frames_per_second > 1000 || options.bit_rate < 0 ||
      options.key_frame_interval < 1 || options.threads < 1) {
    return Error{ErrorCode::kInvalidArgument, "pictures to encode have 2 to " + std::to_string(kSideMax) +
                                                  " columns and rows, at 1 to 1000 a second"};
  }
  const AVCodec* codec = avcodec_find_encoder_by_name("libx264");
  if (codec == nullptr) codec = avcodec_find_encoder(AV_CODEC_ID_H264);
  if (codec == nullptr) return Error{ErrorCode::kUnsupported, "this libavcodec has no encoder for H.264"};
  std::unique_ptr<PictureWriter> writer(new PictureWriter(options));
  MILLRACE_ASSIGN_OR_RETURN(writer->muxer_, Muxer::Create(path, options.container));
  Encoder& encoder = *writer->encoder_;
  encoder.context.reset(avcodec_alloc_context3(codec));
  encoder.frame.reset(av_frame_alloc());
  encoder.packet.reset(av_packet_alloc());
  if (encoder.context == nullptr || encoder.frame == nullptr || encoder.packet == nullptr)
    return OutOfMemory();
  AVCodecContext& context = *encoder.context;
  context.width = options.width & ~1;
  context.height = options.height & ~1;
  context.pix_fmt = AV_PIX_FMT_YUV420P;
  context.time_base = kMicroseconds;
  context.framerate = {options.frames_per_second, 1};
  context.gop_size = options.key_frame_interval;
  context.thread_count = options.threads;
  context.bit_rate = options.bit_rate;
  context.log_level_offset = AV_LOG_MAX_OFFSET + AV_LOG_TRACE;  // its report goes to nobody's standard error
  if (options.bit_rate == 0) av_opt_set(context.priv_data, "crf", "23", 0);
  av_opt_set(context.priv_data, "preset", "veryfast", 0);
  if (writer->muxer_->wants_global_header()) context.flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  const int code = avcodec_open2(&context, codec, nullptr);
  if (code < 0)
    return Error{ErrorCode::kUnsupported, "the encoder for H.264 does not open: " + AvErrorText(code)};
  encoder.frame->format = context.pix_fmt;
  encoder.frame->width = context.width;
  encoder.frame->height = context.height;
  if (av_frame_get_buffer(encoder.frame.get(), 0) < 0) return OutOfMemory();
  MILLRACE_ASSIGN_OR_RETURN(writer->stream_, writer->muxer_->AddStream([&](AVCodecParameters& parameters) {
    return avcodec_parameters_from_context(&parameters, &context) < 0 ? Result<void>(OutOfMemory())
                                                                      : Result<void>();
  }));
  MILLRACE_RETURN_IF_ERROR(writer->muxer_->Start());
  return writer;
}

Result<void> PictureWriter::Write(const cv::Mat& image, std::int64_t timestamp_ns) {
  if ((image.type() != CV_8UC3 && image.type() != CV_8UC1) || image.cols != options_.width ||
      image.rows != options_.height) {
    return Error{ErrorCode::kInvalidArgument,
                 "a picture of " + std::to_string(image.cols) + " x " + std::to_string(image.rows) +
                     ", where " + std::to_string(options_.width) + " x " + std::to_string(options_.height) +
                     " of BGR or gray bytes were agreed on"};
  }
  if (!zero_ns_) zero_ns_ = timestamp_ns;
  const std::int64_t since_ns = timestamp_ns - *zero_ns_;
  if (since_ns < 0 || (since_ns != 0 && since_ns / 1000 <= last_ns_ / 1000)) {
    return Error{ErrorCode::kInvalidArgument, "a picture's time of " + std::to_string(timestamp_ns) +
                                                  " ns does not rise above the one before"};
  }
  last_ns_ = since_ns;
  Encoder& encoder = *encoder_;
  const AVPixelFormat from = image.type() == CV_8UC3 ? AV_PIX_FMT_BGR24 : AV_PIX_FMT_GRAY8;
  if (from != encoder.scaled_from) {
    const AVCodecContext& context = *encoder.context;
    encoder.scaler.reset(sws_getContext(context.width, context.height, from, context.width, context.height,
                                        context.pix_fmt, SWS_BILINEAR, nullptr, nullptr, nullptr));
    encoder.scaled_from = from;
  }
  if (encoder.scaler == nullptr || av_frame_make_writable(encoder.frame.get()) < 0) return OutOfMemory();
  const std::uint8_t* planes[] = {image.data};
  const int strides[] = {static_cast<int>(image.step[0])};
  sws_scale(encoder.scaler.get(), planes, strides, 0, encoder.context->height, encoder.frame->data,
            encoder.frame->linesize);
  encoder.frame->pts = since_ns / 1000;
  const int code = avcodec_send_frame(encoder.context.get(), encoder.frame.get());
  if (code < 0) return Error{ErrorCode::kInternal, "encoding a picture: " + AvErrorText(code)};
  return Drain();
}

Result<void> PictureWriter::Drain() {
  AVPacket& packet = *encoder_->packet;
  for (;;) {
    const int code = avcodec_receive_packet(encoder_->context.get(), &packet);
    if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return {};
    if (code < 0) return Error{ErrorCode::kInternal, "encoding a picture: " + AvErrorText(code)};
    const std::int64_t duration_ns =
        packet.duration > 0 ? packet.duration * 1000 : 1'000'000'000 / options_.frames_per_second;
    auto written = muxer_->Write({stream_, packet.pts * 1000, packet.dts * 1000, duration_ns,
                                  (packet.flags & AV_PKT_FLAG_KEY) != 0,
                                  ByteSpan(packet.data, static_cast<std::size_t>(packet.size))});
    av_packet_unref(&packet);
    MILLRACE_RETURN_IF_ERROR(std::move(written));
  }
}

Result<void> PictureWriter::Finish() {
  avcodec_send_frame(encoder_->context.get(), nullptr);
  MILLRACE_RETURN_IF_ERROR(Drain());
  return muxer_->Finish();
}

}  // namespace millrace
