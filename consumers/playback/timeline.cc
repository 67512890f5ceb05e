#include "consumers/playback/timeline.h"

#include <algorithm>

namespace millrace {
namespace {

constexpr Duration kDiscontinuityMin = std::chrono::milliseconds(50);
// Longer than producers hold back what they send again after a lost connection.
constexpr Duration kUploadPause = std::chrono::minutes(5);
// More fragments than this are not looked through for a key frame to begin a window with.
constexpr std::size_t kLeadInMax = 64;
constexpr std::uint32_t kPiecesOfFragmentMax = 60;
constexpr Duration kDriftMax = std::chrono::seconds(5);

std::uint32_t WholeSeconds(Duration duration) {
  return static_cast<std::uint32_t>(
      std::max<std::int64_t>((duration.count() + 999'999'999) / 1'000'000'000, 1));
}

}  // namespace

Timeline::Timeline(const PlaybackSession& session)
    : mode_(session.mode),
      by_server_time_(session.by_server_time),
      mode_of_discontinuities_(session.protocol == PlaybackProtocol::kDash
                                   ? DiscontinuityMode::kOnDiscontinuity
                                   : session.discontinuities),
      fragments_max_(session.fragments_max),
      splits_(session.protocol == PlaybackProtocol::kHls && session.mode != PlaybackMode::kOnDemand),
      placed_by_server_(session.protocol == PlaybackProtocol::kDash && session.mode == PlaybackMode::kLive),
      first_(session.first),
      begun_(session.created),
      target_s_(splits_ ? std::max<std::uint32_t>(session.target_s, 1) : 1) {}

bool Timeline::full() const { return mode_ == PlaybackMode::kOnDemand && count_ >= fragments_max_; }

bool Timeline::Decodable(const PlaybackFragment& fragment) const {
  return fragment.independent ||
         (last_ && last_->run == fragment.run && last_->number.counter + 1 == fragment.number.counter);
}

bool Timeline::Add(const PlaybackFragment& fragment) {
  if (fragment.number < first_ || (last_ && fragment.number <= last_->number)) return false;
  if (upload_end_ && fragment.number >= *upload_end_) return false;
  if (!fragment.playable || !Decodable(fragment)) return false;
  if (!by_server_time_) {
    if (mode_ != PlaybackMode::kLive && last_ && fragment.start <= newest_start_ &&
        fragment.server_start - last_->server_start > kUploadPause) {
      upload_end_ = fragment.number;
      return false;
    }
    if (!waiting_.empty() && waiting_.back().start == fragment.start) {
      waiting_.pop_back();
    } else if (std::any_of(listed_.begin(), listed_.end(),
                           [&](const auto& listed) { return listed.start == fragment.start; })) {
      return false;
    }
  }
  last_ = fragment;
  newest_start_ = std::max(newest_start_, fragment.start);
  waiting_.push_back(fragment);
  return true;
}

void Timeline::Advance(Timestamp now) {
  while (!waiting_.empty() && !full()) {
    const PlaybackFragment& next = waiting_.front();
    if (mode_ == PlaybackMode::kLiveReplay) {
      const Duration end = OffsetOf(next) + next.duration;
      if (count_ < fragments_max_ && next.server_start <= begun_) {
        lead_ = end;  // at once
      } else if (end > lead_ + (now - begun_)) {
        break;
      }
    }
    List(next);
    waiting_.pop_front();
  }
  if (full()) {
    waiting_.clear();
    closed_ = true;
  }
}

Duration Timeline::OffsetOf(const PlaybackFragment& fragment) const {
  if (listed_.empty()) return Duration{0};
  const TimelineFragment& before = listed_.back();
  // Without a discontinuity the media's own time goes on; over one the players' does.
  return before.offset + (BeginsAnew(before, fragment) ? before.duration : fragment.start - before.start);
}

bool Timeline::BeginsAnew(const TimelineFragment& before, const PlaybackFragment& after) const {
  if (mode_of_discontinuities_ == DiscontinuityMode::kAlways) return true;
  if (mode_of_discontinuities_ == DiscontinuityMode::kNever) return false;
  // A live manifest places media by the server's clock: one that comes much faster or slower is placed anew.
  const Duration drift =
      (after.server_start - before.period_server_start) - (after.start - before.period_start);
  if (placed_by_server_ && std::chrono::abs(drift) > kDriftMax) return true;
  const Duration gap = after.start - before.end();
  return gap > kDiscontinuityMin || gap < -kDiscontinuityMin || before.tracks_id != after.tracks_id;
}

void Timeline::List(const PlaybackFragment& fragment) {
  TimelineFragment item;
  static_cast<PlaybackFragment&>(item) = fragment;
  if (splits_ && fragment.duration > std::chrono::seconds(target_s_) + std::chrono::milliseconds(499)) {
    const auto pieces =
        (fragment.duration + std::chrono::seconds(target_s_) - Duration{1}) / std::chrono::seconds(target_s_);
    item.pieces = static_cast<std::uint32_t>(std::min<std::int64_t>(pieces, kPiecesOfFragmentMax));
  } else if (!splits_) {
    target_s_ = std::max(target_s_, WholeSeconds(fragment.duration));
  }
  if (listed_.empty()) {
    // Those before it that are not stored any more were listed once.
    item.sequence = fragment.number.counter - first_.counter;
    if (mode_of_discontinuities_ == DiscontinuityMode::kAlways) item.discontinuities = item.sequence;
  } else {
    const TimelineFragment& before = listed_.back();
    item.sequence = before.sequence + before.pieces;
    item.offset = OffsetOf(fragment);
    item.discontinuity = BeginsAnew(before, fragment);
    item.discontinuities = before.discontinuities + (item.discontinuity ? 1 : 0);
  }
  if (listed_.empty() || item.discontinuity) {
    item.period = item.number;
    item.period_start = item.start;
    item.period_server_start = item.server_start;
    item.period_offset = item.offset;
  } else {
    const TimelineFragment& before = listed_.back();
    item.period = before.period;
    item.period_start = before.period_start;
    item.period_server_start = before.period_server_start;
    item.period_offset = before.period_offset;
  }
  listed_.push_back(item);
  ++count_;
  if (mode_ == PlaybackMode::kOnDemand || listed_.size() <= fragments_max_) return;
  std::size_t begin = listed_.size() - fragments_max_;
  while (begin > 0 && !listed_[begin].independent && listed_.size() - begin < fragments_max_ + kLeadInMax)
    --begin;
  listed_.erase(listed_.begin(), listed_.begin() + static_cast<std::ptrdiff_t>(begin));
}

}  // namespace millrace
