#include "consumers/clips/clip_plan.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "consumers/fragment_range.h"
#include "fragments/decode_times.h"

namespace millrace {
namespace {

// Two tracks that one entry of a file can describe: the number does not matter.
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

// The parts of a fragment's facts that joining needs.
struct PlannedFragment {
  FragmentNumber number;
  Timestamp start;
  std::uint64_t run = 0;
  Timestamp run_start;
  bool independent = true;
  Duration begins{0};  // since run_start: the earliest decode time or sample
  Duration ends{0};    // since run_start: where the last frame of any track ends
};

Result<PlannedFragment> Plan(const FragmentFacts& facts) {
  PlannedFragment planned{facts.number, facts.start, facts.run, facts.run_start, facts.independent, {}, {}};
  std::optional<Duration> begins;
  for (std::size_t i = 0; i < facts.track_facts.size() && i < facts.tracks.size(); ++i) {
    const TrackFacts& track = facts.track_facts[i];
    if (track.frames == 0) continue;
    Duration from{0}, to{0};
    if (facts.tracks[i].kind() == TrackKind::kVideo) {
      from = track.first_dts - facts.run_start;
      to = track.end_dts - facts.run_start;
    } else {
      MILLRACE_ASSIGN_OR_RETURN(std::vector<AudioSpan> spans, AudioSamples(track));
      const std::uint32_t rate = std::max(facts.tracks[i].sample_rate, 1U);
      from = SamplesToTime(spans.front().sample, rate);
      to = SamplesToTime(spans.back().sample + spans.back().samples, rate);
    }
    begins = begins ? std::min(*begins, from) : from;
    planned.ends = std::max(planned.ends, to);
  }
  planned.begins = begins.value_or(facts.start - facts.run_start);
  planned.ends = std::max(planned.ends, planned.begins);
  return planned;
}

Duration CeilToMillis(Duration time) { return std::chrono::ceil<std::chrono::milliseconds>(time); }
Duration FloorToMillis(Duration time) { return std::chrono::floor<std::chrono::milliseconds>(time); }

// Notes the tracks of one fragment. The error is that of a second set of parameters.
Result<void> NoteTracks(ClipPlan& plan, const FragmentFacts& facts) {
  for (const TrackInfo& track : facts.tracks) {
    auto known = std::find_if(plan.tracks.begin(), plan.tracks.end(),
                              [&](const TrackInfo& other) { return other.kind() == track.kind(); });
    if (known == plan.tracks.end()) {
      plan.tracks.push_back(track);
    } else if (!SameParameters(*known, track)) {
      return Error{ErrorCode::kFailedPrecondition,
                   "the camera's parameters change at " + FormatRfc3339(facts.start) + " from " +
                       Describe(*known) + " to " + Describe(track) +
                       " (or its encoder's settings do), and one file cannot hold both: " +
                       "export up to that time, and from it"};
    }
  }
  return {};
}

}  // namespace

Duration SamplesToTime(std::uint64_t samples, std::uint32_t rate) {
  return std::chrono::seconds(samples / rate) +
         Duration{static_cast<std::int64_t>(samples % rate * 1'000'000'000 / rate)};
}

int ClipPlan::IndexOf(const TrackInfo& track) const {
  for (std::size_t i = 0; i < tracks.size(); ++i) {
    if (SameParameters(tracks[i], track)) return static_cast<int>(i);
  }
  return -1;
}

void ClipPlan::BeginAtPresentation() {
  const Duration lead = pieces.front().clip_start();
  for (ClipPiece& piece : pieces) piece.shift -= lead;
  end -= lead;
}

Result<ClipPlan> MakeClipPlan(FragmentStore& store, const ClipRequest& request, const ClipLimits& limits) {
  if (request.end <= request.start) {
    return Error{ErrorCode::kInvalidArgument, "the range is empty: its end " + FormatRfc3339(request.end) +
                                                  " is not after its start " + FormatRfc3339(request.start)};
  }
  MILLRACE_RETURN_IF_ERROR(store.GetStream(request.stream));
  const TimeRange range{request.start, request.end};

  ClipPlan plan;
  std::vector<PlannedFragment> fragments;
  auto take = [&](const FragmentFacts& facts) -> Result<void> {
    MILLRACE_RETURN_IF_ERROR(NoteTracks(plan, facts));
    MILLRACE_ASSIGN_OR_RETURN(PlannedFragment planned, Plan(facts));
    fragments.push_back(planned);
    for (std::size_t i = 0; i < facts.track_facts.size() && i < facts.tracks.size(); ++i) {
      const bool video = facts.tracks[i].kind() == TrackKind::kVideo;
      (video ? plan.video_frames : plan.audio_frames) += facts.track_facts[i].frames;
      plan.reordered = plan.reordered || facts.track_facts[i].reorder_depth > 0;
    }
    return {};
  };
  MILLRACE_RETURN_IF_ERROR(VisitRange(store, request.stream, range, limits.fragments_max, take));
  std::sort(fragments.begin(), fragments.end(),
            [](const PlannedFragment& a, const PlannedFragment& b) { return a.number < b.number; });
  std::stable_sort(plan.tracks.begin(), plan.tracks.end(),
                   [](const TrackInfo& a, const TrackInfo& b) { return a.kind() < b.kind(); });

  const PlannedFragment* before = nullptr;
  for (const PlannedFragment& fragment : fragments) {
    const bool follows = before != nullptr && before->run == fragment.run &&
                         before->number.counter + 1 == fragment.number.counter;
    // Without its forerunner it cannot be decoded: nor can those that depend on it.
    if (!follows && !fragment.independent) continue;
    if (!follows) {
      plan.pieces.push_back({plan.fragments.size(), fragment.start, fragment.run_start,
                             plan.end - FloorToMillis(fragment.begins)});
    }
    plan.fragments.push_back(fragment.number);
    plan.end = std::max(plan.end, CeilToMillis(fragment.ends + plan.pieces.back().shift));
    before = &fragment;
  }
  if (plan.fragments.empty()) return NoFootage(store, request.stream, range);
  return plan;
}

}  // namespace millrace
