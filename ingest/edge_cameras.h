// The cameras that the streams' edge configurations ask for: makes them in the fleet, switches them
// on and off by their schedules, and takes them away with their configurations.
//
// An edge camera has its stream's name and CameraSettings::edge, which only this sets; cameras
// without it are other people's and never touched, whatever their labels. It follows its
// configuration: what somebody changes of it by hand is put right within Options::look_every.
//
// Schedules are Quartz cron expressions in UTC (ingest/quartz_cron.h): the camera records from each
// time on for the schedule's duration; times that overlap are one stretch.
//
// Threads: every method from any thread; one thread inside. What is in Options outlives this.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "base/result.h"
#include "base/time.h"
#include "fragments/fragment_store.h"
#include "ingest/camera_fleet.h"
#include "ingest/edge_control.h"

namespace millrace {

// Of an edge camera, for people to see: the hub that its configuration names.
inline constexpr char kEdgeLabel[] = "edge";

// Where a camera is, and how to log in there.
struct CameraAddress {
  std::string url;  // without user and password
  CameraCredentials credentials;
};

class EdgeCameras final : public EdgeControl {
 public:
  struct Options {
    FragmentStore& store;
    CameraFleet& fleet;
    // Of a secret's ARN. Errors: kInvalidArgument, kNotFound, those of the secrets. Quotes no secret.
    std::function<Result<CameraAddress>(const std::string& arn)> address;
    const Clock* clock = &SystemClock();
    Duration look_every = std::chrono::seconds(30);
  };

  // Looks at all streams at once, and goes on until Stop.
  explicit EdgeCameras(Options options);
  ~EdgeCameras() override;

  Result<void> Check(const EdgeConfiguration& edge) override;
  Result<void> Apply(const std::string& stream) override;
  EdgeStatus Status(const std::string& stream) override;

  // Looks at all streams again soon: a secret has changed.
  void LookAgain();
  // Ends the thread; cameras stay as they are.
  void Stop();

 private:
  struct Wanted {
    CameraSettings settings;
    CameraCredentials credentials;
  };
  void Run();
  // When the next of them is due at the latest.
  Timestamp ApplyAll();
  // Applies one, and says when it is due again. REQUIRES: applying_ is held.
  Result<Timestamp> ApplyOne(const std::string& stream);
  Result<Wanted> WantedOf(const StreamDescription& stream, Timestamp now, Timestamp& due);
  Result<void> RemoveOwn(const std::string& stream);

  const Options options_;
  std::mutex applying_;  // one at a time; taken before mutex_
  std::mutex mutex_;     // guards what follows
  std::condition_variable wake_;
  std::map<std::string, Error> failures_;  // of streams whose configuration could not be applied
  bool look_ = true;
  bool stopped_ = false;
  std::thread thread_;  // last: it uses all of the above
};

// Whether a schedule records at `now`, and when that may change next; none: always as it is.
// Errors: kInvalidArgument.
struct EdgeMoment {
  bool on = false;
  std::optional<Timestamp> due;
};
Result<EdgeMoment> AtMoment(const EdgeSchedule& schedule, Timestamp now);

}  // namespace millrace
