#include "parser/decoder/fragment_decoder.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>
#include <opencv2/core.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "media/libav_codec.h"
#include "media/libav_handles.h"
#include "parser/decoder/hardware_device.h"
#include "parser/decoder/picture_converter.h"

namespace millrace {
namespace {

Error OutOfMemory() { return Error{ErrorCode::kResourceExhausted, "no memory for decoding"}; }

// The fragment's video: nullptr where it has none.
const MkvTrack* VideoTrack(const MkvDocument& document) {
  constexpr std::uint8_t kVideoType = 1;
  for (const MkvTrack& track : document.tracks) {
    if (track.type == kVideoType) return &track;
  }
  return nullptr;
}

// A key frame that nothing is decoded from, and that is reduced to half or less, looks the same without
// deblocking, which is a quarter of its decoding.
bool SkipsDeblocking(const TrackInfo& track, const DecoderOptions& options) {
  return options.selection.kind == FrameSelection::Kind::kKeyFrames && options.form.rows_max > 0 &&
         track.height >= 2U * static_cast<std::uint32_t>(options.form.rows_max);
}

// What goes with a packet through the decoder and comes back with its picture: the frame's place, or this.
constexpr std::int64_t kOfLeadIn = -1;

}  // namespace

// One track's libavcodec context, and what one fragment's decoding needs.
class FragmentDecoder::Codec {
 public:
  static Result<std::unique_ptr<Codec>> Open(const TrackInfo& track, const DecoderOptions& options);

  const TrackInfo& track() const { return track_; }

  // Gives a frame to the codec; `place` comes back with its picture. Pictures that come out go to `take`.
  template <typename Take>
  Result<void> Send(ByteSpan data, std::int64_t place, bool wanted, const Take& take);
  // The last pictures; the next frame must be a key frame then.
  template <typename Take>
  Result<void> Drain(const Take& take);
  void Forget() { avcodec_flush_buffers(context_.get()); }

  PictureConverter& converter() { return converter_; }
  const std::string& device() const { return device_; }
  // Of the picture that is being taken.
  bool is_from_device() const { return frame_->hw_frames_ctx != nullptr; }

  bool led_in = false;  // holds what the next fragment refers to

 private:
  Codec(const TrackInfo& track, const DecoderOptions& options) : track_(track), converter_(options.form) {}

  template <typename Take>
  Result<void> Receive(const Take& take);
  // frame_ in the processor's memory: itself, or a copy of what a device has. nullptr: it could not be
  // fetched.
  const AVFrame* Fetched();

  const TrackInfo track_;
  AvCodecContextPtr context_;
  AvPacketPtr packet_;
  AvFramePtr frame_;
  AvFramePtr fetched_;
  std::string device_ = "software";
  PictureConverter converter_;
};

Result<std::unique_ptr<FragmentDecoder::Codec>> FragmentDecoder::Codec::Open(const TrackInfo& track,
                                                                             const DecoderOptions& options) {
  const AVCodec* decoder = avcodec_find_decoder(ToAvCodec(track.codec));
  if (decoder == nullptr) {
    return Error{ErrorCode::kUnsupported, "libavcodec cannot decode " + std::string(ToString(track.codec))};
  }
  std::unique_ptr<Codec> codec(new Codec(track, options));
  codec->context_.reset(avcodec_alloc_context3(decoder));
  codec->packet_.reset(av_packet_alloc());
  codec->frame_.reset(av_frame_alloc());
  AVCodecContext* context = codec->context_.get();
  codec->fetched_.reset(av_frame_alloc());
  if (context == nullptr || codec->packet_ == nullptr || codec->frame_ == nullptr ||
      codec->fetched_ == nullptr) {
    return OutOfMemory();
  }
  context->thread_count = options.threads;
  context->max_pixels = options.pixels_max;
  // Of H.264 that begins with a recovery point libavcodec keeps the first pictures back, and marks them as
  // corrupt, although those that are shown after that point are whole: which are is told from their times.
  context->flags |= AV_CODEC_FLAG_OUTPUT_CORRUPT;
  if (SkipsDeblocking(track, options)) context->skip_loop_filter = AVDISCARD_ALL;
  if (options.hardware) {
    HardwareDevice device = FindHardwareDevice(*decoder);
    codec->device_ = device.name;
    // libavcodec takes the device's pixel format where the stream fits it, and the processor's where it does
    // not.
    context->hw_device_ctx = device.context.release();
  }
  // Cameras' and attackers' broken bytes are counted, not logged by a library.
  context->log_level_offset = AV_LOG_MAX_OFFSET + AV_LOG_TRACE;
  if (!track.codec_private.empty()) {
    const std::size_t size = track.codec_private.size();
    context->extradata = static_cast<std::uint8_t*>(av_mallocz(size + AV_INPUT_BUFFER_PADDING_SIZE));
    if (context->extradata == nullptr) return OutOfMemory();
    std::memcpy(context->extradata, track.codec_private.data(), size);
    context->extradata_size = static_cast<int>(size);
  }
  const int code = avcodec_open2(context, decoder, nullptr);
  if (code == AVERROR(ENOMEM)) return OutOfMemory();
  if (code < 0) {
    return Error{ErrorCode::kCorruption, "the CodecPrivate of track " + std::to_string(track.number) + " (" +
                                             std::string(ToString(track.codec)) +
                                             ") opens no decoder: " + AvErrorText(code)};
  }
  return codec;
}

template <typename Take>
Result<void> FragmentDecoder::Codec::Send(ByteSpan data, std::int64_t place, bool wanted, const Take& take) {
  if (data.empty()) return {};  // would mean the end
  if (data.size() > std::numeric_limits<int>::max() - AV_INPUT_BUFFER_PADDING_SIZE) return OutOfMemory();
  if (av_new_packet(packet_.get(), static_cast<int>(data.size())) < 0) return OutOfMemory();
  std::memcpy(packet_->data, data.data(), data.size());
  packet_->pts = place;
  // What nothing refers to and nobody wants need not be decoded.
  context_->skip_frame = wanted ? AVDISCARD_DEFAULT : AVDISCARD_NONREF;
  int code = avcodec_send_packet(context_.get(), packet_.get());
  if (code == AVERROR(EAGAIN)) {
    MILLRACE_RETURN_IF_ERROR(Receive(take));
    code = avcodec_send_packet(context_.get(), packet_.get());
  }
  av_packet_unref(packet_.get());
  if (code == AVERROR(ENOMEM)) return OutOfMemory();
  // Other errors speak of this frame's bytes: its picture will be missing.
  return Receive(take);
}

template <typename Take>
Result<void> FragmentDecoder::Codec::Drain(const Take& take) {
  avcodec_send_packet(context_.get(), nullptr);
  auto drained = Receive(take);
  Forget();
  return drained;
}

template <typename Take>
Result<void> FragmentDecoder::Codec::Receive(const Take& take) {
  constexpr int kErrorsMax = 64;  // in a row: more than a decoder has pictures to lose
  for (int errors = 0; errors < kErrorsMax;) {
    const int code = avcodec_receive_frame(context_.get(), frame_.get());
    if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return {};
    if (code == AVERROR(ENOMEM)) return OutOfMemory();
    if (code < 0) {
      ++errors;
      continue;
    }
    errors = 0;
    const AVFrame* fetched = Fetched();
    auto taken = fetched != nullptr ? take(*fetched) : Result<void>();
    av_frame_unref(frame_.get());
    av_frame_unref(fetched_.get());
    MILLRACE_RETURN_IF_ERROR(std::move(taken));
  }
  return {};
}

const AVFrame* FragmentDecoder::Codec::Fetched() {
  if (frame_->hw_frames_ctx == nullptr) return frame_.get();
  if (av_hwframe_transfer_data(fetched_.get(), frame_.get(), 0) < 0 ||
      av_frame_copy_props(fetched_.get(), frame_.get()) < 0) {
    return nullptr;
  }
  return fetched_.get();
}

// The video of one fragment: its frames in decode order, which are wanted, and which those need.
struct FragmentDecoder::Footage {
  std::vector<const ParsedFrame*> frames;
  std::vector<SelectableFrame> selectable;
  std::vector<bool> chosen;
  std::vector<bool> needed;     // the chosen ones, and what they refer to
  std::uint32_t too_early = 0;  // chosen, but nothing before them can be decoded

  Footage(const ParsedFragment& fragment, std::uint32_t track) {
    for (const ParsedFrame& frame : fragment.frames) {
      if (frame.track != track) continue;
      frames.push_back(&frame);
      selectable.push_back({frame.timestamp_ns, frame.key_frame});
    }
  }
  void Choose(std::vector<bool> frames_chosen, bool led_in);
};

// A frame needs all those since the key frame before it. One that is decoded after a key frame and shown
// before it may refer to what lies behind that, so it needs the key frame before that one.
void FragmentDecoder::Footage::Choose(std::vector<bool> frames_chosen, bool led_in) {
  chosen = std::move(frames_chosen);
  needed.assign(frames.size(), false);
  std::vector<std::size_t> keys;  // at or before the frame that is looked at
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (selectable[i].key_frame) keys.push_back(i);
  }
  std::size_t settled = frames.size();  // all from here on are
  for (std::size_t i = frames.size(); i-- > 0;) {
    while (!keys.empty() && keys.back() > i) keys.pop_back();
    if (!chosen[i]) continue;
    const bool leads = !keys.empty() && selectable[keys.back()].timestamp_ns > selectable[i].timestamp_ns;
    const std::size_t keys_needed = leads ? 2 : 1;
    std::size_t begin = 0;
    if (keys.size() >= keys_needed) {
      begin = keys[keys.size() - keys_needed];
    } else if (!led_in && keys.empty()) {
      ++too_early;
      continue;
    } else if (!led_in) {
      begin = keys.back();  // what it refers to may be missing: the codec says so
    }
    std::fill(needed.begin() + static_cast<std::ptrdiff_t>(begin),
              needed.begin() + static_cast<std::ptrdiff_t>(std::max(begin, std::min(settled, i + 1))), true);
    settled = std::min(settled, begin);
  }
}

namespace {

Result<cv::Mat> Converted(PictureConverter& converter, const AVFrame& decoded) {
  try {
    return converter.Convert(decoded);
  } catch (const std::bad_alloc&) {
    return OutOfMemory();
  } catch (const cv::Exception& error) {
    return Error{ErrorCode::kResourceExhausted, std::string("OpenCV: ") + error.what()};
  }
}

}  // namespace

FragmentDecoder::FragmentDecoder(const DecoderOptions& options) : options_(options) {}
FragmentDecoder::~FragmentDecoder() = default;

std::string FragmentDecoder::device() const { return codec_ != nullptr ? codec_->device() : std::string(); }

Result<const MkvTrack*> FragmentDecoder::Prepare(const ParsedFragment& fragment) {
  const MkvTrack* track = VideoTrack(fragment.document);
  if (track == nullptr) return nullptr;
  if (!track->info) {
    return Error{ErrorCode::kUnsupported, "video of codec '" + track->codec_id + "' cannot be decoded"};
  }
  const std::int64_t pixels = std::int64_t{track->info->width} * track->info->height;
  if (pixels > options_.pixels_max) {
    return Error{ErrorCode::kResourceExhausted, "pictures of " + std::to_string(track->info->width) + " x " +
                                                    std::to_string(track->info->height) +
                                                    " pixels are larger than the decoder may take"};
  }
  if (codec_ == nullptr || codec_->track() != *track->info) {
    codec_.reset();  // the old one's pictures go before the new one's come
    MILLRACE_ASSIGN_OR_RETURN(codec_, Codec::Open(*track->info, options_));
  }
  return track;
}

Result<void> FragmentDecoder::LeadIn(const ParsedFragment& fragment) {
  if (options_.selection.kind == FrameSelection::Kind::kKeyFrames) return {};
  MILLRACE_ASSIGN_OR_RETURN(const MkvTrack* track, Prepare(fragment));
  if (track == nullptr) return {};
  const Footage footage(fragment, track->number);
  for (std::size_t i = 0; i < footage.frames.size(); ++i) {
    if (!codec_->led_in && !footage.frames[i]->key_frame) continue;
    if (Cancelled()) return Error{ErrorCode::kCancelled, "decoding was cancelled"};
    const auto drop = [](const AVFrame&) -> Result<void> { return {}; };
    MILLRACE_RETURN_IF_ERROR(codec_->Send(footage.frames[i]->data, kOfLeadIn, false, drop));
    codec_->led_in = true;
  }
  return {};
}

Result<DecodeReport> FragmentDecoder::Decode(const ParsedFragment& fragment, const PictureSink& sink) {
  MILLRACE_ASSIGN_OR_RETURN(const MkvTrack* track, Prepare(fragment));
  if (track == nullptr) return DecodeReport();
  Footage footage(fragment, track->number);
  footage.Choose(SelectFrames(options_.selection, footage.selectable), codec_->led_in);
  return DecodeFootage(*track, footage, sink);
}

Result<DecodeReport> FragmentDecoder::DecodeFrames(const ParsedFragment& fragment,
                                                   std::span<const std::int64_t> timestamps_ns,
                                                   const PictureSink& sink) {
  MILLRACE_ASSIGN_OR_RETURN(const MkvTrack* track, Prepare(fragment));
  if (track == nullptr) return DecodeReport();
  Footage footage(fragment, track->number);
  std::vector<bool> chosen;
  for (const SelectableFrame& frame : footage.selectable) {
    chosen.push_back(std::find(timestamps_ns.begin(), timestamps_ns.end(), frame.timestamp_ns) !=
                     timestamps_ns.end());
  }
  footage.Choose(std::move(chosen), codec_->led_in);
  return DecodeFootage(*track, footage, sink);
}

Result<DecodeReport> FragmentDecoder::DecodeFootage(const MkvTrack& track, const Footage& footage,
                                                    const PictureSink& sink) {
  DecodeReport report;
  const bool key_frames_alone = options_.selection.kind == FrameSelection::Kind::kKeyFrames;
  bool holds_pictures = std::exchange(codec_->led_in, false);
  report.frames = static_cast<std::uint32_t>(footage.frames.size());
  report.too_early = footage.too_early;

  // However this ends, nothing of the fragment stays in the codec.
  struct ForgetAtEnd {
    Codec& codec;
    ~ForgetAtEnd() { codec.Forget(); }
  } const forget{*codec_};

  // When the key frame is shown that decoding began with.
  std::int64_t begun_ns = std::numeric_limits<std::int64_t>::min();
  const auto take = [&](const AVFrame& decoded) -> Result<void> {
    // A damaged bitstream may give a picture twice, or one of the lead-in.
    if (decoded.pts < 0 || static_cast<std::uint64_t>(decoded.pts) >= footage.frames.size()) return {};
    const auto place = static_cast<std::size_t>(decoded.pts);
    if (!footage.chosen[place]) return {};
    const bool leads = footage.selectable[place].timestamp_ns < begun_ns;
    if ((leads && (decoded.flags & AV_FRAME_FLAG_CORRUPT) != 0) || decoded.decode_error_flags != 0) return {};
    MILLRACE_ASSIGN_OR_RETURN(cv::Mat image, Converted(codec_->converter(), decoded));
    ++report.pictures;
    if (codec_->is_from_device()) ++report.on_device;
    const ParsedFrame& frame = *footage.frames[place];
    return sink({std::move(image), frame.timestamp_ns, frame.key_frame, decoded.width, decoded.height});
  };
  std::uint32_t wanted = 0;
  for (std::size_t i = 0; i < footage.frames.size(); ++i) {
    if (!footage.needed[i]) continue;
    if (Cancelled()) return Error{ErrorCode::kCancelled, "decoding was cancelled"};
    // Behind frames that nobody needs decoding begins anew, with a key frame.
    const bool begins_anew = i > 0 && !footage.needed[i - 1];
    if (holds_pictures && (begins_anew || key_frames_alone)) MILLRACE_RETURN_IF_ERROR(codec_->Drain(take));
    if (begins_anew || !holds_pictures) begun_ns = footage.selectable[i].timestamp_ns;
    wanted += footage.chosen[i] ? 1 : 0;
    MILLRACE_RETURN_IF_ERROR(
        codec_->Send(footage.frames[i]->data, static_cast<std::int64_t>(i), footage.chosen[i], take));
    holds_pictures = true;
  }
  if (wanted > 0) MILLRACE_RETURN_IF_ERROR(codec_->Drain(take));
  report.damaged = wanted - std::min(wanted, report.pictures);
  if (wanted > 0 && report.pictures == 0) {
    return Error{ErrorCode::kCorruption, "none of the " + std::to_string(wanted) +
                                             " chosen frames of track " + std::to_string(track.number) +
                                             " (" + std::string(ToString(track.info->codec)) +
                                             ") could be decoded"};
  }
  return report;
}

std::vector<SelectableFrame> VideoFrames(const ParsedFragment& fragment) {
  std::vector<SelectableFrame> frames;
  const MkvTrack* track = VideoTrack(fragment.document);
  if (track == nullptr) return frames;
  for (const ParsedFrame& frame : fragment.frames) {
    if (frame.track == track->number) frames.push_back({frame.timestamp_ns, frame.key_frame});
  }
  return frames;
}

}  // namespace millrace
