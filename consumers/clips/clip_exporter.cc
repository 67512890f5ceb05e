#include "consumers/clips/clip_exporter.h"

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "consumers/clips/clip_muxer.h"
#include "consumers/clips/clip_output.h"
#include "consumers/clips/clip_plan.h"
#include "consumers/clips/indexed_output.h"
#include "consumers/fragment_frames.h"
#include "consumers/player_audio.h"
#include "fragments/decode_times.h"
#include "media/av1.h"
#include "media/h264.h"
#include "media/h265.h"
#include "parser/parse_fragment.h"

namespace millrace {
namespace {

// One export: reads the planned fragments one after the other and writes their frames.
class ClipExport {
 public:
  ClipExport(FragmentStore& store, const ClipRequest& request, const ClipPlan& plan, ClipMuxer& muxer)
      : store_(store),
        request_(request),
        plan_(plan),
        muxer_(muxer),
        end_(request.cut == ClipCut::kFrames ? request.end
                                             : Timestamp{std::numeric_limits<std::int64_t>::max()}) {
    summary_.first = summary_.last = plan.pieces.front().start;
    summary_.gaps = plan.pieces.size() - 1;
    summary_.duration = plan.end;
  }

  Result<void> Run(const ClipExporter::CancelCheck& cancelled) {
    for (std::size_t i = 0; i < plan_.fragments.size(); ++i) {
      if (cancelled && cancelled()) return Error{ErrorCode::kCancelled, "the export was cancelled"};
      while (piece_ + 1 < plan_.pieces.size() && plan_.pieces[piece_ + 1].first_fragment <= i) ++piece_;
      MILLRACE_RETURN_IF_ERROR(WriteFragment(plan_.fragments[i]));
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

  // In MP4 G.711 is what players get for it.
  Result<PlayerFragment> Read(const FragmentNumber& number) {
    if (request_.format == ClipFormat::kMp4) return ReadForPlayers(store_, request_.stream, number);
    MILLRACE_ASSIGN_OR_RETURN(const Fragment fragment, store_.Read(request_.stream, number));
    MILLRACE_ASSIGN_OR_RETURN(std::vector<Frame> frames, FramesOf(fragment));
    return PlayerFragment{fragment.facts, std::move(frames)};
  }

  Result<void> WriteFragment(const FragmentNumber& number) {
    MILLRACE_ASSIGN_OR_RETURN(const PlayerFragment fragment, Read(number));
    const std::vector<Frame>& frames = fragment.frames;
    std::vector<Timed> timed;
    timed.reserve(frames.size());
    const FragmentFacts& facts = fragment.facts;
    for (std::size_t i = 0; i < facts.tracks.size() && i < facts.track_facts.size(); ++i) {
      const int index = plan_.IndexOf(facts.tracks, i);
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
    while (count > 0 && pts[count - 1] >= end_) --count;
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
      if (facts.run_start + heard >= end_) break;
      ClipMuxer::Packet packet;
      packet.track = track;
      packet.frame = frames[i];
      packet.pts = packet.dts = static_cast<std::int64_t>(spans[i].sample) + shift;
      packet.duration = static_cast<std::int64_t>(spans[i].samples);
      // Sound that was made anew begins before its picture: of what lies before the clip, or in a gap that is
      // closed, nothing is heard.
      std::int64_t& next = next_sample_[track];
      if (packet.pts < next) continue;
      next = packet.pts + packet.duration;
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
  const Timestamp end_;  // frames that begin there, or later, are not wanted
  std::size_t piece_ = 0;
  std::map<std::size_t, std::int64_t>
      next_sample_;  // of each track of sound: what is written goes up to there
  ClipSummary summary_;
};

// `header_is_written` runs before the first frame.
Result<ClipSummary> ExportTo(FragmentStore& store, const ClipRequest& request, ClipPlan plan,
                             ClipLayout layout, ClipOutput& output,
                             const ClipExporter::CancelCheck& cancelled,
                             const std::function<void()>& header_is_written = {}) {
  // Without an edit list (fragmented MP4) times have to begin at zero or later; else the clip's first picture
  // is at 0.
  if (layout != ClipLayout::kFragmentedMp4) plan.BeginAtPresentation();
  if (layout != ClipLayout::kMkv) {
    for (TrackInfo& track : plan.tracks) track = PlayerTrack(track);
  }
  MILLRACE_ASSIGN_OR_RETURN(std::unique_ptr<ClipMuxer> muxer,
                            ClipMuxer::Open(plan, request.stream, layout, output));
  if (header_is_written) header_is_written();
  ClipExport one(store, request, plan, *muxer);
  auto done = one.Run(cancelled);
  if (!done) return WithContext(std::move(done).error(), "export of stream '" + request.stream + "'");
  ClipSummary summary = one.summary();
  summary.bytes = output.bytes();
  return summary;
}

ClipOutline OutlineOf(const ClipPlan& plan) {
  ClipOutline outline;
  outline.first = plan.fragments.front();
  outline.start = plan.pieces.front().start;
  outline.end = plan.last_end;
  outline.duration = plan.end - plan.pieces.front().clip_start();
  outline.fragments = plan.fragments.size();
  outline.frames = plan.video_frames + plan.audio_frames;
  outline.tracks = plan.tracks;
  outline.index_bytes = IndexBytesMax(plan);
  return outline;
}

// Of a clip without tracks: what its fragments are of.
Error UnknownCodecs(FragmentStore& store, const std::string& stream, const FragmentNumber& number) {
  std::string names;
  if (auto fragment = store.Read(stream, number)) {
    if (auto parsed = ParseFragment(fragment->mkv)) {
      for (const MkvTrack& track : parsed->document.tracks) {
        if (track.info) continue;
        names += (names.empty() ? "" : ", ") + track.codec_id.substr(0, 64);
      }
    }
  }
  return {ErrorCode::kUnsupported, "the footage is of a codec that Millrace does not know" +
                                       (names.empty() ? "" : " (" + names + ")") +
                                       ": GetMediaForFragmentList gives its fragments as they came"};
}

Result<void> CheckFrames(const ClipPlan& plan, const ClipLimits& limits) {
  if (plan.video_frames + plan.audio_frames <= limits.frames_max) return {};
  return Error{ErrorCode::kInvalidArgument, "the range holds more than " + std::to_string(limits.frames_max) +
                                                " frames, more than one MP4 may have: export a shorter "
                                                "range, or to MKV"};
}

}  // namespace

TrackFault FaultOf(const TrackInfo& track, ClipFormat format) {
  const ByteSpan codec_private(track.codec_private);
  const auto needs = [&](bool good) {
    return codec_private.empty() ? TrackFault::kNoCodecPrivate
           : good                ? TrackFault::kNone
                                 : TrackFault::kBadCodecPrivate;
  };
  switch (track.codec) {
    case Codec::kH264:
      return needs(ParseAvcConfig(codec_private).has_value());
    case Codec::kH265:
      return needs(ParseHevcConfig(codec_private).has_value());
    case Codec::kAv1:
      return needs(ParseAv1Config(codec_private).has_value());
    case Codec::kAac:
      return needs(codec_private.size() >= 2);
    case Codec::kOpus:
      return needs(AsText(codec_private).starts_with("OpusHead") && codec_private.size() >= 19);
    case Codec::kVp9:
      return TrackFault::kNone;
    case Codec::kPcmMulaw:
    case Codec::kPcmAlaw:
      if (PlayerTrack(track).codec == Codec::kAac) return TrackFault::kNone;
      break;
    case Codec::kVp8:
      break;
  }
  return format == ClipFormat::kMkv ? TrackFault::kNone : TrackFault::kCodec;
}

Result<void> CheckTrack(const TrackInfo& track, ClipFormat format) {
  const std::string name =
      "track " + std::to_string(track.number) + " (" + std::string(ToString(track.codec)) + ")";
  switch (FaultOf(track, format)) {
    case TrackFault::kNone:
      return {};
    case TrackFault::kCodec:
      return Error{
          ErrorCode::kUnsupported,
          name + " cannot be put into MP4, whose players take no " +
              (track.codec == Codec::kVp8 ? "VP8" : "G.711 of this rate") +
              ": MKV holds it as it is (GET /v1/streams/{name}/export?format=mkv, or millrace export "
              "-o clip.mkv)"};
    case TrackFault::kNoCodecPrivate:
      return Error{ErrorCode::kUnsupported,
                   name +
                       " has no CodecPrivate, without which no player can decode it: the producer has to "
                       "send it in the TrackEntry (with H.264 or H.265: parameter sets as avcC or hvcC, and "
                       "length-prefixed NAL units)"};
    case TrackFault::kBadCodecPrivate:
      return Error{ErrorCode::kUnsupported,
                   name + " has a CodecPrivate that is damaged, or none of its codec's"};
  }
  return {};
}

std::optional<ClipFormat> ClipFormatFromString(std::string_view name) {
  if (name == "mp4") return ClipFormat::kMp4;
  if (name == "mkv") return ClipFormat::kMkv;
  return std::nullopt;
}

std::string_view ContentType(ClipFormat format) {
  return format == ClipFormat::kMp4 ? "video/mp4" : "video/x-matroska";
}

Result<ClipPlan> ClipExporter::Plan(const ClipRequest& request) {
  MILLRACE_ASSIGN_OR_RETURN(ClipPlan plan, MakeClipPlan(store_, request, limits_));
  if (plan.tracks.empty()) return UnknownCodecs(store_, request.stream, plan.fragments.front());
  return plan;
}

Result<ClipOutline> ClipExporter::Outline(const ClipRequest& request) {
  MILLRACE_ASSIGN_OR_RETURN(const ClipPlan plan, Plan(request));
  return OutlineOf(plan);
}

Result<void> ClipExporter::Check(const ClipRequest& request) {
  MILLRACE_ASSIGN_OR_RETURN(const ClipPlan plan, Plan(request));
  for (const TrackInfo& track : plan.tracks) MILLRACE_RETURN_IF_ERROR(CheckTrack(track, request.format));
  return {};
}

Result<std::vector<ClipOutline>> ClipExporter::Stretches(const ClipRequest& request) {
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<ClipPlan> plans, MakeClipPlans(store_, request, limits_));
  std::vector<ClipOutline> outlines;
  for (const ClipPlan& plan : plans) outlines.push_back(OutlineOf(plan));
  return outlines;
}

Result<ClipSummary> ClipExporter::ToFile(const ClipRequest& request, const std::filesystem::path& path,
                                         const CancelCheck& cancelled) {
  MILLRACE_ASSIGN_OR_RETURN(ClipPlan plan, Plan(request));
  const bool mp4 = request.format == ClipFormat::kMp4;
  if (mp4) MILLRACE_RETURN_IF_ERROR(CheckFrames(plan, limits_));
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
  MILLRACE_ASSIGN_OR_RETURN(ClipPlan plan, Plan(request));
  SinkOutput output(sink);
  return ExportTo(store_, request, std::move(plan),
                  request.format == ClipFormat::kMp4 ? ClipLayout::kFragmentedMp4 : ClipLayout::kMkv, output,
                  cancelled);
}

Result<ClipSummary> ClipExporter::ToIndexedSink(const ClipRequest& request,
                                                const std::function<Result<void>(std::uint64_t)>& begin,
                                                const ByteSink& sink, const CancelCheck& cancelled) {
  MILLRACE_ASSIGN_OR_RETURN(ClipPlan plan, Plan(request));
  MILLRACE_RETURN_IF_ERROR(CheckFrames(plan, limits_));
  HeadOutput head;
  MILLRACE_ASSIGN_OR_RETURN(ClipSummary summary,
                            ExportTo(store_, request, plan, ClipLayout::kProgressiveMp4, head, cancelled,
                                     [&] { head.EndHeadAt(head.Flush()); }));
  MILLRACE_RETURN_IF_ERROR(begin(summary.bytes));
  MILLRACE_RETURN_IF_ERROR(sink(head.head()));
  BodyOutput body(head.head().size(), sink);
  MILLRACE_RETURN_IF_ERROR(
      ExportTo(store_, request, std::move(plan), ClipLayout::kProgressiveMp4, body, cancelled));
  if (body.next() != summary.bytes) {
    return Error{ErrorCode::kInternal, "the clip's media is not that of its index"};
  }
  return summary;
}

}  // namespace millrace
