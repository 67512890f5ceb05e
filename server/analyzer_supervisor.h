// Runs one analyzer as a process of its own (`millrace analyze --supervised`), as long as a camera asks for
// it, and keeps it running: what crashes, hangs or eats memory is ended and started again, ever later.
// Recording notices none of it.
//
// The child's input has the streams to analyse, its output a line a second of how it is. It ends when its
// input does, so it never outlives the server.
//
// Threads: one of its own; status from any.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "api/v1/analyzer_status.h"
#include "base/backoff.h"
#include "base/time.h"
#include "server/child_process.h"

namespace millrace::server {

struct SupervisorOptions {
  std::string name;                      // of the analyzer, as cameras name it
  std::vector<std::string> command;      // to start it with
  std::vector<std::string> environment;  // "NAME=value", beside the server's
  BackoffOptions backoff;
  Duration stable_after =
      std::chrono::seconds(60);  // running for so long makes the next wait a first one again
  Duration silence_max = std::chrono::seconds(30);  // no line from it, or longer with one frame: it hangs
  Duration frame_max = std::chrono::seconds(60);
  std::uint64_t memory_bytes_max = 2ull << 30;
};

class AnalyzerSupervisor {
 public:
  // The streams that it is to analyse now. Called on the supervisor's thread, each half second.
  using Wanted = std::function<std::set<std::string>()>;

  // `unwanted` is called when no stream is left and the process has ended.
  AnalyzerSupervisor(SupervisorOptions options, Wanted wanted, std::function<void()> unwanted);
  ~AnalyzerSupervisor();  // Stop
  AnalyzerSupervisor(const AnalyzerSupervisor&) = delete;
  AnalyzerSupervisor& operator=(const AnalyzerSupervisor&) = delete;

  // Ends the process; it may finish what it is at for two seconds.
  void Stop();
  api::AnalyzerStatus status() const;

 private:
  void Run();
  void Step(const std::set<std::string>& wanted);
  void StartChild();
  void EndChild(const std::string& why);  // kills it, and waits for the next start
  void StopChild();                       // lets it finish
  void TakeStatus(const std::string& line);
  void Ended(const std::string& how);
  void SetState(const std::string& state);

  const SupervisorOptions options_;
  const Wanted wanted_;
  const std::function<void()> unwanted_;

  // of the thread
  std::unique_ptr<ChildProcess> child_;
  Backoff backoff_;
  std::set<std::string> told_;
  std::chrono::steady_clock::time_point started_;
  std::chrono::steady_clock::time_point heard_;
  std::chrono::steady_clock::time_point start_at_;
  Duration busy_{0};
  api::AnalyzerStatus base_;  // when the process was started: the counts of those before

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;       // GUARDED_BY(mutex_)
  api::AnalyzerStatus status_;  // GUARDED_BY(mutex_)
  std::thread thread_;
};

}  // namespace millrace::server
