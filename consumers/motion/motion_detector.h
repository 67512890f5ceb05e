// Motion in one camera's pictures: what moves in which zone, and when it begins and ends.
//
//   MotionDetector detector(settings);
//   const MotionFrame& frame = detector.Look(gray, time);      // each picture in turn
//
// Begin:  something moves in the zone in each picture for start_after, and not here and there;
//         the event's time is the first of them.
// End:    nothing has moved for stop_after; the event's time is the last picture in which
//         something did.
//
// So a person who stands still for a moment is one motion, and a drop of rain is none. A sudden
// change of all (a light is switched on, the camera goes over to infrared) is kSceneChanged, and
// no motion; all is the whole picture outside of masks, however small the zones.
//
// Turns:  each kTurn of footage, counted from the epoch, a motion that goes on is ended, and begun
//         again as one that is continued. So what is told depends on motion in the two last turns
//         and start_after before them, however long a motion lasts.
//
// Threads: one owner. Errors: none; a picture of another size begins anew.
#pragma once

#include <cstdint>
#include <opencv2/core/mat.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "consumers/motion/background_model.h"
#include "consumers/vision/zone_map.h"

namespace millrace {

struct MotionSettings {
  std::vector<Zone> zones{{"all", {}}};  // at least one; each name once
  std::vector<Zone> masks{};             // what happens there counts nowhere
  // 0 to 100: how little difference from the background is enough, and how small a thing.
  double sensitivity = 50;
  double area_min = 0;  // of a moving thing, as a part of the picture; 0: by the sensitivity
  Duration start_after = std::chrono::milliseconds(300);
  Duration stop_after = std::chrono::seconds(2);
};

struct MotionEvent {
  enum class Kind : std::uint8_t { kStarted, kStopped, kSceneChanged };
  Kind kind = Kind::kStarted;
  std::size_t zone = 0;    // an index of MotionSettings::zones; not of kSceneChanged
  Timestamp time;          // when it began, ended, happened
  Timestamp started;       // of kStopped: when that motion began
  bool continued = false;  // of kStarted: it was ended only because a turn was over
};

struct ZoneMotion {
  std::size_t zone = 0;           // an index of MotionSettings::zones
  double area = 0;                // the part of the zone that moves; 0 to 1
  std::vector<cv::Rect2d> boxes;  // of the things that move, as ratios of the picture; largest first
};

struct MotionFrame {
  std::vector<ZoneMotion> zones;    // those in which something moves
  std::vector<MotionEvent> events;  // in the order of their zones
};

class MotionDetector {
 public:
  static constexpr Duration kTurn = std::chrono::minutes(1);
  static constexpr Duration kStartAfterMax = std::chrono::seconds(10);
  static constexpr Duration kStopAfterMax = kTurn;

  explicit MotionDetector(MotionSettings settings);

  // `picture`: height x width, uint8. `time`: later than the one before; a gap begins anew. Valid until the
  // next call.
  const MotionFrame& Look(const cv::Mat& picture, Timestamp time);

  // The events that end what goes on: the footage ends, or is interrupted. Valid until the next call.
  const MotionFrame& End();

  const MotionSettings& settings() const { return settings_; }

 private:
  struct ZoneState {
    bool moving = false;
    Timestamp since;  // of the motion
    Timestamp last;   // when something moved last
    // The last pictures, in each of which something moved, near where it was.
    bool run = false;
    Timestamp run_since;
    std::vector<cv::Rect2d> boxes{};  // in the last of them
    std::optional<Timestamp> before;  // `last` of the motion that went on when the last turn was over
  };

  bool SceneChanged(const BackgroundModel::View& view) const;
  // Fills frame_.zones and moving_.
  void FindMotion(const BackgroundModel::View& view);
  void Follow(Timestamp time);
  void Start(std::size_t zone);
  void Stop(std::size_t zone);
  // Ends what moves: the pictures that follow cannot tell when it does.
  void EndAll();

  const MotionSettings settings_;
  BackgroundModel background_;
  ZoneMap zones_;
  std::vector<ZoneState> states_;
  Timestamp time_;
  Timestamp settled_;  // before, light and exposure may still change
  Timestamp turn_;     // the beginning of the one that time_ is in
  bool any_ = false;   // picture was seen
  cv::Mat things_;     // uint8: the foreground without specks
  cv::Mat moving_;     // uint8: what moves
  cv::Mat labels_;
  MotionFrame frame_;
};

}  // namespace millrace
