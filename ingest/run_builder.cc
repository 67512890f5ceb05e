#include "ingest/run_builder.h"

#include <algorithm>
#include <utility>

#include "media/h264.h"

namespace millrace {
namespace {

// Reports of one camera come late by different times, and say the same time otherwise.
constexpr Duration kReportsApartMax = std::chrono::seconds(2);
constexpr Duration kOtherReportAgeMax = std::chrono::seconds(30);

// Whether a track goes on as it was: one decoder serves both.
bool Continues(const TrackInfo& before, const TrackInfo& now) {
  if (before == now) return true;
  TrackInfo same = now;
  same.codec_private = before.codec_private;
  return before == same && now.codec == Codec::kH264 && DecodesAlike(before.codec_private, now.codec_private);
}

}  // namespace

std::size_t RunBuilder::AddTrack(TrackKind kind, std::uint32_t rtp_rate, Duration clock_difference_max) {
  tracks_.push_back(Track{kind, TrackClock(rtp_rate, clock_difference_max, kind == TrackKind::kVideo), {}});
  return tracks_.size() - 1;
}

void RunBuilder::OnSenderReport(std::size_t track, Timestamp ntp, std::uint32_t rtp, ArrivalTime now) {
  Track& reporter = tracks_[track];
  reporter.camera_ahead = ntp - now.wall;
  reporter.reported = now.steady;
  reporter.reports_apart = AreApart(reporter) ? reporter.reports_apart + 1 : 0;
  // A clock that is set between two tracks' reports makes them disagree once.
  if (reporter.reports_apart >= (running_ ? 2 : 1)) {
    for (Track& each : tracks_) each.clock.RefuseReports();
    return;
  }
  reporter.clock.OnSenderReport(ntp, rtp, now);
}

bool RunBuilder::AreApart(const Track& track) const {
  return std::any_of(tracks_.begin(), tracks_.end(), [&](const Track& other) {
    return other.camera_ahead && track.reported - other.reported < kOtherReportAgeMax &&
           std::chrono::abs(*track.camera_ahead - *other.camera_ahead) > kReportsApartMax;
  });
}

void RunBuilder::OnFrame(std::size_t index, const TrackInfo& info, std::uint32_t rtp, ArrivalTime now,
                         Frame frame) {
  Track& track = tracks_[index];
  TrackInfo numbered = info;
  numbered.number = track.kind == TrackKind::kVideo ? 1 : 2;
  const bool changed = track.info && !Continues(*track.info, numbered);
  // What a run began with stays, as long as it serves: some encoders never write a header twice alike.
  if (changed || !track.info) track.info = std::move(numbered);
  frame.track = track.info->number;
  frame.arrival = now.wall;

  // A jump is granted before this frame gets its time, so that it is the first of its run with the new one.
  if (running_ && StartsHere(track, frame)) {
    const bool jump =
        std::any_of(tracks_.begin(), tracks_.end(), [](const Track& t) { return t.clock.wants_jump(); });
    if (jump) {
      for (Track& each : tracks_) each.clock.Jump();
      ++jumps_;
    }
    if (jump || restart_wanted_) StartRun();
  }
  frame.pts = track.clock.Map(rtp, now);
  TellTrouble();

  if (!running_) {
    waiting_bytes_ += frame.data.size();
    waiting_.push_back({index, track.clock.correction(), std::move(frame)});
    const bool waited_enough =
        now.wall - waiting_.front().frame.arrival >= kWaitMax || waiting_bytes_ > wait_bytes_max_;
    if (!AllKnown() && !waited_enough) return;
    for (Track& each : tracks_) each.clock.Choose(now);
    StartRun();
    return;
  }
  if (changed && track.in_run) {
    StartRun();
  } else if (!track.in_run) {
    restart_wanted_ = true;  // it was late; it joins at the next key frame, until then its frames have no run
    return;
  }
  events_.OnFrame(std::move(frame));
}

bool RunBuilder::AllKnown() const {
  return expected_ > 0 && tracks_.size() >= expected_ &&
         std::all_of(tracks_.begin(), tracks_.end(), [&](const Track& t) {
           return t.info.has_value() && (!wait_for_reports_ || t.camera_ahead.has_value());
         });
}

// Whether a run can start with this frame.
bool RunBuilder::StartsHere(const Track& track, const Frame& frame) const {
  if (track.kind == TrackKind::kVideo) return frame.key_frame;
  return std::none_of(tracks_.begin(), tracks_.end(),
                      [](const Track& t) { return t.kind == TrackKind::kVideo && t.info; });
}

const RunBuilder::Track& RunBuilder::ReferenceTrack() const {
  for (const Track& track : tracks_) {
    if (track.kind == TrackKind::kVideo && track.info) return track;
  }
  return tracks_.front();
}

void RunBuilder::StartRun() {
  std::vector<TrackInfo> infos;
  for (Track& track : tracks_) {
    track.in_run = track.info.has_value();
    if (track.info) infos.push_back(*track.info);
  }
  std::sort(infos.begin(), infos.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
  running_ = true;
  restart_wanted_ = false;
  told_clock_ = ReferenceTrack().clock.source();
  events_.OnRun(infos, told_clock_);
  HandOutWaiting();
}

void RunBuilder::HandOutWaiting() {
  waiting_bytes_ = 0;
  if (waiting_.empty()) return;
  for (Track& track : tracks_) track.clock.Jump();
  for (Waiting& each : std::exchange(waiting_, {})) {
    each.frame.pts = each.frame.pts + (tracks_[each.track].clock.correction() - each.correction);
    events_.OnFrame(std::move(each.frame));
  }
}

void RunBuilder::TellTrouble() {
  std::uint64_t corrected = 0;
  std::uint64_t jumps = jumps_;
  for (const Track& track : tracks_) {
    corrected += track.clock.corrected();
    jumps += track.clock.rebased();
  }
  if (corrected != told_corrected_ || jumps != told_jumps_) {
    events_.OnTimeTrouble(corrected - told_corrected_, jumps - told_jumps_);
    told_corrected_ = corrected;
    told_jumps_ = jumps;
  }
  if (running_ && ReferenceTrack().clock.source() != told_clock_) {
    told_clock_ = ReferenceTrack().clock.source();
    events_.OnClock(told_clock_);
  }
}

}  // namespace millrace
