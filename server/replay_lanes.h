// The processes of a replay: started, listened to, and started again where they end before their time.
//
// A process that ends goes on where it was, so that what ends it is met again: at the third end it is set
// aside by the process itself (consumers/analysis/replay_lane.h). One that ends five times without getting on
// has failed.
//
// Threads: one owner.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "consumers/analysis/analysis_meter.h"
#include "server/child_process.h"

namespace millrace::server {

struct ReplayLanesOptions {
  std::vector<std::vector<std::string>> commands;  // one a lane
  std::vector<std::string> environment;
  Duration frame_max = std::chrono::seconds(60);
};

class ReplayLanes {
 public:
  explicit ReplayLanes(ReplayLanesOptions options);

  // Listens for a tenth of a second. False: nothing runs any more. Errors: a lane that cannot be started, or
  // does not get on; kInvalidArgument, kNotFound, kFailedPrecondition: a lane ended with that
  // (FinalErrorOf). The others run on.
  Result<bool> Step();
  // They may finish the fragment that they are at.
  void Stop();
  // Of all lanes, those of the processes before included.
  AnalysisProgress progress() const;
  std::uint64_t ends() const { return ends_; }  // that nobody asked for

 private:
  struct Lane {
    std::unique_ptr<ChildProcess> child;
    AnalysisProgress before;  // of the processes that have ended
    AnalysisProgress now;
    int ends_in_place = 0;  // without getting on
    bool done = false;
  };
  Result<void> StartLane(std::size_t index);
  Result<void> Ended(std::size_t index, const ProcessEnd& end);

  const ReplayLanesOptions options_;
  std::vector<Lane> lanes_;
  std::uint64_t ends_ = 0;
  bool stopping_ = false;
};

}  // namespace millrace::server
