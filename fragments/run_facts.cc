#include "fragments/run_facts.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "fragments/fragment_builder.h"
#include "fragments/open_fragment.h"
#include "media/audio_samples.h"
#include "media/bitstream.h"

namespace millrace {
namespace {

constexpr std::int64_t kFrameMsMax = 1'000;  // an estimate; what is known may be longer
constexpr std::uint32_t kDepthMax = 1'000;   // below what decode_times.h takes
// As in the builder: a step that is this long, and so many times as long as steps usually are, is a hole.
constexpr std::int64_t kGapMinMs = 2'000;
constexpr std::int64_t kGapSteps = 5;

// The first frame of the track that decoding can start with; empty: there is none.
ByteSpan KeyFrameOf(const ParsedFragment& fragment, const TrackInfo& track) {
  for (const ParsedFrame& frame : fragment.frames) {
    if (frame.track == track.number && IsKeyFrame(&track, frame.data, frame.key_frame)) return frame.data;
  }
  return {};
}

// The tracks that are described, as their frames say.
std::vector<TrackInfo> Described(const ParsedFragment& fragment) {
  std::vector<TrackInfo> infos;
  std::size_t private_bytes = 0;
  for (TrackInfo& info : fragment.document.TrackInfos()) {
    CompleteTrack(info, KeyFrameOf(fragment, info));
    private_bytes += info.codec_private.size();
    const bool sound = info.kind() == TrackKind::kVideo || (info.sample_rate > 0 && info.channels > 0);
    const bool fits =
        private_bytes <= RunFacts::kCodecPrivateBytesMax && infos.size() < FragmentBuilder::kTracksMax;
    if (sound && fits) infos.push_back(std::move(info));
  }
  return infos;
}

// The greatest number of earlier frames that are shown after one; `shown` in decode order.
std::uint32_t ReorderDepth(const std::vector<Timestamp>& shown) {
  std::uint32_t depth = 0;
  std::vector<Timestamp> later;  // the greatest ones so far, greatest first
  for (const Timestamp time : shown) {
    const auto at = std::lower_bound(later.begin(), later.end(), time, std::greater<>());
    depth = std::max(depth, static_cast<std::uint32_t>(at - later.begin()));
    if (depth >= kDepthMax) return kDepthMax;
    later.insert(at, time);
    if (later.size() > kDepthMax) later.pop_back();
  }
  return depth;
}

std::int64_t FloorMs(Timestamp time) { return time.millis(); }

}  // namespace

RunFacts::RunFacts(const ParsedFragment& first)
    : declared_(first.document.tracks),
      timestamp_scale_ns_(first.document.timestamp_scale_ns),
      infos_(Described(first)),
      tracks_id_(TracksId(infos_)) {
  for (const TrackInfo& info : infos_) {
    tracks_.push_back({.info = info, .depth = ReorderDepthByHeaders(info).value_or(0)});
  }
}

bool RunFacts::Continues(const ParsedFragment& fragment, Timestamp start) const {
  if (!run_start_) return true;
  if (fragment.document.tracks != declared_ || fragment.document.timestamp_scale_ns != timestamp_scale_ns_ ||
      start - end_ > kHoleMax) {
    return false;
  }
  return std::all_of(tracks_.begin(), tracks_.end(), [&](const Track& track) {
    if (track.info.kind() != TrackKind::kVideo) return true;
    TrackInfo now = track.info;
    CompleteTrack(now, KeyFrameOf(fragment, now));
    if (now != track.info) return false;
    std::vector<Timestamp> shown;
    for (const ParsedFrame& frame : fragment.frames) {
      if (frame.track == track.info.number) shown.push_back(Timestamp{frame.timestamp_ns});
    }
    return ReorderDepth(shown) <= track.depth;
  });
}

FragmentFacts RunFacts::Describe(const ParsedFragment& fragment, Timestamp start,
                                 std::optional<Timestamp> next) {
  FragmentFacts facts;
  facts.start = Timestamp::FromMillis(FloorMs(start));
  const Duration shift = start - Timestamp{fragment.timestamp_ns};
  std::vector<std::vector<FrameRef>> frames(tracks_.size());
  std::optional<bool> independent;
  Timestamp earliest = start, latest = start;
  for (const ParsedFrame& frame : fragment.frames) {
    const Timestamp pts = Timestamp{frame.timestamp_ns} + shift;
    earliest = std::min(earliest, pts);
    latest = std::max(latest, pts);
    for (std::size_t i = 0; i < tracks_.size(); ++i) {
      if (tracks_[i].info.number != frame.track) continue;
      frames[i].push_back({.frame = &frame, .pts = pts});
      if (tracks_[i].info.kind() == TrackKind::kVideo && !independent) {
        independent = IsKeyFrame(&tracks_[i].info, frame.data, frame.key_frame);
      }
    }
  }
  facts.independent = independent.value_or(true);

  std::vector<TrackFacts> described(tracks_.size());
  std::optional<std::int64_t> next_ms;
  if (next && *next > start && *next - latest <= kHoleMax) next_ms = FloorMs(*next);
  std::int64_t frame_ms = 0;
  for (std::size_t i = 0; i < tracks_.size(); ++i) {
    if (tracks_[i].info.kind() != TrackKind::kVideo) continue;
    described[i] = DescribeVideo(tracks_[i], frames[i], facts.start.millis(), next_ms);
    frame_ms = std::max(frame_ms, tracks_[i].frame_ms);
    if (!frames[i].empty()) earliest = std::min(earliest, described[i].first_dts);
  }
  if (!run_start_) {
    run_start_ = Timestamp::FromMillis(FloorMs(earliest));
    for (Track& track : tracks_) {
      if (track.info.kind() == TrackKind::kAudio) track.grid.emplace(*run_start_, track.info.sample_rate);
    }
  }
  std::int64_t end_ms = FloorMs(latest) + std::max<std::int64_t>(frame_ms, 1);
  for (std::size_t i = 0; i < tracks_.size(); ++i) {
    Track& track = tracks_[i];
    if (track.info.kind() != TrackKind::kAudio) continue;
    described[i] = DescribeAudio(track, frames[i]);
    if (frames[i].empty()) continue;
    end_ms = std::max(end_ms, FloorMs(track.grid->TimeOf(static_cast<std::int64_t>(track.next_sample))));
  }
  // Where the next fragment follows behind a hole, this one ends with its last frame.
  const bool hole = next_ms && *next_ms - end_ms > std::max(kGapMinMs, kGapSteps * frame_ms);
  if (next_ms && !hole) end_ms = *next_ms;
  facts.duration =
      std::max<Duration>(Timestamp::FromMillis(end_ms) - facts.start, std::chrono::milliseconds(1));
  end_ = latest;
  facts.bytes = fragment.bytes.size();
  facts.run_start = *run_start_;
  facts.clock = ClockSource::kCamera;
  facts.tracks_id = tracks_id_;
  facts.tracks = infos_;
  facts.track_facts = std::move(described);
  return facts;
}

TrackFacts RunFacts::DescribeVideo(Track& track, const std::vector<FrameRef>& frames, std::int64_t start_ms,
                                   std::optional<std::int64_t> next_ms) {
  std::vector<Timestamp> shown;
  shown.reserve(frames.size());
  for (const FrameRef& frame : frames) shown.push_back(frame.pts);
  track.depth = std::max(track.depth, ReorderDepth(shown));
  FragmentFacts facts;
  facts.tracks = {track.info};
  OpenFragment open(std::move(facts), start_ms, 0);
  for (const Timestamp time : shown) {
    Frame timed;
    timed.track = track.info.number;
    timed.pts = Timestamp::FromMillis(FloorMs(time));
    open.AddVideo(0, std::move(timed));
  }
  std::int64_t following_ms = start_ms;
  if (!shown.empty()) {
    const std::int64_t last_ms = open.video_max_ms();
    const auto steps = static_cast<std::int64_t>(shown.size()) - 1;
    if (steps > 0) {
      const std::int64_t span_ms = last_ms - open.video_min_ms();
      track.frame_ms = std::clamp<std::int64_t>((span_ms + steps / 2) / steps, 1, kFrameMsMax);
    }
    following_ms = std::max(next_ms.value_or(last_ms + track.frame_ms), last_ms + 1);
  }
  open.FinishVideo(0, track.depth, track.next_dts_ms, following_ms, track.frame_ms, track.tail);
  track.next_dts_ms = open.facts().track_facts[0].end_dts.millis();
  return std::move(open.facts().track_facts[0]);
}

TrackFacts RunFacts::DescribeAudio(Track& track, const std::vector<FrameRef>& frames) {
  FragmentFacts facts;
  facts.tracks = {track.info};
  OpenFragment open(std::move(facts), 0, 0);
  const TrackFacts& described = open.facts().track_facts[0];
  for (const FrameRef& frame : frames) {
    const std::uint32_t samples = std::max(SamplesOfPacket(track.info, frame.frame->data), 1u);
    // A packet that says what has been said cannot be dropped here: it is heard late.
    const auto placed = track.grid->Place(frame.pts, samples);
    std::uint64_t sample =
        std::max(placed ? static_cast<std::uint64_t>(*placed) : track.next_sample, track.next_sample);
    Frame counted;
    counted.track = track.info.number;
    if (!open.AddAudio(0, counted, sample, samples)) {  // too many gaps to be described
      sample = track.next_sample;
      open.AddAudio(0, counted, sample, samples);
    }
    track.next_sample = sample + described.samples_per_frame;
  }
  return std::move(open.facts().track_facts[0]);
}

}  // namespace millrace
