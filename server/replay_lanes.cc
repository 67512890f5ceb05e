#include "server/replay_lanes.h"

#include <signal.h>

#include <utility>

#include "base/log.h"
#include "server/analysis_report.h"
#include "server/exit_codes.h"

namespace millrace::server {
namespace {

constexpr int kEndsInPlaceMax = 5;

void AddTo(AnalysisProgress& sum, const AnalysisProgress& more) {
  sum.fragments += more.fragments;
  sum.frames += more.frames;
  sum.results += more.results;
  sum.set_aside += more.set_aside;
  sum.unreadable += more.unreadable;
  sum.decoding += more.decoding;
  sum.analyzing += more.analyzing;
  sum.footage += more.footage;
}

}  // namespace

ReplayLanes::ReplayLanes(ReplayLanesOptions options)
    : options_(std::move(options)), lanes_(options_.commands.size()) {}

Result<void> ReplayLanes::StartLane(std::size_t index) {
  MILLRACE_ASSIGN_OR_RETURN(lanes_[index].child,
                            ChildProcess::Start(options_.commands[index], options_.environment));
  return {};
}

Result<void> ReplayLanes::Ended(std::size_t index, const ProcessEnd& end) {
  Lane& lane = lanes_[index];
  for (const std::string& line : lane.child->ReadLines(Duration{0})) {
    if (auto progress = ParseReport(line)) lane.now = *progress;
  }
  lane.child.reset();
  const bool moved = lane.now.footage > Duration{0};
  const AnalysisProgress last = std::exchange(lane.now, {});
  AddTo(lane.before, last);
  // What was done before the first process; later ones pass over what this replay did itself.
  if (lane.before.passed == Duration{0}) lane.before.passed = last.passed;
  if (end.exit_code == kExitOk || stopping_) {
    lane.done = true;
    return {};
  }
  ++ends_;
  lane.ends_in_place = moved ? 1 : lane.ends_in_place + 1;
  Log(LogLevel::kWarning, "an analyzer ended",
      {{"lane", std::to_string(index)},
       {"how", end.how},
       {"fragment", last.fragment},
       {"why", last.trouble}});
  const auto said = end.exit_code ? FinalErrorOf(*end.exit_code) : std::nullopt;
  if (said || lane.ends_in_place >= kEndsInPlaceMax) {
    return Error{said.value_or(ErrorCode::kInternal),
                 last.trouble.empty() ? "the analyzer does not get on: " + end.how : last.trouble};
  }
  return StartLane(index);
}

Result<bool> ReplayLanes::Step() {
  bool any = false;
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    Lane& lane = lanes_[i];
    if (lane.done) continue;
    if (lane.child == nullptr) MILLRACE_RETURN_IF_ERROR(StartLane(i));
    any = true;
    const auto wait = std::chrono::milliseconds(100) / static_cast<int>(lanes_.size());
    for (const std::string& line : lane.child->ReadLines(wait)) {
      if (auto progress = ParseReport(line)) lane.now = *progress;
    }
    if (lane.now.busy > options_.frame_max) lane.child->Signal(SIGKILL);
    if (auto end = lane.child->Ended()) MILLRACE_RETURN_IF_ERROR(Ended(i, *end));
  }
  return any;
}

void ReplayLanes::Stop() {
  stopping_ = true;
  for (Lane& lane : lanes_) {
    if (lane.child != nullptr) lane.child->Signal(SIGTERM);
    if (lane.child == nullptr) lane.done = true;
  }
}

AnalysisProgress ReplayLanes::progress() const {
  AnalysisProgress sum;
  for (const Lane& lane : lanes_) {
    AddTo(sum, lane.before);
    AddTo(sum, lane.now);
    sum.passed += lane.before.passed != Duration{0} ? lane.before.passed : lane.now.passed;
  }
  return sum;
}

}  // namespace millrace::server
