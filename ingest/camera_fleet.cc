#include "ingest/camera_fleet.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/metrics.h"
#include "ingest/fleet_camera.h"
#include "ingest/gst_rtsp_source.h"
#include "ingest/job_pool.h"

namespace millrace {
namespace {

using SteadyTime = FleetCamera::SteadyTime;
using Phase = FleetCamera::Phase;

constexpr std::chrono::seconds kRateInterval{1};
// The supervisor looks at its cameras every second. Where it is later by so much, the process stood still,
// and has the same time to read what cameras sent meanwhile. By the machine's clock: that of the options may
// be set.
constexpr std::chrono::milliseconds kStoodStillMin{500};
constexpr char kNoKeyFrame[] = "no key frame has come yet";
constexpr char kSwitchedOff[] = "the camera is switched off";

}  // namespace

class CameraFleet::Impl {
 public:
  Impl(CameraStore& store, FrameSinkFactory make_sink, FleetOptions options, RtspSourceFactory make_source)
      : store_(store),
        make_sink_(std::move(make_sink)),
        make_source_(make_source ? std::move(make_source) : &MakeGstRtspSource),
        options_(options),
        jobs_(std::in_place, options.workers) {}
  ~Impl() { Stop(); }

  Result<void> Load();
  Result<PutResult> Put(CameraSettings settings, std::optional<CameraCredentials> credentials);
  Result<void> Remove(const std::string& name);
  Result<CameraStatus> Get(const std::string& name) const;
  std::vector<CameraStatus> List() const;
  std::optional<std::string> CameraOfStream(const std::string& stream) const;
  void Stop();

 private:
  using Cameras = std::map<std::string, std::unique_ptr<FleetCamera>>;

  void Add(StoredCamera stored);
  void Wake();
  void Supervise();
  // Moves every camera on as far as it goes now; returns when the next is due. Called with the lock.
  SteadyTime StepAll(SteadyTime now);
  SteadyTime Step(FleetCamera& camera, SteadyTime now);
  SteadyTime StepRunning(FleetCamera& camera, SteadyTime now);
  SteadyTime DialQueued(SteadyTime now);
  void StartJob(FleetCamera& camera, Phase phase, std::function<Result<void>()> job);
  void BeginStop(FleetCamera& camera);
  void Settle(FleetCamera& camera, const Error& error, SteadyTime now);
  bool Unwanted(const FleetCamera& camera) const {
    return stopping_ || camera.remove_wanted || !camera.stored.settings.enabled;
  }

  CameraStore& store_;
  const FrameSinkFactory make_sink_;
  const RtspSourceFactory make_source_;
  const FleetOptions options_;

  std::mutex control_;            // one change of the fleet at a time; held while the store writes
  mutable std::mutex mutex_;      // guards what follows
  std::condition_variable gone_;  // a camera was taken out
  Cameras cameras_;
  bool stopping_ = false;
  std::uint64_t queued_ = 0;
  double dial_tokens_ = 1;
  SteadyTime tokens_at_{};
  SteadyTime rates_at_{};
  SteadyTime patient_until_{};  // no camera is silent before

  std::mutex wake_mutex_;  // innermost
  std::condition_variable wake_changed_;
  bool woken_ = false;
  bool supervisor_ends_ = false;

  std::optional<JobPool> jobs_;
  std::thread supervisor_;
};

Result<void> CameraFleet::Impl::Load() {
  MILLRACE_ASSIGN_OR_RETURN(std::vector<StoredCamera> stored, store_.Load());
  for (StoredCamera& camera : stored) Add(std::move(camera));
  supervisor_ = std::thread([this] { Supervise(); });
  return {};
}

void CameraFleet::Impl::Add(StoredCamera stored) {
  const std::string name = stored.settings.name;
  const bool enabled = stored.settings.enabled;
  cameras_[name] = std::make_unique<FleetCamera>(std::move(stored), options_, [this] { Wake(); });
  cameras_[name]->TellGap(enabled ? GapCause::kConnecting : GapCause::kDisabled, enabled ? "" : kSwitchedOff);
}

void CameraFleet::Impl::Wake() {
  {
    const std::lock_guard lock(wake_mutex_);
    woken_ = true;
  }
  wake_changed_.notify_one();
}

void CameraFleet::Impl::Supervise() {
  auto looked = std::chrono::steady_clock::now();
  for (;;) {
    SteadyTime next;
    {
      const std::lock_guard lock(mutex_);
      const SteadyTime now = options_.clock->SteadyNow();
      const auto before = std::exchange(looked, std::chrono::steady_clock::now());
      if (const Duration lost = looked - before - kRateInterval; lost > kStoodStillMin) {
        patient_until_ = options_.clock->SteadyNow() + std::min(lost, options_.silence_timeout);
      }
      next = StepAll(now);
    }
    std::unique_lock lock(wake_mutex_);
    // Not later than a second: the clock may be one that tests set.
    const auto pause = std::clamp<Duration>(next - options_.clock->SteadyNow(), Duration{0}, kRateInterval);
    wake_changed_.wait_for(lock, pause, [this] { return woken_ || supervisor_ends_; });
    if (supervisor_ends_) return;
    woken_ = false;
  }
}

SteadyTime CameraFleet::Impl::StepAll(SteadyTime now) {
  const bool sample = now - rates_at_ >= kRateInterval;
  if (sample) rates_at_ = now;
  SteadyTime next = rates_at_ + kRateInterval;
  for (auto at = cameras_.begin(); at != cameras_.end();) {
    FleetCamera& camera = *at->second;
    next = std::min(next, Step(camera, now));
    if (sample) camera.SampleRates(now);
    if (camera.phase == Phase::kIdle && (camera.remove_wanted || stopping_)) {
      const bool removed = camera.remove_wanted;
      const std::string name = at->first;
      if (removed) camera.TellGap(GapCause::kDisabled, "the camera was removed");
      at = cameras_.erase(at);
      if (removed) RemoveMetrics({{"camera", name}});
      gone_.notify_all();
    } else {
      ++at;
    }
  }
  return std::min(next, DialQueued(now));
}

SteadyTime CameraFleet::Impl::Step(FleetCamera& camera, SteadyTime now) {
  switch (camera.phase) {
    case Phase::kIdle:
    case Phase::kBackoff:
      if (Unwanted(camera)) {
        if (camera.phase == Phase::kBackoff) {  // its sink still waits for the next connection
          BeginStop(camera);
        } else if (!camera.stored.settings.enabled) {
          camera.SetState(CameraState::kDisabled);
          camera.TellGap(GapCause::kDisabled, kSwitchedOff);
        }
        return SteadyTime::max();
      }
      if (camera.restart_wanted && camera.phase == Phase::kBackoff) {
        BeginStop(camera);
        return SteadyTime::max();
      }
      if (camera.phase == Phase::kBackoff && now < camera.retry_at) return camera.retry_at;
      camera.restart_wanted = false;
      camera.phase = Phase::kQueued;
      camera.queued_at = ++queued_;
      camera.SetState(CameraState::kConnecting);
      camera.TellGap(GapCause::kConnecting, "");
      return SteadyTime::max();
    case Phase::kQueued:
      if (Unwanted(camera) || camera.restart_wanted) BeginStop(camera);
      return SteadyTime::max();
    case Phase::kStarting:
      if (!camera.job_done) return SteadyTime::max();
      camera.phase = Phase::kRunning;
      if (camera.job_error) {
        camera.OnEnded(*std::exchange(camera.job_error, std::nullopt));
      }
      return StepRunning(camera, now);
    case Phase::kRunning:
      return StepRunning(camera, now);
    case Phase::kStopping:
      if (!camera.job_done) return SteadyTime::max();
      if (Unwanted(camera) || camera.restart_wanted) {
        camera.ForgetFailures();
        camera.phase = Phase::kIdle;
      } else {
        camera.phase = Phase::kBackoff;
      }
      return now;
  }
  return SteadyTime::max();
}

SteadyTime CameraFleet::Impl::StepRunning(FleetCamera& camera, SteadyTime now) {
  if (Unwanted(camera) || camera.restart_wanted) {
    BeginStop(camera);
    return SteadyTime::max();
  }
  if (camera.has_frames() && camera.Status().state == CameraState::kConnecting) {
    camera.OnConnected();
  }
  if (camera.has_frames()) {
    if (camera.lacks_key_frame()) {
      camera.TellGap(GapCause::kUndecodable, kNoKeyFrame);
    } else if (camera.told_gap()) {
      camera.TellRecording();
    }
  }
  if (const std::optional<Error> fault = camera.Fault(now, patient_until_)) {
    Settle(camera, *fault, now);
    BeginStop(camera);
    return SteadyTime::max();
  }
  return camera.NextCheck(patient_until_);
}

// The connection is over: says so, and decides when the next one is tried.
void CameraFleet::Impl::Settle(FleetCamera& camera, const Error& error, SteadyTime now) {
  camera.TellGap(camera.CauseOf(error), error.message);
  const FleetCamera::Verdict verdict = camera.Judge(error, now);
  camera.retry_at = now + std::chrono::duration_cast<SteadyTime::duration>(verdict.delay);
  camera.SetLastError(error);
  camera.SetState(verdict.state, options_.clock->Now() + verdict.delay);
}

void CameraFleet::Impl::BeginStop(FleetCamera& camera) {
  const bool drop_sink = Unwanted(camera) || camera.restart_wanted;
  StartJob(camera, Phase::kStopping, [&camera, drop_sink]() -> Result<void> {
    camera.Disconnect(drop_sink);
    return {};
  });
}

// The camera stays in the fleet while its job runs, since only idle ones are taken out.
void CameraFleet::Impl::StartJob(FleetCamera& camera, Phase phase, std::function<Result<void>()> job) {
  camera.phase = phase;
  camera.job_done = false;
  camera.job_error.reset();
  jobs_->Post([this, &camera, job = std::move(job)] {
    auto result = job();
    {
      const std::lock_guard lock(mutex_);
      camera.job_done = true;
      if (!result) camera.job_error = std::move(result).error();
    }
    Wake();
  });
}

SteadyTime CameraFleet::Impl::DialQueued(SteadyTime now) {
  const double passed = std::chrono::duration<double>(now - tokens_at_).count();
  tokens_at_ = now;
  dial_tokens_ = std::min(std::max(1.0, options_.dials_per_second / 4),
                          dial_tokens_ + passed * options_.dials_per_second);
  std::vector<FleetCamera*> queue;
  std::size_t dialling = 0;
  for (const auto& [name, camera] : cameras_) {
    if (camera->phase == Phase::kQueued) queue.push_back(camera.get());
    if (camera->phase == Phase::kStarting || (camera->phase == Phase::kRunning && !camera->has_frames()))
      ++dialling;
  }
  std::sort(queue.begin(), queue.end(),
            [](const auto* a, const auto* b) { return a->queued_at < b->queued_at; });
  for (FleetCamera* camera : queue) {
    if (dialling >= options_.dials_max) return SteadyTime::max();  // an end or a first frame makes room
    if (dial_tokens_ < 1) {
      return now + std::chrono::duration_cast<SteadyTime::duration>(
                       std::chrono::duration<double>((1 - dial_tokens_) / options_.dials_per_second));
    }
    dial_tokens_ -= 1;
    ++dialling;
    camera->OnDialled(now);
    StartJob(*camera, Phase::kStarting,
             [this, camera, as = camera->stored] { return camera->Connect(as, make_sink_, make_source_); });
  }
  return SteadyTime::max();
}

Result<CameraFleet::PutResult> CameraFleet::Impl::Put(CameraSettings settings,
                                                      std::optional<CameraCredentials> credentials) {
  MILLRACE_RETURN_IF_ERROR(CheckCameraSettings(settings));
  const std::lock_guard control(control_);
  StoredCamera wanted{std::move(settings), std::nullopt};
  if (credentials && !credentials->username.empty()) wanted.credentials = std::move(credentials);
  bool created = false;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return Error{ErrorCode::kUnavailable, "the server is stopping"};
    for (const auto& [name, camera] : cameras_) {
      if (name != wanted.settings.name && camera->stored.settings.stream == wanted.settings.stream) {
        return Error{ErrorCode::kAlreadyExists,
                     "stream '" + wanted.settings.stream + "' is already fed by camera '" + name + "'"};
      }
    }
    const auto found = cameras_.find(wanted.settings.name);
    created = found == cameras_.end();
    if (!created) {
      const StoredCamera& old = found->second->stored;
      const bool same_host = CameraHost(old.settings.url) == CameraHost(wanted.settings.url);
      if (!credentials && same_host) wanted.credentials = old.credentials;
      if (old.settings == wanted.settings && old.credentials == wanted.credentials) {
        return PutResult{found->second->Status(), false};
      }
    }
  }
  MILLRACE_RETURN_IF_ERROR(store_.Save(wanted));
  PutResult result;
  result.created = created;
  {
    const std::lock_guard lock(mutex_);
    const std::string name = wanted.settings.name;
    if (created) {
      Add(std::move(wanted));
    } else {
      FleetCamera& camera = *cameras_[name];
      if (camera.stored.settings.stream != wanted.settings.stream) {
        camera.TellGap(GapCause::kDisabled, "the camera feeds another stream");
        camera.ForgetGap();
      }
      camera.stored = std::move(wanted);
      cameras_[name]->restart_wanted = true;
    }
    result.camera = cameras_[name]->Status();
  }
  Wake();
  return result;
}

Result<void> CameraFleet::Impl::Remove(const std::string& name) {
  const std::lock_guard control(control_);
  {
    const std::lock_guard lock(mutex_);
    if (!cameras_.contains(name)) return Error{ErrorCode::kNotFound, "camera '" + name + "' does not exist"};
  }
  MILLRACE_RETURN_IF_ERROR(store_.Remove(name));
  std::unique_lock lock(mutex_);
  if (const auto found = cameras_.find(name); found != cameras_.end()) found->second->remove_wanted = true;
  Wake();
  gone_.wait(lock, [&] { return !cameras_.contains(name); });
  return {};
}

Result<CameraStatus> CameraFleet::Impl::Get(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = cameras_.find(name);
  if (found == cameras_.end()) return Error{ErrorCode::kNotFound, "camera '" + name + "' does not exist"};
  return found->second->Status();
}

std::vector<CameraStatus> CameraFleet::Impl::List() const {
  const std::lock_guard lock(mutex_);
  std::vector<CameraStatus> list;
  for (const auto& [name, camera] : cameras_) list.push_back(camera->Status());
  return list;
}

std::optional<std::string> CameraFleet::Impl::CameraOfStream(const std::string& stream) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [name, camera] : cameras_) {
    if (camera->stored.settings.stream == stream) return name;
  }
  return std::nullopt;
}

void CameraFleet::Impl::Stop() {
  {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    Wake();
    if (supervisor_.joinable()) gone_.wait(lock, [this] { return cameras_.empty(); });
  }
  {
    const std::lock_guard lock(wake_mutex_);
    supervisor_ends_ = true;
  }
  wake_changed_.notify_one();
  if (supervisor_.joinable()) supervisor_.join();
  jobs_.reset();
}

Result<std::unique_ptr<CameraFleet>> CameraFleet::Start(CameraStore& store, FrameSinkFactory make_sink,
                                                        FleetOptions options, RtspSourceFactory make_source) {
  auto impl = std::make_unique<Impl>(store, std::move(make_sink), options, std::move(make_source));
  MILLRACE_RETURN_IF_ERROR(impl->Load());
  return std::unique_ptr<CameraFleet>(new CameraFleet(std::move(impl)));
}

CameraFleet::CameraFleet(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CameraFleet::~CameraFleet() = default;

Result<CameraFleet::PutResult> CameraFleet::Put(CameraSettings settings,
                                                std::optional<CameraCredentials> credentials) {
  return impl_->Put(std::move(settings), std::move(credentials));
}
Result<void> CameraFleet::Remove(const std::string& name) { return impl_->Remove(name); }
Result<CameraStatus> CameraFleet::Get(const std::string& name) const { return impl_->Get(name); }
std::vector<CameraStatus> CameraFleet::List() const { return impl_->List(); }
std::optional<std::string> CameraFleet::CameraOfStream(const std::string& stream) const {
  return impl_->CameraOfStream(stream);
}
void CameraFleet::Stop() { impl_->Stop(); }

}  // namespace millrace
