// One camera of the fleet: its source, its sink, and what is known about it.
//
// Life: idle (disabled) -> queued -> starting -> running -> stopping -> backoff -> queued …. The fleet's
// supervisor moves it on; starting and stopping are jobs of a worker, and while one is under way nobody else
// touches source and sink.
//
// Threads: members marked "fleet" are guarded by the fleet's lock; Connect and Disconnect run on a worker,
// one at a time; events come from the source's threads. The fleet's lock comes before `mutex_`, and the
// source's before `mutex_`.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/backoff.h"
#include "base/metrics.h"
#include "fragments/gap.h"
#include "ingest/camera_fleet.h"
#include "ingest/rate_meter.h"
#include "ingest/rtsp_source.h"

namespace millrace {

class FleetCamera final : public RtspSourceEvents {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;
  enum class Phase { kIdle, kQueued, kStarting, kRunning, kStopping, kBackoff };

  // `wake` tells the supervisor that something happened; it takes none of the locks above.
  FleetCamera(StoredCamera stored, const FleetOptions& options, std::function<void()> wake);

  // -- fleet
  StoredCamera stored;
  Phase phase = Phase::kIdle;
  bool remove_wanted = false;
  bool restart_wanted = false;     // the settings changed
  std::uint64_t queued_at = 0;     // order of dialling
  SteadyTime retry_at;             // in kBackoff
  SteadyTime dialled_at;           // in kStarting and kRunning
  std::optional<Error> job_error;  // of the job that ended
  bool job_done = false;

  // What ended the connection, or nothing: an end that the source told, no first frame, or silence, which are
  // none before `patient_until`.
  std::optional<Error> Fault(SteadyTime now, SteadyTime patient_until);
  // When Fault should be asked again if nothing happens until then.
  SteadyTime NextCheck(SteadyTime patient_until) const;
  bool has_frames() const { return frames_ > frames_at_dial_; }
  // Pictures come, and none of them can be decoded before a key frame does.
  bool lacks_key_frame() const { return lacks_key_frame_; }
  // How long to wait after `error`, and what the camera's state then is.
  struct Verdict {
    CameraState state;
    Duration delay;
  };
  Verdict Judge(const Error& error, SteadyTime now);
  void ForgetFailures();
  // Why nothing is recorded after `error`. REQUIRES: it ended this connection; Judge was not asked yet.
  GapCause CauseOf(const Error& error) const;
  // Tells whoever listens for gaps that nothing is recorded from the last frame of this connection on, or,
  // where it had none, from now on. Cheap when it was told already.
  void TellGap(GapCause cause, std::string detail);
  void TellRecording();
  bool told_gap() const { return told_gap_.has_value(); }
  // What was told counts for another stream.
  void ForgetGap() { told_gap_ = GapCause::kUnknown; }

  void SetState(CameraState state, std::optional<Timestamp> next_retry = std::nullopt);
  void SetLastError(const Error& error);
  void OnDialled(SteadyTime now);
  void OnConnected();  // the first frame came
  void SampleRates(SteadyTime now);
  CameraStatus Status() const;

  // -- worker
  // Makes the sink, where there is none, and starts a source.
  Result<void> Connect(const StoredCamera& as, const FrameSinkFactory& make_sink,
                       const RtspSourceFactory& make_source);
  // Ends the source and the run, and the sink too when `drop_sink`.
  void Disconnect(bool drop_sink);

  // -- the source's threads
  void OnRun(const std::vector<TrackInfo>& tracks, ClockSource clock) override;
  void OnFrame(Frame frame) override;
  void OnLoss(TrackKind kind, std::uint64_t packets) override;
  void OnClock(ClockSource clock) override;
  void OnTimeTrouble(std::uint64_t corrected, std::uint64_t jumps) override;
  void OnEnded(Error error) override;

 private:
  struct Metrics {
    explicit Metrics(const std::string& camera);
    prometheus::Counter& frames;
    prometheus::Counter& bytes;
    prometheus::Counter& attempts;
    prometheus::Counter& connects;
    prometheus::Counter& refused;
    prometheus::Counter& corrected;
    prometheus::Counter& jumps;
    prometheus::Counter& lost;
    prometheus::Gauge& recording;
  };

  void NoteHole(Timestamp arrival);  // of a frame

  const std::string name_;
  const FleetOptions& options_;
  const std::function<void()> wake_;
  Metrics metrics_;

  // Worker only.
  std::unique_ptr<FrameSink> sink_;
  std::unique_ptr<RtspSource> source_;
  std::string stream_;  // that the sink records; the source's threads read it

  // Fleet.
  Backoff backoff_;
  Duration unauthorized_delay_;
  std::optional<SteadyTime> recording_since_;
  std::uint64_t frames_at_dial_ = 0;
  std::optional<GapCause> told_gap_;  // the last that was told; none: recording, or nothing was told yet

  std::atomic<std::uint64_t> frames_{0};
  std::atomic<std::uint64_t> video_frames_{0};
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::int64_t> alive_ns_{0};  // steady: when the last frame that counts as a sign of life came
  std::atomic<std::int64_t> last_frame_ns_{0};  // wall
  std::atomic<bool> has_video_{false};          // of the run
  std::atomic<bool> lacks_key_frame_{false};    // pictures come, and none of them can be decoded yet
  // The source's lock.
  bool key_frame_seen_ = false;    // of the run
  Duration usual_step_{0};         // between frames of any track
  bool lost_since_frame_ = false;  // packets

  mutable std::mutex mutex_;  // guards what follows
  CameraState state_ = CameraState::kConnecting;
  Timestamp state_since_;
  std::optional<std::string> last_error_;
  std::optional<Timestamp> next_retry_;
  std::optional<Error> ended_;
  std::vector<TrackInfo> tracks_;
  std::optional<ClockSource> clock_;
  std::uint64_t attempts_ = 0;
  std::uint64_t connects_ = 0;
  std::uint64_t corrected_ = 0;
  std::uint64_t jumps_ = 0;
  RateMeter rates_;
};

}  // namespace millrace
