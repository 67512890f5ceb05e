#include "consumers/aac_encoder.h"

extern "C" {
#include <libavutil/channel_layout.h>
#include <libavutil/log.h>
#include <libavutil/opt.h>
}

#include <algorithm>
#include <array>
#include <cassert>
#include <string>

namespace millrace {
namespace {

// ISO/IEC 14496-3, table 1.18.
constexpr std::array<std::uint32_t, 13> kRates = {96'000, 88'200, 64'000, 48'000, 44'100, 32'000, 24'000,
                                                  22'050, 16'000, 12'000, 11'025, 8'000,  7'350};
constexpr unsigned kObjectTypeLc = 2;
constexpr int kQuality = FF_QP2LAMBDA;  // speech at 8 kHz takes about 30 kbit/s

Error Refused(const char* what, int code) {
  return {ErrorCode::kInternal, std::string("the AAC encoder ") + what + ": " + AvErrorText(code)};
}

}  // namespace

bool AacEncoder::Takes(std::uint32_t sample_rate, std::uint32_t channels) {
  const bool known = std::find(kRates.begin(), kRates.end(), sample_rate) != kRates.end();
  return known && (channels == 1 || channels == 2);
}

Bytes AacEncoder::Config(std::uint32_t sample_rate, std::uint32_t channels) {
  const auto index =
      static_cast<unsigned>(std::find(kRates.begin(), kRates.end(), sample_rate) - kRates.begin());
  const unsigned config = kObjectTypeLc << 11 | index << 7 | channels << 3;
  return {static_cast<std::uint8_t>(config >> 8), static_cast<std::uint8_t>(config & 0xFF)};
}

Result<AacEncoder> AacEncoder::Open(std::uint32_t sample_rate, std::uint32_t channels) {
  const AVCodec* codec = avcodec_find_encoder_by_name("aac");
  if (codec == nullptr) return Error{ErrorCode::kInternal, "libavcodec has no AAC encoder"};
  AacEncoder encoder;
  encoder.context_.reset(avcodec_alloc_context3(codec));
  encoder.frame_.reset(av_frame_alloc());
  encoder.packet_.reset(av_packet_alloc());
  AVCodecContext* context = encoder.context_.get();
  AVFrame* frame = encoder.frame_.get();
  if (context == nullptr || frame == nullptr || !encoder.packet_) {
    return Error{ErrorCode::kResourceExhausted, "no memory for an AAC encoder"};
  }
  context->sample_rate = static_cast<int>(sample_rate);
  context->sample_fmt = AV_SAMPLE_FMT_FLTP;
  av_channel_layout_default(&context->ch_layout, static_cast<int>(channels));
  context->flags |= AV_CODEC_FLAG_QSCALE | AV_CODEC_FLAG_BITEXACT;
  context->global_quality = kQuality;
  context->bit_rate =
      6 * static_cast<std::int64_t>(sample_rate) * channels;  // for its choice of bandwidth alone
  context->thread_count = 1;
  context->log_level_offset = AV_LOG_TRACE;  // what is wrong comes back as a code
  av_opt_set_int(context->priv_data, "aac_pns", 0, 0);
  if (const int code = avcodec_open2(context, codec, nullptr); code < 0)
    return Refused("does not open", code);
  frame->format = context->sample_fmt;
  frame->nb_samples = static_cast<int>(kBlock);
  frame->sample_rate = context->sample_rate;
  av_channel_layout_copy(&frame->ch_layout, &context->ch_layout);
  if (const int code = av_frame_get_buffer(frame, 0); code < 0) return Refused("has no buffer", code);
  frame->pts = 0;
  return encoder;
}

Result<std::optional<Bytes>> AacEncoder::Feed(std::span<const float> samples) {
  AVFrame* frame = frame_.get();
  assert(samples.size() == kBlock * static_cast<std::size_t>(frame->ch_layout.nb_channels));
  if (const int code = av_frame_make_writable(frame); code < 0) return Refused("has no buffer", code);
  for (int channel = 0; channel < frame->ch_layout.nb_channels; ++channel) {
    const auto of_channel = samples.subspan(kBlock * static_cast<std::size_t>(channel), kBlock);
    std::copy(of_channel.begin(), of_channel.end(), reinterpret_cast<float*>(frame->extended_data[channel]));
  }
  if (const int code = avcodec_send_frame(context_.get(), frame); code < 0)
    return Refused("takes no sound", code);
  frame->pts += kBlock;
  const int code = avcodec_receive_packet(context_.get(), packet_.get());
  if (code == AVERROR(EAGAIN)) return std::optional<Bytes>{};
  if (code < 0) return Refused("makes no packet", code);
  Bytes packet(packet_->data, packet_->data + packet_->size);
  av_packet_unref(packet_.get());
  return std::optional(std::move(packet));
}

}  // namespace millrace
