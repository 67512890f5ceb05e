#include "consumers/tamper/tamper_detector.h"

#include <algorithm>
#include <cmath>
#include <opencv2/core.hpp>

namespace millrace {
namespace {

constexpr double kLearn_s = 40;  // until the usual view has gone two thirds of the way to what is seen
constexpr Duration kGapMax = std::chrono::seconds(30);    // longer: the view may be another one by right
constexpr Duration kGetToKnow = std::chrono::seconds(8);  // until people who walk by are no part of the view
constexpr double kLitMin = 0.005;                         // of the picture: less is black
constexpr double kSameCells = 0.8;                        // correlation: the same view, however blurred

// Without the usual view.
bool ByPictureAlone(TamperKind kind) { return kind == TamperKind::kBlack || kind == TamperKind::kFrozen; }

Timestamp TurnOf(Timestamp time) { return {time.ns - time.ns % TamperDetector::kTurn.count()}; }

}  // namespace

std::optional<TamperKind> TamperDetector::Judge() const {
  const double step = 0.004 * settings_.sensitivity;
  const bool other_view = frame_.likeness.edges < 0.1 + step;    // 0.3 at 50
  const bool blurred = frame_.likeness.sharpness < 0.45 + step;  // 0.65
  const bool bare = frame_.likeness.detail < 0.2 + step;         // 0.4
  if (view_.lit < kLitMin) {
    if (Wanted(TamperKind::kBlack)) return TamperKind::kBlack;
    return std::nullopt;
  }
  std::optional<TamperKind> kind;
  if (blurred && frame_.likeness.coarse > kSameCells) {
    kind = TamperKind::kDefocused;
  } else if (other_view) {
    kind = bare ? TamperKind::kCovered : TamperKind::kMoved;
  }
  return kind && Wanted(*kind) ? kind : std::nullopt;
}

const TamperFrame& TamperDetector::Look(const cv::Mat& picture, bool key_frame, Timestamp time) {
  frame_.events.clear();
  if (time_ && time <= *time_) return frame_;
  const bool gap = time_ && time - *time_ > kGapMax;
  if (picture.size() != zones_.size() || gap) {
    zones_ = ZoneMap(picture.size(), {{"", {}}}, settings_.masks);
    if (time_) Stop(*time_);
    usual_.Forget();
    stillness_.Forget();
    run_.reset();
    before_.reset();
  }
  const Duration elapsed = time_ ? time - *time_ : Duration{0};
  time_ = time;
  if (zones_.watched_count() == 0) return frame_;
  if (usual_.known() && time - learned_ >= kAccepted) {
    const bool of_the_view = going_on_ && !ByPictureAlone(*going_on_);
    if (of_the_view) Stop(time, true);
    usual_.Forget();
    if (run_ && !ByPictureAlone(*run_)) run_.reset();
  }
  view_.Measure(picture, zones_.watched());
  const bool known = usual_.known() && time - learning_since_ >= kGetToKnow;
  frame_.likeness = known ? usual_.Compare(view_) : ReferenceView::Likeness{};
  frame_.brightness = view_.brightness;
  std::optional<TamperKind> now = Judge();
  Timestamp since = time;
  const std::optional<Timestamp> still = stillness_.Look(picture, key_frame, time, zones_.watched());
  if (!now && still && Wanted(TamperKind::kFrozen)) {
    now = TamperKind::kFrozen;
    since = std::max(*still, TurnOf(time) - kTurn);
  }
  Follow(now, since, time);
  frame_.kind = going_on_;
  // A frozen picture and a black one teach nothing; nor does what may be another view.
  if (!now && !going_on_ && view_.lit >= kLitMin) {
    if (!usual_.known()) learning_since_ = time;
    learned_ = time;
    usual_.Learn(view_, 1 - std::exp(-std::chrono::duration<double>(elapsed).count() / kLearn_s));
  }
  return frame_;
}

void TamperDetector::Follow(std::optional<TamperKind> now, Timestamp since, Timestamp time) {
  if (const Timestamp turn = TurnOf(time); turn != turn_) {
    turn_ = turn;
    before_.reset();
    if (going_on_ && ByPictureAlone(*going_on_)) {
      before_ = going_on_;
      before_held_ = held_;
      Stop(held_);
    }
  }
  if (run_ != now) run_since_ = since;
  run_ = now;
  if (now && now == going_on_) {
    held_ = time;
  } else if (now && time - run_since_ >= settings_.start_after) {
    // One thing turns into another: a hand comes before the lens, and it is black.
    Stop(std::max(began_, run_since_));
    held_ = time;
    Start(*now);
  } else if (going_on_ && time - held_ >= settings_.stop_after) {
    Stop(held_);
  }
}

void TamperDetector::Start(TamperKind kind) {
  const bool same = before_ == kind;
  const bool continued = same && run_since_ - before_held_ < std::max(settings_.stop_after, Duration{1});
  going_on_ = kind;
  began_ = same ? std::max(run_since_, turn_) : run_since_;
  before_.reset();
  frame_.events.push_back({kind, true, began_, began_, continued, false});
}

void TamperDetector::Stop(Timestamp time, bool accepted) {
  if (!going_on_) return;
  frame_.events.push_back({*going_on_, false, time, began_, false, accepted});
  going_on_.reset();
}

const TamperFrame& TamperDetector::End() {
  frame_.events.clear();
  if (time_) Stop(*time_);
  frame_.kind = going_on_;
  return frame_;
}

}  // namespace millrace
