#include "server/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

extern char** environ;

namespace millrace::server {
namespace {

constexpr std::size_t kLineBytesMax = 64 * 1024;
constexpr int kNiceness = 5;  // what records goes first

struct Pipe {
  int read_end = -1;
  int write_end = -1;
  ~Pipe() {
    if (read_end >= 0) ::close(read_end);
    if (write_end >= 0) ::close(write_end);
  }
  bool Open() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return false;
    read_end = ends[0];
    write_end = ends[1];
    return true;
  }
};

Error SpawnError(const std::string& what, int number) {
  return {ErrorCode::kIo, what + ": " + std::strerror(number)};
}

}  // namespace

Result<std::unique_ptr<ChildProcess>> ChildProcess::Start(const std::vector<std::string>& command,
                                                          const std::vector<std::string>& environment) {
  Pipe input;
  Pipe output;
  if (!input.Open() || !output.Open()) return SpawnError("making a pipe", errno);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, input.read_end, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output.write_end, STDOUT_FILENO);
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  // The first of a name counts.
  std::vector<char*> variables;
  for (const std::string& variable : environment) variables.push_back(const_cast<char*>(variable.c_str()));
  for (char** variable = environ; *variable != nullptr; ++variable) variables.push_back(*variable);
  variables.push_back(nullptr);
  pid_t pid = 0;
  int failed = posix_spawn(&pid, words[0], &actions, &attributes, words.data(), variables.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (failed != 0) return SpawnError("starting " + command.front(), failed);
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(pid), kNiceness);
  ::fcntl(input.write_end, F_SETFL, O_NONBLOCK);
  ::fcntl(output.read_end, F_SETFL, O_NONBLOCK);
  return std::unique_ptr<ChildProcess>(
      new ChildProcess(pid, std::exchange(input.write_end, -1), std::exchange(output.read_end, -1)));
}

ChildProcess::~ChildProcess() {
  if (!ended_) {
    ::kill(pid_, SIGKILL);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
  }
  ::close(input_);
  ::close(output_);
}

bool ChildProcess::Tell(const std::string& line) {
  std::string text = line + "\n";
  while (!text.empty()) {
    ssize_t written = ::write(input_, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EAGAIN) {
      pollfd waiting{input_, POLLOUT, 0};
      if (::poll(&waiting, 1, 1000) == 1 && (waiting.revents & POLLOUT) != 0) continue;
    }
    if (written < 0) return false;
    text.erase(0, static_cast<std::size_t>(written));
  }
  return true;
}

std::vector<std::string> ChildProcess::ReadLines(Duration wait) {
  pollfd waiting{output_, POLLIN, 0};
  ::poll(&waiting, 1, static_cast<int>(wait / std::chrono::milliseconds(1)));
  char bytes[4096];
  for (ssize_t got = 0; (got = ::read(output_, bytes, sizeof(bytes))) > 0;) {
    partial_.append(bytes, static_cast<std::size_t>(got));
    if (partial_.size() > kLineBytesMax) break;
  }
  std::vector<std::string> lines;
  std::size_t end = 0;
  while ((end = partial_.find('\n')) != std::string::npos) {
    lines.push_back(partial_.substr(0, end));
    partial_.erase(0, end + 1);
  }
  if (partial_.size() > kLineBytesMax) partial_.clear();
  return lines;
}

void ChildProcess::Signal(int number) {
  if (!ended_) ::kill(pid_, number);
}

std::optional<ProcessEnd> ChildProcess::Ended() {
  int status = 0;
  if (!ended_ && ::waitpid(pid_, &status, WNOHANG) == pid_) {
    if (WIFSIGNALED(status)) {
      const int number = WTERMSIG(status);
      ended_ = {std::nullopt, "signal " + std::to_string(number) + " (" + ::strsignal(number) + ")"};
    } else {
      ended_ = {WEXITSTATUS(status), "exit code " + std::to_string(WEXITSTATUS(status))};
    }
  }
  return ended_;
}

std::string ChildProcess::OwnProgram() {
  std::error_code ec;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", ec);
  return ec ? "/proc/self/exe" : self.string();
}

std::uint64_t ChildProcess::ResidentBytes() const {
  std::ifstream status("/proc/" + std::to_string(pid_) + "/statm");
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  std::uint64_t shared = 0;
  if (!(status >> size >> resident >> shared)) return 0;
  return (resident - std::min(resident, shared)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace millrace::server
