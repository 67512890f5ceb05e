#include "consumers/hls/track_runs.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "consumers/hls/codec_string.h"
#include "fragments/decode_times.h"

namespace millrace {
namespace {

__extension__ using Int128 = __int128;  // nanoseconds times anything

constexpr std::int64_t kRunDurationMaxNs = std::int64_t{10} * 366 * 24 * 3600 * 1'000'000'000;

Error DamagedRun(const FragmentFacts& facts, const std::string& what) {
  return {ErrorCode::kCorruption, "fragment " + facts.number.ToString() + ": " + what};
}

// A time in ticks of 1/90,000 s since 1970. Always of the whole time, never of a difference, so that rounding
// cannot add up.
Result<std::int64_t> VideoTicks(const FragmentFacts& facts, Timestamp time) {
  std::int64_t since_run_start_ns = 0;
  if (__builtin_sub_overflow(time.ns, facts.run_start.ns, &since_run_start_ns) || since_run_start_ns < 0 ||
      since_run_start_ns > kRunDurationMaxNs || facts.run_start.ns < 0) {
    return DamagedRun(facts, "a frame's time lies before its run or years after its start");
  }
  return time.ns / 100'000 * 9 + time.ns % 100'000 * 9 / 100'000;
}

// Says of a time which piece of the fragment it lies in: those of one track rise, so do their pieces.
class PieceCutter {
 public:
  PieceCutter(const FragmentFacts& facts, const SegmentSelection& selection)
      : start_ns_(facts.start.ns),
        duration_ns_(std::max<std::int64_t>(facts.duration.count(), 1)),
        pieces_(selection.pieces),
        piece_(selection.piece) {}

  // `offset_ns` is from the fragment's start.
  bool HasOffset(Int128 offset_ns) const {
    if (pieces_ == 1) return true;
    const Int128 place = offset_ns < 0 ? 0 : offset_ns * pieces_ / duration_ns_;
    return std::min<Int128>(place, pieces_ - 1) == piece_;
  }
  bool Has(Timestamp time) const { return HasOffset(static_cast<Int128>(time.ns) - start_ns_); }
  // Of the piece's start, since 1970: what a piece without a sample says.
  std::uint64_t StartIn(std::uint32_t timescale) const {
    const Int128 start_ns = start_ns_ + static_cast<Int128>(duration_ns_) * piece_ / pieces_;
    return static_cast<std::uint64_t>(std::max<Int128>(start_ns, 0) * timescale / 1'000'000'000);
  }

 private:
  const std::int64_t start_ns_, duration_ns_;
  const std::uint32_t pieces_, piece_;
};

Result<void> FillVideo(const FragmentFacts& facts, const TrackFacts& track, const PieceCutter& cutter,
                       const std::vector<const Frame*>& frames, TrackRun& run) {
  std::vector<Timestamp> pts;
  pts.reserve(frames.size());
  for (const Frame* frame : frames) pts.push_back(frame->pts);
  MILLRACE_ASSIGN_OR_RETURN(std::vector<VideoTime> times, VideoDecodeTimes(track, pts));

  for (std::size_t i = 0; i < frames.size(); ++i) {
    MILLRACE_ASSIGN_OR_RETURN(std::int64_t dts, VideoTicks(facts, times[i].dts));
    MILLRACE_ASSIGN_OR_RETURN(std::int64_t next, VideoTicks(facts, times[i].dts + times[i].duration));
    MILLRACE_ASSIGN_OR_RETURN(std::int64_t shown, VideoTicks(facts, frames[i]->pts));
    if (next - dts > std::numeric_limits<std::uint32_t>::max() ||
        shown - dts > std::numeric_limits<std::int32_t>::max()) {
      return DamagedRun(facts, "a frame lasts longer than MP4 can say");
    }
    if (!cutter.Has(times[i].dts)) continue;
    if (run.samples.empty()) run.decode_time = static_cast<std::uint64_t>(dts);
    run.samples.push_back(
        {frames[i], static_cast<std::uint32_t>(next - dts), static_cast<std::int32_t>(shown - dts)});
    run.bytes += frames[i]->data.size();
  }
  return {};
}

Result<void> FillAudio(const FragmentFacts& facts, const TrackFacts& track, const PieceCutter& cutter,
                       const std::vector<const Frame*>& frames, TrackRun& run) {
  if (facts.run_start.ns < 0) return DamagedRun(facts, "a run that starts before 1970");
  if (run.timescale == 0) return DamagedRun(facts, "audio without a sample rate");
  // Rounded once a run: within it samples are counted.
  const std::uint64_t run_start_sample =
      static_cast<std::uint64_t>(facts.run_start.millis()) * run.timescale / 1000;
  const Int128 run_offset_ns = static_cast<Int128>(facts.run_start.ns) - facts.start.ns;
  if (frames.size() != track.frames) return DamagedRun(facts, "audio frames are missing or too many");
  MILLRACE_ASSIGN_OR_RETURN(std::vector<AudioSpan> spans, AudioSamples(track));
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (spans[i].samples > std::numeric_limits<std::uint32_t>::max()) {
      return DamagedRun(facts, "a gap in the audio is longer than MP4 can say");
    }
    const Int128 since_run_ns = static_cast<Int128>(spans[i].sample) * 1'000'000'000 / run.timescale;
    if (!cutter.HasOffset(run_offset_ns + since_run_ns)) continue;
    if (run.samples.empty()) run.decode_time = run_start_sample + spans[i].sample;
    run.samples.push_back({frames[i], static_cast<std::uint32_t>(spans[i].samples), 0});
    run.bytes += frames[i]->data.size();
  }
  return {};
}

const TrackInfo* FindTrack(const FragmentFacts& facts, std::uint32_t number) {
  auto found = std::find_if(facts.tracks.begin(), facts.tracks.end(),
                            [&](const TrackInfo& track) { return track.number == number; });
  return found == facts.tracks.end() ? nullptr : &*found;
}

}  // namespace

Result<std::vector<TrackRun>> MakeTrackRuns(const FragmentFacts& facts, const std::vector<Frame>& frames,
                                            const SegmentSelection& selection) {
  if (selection.pieces == 0 || selection.piece >= selection.pieces) {
    return Error{ErrorCode::kInvalidArgument, "there is no such piece of a fragment"};
  }
  MILLRACE_ASSIGN_OR_RETURN(std::vector<TrackInfo> playable, PlayableTracks(facts.tracks));
  const PieceCutter cutter(facts, selection);
  std::vector<TrackRun> runs;
  for (const TrackInfo& info : playable) {
    if (selection.track && info.number != *selection.track) continue;
    std::vector<const Frame*> own;
    for (const Frame& frame : frames) {
      if (frame.track == info.number) own.push_back(&frame);
    }
    const TrackFacts* track = nullptr;
    for (const TrackFacts& candidate : facts.track_facts) {
      if (candidate.track == info.number) track = &candidate;
    }
    if (track == nullptr) {
      if (!own.empty()) return DamagedRun(facts, "frames of a track without facts");
      continue;
    }
    if (own.empty() && track->frames == 0) continue;
    TrackRun run;
    run.info = FindTrack(facts, info.number);
    if (run.info->codec != info.codec) {
      return Error{ErrorCode::kInvalidArgument,
                   "track " + std::to_string(info.number) + " is as it is stored (" +
                       std::string(ToString(run.info->codec)) + "), not as players get it"};
    }
    const bool video = run.info->kind() == TrackKind::kVideo;
    run.timescale = video ? kVideoTimescale : info.sample_rate;
    MILLRACE_RETURN_IF_ERROR(video ? FillVideo(facts, *track, cutter, own, run)
                                   : FillAudio(facts, *track, cutter, own, run));
    if (run.samples.empty()) run.decode_time = cutter.StartIn(run.timescale);
    runs.push_back(std::move(run));
  }
  if (!runs.empty()) return runs;
  if (selection.track) {
    return Error{ErrorCode::kNotFound, "fragment " + facts.number.ToString() +
                                           " has nothing to play of track " +
                                           std::to_string(*selection.track)};
  }
  return DamagedRun(facts, "no frame of a track that HLS can play");
}

}  // namespace millrace
