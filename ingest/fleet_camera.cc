#include "ingest/fleet_camera.h"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include "base/log.h"

namespace millrace {
namespace {

std::int64_t Ns(FleetCamera::SteadyTime time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

FleetCamera::SteadyTime FromNs(std::int64_t ns) {
  return FleetCamera::SteadyTime(std::chrono::duration_cast<FleetCamera::SteadyTime::duration>(Duration{ns}));
}

// As the fragment builder has it: a shorter time without a frame is no hole, nor is one that is usual.
constexpr Duration kHoleMin = std::chrono::seconds(2);
constexpr int kHoleSteps = 5;

std::string Seconds(Duration duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(duration).count()) + " s";
}

}  // namespace

FleetCamera::Metrics::Metrics(const std::string& camera)
    : frames(GetCounter("millrace_ingest_frames_total", "Frames received", {{"camera", camera}})),
      bytes(GetCounter("millrace_ingest_bytes_total", "Bytes of frames received", {{"camera", camera}})),
      attempts(GetCounter("millrace_ingest_attempts_total", "Connections tried", {{"camera", camera}})),
      connects(GetCounter("millrace_ingest_connects_total", "Connections that led to frames",
                          {{"camera", camera}})),
      refused(GetCounter("millrace_ingest_refused_frames_total", "Frames that recording refused",
                         {{"camera", camera}})),
      corrected(GetCounter("millrace_ingest_times_corrected_total",
                           "Frames whose wild time stamp was replaced", {{"camera", camera}})),
      jumps(GetCounter("millrace_ingest_clock_jumps_total", "Jumps of the camera's clock",
                       {{"camera", camera}})),
      lost(GetCounter("millrace_ingest_packets_lost_total", "RTP packets that did not arrive",
                      {{"camera", camera}})),
      recording(
          GetGauge("millrace_ingest_recording", "1 while the camera sends frames", {{"camera", camera}})) {}

FleetCamera::FleetCamera(StoredCamera camera, const FleetOptions& options, std::function<void()> wake)
    : stored(std::move(camera)),
      name_(stored.settings.name),
      options_(options),
      wake_(std::move(wake)),
      metrics_(name_),
      backoff_(options.backoff),
      unauthorized_delay_(options.unauthorized_retry),
      state_since_(options.clock->Now()) {
  if (!stored.settings.enabled) state_ = CameraState::kDisabled;
}

std::optional<Error> FleetCamera::Fault(SteadyTime now, SteadyTime patient_until) {
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return ended_;
  }
  const bool connected = has_frames();
  if (now < NextCheck(patient_until)) return std::nullopt;
  if (!connected) {
    return Error{ErrorCode::kDeadlineExceeded,
                 "no frame within " + Seconds(options_.first_frame_timeout) + " of connecting"};
  }
  return Error{ErrorCode::kUnavailable, std::string("the camera fell silent: no ") +
                                            (has_video_ ? "video" : "frame") + " for " +
                                            Seconds(options_.silence_timeout)};
}

FleetCamera::SteadyTime FleetCamera::NextCheck(SteadyTime patient_until) const {
  return std::max(patient_until, has_frames() ? FromNs(alive_ns_) + options_.silence_timeout
                                              : dialled_at + options_.first_frame_timeout);
}

FleetCamera::Verdict FleetCamera::Judge(const Error& error, SteadyTime now) {
  if (recording_since_ && now - *recording_since_ >= options_.stable_after) ForgetFailures();
  recording_since_.reset();
  if (error.code == ErrorCode::kUnauthenticated) {
    const Duration delay = unauthorized_delay_;
    unauthorized_delay_ = std::min(unauthorized_delay_ * 2, options_.unauthorized_retry_max);
    return {CameraState::kUnauthorized, delay};
  }
  if (error.code == ErrorCode::kUnsupported) return {CameraState::kFailed, options_.failed_retry};
  return {CameraState::kWaiting, backoff_.Next()};
}

void FleetCamera::ForgetFailures() {
  backoff_.Reset();
  unauthorized_delay_ = options_.unauthorized_retry;
}

GapCause FleetCamera::CauseOf(const Error& error) const {
  switch (error.code) {
    case ErrorCode::kUnauthenticated:
    case ErrorCode::kPermissionDenied:
      return GapCause::kUnauthorized;
    case ErrorCode::kUnsupported:
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kCorruption:
      return GapCause::kUndecodable;
    case ErrorCode::kNoSpace:
    case ErrorCode::kIo:
      return GapCause::kDiskRefused;
    default:
      break;
  }
  {
    // No end was told: it was given up for sending nothing.
    const std::lock_guard lock(mutex_);
    if (!ended_) return GapCause::kSilent;
  }
  return has_frames() ? GapCause::kNetworkLoss : GapCause::kUnreachable;
}

void FleetCamera::TellGap(GapCause cause, std::string detail) {
  if (options_.gaps == nullptr || told_gap_ == cause) return;
  // What comes between the last frame and its loss being noticed is missing for the same reason.
  const bool was_recorded = !told_gap_ && has_frames() && last_frame_ns_ != 0;
  const Timestamp now = options_.clock->Now();
  const Timestamp start = was_recorded ? std::min(now, Timestamp{last_frame_ns_}) : now;
  told_gap_ = cause;
  options_.gaps->BeginGap(stored.settings.stream, cause, start, std::move(detail));
}

void FleetCamera::TellRecording() {
  told_gap_.reset();
  if (options_.gaps != nullptr) options_.gaps->EndGap(stored.settings.stream, options_.clock->Now());
}

void FleetCamera::SetState(CameraState state, std::optional<Timestamp> next_retry) {
  std::string error;
  {
    const std::lock_guard lock(mutex_);
    next_retry_ = next_retry;
    if (state != CameraState::kRecording) rates_.Reset();
    if (state_ == state) return;
    state_ = state;
    state_since_ = options_.clock->Now();
    if (state == CameraState::kRecording) last_error_.reset();
    error = last_error_.value_or("");
  }
  metrics_.recording.Set(state == CameraState::kRecording ? 1 : 0);
  const std::string message = "camera is " + std::string(ToString(state));
  const bool trouble =
      state == CameraState::kWaiting || state == CameraState::kUnauthorized || state == CameraState::kFailed;
  if (trouble) {
    Log(LogLevel::kWarning, message, {{"camera", name_}, {"error", error}});
  } else {
    Log(LogLevel::kInfo, message, {{"camera", name_}});
  }
}

void FleetCamera::SetLastError(const Error& error) {
  const std::lock_guard lock(mutex_);
  last_error_ = error.message;
}

void FleetCamera::OnDialled(SteadyTime now) {
  dialled_at = now;
  frames_at_dial_ = frames_;
  metrics_.attempts.Increment();
  const std::lock_guard lock(mutex_);
  ended_.reset();
  ++attempts_;
}

void FleetCamera::OnConnected() {
  recording_since_ = options_.clock->SteadyNow();
  metrics_.connects.Increment();
  {
    const std::lock_guard lock(mutex_);
    ++connects_;
  }
  SetState(CameraState::kRecording);
}

void FleetCamera::SampleRates(SteadyTime now) {
  const std::lock_guard lock(mutex_);
  if (state_ == CameraState::kRecording) rates_.Sample(now, video_frames_, bytes_);
}

CameraStatus FleetCamera::Status() const {
  CameraStatus status;
  status.settings = stored.settings;
  status.has_credentials = stored.credentials.has_value();
  status.frames = frames_;
  status.bytes = bytes_;
  if (const std::int64_t last = last_frame_ns_; last != 0) status.last_frame = Timestamp{last};
  const std::lock_guard lock(mutex_);
  status.state = state_;
  status.state_since = state_since_;
  status.last_error = last_error_;
  if (!last_error_ && lacks_key_frame_ && state_ == CameraState::kRecording) {
    status.last_error = "no key frame has come yet: the picture cannot be recorded before one does";
  }
  status.next_retry = next_retry_;
  status.connects = connects_;
  status.attempts = attempts_;
  status.times_corrected = corrected_;
  status.clock_jumps = jumps_;
  const RateMeter::Rates rates = rates_.Get();
  status.bitrate_bps = rates.bits_per_second;
  status.frame_rate = rates.frames_per_second;
  status.tracks = tracks_;
  status.clock = clock_;
  return status;
}

Result<void> FleetCamera::Connect(const StoredCamera& as, const FrameSinkFactory& make_sink,
                                  const RtspSourceFactory& make_source) {
  if (sink_ == nullptr) {
    auto sink = make_sink(as.settings);
    if (!sink) return WithContext(std::move(sink).error(), "cannot record");
    sink_ = std::move(*sink);
  }
  stream_ = as.settings.stream;
  RtspSourceOptions options;
  options.name = as.settings.name;
  options.url = as.settings.url;
  options.credentials = as.credentials;
  options.transport = as.settings.transport;
  options.tls_verify = as.settings.tls_verify;
  options.network_timeout = std::min(options.network_timeout, options_.first_frame_timeout);
  options.clock_difference_max = options_.clock_difference_max;
  options.bytes_max = options_.source_bytes_max;
  options.clock = options_.clock;
  source_ = make_source(options, *this);
  return source_->Start();
}

void FleetCamera::Disconnect(bool drop_sink) {
  if (source_ != nullptr) source_->Stop();
  source_.reset();
  if (sink_ != nullptr) sink_->EndRun();
  if (drop_sink) sink_.reset();
  const std::lock_guard lock(mutex_);
  tracks_.clear();
  clock_.reset();
}

void FleetCamera::OnRun(const std::vector<TrackInfo>& tracks, ClockSource clock) {
  has_video_ =
      std::any_of(tracks.begin(), tracks.end(), [](const auto& t) { return t.kind() == TrackKind::kVideo; });
  {
    const std::lock_guard lock(mutex_);
    tracks_ = tracks;
    clock_ = clock;
  }
  alive_ns_ = Ns(options_.clock->SteadyNow());
  lacks_key_frame_ = false;
  key_frame_seen_ = false;
  if (auto started = sink_->StartRun(tracks, clock); !started)
    OnEnded(WithContext(started.error(), "cannot record"));
}

void FleetCamera::OnFrame(Frame frame) {
  const bool video = frame.track == 1;
  const std::size_t size = frame.data.size();
  NoteHole(frame.arrival);
  // A camera that goes on with sound alone has lost its picture all the same.
  if (video || !has_video_) alive_ns_ = Ns(options_.clock->SteadyNow());
  last_frame_ns_ = frame.arrival.ns;
  if (video && !key_frame_seen_) {
    key_frame_seen_ = frame.key_frame;
    lacks_key_frame_ = !frame.key_frame;
    wake_();
  }
  if (auto pushed = sink_->Push(std::move(frame)); !pushed) {
    metrics_.refused.Increment();
    SetLastError(WithContext(pushed.error(), "a frame was not recorded"));
  }
  bytes_ += size;
  if (video) ++video_frames_;
  metrics_.frames.Increment();
  metrics_.bytes.Increment(static_cast<double>(size));
  if (frames_++ == frames_at_dial_) wake_();
}

// Frames that stay away within a connection leave a hole in the footage: says why.
void FleetCamera::NoteHole(Timestamp arrival) {
  const bool lost = std::exchange(lost_since_frame_, false);
  if (frames_ == frames_at_dial_ || arrival.ns <= last_frame_ns_) return;
  const Duration step = arrival - Timestamp{last_frame_ns_};
  const bool hole = step > std::max<Duration>(kHoleMin, kHoleSteps * usual_step_);
  usual_step_ += (std::min(step, 8 * usual_step_ + kHoleMin / 50) - usual_step_) / 8;
  if (!hole || options_.gaps == nullptr) return;
  options_.gaps->Add(stream_, {.start = Timestamp{last_frame_ns_},
                               .end = arrival,
                               .cause = lost ? GapCause::kNetworkLoss : GapCause::kSilent,
                               .detail = lost ? "packets were lost on the way" : "the camera sent nothing"});
}

void FleetCamera::OnLoss(TrackKind kind, std::uint64_t packets) {
  metrics_.lost.Increment(static_cast<double>(packets));
  lost_since_frame_ = true;
  sink_->MarkLoss(kind);
}

void FleetCamera::OnClock(ClockSource clock) {
  const std::lock_guard lock(mutex_);
  clock_ = clock;
}

void FleetCamera::OnTimeTrouble(std::uint64_t corrected, std::uint64_t jumps) {
  metrics_.corrected.Increment(static_cast<double>(corrected));
  metrics_.jumps.Increment(static_cast<double>(jumps));
  if (jumps > 0) Log(LogLevel::kWarning, "the camera's clock jumped", {{"camera", name_}});
  const std::lock_guard lock(mutex_);
  corrected_ += corrected;
  jumps_ += jumps;
}

void FleetCamera::OnEnded(Error error) {
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    ended_ = std::move(error);
  }
  wake_();
}

}  // namespace millrace
