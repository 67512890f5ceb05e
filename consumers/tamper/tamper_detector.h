// Whether somebody, or something, keeps a camera from seeing what it usually sees.
//
//   kBlack      nothing but black
//   kCovered    the usual edges are gone, and hardly any others are there: a hand, paint, fog
//   kDefocused  the usual view, much less sharp
//   kMoved      the usual edges are gone, and others are there
//   kFrozen     the same picture again and again, beyond a key frame (stillness.h)
//
// One at a time, the first of these that holds (frozen only where none other does). It begins when it has
// held in each picture for start_after, with the first of them as its time, and ends when it has not for
// stop_after. The usual view is learned slowly, and not while it is not seen. When it has not been seen for
// kAccepted it is forgotten: what covers, defocuses or moves it ends as accepted, and what is there becomes
// the usual view.
//
// Turns:  black and frozen are told by the picture alone, and may last. Each kTurn of footage, counted from
//         the epoch, they are ended, and begun again as continued. So nothing told depends on more than
//         kRemembered of footage.
//
// Threads: one owner. Errors: none; a picture of another size begins anew.
#pragma once

#include <array>
#include <cstdint>
#include <opencv2/core/mat.hpp>
#include <optional>
#include <vector>

#include "base/time.h"
#include "consumers/tamper/stillness.h"
#include "consumers/tamper/view_measures.h"
#include "consumers/vision/zone_map.h"

namespace millrace {

enum class TamperKind : std::uint8_t { kBlack, kCovered, kDefocused, kMoved, kFrozen };
inline constexpr std::size_t kTamperKinds = 5;

struct TamperSettings {
  std::array<bool, kTamperKinds> wanted{true, true, true, true, true};  // by TamperKind
  std::vector<Zone> masks{};  // not looked at: a clock in the picture, that goes on when all else is frozen
  double sensitivity = 50;    // 0 to 100: how much of the view must be gone
  Duration start_after = std::chrono::seconds(1);
  Duration stop_after = std::chrono::seconds(3);
};

struct TamperEvent {
  TamperKind kind = TamperKind::kBlack;
  bool started = true;  // else ended
  Timestamp time;       // when it began, or ended
  Timestamp began;
  bool continued = false;  // of a beginning: it was ended only because a turn was over
  bool accepted = false;   // of an end: the usual view has not come back, but is forgotten
};

struct TamperFrame {
  std::optional<TamperKind> kind;  // that is going on
  std::vector<TamperEvent> events;
  ReferenceView::Likeness likeness;
  double brightness = 0;  // mean level, 0 to 255
};

class TamperDetector {
 public:
  static constexpr Duration kAccepted = std::chrono::minutes(4);
  static constexpr Duration kTurn = std::chrono::minutes(2);
  static constexpr Duration kAfterMax = std::chrono::minutes(1);  // start_after, stop_after
  static constexpr Duration kRemembered = 2 * kTurn + kAccepted + 2 * kAfterMax;

  explicit TamperDetector(const TamperSettings& settings) : settings_(settings) {}

  // `picture`: height x width, uint8. `time`: later than the one before. Valid until the next call.
  const TamperFrame& Look(const cv::Mat& picture, bool key_frame, Timestamp time);
  // The event that ends what goes on: the footage ends, or is interrupted. Likewise.
  const TamperFrame& End();

 private:
  std::optional<TamperKind> Judge() const;
  bool Wanted(TamperKind kind) const { return settings_.wanted[static_cast<std::size_t>(kind)]; }
  // `now`: what holds in this picture, since `since`.
  void Follow(std::optional<TamperKind> now, Timestamp since, Timestamp time);
  void Start(TamperKind kind);
  void Stop(Timestamp time, bool accepted = false);

  const TamperSettings settings_;
  ZoneMap zones_;
  ViewMeasures view_;
  ReferenceView usual_;
  Timestamp learning_since_;
  Timestamp learned_;  // when it was seen last
  Stillness stillness_;
  std::optional<Timestamp> time_;  // of the last picture
  Timestamp turn_;                 // the beginning of the one that it is in
  std::optional<TamperKind> going_on_;
  Timestamp began_;  // of what is going on
  Timestamp held_;   // when it held last
  // What holds in the last pictures, in each of them; followed while it goes on as well, so that a beginning
  // depends on the last start_after alone.
  std::optional<TamperKind> run_;
  Timestamp run_since_;
  // What went on when the last turn was over, and when it held last.
  std::optional<TamperKind> before_;
  Timestamp before_held_;
  TamperFrame frame_;
};

}  // namespace millrace
