#include "samples/camera-sim/clip_encoder.h"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <numbers>
#include <numeric>
#include <opencv2/imgproc.hpp>
#include <utility>

#include "base/log.h"
#include "media/libav_handles.h"
#include "samples/camera-sim/clip_file.h"
#include "samples/camera-sim/h264_nal.h"
#include "samples/camera-sim/picture_order.h"
#include "samples/camera-sim/scene.h"

namespace millrace::camera_sim {
namespace {

constexpr int kVideoTimescale = 90000;
constexpr int kSampleRate = 48000;
constexpr int kChannels = 2;
constexpr int kSamplesPerPacket = 1024;

Error EncoderError(const char* what, int code) {
  return Error{ErrorCode::kInternal, std::string(what) + ": " + AvErrorText(code)};
}

// Gives `frame` (null: the end) to the encoder and every packet that comes out to `take`.
Result<void> Encode(AVCodecContext* encoder, const AVFrame* frame,
                    const std::function<void(const AVPacket&)>& take) {
  if (int code = avcodec_send_frame(encoder, frame); code < 0) return EncoderError("encoder", code);
  AvPacketPtr packet(av_packet_alloc());
  for (;;) {
    const int code = avcodec_receive_packet(encoder, packet.get());
    if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return {};
    if (code < 0) return EncoderError("encoder", code);
    take(*packet);
    av_packet_unref(packet.get());
  }
}

Result<AvCodecContextPtr> OpenVideoEncoder(const ClipOptions& options) {
  const AVCodec* codec = avcodec_find_encoder_by_name("libx264");
  if (codec == nullptr) return Error{ErrorCode::kUnsupported, "libav has no libx264 encoder"};
  AvCodecContextPtr encoder(avcodec_alloc_context3(codec));
  encoder->width = options.width;
  encoder->height = options.height;
  encoder->pix_fmt = AV_PIX_FMT_YUV420P;
  encoder->time_base = {1, options.fps};
  encoder->framerate = {options.fps, 1};
  encoder->bit_rate = std::int64_t{options.bitrate_kbps} * 1000;
  encoder->rc_max_rate = encoder->bit_rate;
  encoder->rc_buffer_size = static_cast<int>(encoder->bit_rate);
  encoder->gop_size = options.gop;
  encoder->max_b_frames = options.bframes;
  encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  // Key frames exactly where --gop says, every one a place to start at, and B-frames wherever they are
  // allowed.
  const bool forced = options.late_gop > 0;  // the pictures say where
  const std::string gop = std::to_string(forced ? 100000 : options.gop);
  const std::string params =
      "keyint=" + gop + ":min-keyint=" + (forced ? "1" : gop) + ":scenecut=0:open-gop=0:b-adapt=0";
  AVDictionary* settings = nullptr;
  av_dict_set(&settings, "preset", "veryfast", 0);
  av_dict_set(&settings, "forced-idr", "1", 0);
  av_dict_set(&settings, "x264-params", params.c_str(), 0);
  const int code = avcodec_open2(encoder.get(), codec, &settings);
  av_dict_free(&settings);
  if (code < 0) return EncoderError("libx264", code);
  return encoder;
}

// REQUIRES: `picture` is of the encoder's size.
void FillFrame(const cv::Mat& picture, AVFrame& frame) {
  cv::Mat planes;
  cv::cvtColor(picture, planes, cv::COLOR_BGR2YUV_I420);
  const std::uint8_t* from = planes.data;
  for (int plane = 0; plane < 3; ++plane) {
    const int width = plane == 0 ? frame.width : frame.width / 2;
    const int height = plane == 0 ? frame.height : frame.height / 2;
    for (int y = 0; y < height; ++y, from += width) {
      std::memcpy(frame.data[plane] + std::ptrdiff_t{y} * frame.linesize[plane], from,
                  static_cast<std::size_t>(width));
    }
  }
}

// Smallest number of pictures that lasts a whole number of AAC packets.
int LoopStep(const ClipOptions& options) {
  if (!options.audio) return 1;
  const int ticks = options.fps * kSamplesPerPacket;
  return ticks / std::gcd(kSampleRate, ticks);
}

Result<ClipTrack> EncodeVideo(const ClipOptions& options) {
  MILLRACE_ASSIGN_OR_RETURN(std::unique_ptr<Scene> scene, MakeScene(options));
  MILLRACE_ASSIGN_OR_RETURN(AvCodecContextPtr encoder, OpenVideoEncoder(options));
  ClipTrack track;
  track.timescale = kVideoTimescale;
  track.info.number = 1;
  track.info.codec = Codec::kH264;
  track.info.width = static_cast<std::uint32_t>(options.width);
  track.info.height = static_cast<std::uint32_t>(options.height);
  ByteSpan sps;
  ByteSpan pps;
  for (ByteSpan nal : SplitAnnexB({encoder->extradata, static_cast<std::size_t>(encoder->extradata_size)})) {
    if (NalType(nal) == kNalSps) sps = nal;
    if (NalType(nal) == kNalPps) pps = nal;
  }
  MILLRACE_ASSIGN_OR_RETURN(track.info.codec_private, MakeAvcC(sps, pps));

  const auto ticks = [&](std::int64_t frames) { return frames * kVideoTimescale / options.fps; };
  const auto take = [&](const AVPacket& packet) {
    Unit unit;
    unit.pts = ticks(packet.pts);
    unit.key = (packet.flags & AV_PKT_FLAG_KEY) != 0;
    for (ByteSpan nal : SplitAnnexB({packet.data, static_cast<std::size_t>(packet.size)})) {
      AppendLengthPrefixed(unit.data, nal);
    }
    track.units.push_back(std::move(unit));
  };
  const int step = LoopStep(options);
  const int wanted = std::max(1, static_cast<int>(std::lround(options.duration_s * options.fps)));
  const int count = (wanted + step - 1) / step * step;
  AvFramePtr frame(av_frame_alloc());
  frame->format = AV_PIX_FMT_YUV420P;
  frame->width = options.width;
  frame->height = options.height;
  if (int code = av_frame_get_buffer(frame.get(), 0); code < 0) return EncoderError("picture buffer", code);
  int made = 0;
  for (; made < count; ++made) {
    cv::Mat picture = scene->Next(made);
    if (picture.empty()) break;
    DrawCounters(picture, made);
    if (int code = av_frame_make_writable(frame.get()); code < 0) return EncoderError("picture buffer", code);
    FillFrame(picture, *frame);
    frame->pts = made;
    if (options.late_gop > 0) {
      const int middle = count / 2 / options.gop * options.gop;
      const bool key = made < middle ? made % options.gop == 0 : (made - middle) % options.late_gop == 0;
      frame->pict_type = key ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    }
    MILLRACE_RETURN_IF_ERROR(Encode(encoder.get(), frame.get(), take));
  }
  MILLRACE_RETURN_IF_ERROR(Encode(encoder.get(), nullptr, take));
  if (track.units.empty()) return Error{ErrorCode::kCorruption, "the source has no pictures"};
  track.duration = ticks(made);
  SetSendTimes(track);
  if (options.order_offset > 0) MILLRACE_RETURN_IF_ERROR(OffsetPictureOrder(track, options.order_offset));
  return track;
}

Result<AvCodecContextPtr> OpenAudioEncoder() {
  const AVCodec* codec = avcodec_find_encoder(AV_CODEC_ID_AAC);
  if (codec == nullptr) return Error{ErrorCode::kUnsupported, "libav has no AAC encoder"};
  AvCodecContextPtr encoder(avcodec_alloc_context3(codec));
  encoder->sample_rate = kSampleRate;
  encoder->sample_fmt = AV_SAMPLE_FMT_FLTP;
  av_channel_layout_default(&encoder->ch_layout, kChannels);
  encoder->bit_rate = 96000;
  encoder->time_base = {1, kSampleRate};
  encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  if (int code = avcodec_open2(encoder.get(), codec, nullptr); code < 0) return EncoderError("aac", code);
  return encoder;
}

// Noise of -1 to 1 that is the same for the same sample number in every build.
double NoiseAt(std::int64_t sample) {
  auto bits = static_cast<std::uint64_t>(sample) * 0x9E3779B97F4A7C15ULL;
  bits = (bits ^ bits >> 29) * 0xBF58476D1CE4E5B9ULL;
  return static_cast<double>(bits >> 40) / (1 << 23) - 1;
}

// A soft tone, a beep at the start of every second, to hear and measure that sound and picture agree, and a
// little noise, which makes every packet of the clip unlike all others.
float ToneAt(std::int64_t sample, std::int64_t loop_samples) {
  const std::int64_t place = sample % loop_samples;
  const double loop_s = static_cast<double>(loop_samples) / kSampleRate;
  const double tone_hz =
      std::round(220 * loop_s) / loop_s;  // whole periods in the loop: no click at its seam
  const double t = static_cast<double>(place) / kSampleRate;
  const double beep = t - std::floor(t) < 0.1 ? 0.3 * std::sin(2 * std::numbers::pi * 1000 * t) : 0.0;
  return static_cast<float>(0.05 * std::sin(2 * std::numbers::pi * tone_hz * t) + beep +
                            0.01 * NoiseAt(place));
}

// As many packets as fit into `seconds`. Two rounds of the loop are encoded and the second is kept, so that
// its first packet follows its last one as if the sound had never been cut.
Result<ClipTrack> EncodeAudio(double seconds) {
  MILLRACE_ASSIGN_OR_RETURN(AvCodecContextPtr encoder, OpenAudioEncoder());
  const auto packets = std::max<std::int64_t>(
      1, static_cast<std::int64_t>(std::floor(seconds * kSampleRate / kSamplesPerPacket + 1e-6)));
  const std::int64_t loop_samples = packets * kSamplesPerPacket;
  ClipTrack track;
  track.timescale = kSampleRate;
  track.duration = loop_samples;
  track.info.number = 2;
  track.info.codec = Codec::kAac;
  track.info.sample_rate = kSampleRate;
  track.info.channels = kChannels;
  track.info.codec_private.assign(encoder->extradata, encoder->extradata + encoder->extradata_size);
  std::int64_t seen = 0;
  const auto take = [&](const AVPacket& packet) {
    const std::int64_t index = seen++ - packets;
    if (index < 0 || index >= packets) return;
    Unit unit;
    unit.pts = index * kSamplesPerPacket;
    unit.key = true;
    unit.data.assign(packet.data, packet.data + packet.size);
    track.units.push_back(std::move(unit));
  };
  AvFramePtr frame(av_frame_alloc());
  frame->format = AV_SAMPLE_FMT_FLTP;
  frame->nb_samples = kSamplesPerPacket;
  frame->sample_rate = kSampleRate;
  av_channel_layout_default(&frame->ch_layout, kChannels);
  if (int code = av_frame_get_buffer(frame.get(), 0); code < 0) return EncoderError("sound buffer", code);
  for (std::int64_t i = 0; i < 2 * packets + 2; ++i) {
    if (int code = av_frame_make_writable(frame.get()); code < 0) return EncoderError("sound buffer", code);
    for (int channel = 0; channel < kChannels; ++channel) {
      auto* samples = reinterpret_cast<float*>(frame->data[channel]);
      for (int s = 0; s < kSamplesPerPacket; ++s)
        samples[s] = ToneAt(i * kSamplesPerPacket + s, loop_samples);
    }
    frame->pts = i * kSamplesPerPacket;
    MILLRACE_RETURN_IF_ERROR(Encode(encoder.get(), frame.get(), take));
  }
  MILLRACE_RETURN_IF_ERROR(Encode(encoder.get(), nullptr, take));
  SetSendTimes(track);
  return track;
}

Result<Clip> EncodeClip(const ClipOptions& options) {
  Clip clip;
  MILLRACE_ASSIGN_OR_RETURN(clip.video, EncodeVideo(options));
  if (options.audio) {
    MILLRACE_ASSIGN_OR_RETURN(clip.audio,
                              EncodeAudio(static_cast<double>(clip.video.duration) / clip.video.timescale));
  }
  return clip;
}

// Names everything that decides the clip's bytes; stands in the cache file's comment.
std::string Fingerprint(const ClipOptions& options) {
  std::string text = "camera-sim clip 3";
  for (const std::string& path : {options.file, options.background, options.face}) {
    std::error_code ignored;
    const auto size = path.empty() ? 0 : std::filesystem::file_size(path, ignored);
    text += " " + std::filesystem::path(path).filename().string() + ":" + std::to_string(size);
  }
  for (int value : {options.width, options.height, options.fps, options.gop, options.bitrate_kbps,
                    options.bframes, static_cast<int>(std::lround(options.duration_s * 1000)),
                    options.audio ? 1 : 0, options.late_gop, options.order_offset}) {
    text += " " + std::to_string(value);
  }
  return text;
}

}  // namespace

Result<Clip> MakeClip(const ClipOptions& options, const std::string& cache) {
  if (!options.file.empty()) {
    auto file = LoadClip(options.file);
    if (file) {
      Log(LogLevel::kInfo, "sending the file's H.264 as it is", {{"file", options.file}});
      if (!options.audio) file->clip.audio.reset();
      return std::move(file->clip);
    }
    Log(LogLevel::kInfo, "encoding the file's pictures anew, with a test tone",
        {{"file", options.file}, {"because", file.error().ToString()}});
  }
  const std::string fingerprint = Fingerprint(options);
  if (!cache.empty()) {
    auto cached = LoadClip(cache);
    if (cached && cached->comment == fingerprint) return std::move(cached->clip);
  }
  Log(LogLevel::kInfo, "encoding the clip",
      {{"width", options.width}, {"height", options.height}, {"seconds", options.duration_s}});
  MILLRACE_ASSIGN_OR_RETURN(Clip clip, EncodeClip(options));
  if (!cache.empty()) MILLRACE_RETURN_IF_ERROR(SaveClip(clip, cache, fingerprint));
  return clip;
}

}  // namespace millrace::camera_sim
