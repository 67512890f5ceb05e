#include "ingest/track_clock.h"

#include <algorithm>
#include <cstdlib>

namespace millrace {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kMillisecond = 1'000'000;

// Frames that come late are normal (a stalled network); this late, the stamp is wrong.
constexpr std::int64_t kLateMax = 30 * kSecond;
// Frames cannot come earlier than the fastest of the last seconds by more than this.
constexpr std::int64_t kEarlyMax = 1 * kSecond;
// B-frames make stamps fall by some frames; by more than this they do not.
constexpr std::int64_t kBackMax = 2 * kSecond;
// Frames that come for so long without a newer stamp have wrong ones.
constexpr std::int64_t kStillMax = 2 * kSecond;
// A longer time between two of them counts as this: it may be the network's, with B-frames behind it.
constexpr std::int64_t kStillStepMax = kStillMax / 4;
// So many wild stamps that agree with each other are the new place.
constexpr int kWildAgree = 5;
constexpr std::int64_t kGuessMax = 250 * kMillisecond;
constexpr std::int64_t kAgreeWithin = 1 * kSecond;

constexpr std::int64_t kBucket = 4 * kSecond;
// Camera's reports older than this say nothing any more: its RTP clock drifts.
constexpr std::int64_t kReportAgeMax = 120 * kSecond;

// Differences up to kLeave are left alone, so that distances between frames stay exact; larger ones are
// worked off with this time constant, never faster than a quarter of the time that passes.
constexpr std::int64_t kLeave = 10 * kMillisecond;
constexpr std::int64_t kSettled = 1 * kMillisecond;
constexpr std::int64_t kTimeConstant = 2 * kSecond;
constexpr std::int64_t kFar = 2 * kSecond;
constexpr std::int64_t kFarFor = 2 * kSecond;

std::int64_t SteadyNs(ArrivalTime time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.steady.time_since_epoch()).count();
}

}  // namespace

TrackClock::TrackClock(std::uint32_t rate, Duration difference_max, bool reordered)
    : rate_(std::max<std::uint32_t>(rate, 1)),
      difference_max_ns_(difference_max.count()),
      reordered_(reordered) {}

std::int64_t TrackClock::Unwrap(std::uint32_t rtp) const {
  return has_place_ ? last_ticks_ + static_cast<std::int32_t>(rtp - last_rtp_) : 0;
}

std::int64_t TrackClock::MediaNs(std::int64_t ticks) const {
  const std::int64_t rate = rate_;
  return ticks / rate * kSecond + ticks % rate * kSecond / rate;
}

void TrackClock::OnSenderReport(Timestamp ntp, std::uint32_t rtp, ArrivalTime now) {
  if (std::abs((ntp - now.wall).count()) > difference_max_ns_) {
    RefuseReports();
    return;
  }
  const std::int64_t ticks = Unwrap(rtp);
  if (!has_place_) {
    has_place_ = true;
    last_rtp_ = rtp;
    last_ticks_ = ticks;
  }
  camera_offset_ns_ = ntp.ns - MediaNs(ticks);
  report_steady_ns_ = SteadyNs(now);
}

void TrackClock::RefuseReports() {
  ++reports_refused_;
  camera_offset_ns_.reset();
}

Timestamp TrackClock::Map(std::uint32_t rtp, ArrivalTime now) {
  const std::int64_t ticks = Unwrap(rtp);
  const std::int64_t media_ns = MediaNs(ticks);
  const std::int64_t steady_ns = SteadyNs(now);
  const std::int64_t late_ns = steady_ns - media_ns;
  if (!started_) {
    started_ = true;
    late_now_ns_ = late_before_ns_ = late_ns;
    bucket_start_ns_ = steady_ns;
    max_media_ns_ = media_ns;
    offset_ns_ = TargetOffset(now);
    out_ns_ = media_ns + offset_ns_ - 1;
  } else if (StandsStill(media_ns, steady_ns) || IsWild(media_ns, late_ns)) {
    return MapWild(rtp, ticks, now);
  }
  wild_ = 0;
  guessed_ns_ = 0;
  has_place_ = true;
  last_rtp_ = rtp;
  last_ticks_ = ticks;
  const std::int64_t risen_ns = std::max<std::int64_t>(media_ns - max_media_ns_, 0);
  if (risen_ns > 0) still_ns_ = 0;
  if (has_step_) {
    step_ns_ += (risen_ns - step_ns_) / 8;
  } else if (risen_ns > 0) {
    has_step_ = true;
    step_ns_ = risen_ns;
  }
  max_media_ns_ = std::max(max_media_ns_, media_ns);
  SeeArrival(late_ns, steady_ns);
  Follow(TargetOffset(now), steady_ns, risen_ns);
  return HandOut(media_ns + offset_ns_, steady_ns);
}

bool TrackClock::StandsStill(std::int64_t media_ns, std::int64_t steady_ns) {
  if (media_ns > max_media_ns_) return false;
  still_ns_ += std::min(steady_ns - out_steady_ns_, kStillStepMax);
  return still_ns_ > kStillMax;
}

bool TrackClock::IsWild(std::int64_t media_ns, std::int64_t late_ns) const {
  const std::int64_t least = std::min(late_now_ns_, late_before_ns_);
  return media_ns < max_media_ns_ - kBackMax || late_ns < least - kEarlyMax || late_ns > least + kLateMax;
}

Timestamp TrackClock::MapWild(std::uint32_t rtp, std::int64_t ticks, ArrivalTime now) {
  const std::int64_t media_ns = MediaNs(ticks);
  const std::int64_t steady_ns = SteadyNs(now);
  const std::int64_t agree = (media_ns - wild_media_ns_) - (steady_ns - wild_steady_ns_);
  const bool moves = media_ns > wild_media_ns_;
  wild_ = wild_ > 0 && moves && std::abs(agree) < kAgreeWithin ? wild_ + 1 : 1;
  wild_media_ns_ = media_ns;
  wild_steady_ns_ = steady_ns;
  ++corrected_;
  // A step as usual: what comes in a burst behind a stall was not taken in one. Not far from when it came.
  const std::int64_t passed_ns = std::max<std::int64_t>(1, steady_ns - out_steady_ns_);
  const std::int64_t off_ns = guessed_ns_ + step_ns_ - passed_ns;
  const bool guess = step_ns_ > 0 && std::abs(off_ns) < kGuessMax;
  guessed_ns_ = guess ? off_ns : guessed_ns_;
  const std::int64_t time_ns = out_ns_ + (guess ? step_ns_ : passed_ns);
  if (wild_ >= kWildAgree) {
    wild_ = 0;
    ++rebased_;
    last_rtp_ = rtp;
    last_ticks_ = ticks;
    max_media_ns_ = media_ns;
    still_ns_ = 0;
    late_now_ns_ = late_before_ns_ = steady_ns - media_ns;
    bucket_start_ns_ = steady_ns;
    place_ns_ += time_ns - media_ns - offset_ns_;
    offset_ns_ = time_ns - media_ns;
    camera_offset_ns_.reset();  // it spoke of the old place
    far_since_ns_.reset();
    wants_jump_ = false;
  }
  return HandOut(time_ns, steady_ns);
}

void TrackClock::SeeArrival(std::int64_t late_ns, std::int64_t steady_ns) {
  if (steady_ns - bucket_start_ns_ >= kBucket) {
    late_before_ns_ = late_now_ns_;
    late_now_ns_ = late_ns;
    bucket_start_ns_ = steady_ns;
  }
  late_now_ns_ = std::min(late_now_ns_, late_ns);
}

// Also chooses the clock.
std::int64_t TrackClock::TargetOffset(ArrivalTime now) {
  const std::int64_t steady_ns = SteadyNs(now);
  // The server's wall time of a frame that came as fast as any.
  const std::int64_t arrival = std::min(late_now_ns_, late_before_ns_) + (now.wall.ns - steady_ns);
  const bool camera = camera_offset_ns_ && steady_ns - report_steady_ns_ <= kReportAgeMax &&
                      std::abs(*camera_offset_ns_ - arrival) <= difference_max_ns_;
  source_ = camera ? ClockSource::kCamera : ClockSource::kArrival;
  target_ns_ = camera ? *camera_offset_ns_ : arrival;
  return target_ns_;
}

// By the media time that passes: of a burst that comes behind a stall only the first frame took long to come,
// and its time is not to fall behind that of the frame before it.
void TrackClock::Follow(std::int64_t target_ns, std::int64_t steady_ns, std::int64_t risen_ns) {
  const std::int64_t difference = target_ns - offset_ns_;
  if (std::abs(difference) > kFar) {
    if (!far_since_ns_) far_since_ns_ = steady_ns;
    wants_jump_ = steady_ns - *far_since_ns_ >= kFarFor;
    return;
  }
  far_since_ns_.reset();
  wants_jump_ = false;
  following_ = std::abs(difference) > (following_ ? kSettled : kLeave);
  if (!following_) return;
  const std::int64_t passed = std::min(risen_ns, kSecond);
  const std::int64_t step = difference / kMillisecond * passed / (kTimeConstant / kMillisecond);
  offset_ns_ += std::clamp(step, -passed / 4, passed / 4);
}

Timestamp TrackClock::HandOut(std::int64_t time_ns, std::int64_t steady_ns) {
  if (!reordered_) time_ns = std::max(time_ns, out_ns_ + 1);
  out_ns_ = time_ns;
  out_steady_ns_ = steady_ns;
  return Timestamp{time_ns};
}

void TrackClock::Choose(ArrivalTime now) {
  if (started_) TargetOffset(now);
}

void TrackClock::Jump() {
  // The next frame is in a new run: it need not come after the last one.
  out_ns_ += target_ns_ - offset_ns_;
  offset_ns_ = target_ns_;
  far_since_ns_.reset();
  wants_jump_ = false;
  following_ = false;
}

}  // namespace millrace
