#include "samples/camera-sim/camera.h"

#include <algorithm>
#include <random>
#include <utility>

namespace millrace::camera_sim {
namespace {

using std::chrono::nanoseconds;

constexpr std::chrono::seconds kReportInterval{5};
constexpr std::int64_t kNsPerSecond = 1'000'000'000;

// Without overflow for any ticks that a camera lives to see.
std::int64_t TicksToNs(std::int64_t ticks, std::uint32_t timescale) {
  const std::int64_t scale = timescale;
  return ticks / scale * kNsPerSecond + ticks % scale * kNsPerSecond / scale;
}

std::int64_t NsToTicks(std::int64_t ns, std::uint32_t timescale) {
  const std::int64_t scale = timescale;
  return ns / kNsPerSecond * scale + ns % kNsPerSecond * scale / kNsPerSecond;
}

}  // namespace

Camera::Camera(int number, std::shared_ptr<const PacketClip> clip, std::int64_t frames_max)
    : number_(number), clip_(std::move(clip)), frames_max_(frames_max), clocks_(clip_->tracks.size()) {
  Start();
}

void Camera::Start() {
  if (running_) return;
  static std::mt19937 random{std::random_device{}()};
  for (TrackClock& clock : clocks_) {
    clock = TrackClock{};
    clock.ssrc = static_cast<std::uint32_t>(random());
    clock.rtp_base = static_cast<std::uint32_t>(random());
  }
  boot_ = std::chrono::steady_clock::now();
  running_ = true;
}

void Camera::Stop() {
  running_ = false;
  DropClients();
}

void Camera::DropClients() {
  for (const auto& player : players_) player->Close(false);
  players_.clear();
}

void Camera::AskFaults(ReplyPlan& reply) const {
  for (const auto& fault : faults_) fault->OnRequest(reply);
}

void Camera::Attach(const std::shared_ptr<Player>& player) {
  const SteadyTime now = std::chrono::steady_clock::now();
  if (players_.empty()) Rewind(now);
  player->waits_for_key = true;
  if (std::find(players_.begin(), players_.end(), player) == players_.end()) players_.push_back(player);
  SendReports(now);
  player->Pump();
}

void Camera::Detach(const Player* player) {
  std::erase_if(players_, [player](const auto& each) { return each.get() == player; });
}

std::int64_t Camera::TicksSinceBoot(std::size_t track, SteadyTime now) const {
  return NsToTicks(nanoseconds(now - boot_).count(), clip_->tracks[track].timescale);
}

void Camera::Rewind(SteadyTime now) {
  for (std::size_t i = 0; i < clocks_.size(); ++i) {
    clocks_[i].round_start = TicksSinceBoot(i, now);
    clocks_[i].next = 0;
  }
}

SteadyTime Camera::DueTime(std::size_t track) const {
  const PacketTrack& clip = clip_->tracks[track];
  const TrackClock& clock = clocks_[track];
  const std::int64_t ticks = clock.round_start + clip.units[clock.next].send;
  return boot_ + nanoseconds(TicksToNs(ticks, clip.timescale));
}

SteadyTime Camera::NextDue() const {
  if (players_.empty()) return SteadyTime::max();
  SteadyTime due = next_report_;
  for (std::size_t i = 0; i < clocks_.size(); ++i) due = std::min(due, DueTime(i));
  return due;
}

void Camera::SendDue(SteadyTime now) {
  if (players_.empty()) return;
  for (std::size_t i = 0; i < clocks_.size(); ++i) {
    while (!players_.empty() && DueTime(i) <= now) SendNextUnit(i);
  }
  if (players_.empty()) return;
  if (next_report_ <= now) SendReports(now);
  for (const auto& player : players_) player->Pump();
}

void Camera::SendNextUnit(std::size_t track) {
  const PacketTrack& clip = clip_->tracks[track];
  TrackClock& clock = clocks_[track];
  const PacketUnit& unit = clip.units[clock.next];
  const std::int64_t ticks = clock.round_start + unit.pts;
  const std::int64_t since_boot_ns = TicksToNs(ticks, clip.timescale);
  if (++clock.next == clip.units.size()) {
    clock.next = 0;
    clock.round_start += clip.duration;
  }
  const TrackKind kind = clip.info.kind();
  UnitPlan plan;
  plan.kind = kind;
  plan.count = clock.count++;
  plan.key = unit.key;
  plan.since_start = nanoseconds(since_boot_ns);
  for (const auto& fault : faults_) fault->OnUnit(plan);

  RtpHeader header;
  header.payload_type = clip.payload_type;
  header.ssrc = clock.ssrc;
  header.timestamp =
      clock.rtp_base + static_cast<std::uint32_t>(ticks + NsToTicks(plan.shift_ns, clip.timescale));
  const RtpOutput::PacketHook hook = [&](RtpHeader& packet) {
    PacketPlan packet_plan{kind, packet.marker, false};
    for (const auto& fault : faults_) fault->OnPacket(packet_plan);
    packet.marker = packet_plan.marker;
    return !packet_plan.drop;
  };
  for (const auto& player : players_) {
    if (plan.drop || !player->output().IsSetUp(track)) continue;
    if (kind == TrackKind::kVideo && player->waits_for_key && !unit.key) continue;
    const bool sent = player->output().SendUnit(track, unit, header, faults_.empty() ? nullptr : &hook);
    if (kind == TrackKind::kVideo) player->waits_for_key = !sent;
  }
  if (frames_max_ > 0 && kind == TrackKind::kVideo && static_cast<std::int64_t>(clock.count) >= frames_max_)
    End();
}

void Camera::SendReports(SteadyTime now) {
  next_report_ = now + kReportInterval;
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  for (std::size_t i = 0; i < clocks_.size(); ++i) {
    ReportPlan plan;
    plan.kind = clip_->tracks[i].info.kind();
    plan.ntp = Timestamp{std::chrono::duration_cast<nanoseconds>(wall).count()};
    for (const auto& fault : faults_) fault->OnReport(plan);
    if (plan.drop) continue;
    const auto rtp_time = clocks_[i].rtp_base + static_cast<std::uint32_t>(TicksSinceBoot(i, now));
    for (const auto& player : players_) {
      if (player->output().IsSetUp(i)) player->output().SendReport(i, clocks_[i].ssrc, plan.ntp, rtp_time);
    }
  }
}

// The last frame is out: says goodbye and is gone, as after `stop`.
void Camera::End() {
  running_ = false;
  for (const auto& player : players_) {
    for (std::size_t i = 0; i < clocks_.size(); ++i) {
      if (player->output().IsSetUp(i)) player->output().SendBye(i, clocks_[i].ssrc);
    }
    player->Close(true);
  }
  players_.clear();
}

std::string Camera::StatusJson() const {
  std::uint64_t dropped = 0;
  for (const auto& player : players_) dropped += player->output().dropped_units();
  return "{\"camera\":" + std::to_string(number_) + ",\"running\":" + (running_ ? "true" : "false") +
         ",\"clients\":" + std::to_string(players_.size()) +
         ",\"frames\":" + std::to_string(clocks_[0].count) + ",\"faults\":" + std::to_string(faults_.size()) +
         ",\"dropped_units\":" + std::to_string(dropped) + "}";
}

}  // namespace millrace::camera_sim
