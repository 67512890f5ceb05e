// The media segment: styp, moof and mdat of one fragment (ISO/IEC 14496-12 section 8.8; ISO/IEC 23000-19).
#include <limits>
#include <string>
#include <utility>

#include "consumers/hls/codec_string.h"
#include "consumers/hls/fmp4.h"
#include "consumers/hls/iso_box.h"
#include "fragments/decode_times.h"

namespace millrace {
namespace {

// A frame below this is copied next to its neighbours: sending one more piece costs more than copying it.
constexpr std::size_t kGatherBelowBytes = 4096;
constexpr std::uint64_t kSegmentBytesMax = std::numeric_limits<std::int32_t>::max();  // trun's data_offset
constexpr std::int64_t kRunDurationMaxNs = std::int64_t{10} * 366 * 24 * 3600 * 1'000'000'000;

// ISO/IEC 14496-12 section 8.8.3.1: depends on none, a sync sample; or depends on others, not one.
constexpr std::uint32_t kSyncSample = 0x02000000;
constexpr std::uint32_t kNonSyncSample = 0x01010000;

struct Sample {
  const Frame* frame = nullptr;
  std::uint32_t duration = 0;           // in the track's timescale
  std::int32_t composition_offset = 0;  // pts - dts
};

struct TrackRun {
  std::uint32_t track = 0;
  bool video = false;
  std::uint64_t decode_time = 0;  // of the first sample
  std::uint64_t bytes = 0;
  std::vector<Sample> samples;
};

Error Damaged(const FragmentFacts& facts, const std::string& what) {
  return {ErrorCode::kCorruption, "fragment " + facts.number.ToString() + ": " + what};
}

// A time in ticks of 1/90,000 s since 1970. Always of the whole time, never of a difference, so that rounding
// cannot add up.
Result<std::int64_t> VideoTicks(const FragmentFacts& facts, Timestamp time) {
  std::int64_t since_run_start_ns = 0;
  if (__builtin_sub_overflow(time.ns, facts.run_start.ns, &since_run_start_ns) || since_run_start_ns < 0 ||
      since_run_start_ns > kRunDurationMaxNs || facts.run_start.ns < 0) {
    return Damaged(facts, "a frame's time lies before its run or years after its start");
  }
  return time.ns / 100'000 * 9 + time.ns % 100'000 * 9 / 100'000;
}

Result<TrackRun> MakeVideoRun(const FragmentFacts& facts, const TrackFacts& track,
                              const std::vector<const Frame*>& frames) {
  TrackRun run;
  run.track = track.track;
  run.video = true;
  std::vector<Timestamp> pts;
  pts.reserve(frames.size());
  for (const Frame* frame : frames) pts.push_back(frame->pts);
  MILLRACE_ASSIGN_OR_RETURN(std::vector<VideoTime> times, VideoDecodeTimes(track, pts));

  run.samples.reserve(frames.size());
  for (std::size_t i = 0; i < frames.size(); ++i) {
    MILLRACE_ASSIGN_OR_RETURN(std::int64_t dts, VideoTicks(facts, times[i].dts));
    MILLRACE_ASSIGN_OR_RETURN(std::int64_t next, VideoTicks(facts, times[i].dts + times[i].duration));
    MILLRACE_ASSIGN_OR_RETURN(std::int64_t shown, VideoTicks(facts, frames[i]->pts));
    if (next - dts > std::numeric_limits<std::uint32_t>::max() ||
        shown - dts > std::numeric_limits<std::int32_t>::max()) {
      return Damaged(facts, "a frame lasts longer than MP4 can say");
    }
    if (i == 0) run.decode_time = static_cast<std::uint64_t>(dts);
    run.samples.push_back(
        {frames[i], static_cast<std::uint32_t>(next - dts), static_cast<std::int32_t>(shown - dts)});
    run.bytes += frames[i]->data.size();
  }
  return run;
}

Result<TrackRun> MakeAudioRun(const FragmentFacts& facts, const TrackFacts& track, std::uint32_t sample_rate,
                              const std::vector<const Frame*>& frames) {
  TrackRun run;
  run.track = track.track;
  if (facts.run_start.ns < 0) return Damaged(facts, "a run that starts before 1970");
  // Rounded once a run: within it samples are counted.
  const std::uint64_t run_start_sample =
      static_cast<std::uint64_t>(facts.run_start.millis()) * sample_rate / 1000;
  if (frames.size() != track.frames) return Damaged(facts, "audio frames are missing or too many");
  MILLRACE_ASSIGN_OR_RETURN(std::vector<AudioSpan> spans, AudioSamples(track));
  run.samples.reserve(frames.size());
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (spans[i].samples > std::numeric_limits<std::uint32_t>::max()) {
      return Damaged(facts, "a gap in the audio is longer than MP4 can say");
    }
    run.samples.push_back({frames[i], static_cast<std::uint32_t>(spans[i].samples), 0});
    run.bytes += frames[i]->data.size();
  }
  if (!spans.empty()) run.decode_time = run_start_sample + spans.front().sample;
  return run;
}

// The runs of the playable tracks that have frames in this fragment, in the order of the facts' tracks.
Result<std::vector<TrackRun>> MakeRuns(const FragmentFacts& facts, const std::vector<Frame>& frames) {
  MILLRACE_ASSIGN_OR_RETURN(std::vector<TrackInfo> playable, PlayableTracks(facts.tracks));
  std::vector<TrackRun> runs;
  for (const TrackInfo& info : playable) {
    std::vector<const Frame*> own;
    for (const Frame& frame : frames) {
      if (frame.track == info.number) own.push_back(&frame);
    }
    const TrackFacts* track = nullptr;
    for (const TrackFacts& candidate : facts.track_facts) {
      if (candidate.track == info.number) track = &candidate;
    }
    if (track == nullptr) {
      if (!own.empty()) return Damaged(facts, "frames of a track without facts");
      continue;
    }
    if (own.empty() && track->frames == 0) continue;
    MILLRACE_ASSIGN_OR_RETURN(TrackRun run, info.kind() == TrackKind::kVideo
                                                ? MakeVideoRun(facts, *track, own)
                                                : MakeAudioRun(facts, *track, info.sample_rate, own));
    runs.push_back(std::move(run));
  }
  if (runs.empty()) return Damaged(facts, "no frame of a track that HLS can play");
  return runs;
}

// Says nothing a sample that its track's defaults say already. Returns the place of data_offset, to be
// patched.
std::size_t WriteTrackFragment(BoxWriter& out, const TrackRun& run) {
  constexpr std::uint32_t kDataOffset = 0x1, kDurations = 0x100, kSizes = 0x200, kFlags = 0x400,
                          kOffsets = 0x800;
  const std::uint32_t default_duration = run.samples.front().duration;
  bool even = true;  // all samples last equally long
  for (const Sample& sample : run.samples) even = even && sample.duration == default_duration;

  auto traf = out.Open("traf");
  {
    // default-base-is-moof, default sample duration and flags
    auto tfhd = out.OpenFull("tfhd", 0, 0x020000 | 0x08 | 0x20);
    out.U32(run.track);
    out.U32(default_duration);
    out.U32(run.video ? kNonSyncSample : kSyncSample);
  }
  {
    auto tfdt = out.OpenFull("tfdt", 1, 0);
    out.U64(run.decode_time);
  }
  auto trun = out.OpenFull(
      "trun", 1, kDataOffset | kSizes | (even ? 0 : kDurations) | (run.video ? kFlags | kOffsets : 0));
  out.U32(static_cast<std::uint32_t>(run.samples.size()));
  std::size_t data_offset_at = out.size();
  out.U32(0);
  for (const Sample& sample : run.samples) {
    if (!even) out.U32(sample.duration);
    out.U32(static_cast<std::uint32_t>(sample.frame->data.size()));
    if (run.video) {
      out.U32(sample.frame->key_frame ? kSyncSample : kNonSyncSample);
      out.I32(sample.composition_offset);
    }
  }
  return data_offset_at;
}

// Appends mdat's content: large frames as they are, small ones copied together.
void AppendFrames(const std::vector<TrackRun>& runs, MediaSegment& segment) {
  Bytes gathered;
  auto flush = [&] {
    if (gathered.empty()) return;
    segment.copied_bytes += gathered.size();
    segment.parts.emplace_back(std::exchange(gathered, {}));
  };
  for (const TrackRun& run : runs) {
    for (const Sample& sample : run.samples) {
      const SharedBytes& data = sample.frame->data;
      if (data.size() < kGatherBelowBytes) {
        gathered.insert(gathered.end(), data.span().begin(), data.span().end());
      } else {
        flush();
        segment.parts.push_back(data);
      }
    }
  }
  flush();
}

}  // namespace

Result<MediaSegment> MakeMediaSegment(const FragmentFacts& facts, const std::vector<Frame>& frames) {
  MILLRACE_ASSIGN_OR_RETURN(std::vector<TrackRun> runs, MakeRuns(facts, frames));
  std::uint64_t media_bytes = 0;
  std::size_t samples = 0;
  for (const TrackRun& run : runs) {
    media_bytes += run.bytes;
    samples += run.samples.size();
  }
  if (media_bytes + samples * 16 + 4096 > kSegmentBytesMax)
    return Damaged(facts, "too large for one segment");

  BoxWriter out;
  out.Reserve(256 + samples * 16 + runs.size() * 128);
  {
    auto styp = out.Open("styp");
    out.FourCc("msdh");
    out.U32(0);
    for (const char* brand : {"msdh", "iso6", "cmfs"}) out.FourCc(brand);
  }
  const std::size_t moof_at = out.size();
  std::vector<std::size_t> data_offsets_at;
  {
    auto moof = out.Open("moof");
    {
      auto mfhd = out.OpenFull("mfhd", 0, 0);
      out.U32(static_cast<std::uint32_t>(facts.number.counter));
    }
    for (const TrackRun& run : runs) data_offsets_at.push_back(WriteTrackFragment(out, run));
  }
  std::uint64_t data_at = out.size() - moof_at + 8;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    out.Patch32(data_offsets_at[i], static_cast<std::uint32_t>(data_at));
    data_at += runs[i].bytes;
  }
  out.U32(static_cast<std::uint32_t>(8 + media_bytes));
  out.FourCc("mdat");

  MediaSegment segment;
  segment.bytes = out.size() + media_bytes;
  segment.copied_bytes = out.size();
  segment.parts.emplace_back(std::move(out).Take());
  AppendFrames(runs, segment);
  return segment;
}

}  // namespace millrace
