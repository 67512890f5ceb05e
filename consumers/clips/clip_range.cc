#include "consumers/clips/clip_range.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "consumers/clips/clip_plan.h"
#include "consumers/fragment_range.h"
#include "fragments/decode_times.h"

namespace millrace {
namespace {

Result<ClipFragment> Describe(const FragmentFacts& facts) {
  ClipFragment fragment;
  fragment.number = facts.number;
  fragment.start = facts.start;
  fragment.end = facts.end_time();
  fragment.run = facts.run;
  fragment.run_start = facts.run_start;
  fragment.independent = facts.independent;
  std::optional<Duration> begins;
  for (std::size_t i = 0; i < facts.track_facts.size() && i < facts.tracks.size(); ++i) {
    const TrackFacts& track = facts.track_facts[i];
    const bool video = facts.tracks[i].kind() == TrackKind::kVideo;
    (video ? fragment.video_frames : fragment.audio_frames) += track.frames;
    fragment.reordered = fragment.reordered || track.reorder_depth > 0;
    if (track.frames == 0) continue;
    Duration from{0}, to{0};
    if (video) {
      from = track.first_dts - facts.run_start;
      to = track.end_dts - facts.run_start;
    } else {
      MILLRACE_ASSIGN_OR_RETURN(std::vector<AudioSpan> spans, AudioSamples(track));
      const std::uint32_t rate = std::max(facts.tracks[i].sample_rate, 1U);
      from = SamplesToTime(spans.front().sample, rate);
      to = SamplesToTime(spans.back().sample + spans.back().samples, rate);
    }
    begins = begins ? std::min(*begins, from) : from;
    fragment.ends = std::max(fragment.ends, to);
  }
  fragment.begins = begins.value_or(facts.start - facts.run_start);
  fragment.ends = std::max(fragment.ends, fragment.begins);
  return fragment;
}

// Gathers fragments; each set of tracks is kept once.
class Gatherer {
 public:
  Result<void> Take(const FragmentFacts& facts) {
    MILLRACE_ASSIGN_OR_RETURN(ClipFragment fragment, Describe(facts));
    const auto [known, is_new] = sets_.try_emplace(facts.tracks_id, range_.track_sets.size());
    fragment.tracks = known->second;
    // A hash that names two sets comes from damaged facts alone.
    if (is_new || range_.track_sets[fragment.tracks] != facts.tracks) {
      fragment.tracks = range_.track_sets.size();
      range_.track_sets.push_back(facts.tracks);
    }
    range_.fragments.push_back(fragment);
    return {};
  }

  ClipRange Finish() && {
    auto& fragments = range_.fragments;
    std::sort(fragments.begin(), fragments.end(),
              [](const ClipFragment& a, const ClipFragment& b) { return a.number < b.number; });
    fragments.erase(
        std::unique(fragments.begin(), fragments.end(),
                    [](const ClipFragment& a, const ClipFragment& b) { return a.number == b.number; }),
        fragments.end());
    return std::move(range_);
  }

  // Of fragments of one start time the one with the largest number stays: what was sent again counts.
  void KeepNewestOfEachStart() {
    std::map<Timestamp, FragmentNumber> newest;
    for (const ClipFragment& fragment : range_.fragments) {
      auto& number = newest.try_emplace(fragment.start, fragment.number).first->second;
      number = std::max(number, fragment.number);
    }
    std::erase_if(range_.fragments,
                  [&](const ClipFragment& one) { return newest.at(one.start) != one.number; });
  }

  const std::vector<ClipFragment>& fragments() const { return range_.fragments; }

 private:
  ClipRange range_;
  std::map<std::uint64_t, std::size_t> sets_;  // by their hash
};

// The fragments that start within the range, and those that the first of them needs.
Result<void> GatherWhole(FragmentStore& store, const ClipRequest& request, const ClipLimits& limits,
                         Gatherer& gatherer) {
  const bool by_server = request.cut == ClipCut::kFragmentsByServerTime;
  std::optional<FragmentFacts> first;
  auto take = [&](const FragmentFacts& facts) -> Result<void> {
    if (!first || facts.number < first->number) first = facts;
    return gatherer.Take(facts);
  };
  const FragmentQuery query{.order = by_server ? FragmentOrder::kServerTime : FragmentOrder::kProducerTime,
                            .from = request.start,
                            .to = request.end};
  MILLRACE_RETURN_IF_ERROR(VisitStarts(store, request.stream, query, limits.fragments_max, take));
  if (!by_server) gatherer.KeepNewestOfEachStart();
  if (!first || first->independent) return {};
  MILLRACE_ASSIGN_OR_RETURN(const FragmentFacts begin, IndependentBefore(store, request.stream, *first));
  const FragmentQuery lead_in{
      .order = FragmentOrder::kNumber, .from_number = begin.number, .to_number = first->number};
  return VisitStarts(store, request.stream, lead_in, limits.fragments_max,
                     [&](const FragmentFacts& facts) -> Result<void> { return gatherer.Take(facts); });
}

// The tracks that the set adds to the stretch's; none: it has one of other parameters in the same place.
std::optional<std::vector<ClipTrack>> Added(const std::vector<ClipTrack>& tracks,
                                            const std::vector<TrackInfo>& set) {
  std::vector<ClipTrack> added;
  std::map<TrackKind, std::size_t> count;
  for (const TrackInfo& track : set) {
    const std::size_t ordinal = count[track.kind()]++;
    const auto known = std::find_if(tracks.begin(), tracks.end(), [&](const ClipTrack& other) {
      return other.info.kind() == track.kind() && other.ordinal == ordinal;
    });
    if (known == tracks.end()) {
      added.push_back({track, ordinal});
    } else if (!SameParameters(known->info, track)) {
      return std::nullopt;
    }
  }
  return added;
}

}  // namespace

bool SameParameters(TrackInfo a, const TrackInfo& b) {
  a.number = b.number;
  return a == b;
}

std::string Describe(const TrackInfo& track) {
  std::string text(ToString(track.codec));
  if (track.kind() == TrackKind::kVideo) {
    return text + " " + std::to_string(track.width) + "x" + std::to_string(track.height);
  }
  return text + " " + std::to_string(track.sample_rate) + " Hz, " + std::to_string(track.channels) +
         " channels";
}

Result<ClipRange> ReadClipRange(FragmentStore& store, const ClipRequest& request, const ClipLimits& limits) {
  const bool whole = request.cut != ClipCut::kFrames;
  if (request.end < request.start || (request.end == request.start && !whole)) {
    return Error{ErrorCode::kInvalidArgument, "the range is empty: its end " + FormatRfc3339(request.end) +
                                                  " is not after its start " + FormatRfc3339(request.start)};
  }
  MILLRACE_RETURN_IF_ERROR(store.GetStream(request.stream));
  Gatherer gatherer;
  const TimeRange range{request.start, request.end};
  if (whole) {
    MILLRACE_RETURN_IF_ERROR(GatherWhole(store, request, limits, gatherer));
  } else {
    auto take = [&](const FragmentFacts& facts) -> Result<void> { return gatherer.Take(facts); };
    MILLRACE_RETURN_IF_ERROR(VisitRange(store, request.stream, range, limits.fragments_max, take));
  }
  if (gatherer.fragments().empty()) return NoFootage(store, request.stream, range);
  return std::move(gatherer).Finish();
}

std::vector<TrackStretch> SplitByTracks(const ClipRange& range) {
  std::vector<TrackStretch> stretches;
  for (std::size_t i = 0; i < range.fragments.size(); ++i) {
    const std::size_t set = range.fragments[i].tracks;
    if (!stretches.empty() && range.fragments[i - 1].tracks == set) {
      stretches.back().end = i + 1;
      continue;
    }
    std::optional<std::vector<ClipTrack>> added;
    if (!stretches.empty()) added = Added(stretches.back().tracks, range.track_sets[set]);
    if (!added) {
      stretches.push_back({i, i, {}});
      added = Added({}, range.track_sets[set]);
    }
    TrackStretch& stretch = stretches.back();
    stretch.end = i + 1;
    stretch.tracks.insert(stretch.tracks.end(), added->begin(), added->end());
  }
  for (TrackStretch& stretch : stretches) {
    std::stable_sort(stretch.tracks.begin(), stretch.tracks.end(),
                     [](const ClipTrack& a, const ClipTrack& b) { return a.info.kind() < b.info.kind(); });
  }
  return stretches;
}

}  // namespace millrace
