#include "consumers/clips/clip_muxer.h"

#include <mutex>
#include <utility>

extern "C" {
#include <libavutil/dict.h>
#include <libavutil/log.h>
#include <libavutil/mathematics.h>
#include <libavutil/mem.h>
}

#include "media/libav_stream.h"

namespace millrace {
namespace {

// libav writes to standard error, past our log. What goes wrong comes back as a code, and is reported by us;
// its warnings here (an edit list that a fragmented MP4 has no room for) speak of what the plan chose on
// purpose.
void QuietLibav() {
  static std::once_flag once;
  std::call_once(once, [] { av_log_set_level(AV_LOG_FATAL); });
}

// A dictionary for one call.
class Options {
 public:
  Options() = default;
  Options(const Options&) = delete;
  Options& operator=(const Options&) = delete;
  ~Options() { av_dict_free(&options_); }
  void Set(const char* name, const std::string& value) { av_dict_set(&options_, name, value.c_str(), 0); }
  AVDictionary** get() { return &options_; }

 private:
  AVDictionary* options_ = nullptr;
};

// An upper bound of what libavformat's moov takes: room that is set aside in front of the media, so that a
// clip can be played before all of it is there and is written once. The rest of the room becomes a `free`
// box.
std::uint64_t MoovBytesMax(const ClipPlan& plan) {
  constexpr std::uint64_t kChunk = 12 + 8;              // stsc and co64, were every frame a chunk
  constexpr std::uint64_t kVideo = 8 + 4 + 4 + kChunk;  // stts, stsz, stss
  constexpr std::uint64_t kOffsets = 8;                 // ctts
  constexpr std::uint64_t kAudio = 4 + 8 + kChunk;      // stsz, stts
  std::uint64_t bytes = 16 * 1024;
  for (const TrackInfo& track : plan.tracks) bytes += 4096 + 2 * track.codec_private.size();
  bytes += plan.video_frames * (kVideo + (plan.reordered ? kOffsets : 0));
  return bytes + plan.audio_frames * kAudio;
}

}  // namespace

std::uint64_t IndexBytesMax(const ClipPlan& plan) {
  constexpr std::uint64_t kMuxerEntry = 2 * 48;  // libavformat's of a frame, in tables that grow by doubling
  return MoovBytesMax(plan) + (plan.video_frames + plan.audio_frames) * kMuxerEntry;
}

Result<std::unique_ptr<ClipMuxer>> ClipMuxer::Open(const ClipPlan& plan, const std::string& title,
                                                   ClipLayout layout, ClipOutput& output) {
  QuietLibav();
  if (output.io() == nullptr) return Error{ErrorCode::kResourceExhausted, "out of memory"};
  std::unique_ptr<ClipMuxer> muxer(new ClipMuxer(layout, output));
  AVFormatContext* context = nullptr;
  const char* format = layout == ClipLayout::kMkv ? "matroska" : "mp4";
  const int code = avformat_alloc_output_context2(&context, nullptr, format, nullptr);
  if (code < 0) return muxer->Failure("no muxer for " + std::string(format), code);
  muxer->muxer_.reset(context);
  muxer->packet_.reset(av_packet_alloc());
  if (!muxer->packet_) return Error{ErrorCode::kResourceExhausted, "out of memory"};
  context->pb = output.io();
  context->flags |= AVFMT_FLAG_CUSTOM_IO;
  context->avoid_negative_ts = AVFMT_AVOID_NEG_TS_DISABLED;  // the plan chose the zero
  av_dict_set(&context->metadata, "creation_time", FormatRfc3339(plan.pieces.front().start).c_str(), 0);
  av_dict_set(&context->metadata, "title", title.c_str(), 0);

  for (const TrackInfo& track : plan.tracks) MILLRACE_RETURN_IF_ERROR(muxer->AddTrack(track));
  // In MP4 they would be a text track, which several players show or complain about.
  if (layout == ClipLayout::kMkv) MILLRACE_RETURN_IF_ERROR(muxer->AddChapters(plan));
  MILLRACE_RETURN_IF_ERROR(muxer->WriteHeader(plan));
  return muxer;
}

Result<void> ClipMuxer::AddTrack(const TrackInfo& track) {
  MILLRACE_RETURN_IF_ERROR(
      CheckTrack(track, layout_ == ClipLayout::kMkv ? ClipFormat::kMkv : ClipFormat::kMp4));
  AVStream* stream = avformat_new_stream(muxer_.get(), nullptr);
  if (stream == nullptr) return Error{ErrorCode::kResourceExhausted, "out of memory"};
  MILLRACE_RETURN_IF_ERROR(DescribeTrack(track, *stream->codecpar));
  DescribeStream(*stream, layout_ != ClipLayout::kMkv);
  time_bases_.push_back(stream->time_base);
  return {};
}

// One for each piece, where there is more than one.
Result<void> ClipMuxer::AddChapters(const ClipPlan& plan) {
  if (plan.pieces.size() < 2) return {};
  auto** chapters = static_cast<AVChapter**>(av_calloc(plan.pieces.size(), sizeof(AVChapter*)));
  if (chapters == nullptr) return Error{ErrorCode::kResourceExhausted, "out of memory"};
  muxer_->chapters = chapters;
  for (std::size_t i = 0; i < plan.pieces.size(); ++i) {
    auto* chapter = static_cast<AVChapter*>(av_mallocz(sizeof(AVChapter)));
    if (chapter == nullptr) return Error{ErrorCode::kResourceExhausted, "out of memory"};
    chapters[muxer_->nb_chapters++] = chapter;
    chapter->id = static_cast<std::int64_t>(i) + 1;
    chapter->time_base = {1, 1000};
    const bool is_last = i + 1 == plan.pieces.size();
    chapter->start = plan.pieces[i].clip_start().count() / 1'000'000;
    chapter->end = (is_last ? plan.end : plan.pieces[i + 1].clip_start()).count() / 1'000'000;
    av_dict_set(&chapter->metadata, "title", FormatRfc3339(plan.pieces[i].start).c_str(), 0);
  }
  return {};
}

Result<void> ClipMuxer::WriteHeader(const ClipPlan& plan) {
  Options options;
  if (layout_ == ClipLayout::kProgressiveMp4) {
    const std::uint64_t moov_bytes = MoovBytesMax(plan);
    if (moov_bytes > 0x7FFFFFFF) return Error{ErrorCode::kInvalidArgument, "too many frames for one MP4"};
    options.Set("moov_size", std::to_string(moov_bytes));
  } else if (layout_ == ClipLayout::kFragmentedMp4) {
    // frag_discont: times as they are given; without it each track would be moved to begin at zero by itself,
    // and sound and picture would lose their distance.
    options.Set("movflags", "empty_moov+default_base_moof+frag_custom+frag_discont");
    options.Set("use_editlist", "0");
  }
  const int code = avformat_write_header(muxer_.get(), options.get());
  if (code < 0) return Failure("the clip's header", code);
  return {};
}

Result<void> ClipMuxer::Write(const Packet& packet) {
  AVPacket& out = *packet_;
  av_packet_unref(&out);
  // Not reference counted: av_write_frame promises to leave the data alone, and to be done with them when it
  // returns.
  out.data = const_cast<std::uint8_t*>(packet.frame->data.data());
  out.size = static_cast<int>(packet.frame->data.size());
  out.stream_index = static_cast<int>(packet.track);
  out.pts = packet.pts;
  out.dts = packet.dts;
  out.duration = packet.duration;
  out.flags = packet.frame->key_frame ? AV_PKT_FLAG_KEY : 0;
  av_packet_rescale_ts(&out, time_bases_[packet.track], muxer_->streams[packet.track]->time_base);
  const int code = av_write_frame(muxer_.get(), &out);
  if (code < 0) return Failure("writing a frame", code);
  return {};
}

Result<void> ClipMuxer::Flush() {
  if (layout_ != ClipLayout::kFragmentedMp4) return {};
  const int code = av_write_frame(muxer_.get(), nullptr);
  if (code < 0) return Failure("writing a movie fragment", code);
  return {};
}

Result<void> ClipMuxer::Finish() {
  const int code = av_write_trailer(muxer_.get());
  avio_flush(output_.io());
  if (code < 0 || output_.error() || output_.io()->error < 0) {
    return Failure("the clip's end", code < 0 ? code : output_.io()->error);
  }
  return {};
}

Error ClipMuxer::Failure(const std::string& what, int code) const {
  if (output_.error()) return *output_.error();
  if (code == AVERROR(ENOMEM)) return {ErrorCode::kResourceExhausted, what + ": out of memory"};
  return {ErrorCode::kInternal, what + ": " + AvErrorText(code)};
}

}  // namespace millrace
