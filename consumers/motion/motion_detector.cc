#include "consumers/motion/motion_detector.h"

#include <algorithm>
#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <utility>

namespace millrace {
namespace {

constexpr Duration kGapMax = std::chrono::seconds(10);  // longer: another view
constexpr Duration kSettle = std::chrono::seconds(1);   // of exposure, after a change of all
constexpr float kShiftMax = 10;           // levels from picture to picture: somebody has switched the light
constexpr double kForegroundMax = 0.5;    // of all but the masks: more is no thing that moves
constexpr int kChangedMin = 4;            // pixels of a thing that moves,
constexpr double kChangedPartMin = 0.02;  // and its part of the thing
constexpr double kStepMax = 0.06;  // of the picture: the way of a thing between two pictures, and its size
constexpr std::size_t kBoxesMax = 50;  // of a zone

// A thing's least part of the picture: a hundredth at 0, a thousandth at 50, a ten-thousandth at 100.
double AreaMin(const MotionSettings& settings) {
  return settings.area_min > 0 ? settings.area_min : std::pow(10.0, -2 - settings.sensitivity / 50);
}

BackgroundSettings ForSensitivity(double sensitivity) {
  BackgroundSettings settings;
  settings.difference_min = static_cast<float>(22 - 0.16 * sensitivity);  // 22, 14, 6 levels
  settings.deviations = static_cast<float>(4 - 0.016 * sensitivity);      // 4, 3.2, 2.4
  return settings;
}

struct Thing {
  cv::Rect box;
  int pixels = 0;   // in the zone
  int changed = 0;  // since a moment ago, of the whole thing
  int all = 0;      // of the whole thing
};

// Whether one of them may be one of the others, a picture later.
bool Near(const std::vector<cv::Rect2d>& before, const std::vector<cv::Rect2d>& now) {
  for (const cv::Rect2d& from : before) {
    const double x = from.width + kStepMax;
    const double y = from.height + kStepMax;
    const cv::Rect2d reach(from.x - x, from.y - y, from.width + 2 * x, from.height + 2 * y);
    for (const cv::Rect2d& to : now) {
      if ((reach & to).area() > 0) return true;
    }
  }
  return false;
}

}  // namespace

MotionDetector::MotionDetector(MotionSettings settings)
    : settings_(std::move(settings)),
      background_(ForSensitivity(settings_.sensitivity)),
      states_(settings_.zones.size()) {}

const MotionFrame& MotionDetector::Look(const cv::Mat& picture, Timestamp time) {
  frame_.zones.clear();
  frame_.events.clear();
  if (any_ && time <= time_) return frame_;
  if (picture.size() != zones_.size()) {
    zones_ = ZoneMap(picture.size(), settings_.zones, settings_.masks);
    background_.Reset();
    EndAll();
  } else if (time - time_ > kGapMax) {
    background_.Reset();
    EndAll();
  }
  any_ = true;
  time_ = time;
  const BackgroundModel::View& view = background_.Compare(picture, time, zones_.open());
  moving_.create(picture.size(), CV_8UC1);
  moving_.setTo(0);
  if (view.first) {
    settled_ = time + kSettle;
  } else if (SceneChanged(view)) {
    if (time >= settled_) frame_.events.push_back({MotionEvent::Kind::kSceneChanged, 0, time, time});
    settled_ = time + kSettle;
    background_.Restart();
  } else if (time >= settled_) {
    FindMotion(view);
  }
  background_.Learn(moving_);
  Follow(time);
  return frame_;
}

bool MotionDetector::SceneChanged(const BackgroundModel::View& view) const {
  if (view.shift > kShiftMax) return true;
  return cv::countNonZero(view.foreground) > kForegroundMax * zones_.open_count();
}

void MotionDetector::FindMotion(const BackgroundModel::View& view) {
  static const cv::Mat kCross = cv::getStructuringElement(cv::MORPH_CROSS, {3, 3});
  static const cv::Mat kNear = cv::getStructuringElement(cv::MORPH_RECT, {5, 5});
  cv::bitwise_and(view.foreground, zones_.watched(), things_);
  cv::morphologyEx(things_, things_, cv::MORPH_OPEN, kCross);
  if (cv::countNonZero(things_) == 0) return;
  cv::morphologyEx(things_, things_, cv::MORPH_CLOSE, kNear);
  cv::Mat stats;
  cv::Mat centres;
  const int count = cv::connectedComponentsWithStats(things_, labels_, stats, centres, 8, CV_16U);
  const auto area_min =
      static_cast<int>(std::lround(AreaMin(settings_) * static_cast<double>(things_.total())));
  std::vector<std::vector<Thing>> by_zone(settings_.zones.size());
  for (int label = 1; label < count; ++label) {
    Thing thing;
    const int* row = stats.ptr<int>(label);
    thing.box = {row[cv::CC_STAT_LEFT], row[cv::CC_STAT_TOP], row[cv::CC_STAT_WIDTH],
                 row[cv::CC_STAT_HEIGHT]};
    thing.all = row[cv::CC_STAT_AREA];
    if (thing.all < area_min) continue;
    const cv::Mat own = labels_(thing.box) == label;
    thing.changed = cv::countNonZero(own & view.changed(thing.box));
    if (thing.changed < std::max(kChangedMin, static_cast<int>(kChangedPartMin * thing.all))) continue;
    moving_(thing.box).setTo(255, own);
    for (std::size_t i = 0; i < by_zone.size(); ++i) {
      const ZoneMap::Pixels& zone = zones_.zones()[i];
      if ((zone.bounds & thing.box).empty()) continue;
      thing.pixels = cv::countNonZero(own & zone.mask(thing.box));
      // A zone smaller than the least thing is one that may be filled.
      if (thing.pixels > 0 && thing.pixels >= std::min(area_min, zone.count / 2)) by_zone[i].push_back(thing);
    }
  }
  for (std::size_t i = 0; i < by_zone.size(); ++i) {
    std::vector<Thing>& things = by_zone[i];
    if (things.empty()) continue;
    std::stable_sort(things.begin(), things.end(),
                     [](const Thing& a, const Thing& b) { return a.pixels > b.pixels; });
    ZoneMotion motion;
    motion.zone = i;
    int pixels = 0;
    for (const Thing& thing : things) {
      pixels += thing.pixels;
      if (motion.boxes.size() == kBoxesMax) continue;
      motion.boxes.emplace_back(static_cast<double>(thing.box.x) / things_.cols,
                                static_cast<double>(thing.box.y) / things_.rows,
                                static_cast<double>(thing.box.width) / things_.cols,
                                static_cast<double>(thing.box.height) / things_.rows);
    }
    motion.area = static_cast<double>(pixels) / zones_.zones()[i].count;
    frame_.zones.push_back(std::move(motion));
  }
}

void MotionDetector::Follow(Timestamp time) {
  const Timestamp turn{time.ns - time.ns % Duration(kTurn).count()};
  const bool next_turn = turn != turn_;
  turn_ = turn;
  auto moves = frame_.zones.begin();
  for (std::size_t i = 0; i < states_.size(); ++i) {
    ZoneState& state = states_[i];
    if (next_turn) {
      state.before.reset();
      if (state.moving) {
        state.before = state.last;
        Stop(i);
      }
    }
    if (moves != frame_.zones.end() && moves->zone == i) {
      // Followed while the zone moves too: whether a motion begins depends on the last start_after alone.
      if (!state.run || !Near(state.boxes, moves->boxes)) state.run_since = time;
      state.run = true;
      state.boxes = moves->boxes;
      state.last = time;
      if (!state.moving && time - state.run_since >= settings_.start_after && time > state.run_since) {
        Start(i);
      }
      ++moves;
    } else {
      state.run = false;
      if (state.moving && time - state.last >= settings_.stop_after) Stop(i);
    }
  }
}

void MotionDetector::Start(std::size_t zone) {
  ZoneState& state = states_[zone];
  const bool continued = state.before && state.run_since - *state.before < settings_.stop_after;
  state.moving = true;
  state.since = state.before ? std::max(state.run_since, turn_) : state.run_since;
  state.before.reset();
  frame_.events.push_back({MotionEvent::Kind::kStarted, zone, state.since, state.since, continued});
}

void MotionDetector::Stop(std::size_t zone) {
  ZoneState& state = states_[zone];
  state.moving = false;
  frame_.events.push_back({MotionEvent::Kind::kStopped, zone, state.last, state.since});
}

void MotionDetector::EndAll() {
  for (std::size_t i = 0; i < states_.size(); ++i) {
    if (states_[i].moving) Stop(i);
    states_[i] = ZoneState();
  }
}

const MotionFrame& MotionDetector::End() {
  frame_.zones.clear();
  frame_.events.clear();
  EndAll();
  return frame_;
}

}  // namespace millrace
