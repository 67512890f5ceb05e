#include "samples/camera-sim/camera.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

namespace millrace::camera_sim {
namespace {

using std::chrono::nanoseconds;

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

// Without overflow for any ticks that a camera lives to see.
std::int64_t TicksToNs(std::int64_t ticks, std::uint32_t timescale) {
  const std::int64_t scale = timescale;
  return ticks / scale * kNsPerSecond + ticks % scale * kNsPerSecond / scale;
}

// Exact for a factor of one.
std::int64_t Scaled(std::int64_t value, double factor) {
  return factor == 1 ? value : std::llround(static_cast<double>(value) * factor);
}

std::int64_t NsToTicks(std::int64_t ns, std::uint32_t timescale) {
  const std::int64_t scale = timescale;
  return ns / kNsPerSecond * scale + ns % kNsPerSecond * scale / kNsPerSecond;
}

}  // namespace

Camera::Camera(int number, std::shared_ptr<const PacketClip> clip, const CameraOptions& options)
    : number_(number), own_clip_(std::move(clip)), clip_(own_clip_), options_(options) {
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

Result<void> Camera::AddFault(std::unique_ptr<Fault> fault) {
  faults_.push_back(std::move(fault));
  auto chosen = ChooseClip();
  if (!chosen) faults_.pop_back();
  return chosen;
}

void Camera::ClearFaults() {
  faults_.clear();
  (void)ChooseClip();  // the camera's own, which there is
}

// Another clip takes over at the next frame, from its start.
Result<void> Camera::ChooseClip() {
  ClipPlan plan;
  for (const auto& fault : faults_) fault->OnClip(plan);
  std::shared_ptr<const PacketClip> clip = own_clip_;
  if (!plan.name.empty()) {
    const auto found = options_.library.find(plan.name);
    if (found == options_.library.end())
      return Error{ErrorCode::kInvalidArgument, "there is no --variant '" + plan.name + "'"};
    clip = found->second;
  }
  if (clip == clip_) return {};
  const SteadyTime next_frame = DueTime(0);
  clip_ = std::move(clip);
  if (!players_.empty()) Rewind(next_frame, {});
  return {};
}

void Camera::AskFaults(ReplyPlan& reply) const {
  reply.time = TimeAt(std::chrono::steady_clock::now());
  for (const auto& fault : faults_) fault->OnRequest(reply);
}

void Camera::Attach(const std::shared_ptr<Player>& player) {
  const SteadyTime now = std::chrono::steady_clock::now();
  StartPlan start;
  for (const auto& fault : faults_) fault->OnStart(start);
  if (players_.empty()) {
    play_ = now;
    Rewind(now, start);
  }
  player->waits_for_key = !start.at_once;
  if (std::find(players_.begin(), players_.end(), player) == players_.end()) players_.push_back(player);
  SendReports(now);
  player->Pump();
}

void Camera::Detach(const Player* player) {
  std::erase_if(players_, [player](const auto& each) { return each.get() == player; });
}

CameraTime Camera::TimeAt(SteadyTime now) const {
  return {now - boot_, players_.empty() ? nanoseconds{0} : now - play_};
}

std::int64_t Camera::StampAt(std::size_t track, SteadyTime now) const {
  const TrackClock& clock = clocks_[track];
  const auto passed = static_cast<double>((now - boot_ - clock.round_due).count());
  const double rate = clip_->tracks[track].timescale * clock.pace.stamp_rate;
  return clock.round_stamp + std::llround(passed / kNsPerSecond * rate);
}

void Camera::Rewind(SteadyTime now, const StartPlan& start) {
  for (std::size_t i = 0; i < clip_->tracks.size(); ++i) {
    const PacketTrack& clip = clip_->tracks[i];
    TrackClock& clock = clocks_[i];
    const std::int64_t now_ticks = NsToTicks((now - boot_).count(), clip.timescale);
    const std::int64_t in = NsToTicks(start.in.count(), clip.timescale);
    if (start.times_from_zero) clock.rtp_base = static_cast<std::uint32_t>(in - now_ticks);
    clock.round_due = now - boot_ - start.in;
    clock.round_stamp = now_ticks - in;
    StartRound(i);
    while (clock.next + 1 < clip.units.size() && clip.units[clock.next].send < in) ++clock.next;
  }
}

void Camera::StartRound(std::size_t track) {
  TrackClock& clock = clocks_[track];
  clock.next = 0;
  clock.pace = {};
  for (const auto& fault : faults_) fault->OnPace(clock.pace);
}

SteadyTime Camera::DueTime(std::size_t track) const {
  const PacketTrack& clip = clip_->tracks[track];
  const TrackClock& clock = clocks_[track];
  const nanoseconds in{Scaled(TicksToNs(clip.units[clock.next].send, clip.timescale), 1 / clock.pace.speed)};
  return boot_ + clock.round_due + in;
}

SteadyTime Camera::NextDue() const {
  if (players_.empty()) return SteadyTime::max();
  SteadyTime due = next_report_;
  for (std::size_t i = 0; i < clip_->tracks.size(); ++i) due = std::min(due, DueTime(i));
  return due;
}

void Camera::SendDue(SteadyTime now) {
  if (players_.empty()) return;
  for (std::size_t i = 0; i < clip_->tracks.size(); ++i) {
    while (!players_.empty() && DueTime(i) <= now) SendNextUnit(i, now);
  }
  if (players_.empty()) return;
  if (next_report_ <= now) SendReports(now);
  for (const auto& player : players_) player->Pump();
}

void Camera::SendNextUnit(std::size_t track, SteadyTime now) {
  const PacketTrack& clip = clip_->tracks[track];
  TrackClock& clock = clocks_[track];
  const PacketUnit& unit = clip.units[clock.next];
  const double stretch = clock.pace.stamp_rate / clock.pace.speed;
  const std::int64_t ticks = clock.round_stamp + Scaled(unit.pts, stretch);
  if (++clock.next == clip.units.size()) {
    clock.round_stamp += Scaled(clip.duration, stretch);
    clock.round_due += nanoseconds{Scaled(TicksToNs(clip.duration, clip.timescale), 1 / clock.pace.speed)};
    StartRound(track);
  }
  const TrackKind kind = clip.info.kind();
  UnitPlan plan{.track = clip.info, .count = clock.count++, .key = unit.key, .time = TimeAt(now)};
  for (const auto& fault : faults_) fault->OnUnit(plan);
  if (plan.cut != Cut::kNone) return CutOff(plan.cut);

  PacketUnit padded;
  for (const Bytes& nal : plan.nals_before) padded.pieces.push_back({{}, 0, false, nal});
  if (!padded.pieces.empty())
    padded.pieces.insert(padded.pieces.end(), unit.pieces.begin(), unit.pieces.end());
  const PacketUnit& to_send = padded.pieces.empty() ? unit : padded;

  RtpHeader header;
  header.payload_type = clip.payload_type;
  header.ssrc = clock.ssrc;
  header.timestamp =
      clock.rtp_base + static_cast<std::uint32_t>(ticks + NsToTicks(plan.shift_ns, clip.timescale));
  const RtpOutput::PacketHook hook = [&](RtpHeader& packet, const PacketPiece& piece) {
    PacketPlan packet_plan{kind, piece.nal_type(), packet.marker, false};
    for (const auto& fault : faults_) fault->OnPacket(packet_plan);
    packet.marker = packet_plan.marker;
    return !packet_plan.drop;
  };
  for (const auto& player : players_) {
    if (plan.drop || !player->output().IsSetUp(track)) continue;
    if (kind == TrackKind::kVideo && player->waits_for_key && !unit.key) continue;
    const bool sent = player->output().SendUnit(track, to_send, header, faults_.empty() ? nullptr : &hook);
    if (kind == TrackKind::kVideo) player->waits_for_key = !sent;
  }
  if (options_.frames_max > 0 && kind == TrackKind::kVideo &&
      static_cast<std::int64_t>(clock.count) >= options_.frames_max)
    End();
}

void Camera::CutOff(Cut how) {
  if (how == Cut::kReset) {
    for (const auto& player : players_) player->Reset();
    players_.clear();
  } else {
    DropClients();
  }
}

void Camera::SendReports(SteadyTime now) {
  next_report_ = now + std::chrono::duration_cast<SteadyTime::duration>(options_.report_interval);
  // Both clocks at one moment: a report that is wrong by what the machine did in between is a fault of its
  // own.
  SteadyTime taken = std::chrono::steady_clock::now();
  auto wall = std::chrono::system_clock::now().time_since_epoch();
  for (int tries = 0; tries < 5; ++tries) {
    const SteadyTime after = std::chrono::steady_clock::now();
    if (after - taken < std::chrono::microseconds(500)) break;
    taken = after;
    wall = std::chrono::system_clock::now().time_since_epoch();
  }
  for (std::size_t i = 0; i < clip_->tracks.size(); ++i) {
    const PacketTrack& clip = clip_->tracks[i];
    ReportPlan plan;
    plan.kind = clip.info.kind();
    plan.time = TimeAt(taken);
    plan.count = clocks_[i].reports++;
    plan.ntp = Timestamp{std::chrono::duration_cast<nanoseconds>(wall).count()};
    plan.ssrc = clocks_[i].ssrc;
    for (const auto& fault : faults_) fault->OnReport(plan);
    if (plan.drop) continue;
    const std::int64_t ticks = StampAt(i, taken) + NsToTicks(plan.shift_ns, clip.timescale);
    const auto rtp_time = clocks_[i].rtp_base + static_cast<std::uint32_t>(ticks);
    for (const auto& player : players_) {
      RtpOutput& output = player->output();
      if (!output.IsSetUp(i)) continue;
      if (!plan.instead.empty()) {
        output.SendRtcp(i, plan.instead);
      } else {
        output.SendReport(i, plan.ssrc, plan.ntp, rtp_time);
      }
    }
  }
}

// The last frame is out: says goodbye and is gone, as after `stop`.
void Camera::End() {
  running_ = false;
  for (const auto& player : players_) {
    for (std::size_t i = 0; i < clip_->tracks.size(); ++i) {
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
