#include "consumers/clips/clip_plan.h"

#include <algorithm>
#include <string>
#include <utility>

#include "consumers/clips/clip_range.h"
#include "consumers/fragment_range.h"

namespace millrace {
namespace {

Duration CeilToMillis(Duration time) { return std::chrono::ceil<std::chrono::milliseconds>(time); }
Duration FloorToMillis(Duration time) { return std::chrono::floor<std::chrono::milliseconds>(time); }

ClipPlan PlanOf(const ClipRange& range, const TrackStretch& stretch) {
  ClipPlan plan;
  for (const ClipTrack& track : stretch.tracks) {
    plan.tracks.push_back(track.info);
    plan.ordinals.push_back(track.ordinal);
  }
  const ClipFragment* before = nullptr;
  for (std::size_t i = stretch.begin; i < stretch.end; ++i) {
    const ClipFragment& fragment = range.fragments[i];
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
    plan.last_end = std::max(plan.last_end, fragment.end);
    plan.video_frames += fragment.video_frames;
    plan.audio_frames += fragment.audio_frames;
    plan.reordered = plan.reordered || fragment.reordered;
    before = &fragment;
  }
  return plan;
}

// Where the second stretch begins, and what is other there.
Error ParametersChange(const ClipRange& range, const TrackStretch& before, const TrackStretch& after) {
  std::string what;
  for (const ClipTrack& track : after.tracks) {
    for (const ClipTrack& other : before.tracks) {
      if (other.info.kind() != track.info.kind() || other.ordinal != track.ordinal) continue;
      if (!what.empty() || SameParameters(other.info, track.info)) continue;
      what = " from " + Describe(other.info) + " to " + Describe(track.info);
    }
  }
  return {ErrorCode::kFailedPrecondition,
          "the camera's parameters change at " + FormatRfc3339(range.fragments[after.begin].start) + what +
              " (or its encoder's settings do), and one file cannot hold both: export up to that time, and "
              "from it; or one file for each stretch"};
}

}  // namespace

Duration SamplesToTime(std::uint64_t samples, std::uint32_t rate) {
  return std::chrono::seconds(samples / rate) +
         Duration{static_cast<std::int64_t>(samples % rate * 1'000'000'000 / rate)};
}

int ClipPlan::IndexOf(const std::vector<TrackInfo>& fragment, std::size_t index) const {
  const TrackKind kind = fragment[index].kind();
  const auto ordinal = static_cast<std::size_t>(
      std::count_if(fragment.begin(), fragment.begin() + static_cast<std::ptrdiff_t>(index),
                    [&](const TrackInfo& other) { return other.kind() == kind; }));
  for (std::size_t i = 0; i < tracks.size(); ++i) {
    if (tracks[i].kind() != kind || ordinals[i] != ordinal) continue;
    return SameParameters(tracks[i], fragment[index]) ? static_cast<int>(i) : -1;
  }
  return -1;
}

void ClipPlan::BeginAtPresentation() {
  const Duration lead = pieces.front().clip_start();
  for (ClipPiece& piece : pieces) piece.shift -= lead;
  end -= lead;
}

Result<ClipPlan> MakeClipPlan(FragmentStore& store, const ClipRequest& request, const ClipLimits& limits) {
  MILLRACE_ASSIGN_OR_RETURN(const ClipRange range, ReadClipRange(store, request, limits));
  const std::vector<TrackStretch> stretches = SplitByTracks(range);
  const TrackStretch* chosen = &stretches.front();
  if (request.stretch) {
    const auto found = std::find_if(stretches.begin(), stretches.end(), [&](const TrackStretch& stretch) {
      return PlanOf(range, stretch).Begins(*request.stretch);
    });
    if (found == stretches.end()) {
      return Error{ErrorCode::kNotFound, "no stretch of the range begins with fragment " +
                                             request.stretch->ToString() + " (any more)"};
    }
    chosen = &*found;
  } else if (stretches.size() > 1) {
    return ParametersChange(range, stretches[0], stretches[1]);
  }
  ClipPlan plan = PlanOf(range, *chosen);
  if (plan.fragments.empty()) {
    return NoFootage(store, request.stream, TimeRange{request.start, request.end});
  }
  return plan;
}

Result<std::vector<ClipPlan>> MakeClipPlans(FragmentStore& store, const ClipRequest& request,
                                            const ClipLimits& limits) {
  MILLRACE_ASSIGN_OR_RETURN(const ClipRange range, ReadClipRange(store, request, limits));
  std::vector<ClipPlan> plans;
  for (const TrackStretch& stretch : SplitByTracks(range)) {
    ClipPlan plan = PlanOf(range, stretch);
    if (!plan.fragments.empty()) plans.push_back(std::move(plan));
  }
  if (plans.empty()) return NoFootage(store, request.stream, TimeRange{request.start, request.end});
  return plans;
}

}  // namespace millrace
