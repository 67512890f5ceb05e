#include "parser/writer/muxer.h"

extern "C" {
#include <libavutil/dict.h>
#include <libavutil/mathematics.h>
}

#include <cerrno>
#include <limits>

#include "media/libav_log.h"
#include "media/libav_stream.h"

namespace millrace {
namespace {

constexpr AVRational kNanoseconds{1, 1'000'000'000};

const char* FormatOf(Container container) { return container == Container::kMkv ? "matroska" : "mp4"; }

ErrorCode CodeOf(int code) {
  switch (code) {
    case AVERROR(ENOENT):
      return ErrorCode::kNotFound;
    case AVERROR(EACCES):
    case AVERROR(EROFS):
      return ErrorCode::kPermissionDenied;
    case AVERROR(ENOSPC):
    case AVERROR(EDQUOT):
      return ErrorCode::kNoSpace;
    case AVERROR(ENOMEM):
      return ErrorCode::kResourceExhausted;
    default:
      return ErrorCode::kIo;
  }
}

}  // namespace

Error Muxer::Failure(const std::string& doing, int code) const {
  return Error{CodeOf(code), doing + " " + path_ + ": " + AvErrorText(code)};
}

Result<std::unique_ptr<Muxer>> Muxer::Create(const std::string& path, Container container) {
  if (path.empty()) return Error{ErrorCode::kInvalidArgument, "a file to write needs a path"};
  std::unique_ptr<Muxer> muxer(new Muxer(path, container));
  AVFormatContext* context = nullptr;
  const int code =
      avformat_alloc_output_context2(&context, nullptr, FormatOf(container), ("file:" + path).c_str());
  if (code < 0) return muxer->Failure("preparing", code);
  muxer->muxer_.reset(context);
  muxer->packet_.reset(av_packet_alloc());
  if (muxer->packet_ == nullptr) return Error{ErrorCode::kResourceExhausted, "no memory for writing " + path};
  return muxer;
}

Muxer::~Muxer() {
  // A trailer that was begun and not finished would be one of half a file: the header's own memory goes with
  // it.
  if (started_ && !finished_) av_write_trailer(muxer_.get());
  if (muxer_ != nullptr && muxer_->pb != nullptr) avio_closep(&muxer_->pb);
}

Result<int> Muxer::AddStream(const std::function<Result<void>(AVCodecParameters&)>& describe) {
  AVStream* stream = avformat_new_stream(muxer_.get(), nullptr);
  if (stream == nullptr) return Error{ErrorCode::kResourceExhausted, "no memory for writing " + path_};
  MILLRACE_RETURN_IF_ERROR(describe(*stream->codecpar));
  AVCodecParameters& parameters = *stream->codecpar;
  if (avformat_query_codec(muxer_->oformat, parameters.codec_id, FF_COMPLIANCE_NORMAL) == 0) {
    return Error{ErrorCode::kUnsupported, std::string(container_ == Container::kMkv ? "MKV" : "MP4") +
                                              " cannot hold " + avcodec_get_name(parameters.codec_id) +
                                              (container_ == Container::kMkv ? "" : "; MKV can")};
  }
  DescribeStream(*stream, container_ != Container::kMkv);
  return stream->index;
}

Result<void> Muxer::Start() {
  int code = avio_open(&muxer_->pb, muxer_->url, AVIO_FLAG_WRITE);
  if (code < 0) return Failure("opening", code);
  AVDictionary* options = nullptr;
  if (container_ == Container::kMp4) av_dict_set(&options, "movflags", "faststart", 0);
  if (container_ == Container::kFragmentedMp4) {
    // The header waits for the first fragment: how far decode times run ahead stands in it.
    av_dict_set(&options, "movflags", "delay_moov+default_base_moof+frag_custom", 0);
  }
  code = avformat_write_header(muxer_.get(), &options);
  av_dict_free(&options);
  if (code < 0) return Failure("writing the header of", code);
  started_ = true;
  return {};
}

Result<void> Muxer::Write(const Packet& packet) {
  if (packet.data.size() > std::numeric_limits<int>::max() - AV_INPUT_BUFFER_PADDING_SIZE) {
    return Error{ErrorCode::kResourceExhausted, "a frame that is too large for " + path_};
  }
  const AVRational base = muxer_->streams[packet.stream]->time_base;
  av_packet_unref(packet_.get());
  // Not reference counted: av_write_frame is done with it when it returns, and changes nothing.
  packet_->data = const_cast<std::uint8_t*>(packet.data.data());
  packet_->size = static_cast<int>(packet.data.size());
  packet_->stream_index = packet.stream;
  packet_->pts = av_rescale_q(packet.pts_ns, kNanoseconds, base);
  packet_->dts = av_rescale_q(packet.dts_ns, kNanoseconds, base);
  packet_->duration = av_rescale_q(packet.duration_ns, kNanoseconds, base);
  packet_->flags = packet.key_frame ? AV_PKT_FLAG_KEY : 0;
  const int code = av_write_frame(muxer_.get(), packet_.get());
  if (code < 0) return Failure("writing", code);
  return {};
}

Result<void> Muxer::EndFragment() {
  if (container_ != Container::kFragmentedMp4) return {};
  const int code = av_write_frame(muxer_.get(), nullptr);
  if (code < 0) return Failure("writing", code);
  return {};
}

Result<void> Muxer::Finish() {
  if (finished_) return Error{ErrorCode::kFailedPrecondition, path_ + " is finished"};
  finished_ = true;
  // libavformat tells standard error that it moves an MP4's index to the front, which is what was asked for.
  int code = 0;
  {
    const LibavLogLimit quiet(AV_LOG_WARNING);
    code = av_write_trailer(muxer_.get());
  }
  if (code < 0) return Failure("completing", code);
  const int closed = avio_closep(&muxer_->pb);
  if (closed < 0) return Failure("closing", closed);
  return {};
}

}  // namespace millrace
