// A child process that is talked to by its standard input and output: input tells it what to do, and ends
// when the parent does, whatever way; output comes back by lines.
//
// Threads: one owner at a time.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace millrace::server {

struct ProcessEnd {
  std::optional<int> exit_code;  // none: a signal ended it
  std::string how;               // in words: "exit code 3", "signal 9 (Killed)"
};

class ChildProcess {
 public:
  // `command`: the program's path and its arguments. It inherits standard error and nothing else.
  // Errors: kIo.
  // `environment`: "NAME=value", beside those of this process.
  static Result<std::unique_ptr<ChildProcess>> Start(const std::vector<std::string>& command,
                                                     const std::vector<std::string>& environment = {});
  // Kills it, if it still runs, and waits.
  ~ChildProcess();
  // This process's own program, to be started once more.
  static std::string OwnProgram();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  // False: there is no room in the pipe now, or nobody reads.
  bool Tell(const std::string& line);
  // What has come within `wait`; empty: nothing, or the child has closed it.
  std::vector<std::string> ReadLines(Duration wait);
  void Signal(int number);
  // None: it runs.
  std::optional<ProcessEnd> Ended();
  // Of memory that is its own; 0 when it cannot be told.
  std::uint64_t ResidentBytes() const;

 private:
  ChildProcess(pid_t pid, int input, int output) : pid_(pid), input_(input), output_(output) {}

  const pid_t pid_;
  const int input_;                  // we write
  const int output_;                 // we read
  std::optional<ProcessEnd> ended_;  // set when it is waited for: its id may be another's then
  std::string partial_;              // of a line; at most kLineBytesMax
};

}  // namespace millrace::server
