#include "parser/writer/media_writer.h"

#include <algorithm>
#include <utility>

#include "media/libav_stream.h"
#include "parser/writer/muxer.h"

namespace millrace {

MediaWriter::MediaWriter(std::unique_ptr<Muxer> muxer) : muxer_(std::move(muxer)) {}
MediaWriter::~MediaWriter() = default;

Result<std::unique_ptr<MediaWriter>> MediaWriter::Create(const std::string& path, Container container,
                                                         const std::vector<TrackInfo>& tracks) {
  if (tracks.empty()) {
    return Error{ErrorCode::kInvalidArgument, "there is no track of a known codec to write to " + path};
  }
  MILLRACE_ASSIGN_OR_RETURN(std::unique_ptr<Muxer> muxer, Muxer::Create(path, container));
  std::unique_ptr<MediaWriter> writer(new MediaWriter(std::move(muxer)));
  for (const TrackInfo& track : tracks) {
    Output output;
    MILLRACE_ASSIGN_OR_RETURN(output.stream, writer->muxer_->AddStream([&](AVCodecParameters& parameters) {
      return DescribeTrack(track, parameters);
    }));
    writer->outputs_[track.number] = output;
  }
  MILLRACE_RETURN_IF_ERROR(writer->muxer_->Start());
  return writer;
}

Result<void> MediaWriter::Write(const ParsedFragment& fragment) {
  std::vector<TimedFrame> frames;
  for (const auto& [track, output] : outputs_)
    MILLRACE_RETURN_IF_ERROR(AddDecodeTimes(track, fragment, frames));
  if (frames.empty()) return {};
  if (!begun_) {
    begun_ = true;
    zero_ns_ = std::min_element(frames.begin(), frames.end(), [](const TimedFrame& a, const TimedFrame& b) {
                 return a.frame->timestamp_ns < b.frame->timestamp_ns;
               })->frame->timestamp_ns;
  }
  std::stable_sort(frames.begin(), frames.end(),
                   [](const TimedFrame& a, const TimedFrame& b) { return a.dts_ns < b.dts_ns; });
  for (const TimedFrame& timed : frames) {
    const ParsedFrame& frame = *timed.frame;
    MILLRACE_RETURN_IF_ERROR(
        muxer_->Write({timed.stream, frame.timestamp_ns - zero_ns_, timed.dts_ns - zero_ns_,
                       timed.duration_ns, frame.key_frame, frame.data}));
    outputs_[frame.track].last_dts_ns = timed.dts_ns;
    outputs_[frame.track].begun = true;
    ++frames_;
  }
  return muxer_->EndFragment();
}

// The nth frame in decode order is decoded when the nth in the order of display is shown, and all of them
// earlier by as much as reordering needs.
Result<void> MediaWriter::AddDecodeTimes(std::uint32_t track, const ParsedFragment& fragment,
                                         std::vector<TimedFrame>& out) {
  constexpr std::int64_t kTickNs = 1'000'000;  // of Matroska: what keeps frames of equal times apart
  Output& output = outputs_[track];
  std::vector<std::int64_t> shown;
  for (const ParsedFrame& frame : fragment.frames) {
    if (frame.track == track) shown.push_back(frame.timestamp_ns);
  }
  std::sort(shown.begin(), shown.end());
  std::size_t n = 0;
  if (!output.begun) {
    for (const ParsedFrame& frame : fragment.frames) {
      if (frame.track == track) output.delay_ns = std::max(output.delay_ns, shown[n++] - frame.timestamp_ns);
    }
  }
  n = 0;
  const std::size_t first = out.size();
  std::int64_t last_ns = output.last_dts_ns;
  bool begun = output.begun;
  for (const ParsedFrame& frame : fragment.frames) {
    if (frame.track != track) continue;
    std::int64_t dts_ns = std::min(shown[n++] - output.delay_ns, frame.timestamp_ns);
    // Rounded to Matroska's ticks, two frames may have one time.
    if (begun && dts_ns <= last_ns) dts_ns = last_ns + kTickNs / 10;
    if (dts_ns > frame.timestamp_ns) {
      return Error{ErrorCode::kCorruption, "a frame of track " + std::to_string(track) + " at " +
                                               std::to_string(frame.timestamp_ns) +
                                               " ns is shown before one that is written would be decoded"};
    }
    out.push_back({&frame, output.stream, dts_ns, frame.duration.count()});
    last_ns = dts_ns;
    begun = true;
  }
  // What the file does not say: up to the next frame; of the last one, as of the one before.
  for (std::size_t i = first; i < out.size(); ++i) {
    if (out[i].duration_ns > 0) continue;
    if (i + 1 < out.size()) out[i].duration_ns = out[i + 1].dts_ns - out[i].dts_ns;
    if (i + 1 == out.size() && i > first) out[i].duration_ns = out[i - 1].duration_ns;
  }
  return {};
}

Result<void> MediaWriter::Finish() { return muxer_->Finish(); }

}  // namespace millrace
