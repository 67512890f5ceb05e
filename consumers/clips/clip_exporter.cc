#include "consumers/clips/clip_exporter.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "consumers/clips/clip_muxer.h"
#include "consumers/clips/clip_output.h"
#include "consumers/clips/clip_plan.h"
#include "consumers/fragment_frames.h"
#include "fragments/decode_times.h"

namespace millrace {
namespace {

// One export: reads the planned fragments one after the other and writes their frames.
class ClipExport {
 public:
  ClipExport(FragmentStore& store, const ClipRequest& request, const ClipPlan& plan, ClipMuxer& muxer)
      : store_(store), request_(request), plan_(plan), muxer_(muxer) {
    summary_.first = summary_.last = plan.pieces.front().start;
    summary_.gaps = plan.pieces.size() - 1;
    summary_.duration = plan.end;
  }

  Result<void> Run(const ClipExporter::CancelCheck& cancelled) {
    for (std::size_t i = 0; i < plan_.fragments.size(); ++i) {
      if (cancelled && cancelled()) return Error{ErrorCode::kCancelled, "the export was cancelled"};
      while (piece_ + 1 < plan_.pieces.size() && plan_.pieces[piece_ + 1].first_fragment <= i) ++piece_;
      auto fragment = store_.Read(request_.stream, plan_.fragments[i]);
      if (!fragment) return std::move(fragment).error();
      MILLRACE_RETURN_IF_ERROR(WriteFragment(*fragment));
      ++summary_.fragments;
    }
    return muxer_.Finish();
  }

  const ClipSummary& summary() const { return summary_; }

 private:
  struct Timed {
    Duration decode;  // since run_start: what the tracks are interleaved by
    ClipMuxer::Packet packet;
  };

  Result<void> WriteFragment(const Fragment& fragment) {
    MILLRACE_ASSIGN_OR_RETURN(std::vector<Frame> frames, FramesOf(fragment));
    std::vector<Timed> timed;
    timed.reserve(frames.size());
    const FragmentFacts& facts = fragment.facts;
    for (std::size_t i = 0; i < facts.tracks.size() && i < facts.track_facts.size(); ++i) {
      const int index = plan_.IndexOf(facts.tracks[i]);
      std::vector<const Frame*> own;
      for (const Frame& frame : frames) {
        if (frame.track == facts.tracks[i].number) own.push_back(&frame);
      }
      if (index < 0 || facts.track_facts[i].track != facts.tracks[i].number) {
        return Error{ErrorCode::kCorruption,
                     "fragment " + facts.number.ToString() + " changed while it was exported"};
      }
      const auto track = static_cast<std::size_t>(index);
      MILLRACE_RETURN_IF_ERROR(facts.tracks[i].kind() == TrackKind::kVideo
                                   ? AddVideo(facts, facts.track_facts[i], track, own, timed)
                                   : AddAudio(facts, facts.track_facts[i], track, own, timed));
    }
    std::stable_sort(timed.begin(), timed.end(),
                     [](const Timed& a, const Timed& b) { return a.decode < b.decode; });
    for (const Timed& one : timed) MILLRACE_RETURN_IF_ERROR(muxer_.Write(one.packet));
    return muxer_.Flush();
  }

  Result<void> AddVideo(const FragmentFacts& facts, const TrackFacts& track_facts, std::size_t track,
                        const std::vector<const Frame*>& frames, std::vector<Timed>& timed) {
    std::vector<Timestamp> pts;
    for (const Frame* frame : frames) pts.push_back(frame->pts);
    MILLRACE_ASSIGN_OR_RETURN(std::vector<VideoTime> times, VideoDecodeTimes(track_facts, pts));
    // Up to the last frame, in decode order, that is shown before the end.
    std::size_t count = frames.size();
    while (count > 0 && pts[count - 1] >= request_.end) --count;
    for (std::size_t i = 0; i < count; ++i) {
      const Duration decode = times[i].dts - facts.run_start;
      ClipMuxer::Packet packet;
      packet.track = track;
      packet.frame = frames[i];
      packet.pts = VideoTicks(pts[i] - facts.run_start);
      packet.dts = VideoTicks(decode);
      packet.duration = VideoTicks(decode + times[i].duration) - packet.dts;
      timed.push_back({decode, packet});
      summary_.last = std::max(summary_.last, pts[i] + times[i].duration);
    }
    summary_.video_frames += count;
    return {};
  }

  Result<void> AddAudio(const FragmentFacts& facts, const TrackFacts& track_facts, std::size_t track,
                        const std::vector<const Frame*>& frames, std::vector<Timed>& timed) {
    MILLRACE_ASSIGN_OR_RETURN(std::vector<AudioSpan> spans, AudioSamples(track_facts));
    if (spans.size() != frames.size()) {
      return Error{ErrorCode::kCorruption,
                   "fragment " + facts.number.ToString() + ": audio frames are missing"};
    }
    const std::uint32_t rate = plan_.tracks[track].sample_rate;
    // The piece's shift in samples: rounded once, so that the samples stay one after the other.
    const std::int64_t shift = plan_.pieces[piece_].shift.count() / 1'000'000 * std::int64_t{rate} / 1000;
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const Duration heard = SamplesToTime(spans[i].sample, rate);
      if (facts.run_start + heard >= request_.end) break;
      ClipMuxer::Packet packet;
      packet.track = track;
      packet.frame = frames[i];
      packet.pts = packet.dts = static_cast<std::int64_t>(spans[i].sample) + shift;
      packet.duration = static_cast<std::int64_t>(spans[i].samples);
      timed.push_back({heard, packet});
      summary_.last =
          std::max(summary_.last, facts.run_start + SamplesToTime(spans[i].sample + spans[i].samples, rate));
      ++summary_.audio_frames;
    }
    return {};
  }

  // Of the whole clip time, never of a difference, so that rounding cannot add up.
  std::int64_t VideoTicks(Duration since_run_start) const {
    const std::int64_t ns = (since_run_start + plan_.pieces[piece_].shift).count();
    return ns / 100'000 * 9 + ns % 100'000 * 9 / 100'000;
  }

  FragmentStore& store_;
  const ClipRequest& request_;
  const ClipPlan& plan_;
  ClipMuxer& muxer_;
  std::size_t piece_ = 0;
  ClipSummary summary_;
};

Result<ClipSummary> ExportTo(FragmentStore& store, const ClipRequest& request, ClipPlan plan,
                             ClipLayout layout, ClipOutput& output,
                             const ClipExporter::CancelCheck& cancelled) {
  // Without an edit list (fragmented MP4) times have to begin at zero or later; else the clip's first picture
  // is at 0.
  if (layout != ClipLayout::kFragmentedMp4) plan.BeginAtPresentation();
  MILLRACE_ASSIGN_OR_RETURN(std::unique_ptr<ClipMuxer> muxer,
                            ClipMuxer::Open(plan, request.stream, layout, output));
  ClipExport one(store, request, plan, *muxer);
  auto done = one.Run(cancelled);
  if (!done) return WithContext(std::move(done).error(), "export of stream '" + request.stream + "'");
  ClipSummary summary = one.summary();
  summary.bytes = output.bytes();
  return summary;
}

}  // namespace

std::optional<ClipFormat> ClipFormatFromString(std::string_view name) {
  if (name == "mp4") return ClipFormat::kMp4;
  if (name == "mkv") return ClipFormat::kMkv;
  return std::nullopt;
}

std::string_view ContentType(ClipFormat format) {
  return format == ClipFormat::kMp4 ? "video/mp4" : "video/x-matroska";
}

Result<void> ClipExporter::Check(const ClipRequest& request) {
  MILLRACE_RETURN_IF_ERROR(MakeClipPlan(store_, request, limits_));
  return {};
}

Result<ClipSummary> ClipExporter::ToFile(const ClipRequest& request, const std::filesystem::path& path,
                                         const CancelCheck& cancelled) {
  MILLRACE_ASSIGN_OR_RETURN(ClipPlan plan, MakeClipPlan(store_, request, limits_));
  const bool mp4 = request.format == ClipFormat::kMp4;
  if (mp4 && plan.video_frames + plan.audio_frames > limits_.frames_max) {
    return Error{ErrorCode::kInvalidArgument,
                 "the range holds more than " + std::to_string(limits_.frames_max) +
                     " frames, more than one MP4 may have: export a shorter range, or to "
                     "MKV"};
  }
  MILLRACE_ASSIGN_OR_RETURN(std::unique_ptr<FileOutput> output, FileOutput::Create(path));
  MILLRACE_ASSIGN_OR_RETURN(
      ClipSummary summary,
      ExportTo(store_, request, std::move(plan), mp4 ? ClipLayout::kProgressiveMp4 : ClipLayout::kMkv,
               *output, cancelled));
  MILLRACE_RETURN_IF_ERROR(output->Commit());
  return summary;
}

Result<ClipSummary> ClipExporter::ToSink(const ClipRequest& request, const ByteSink& sink,
                                         const CancelCheck& cancelled) {
  MILLRACE_ASSIGN_OR_RETURN(ClipPlan plan, MakeClipPlan(store_, request, limits_));
  SinkOutput output(sink);
  return ExportTo(store_, request, std::move(plan),
                  request.format == ClipFormat::kMp4 ? ClipLayout::kFragmentedMp4 : ClipLayout::kMkv, output,
                  cancelled);
}

}  // namespace millrace
