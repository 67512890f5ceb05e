// The real camera-sim as a child process of a test. It ends when this object does, and when the test program
// dies.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

extern char** environ;

namespace millrace::test {

// A new empty directory under gtest's temporary one.
inline std::string MakeTempDir(const std::string& base) {
  std::string path = base + "millrace-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("mkdtemp");
  return path;
}

class SimProcess {
 public:
  // Small pictures by default; options given later win.
  explicit SimProcess(std::vector<std::string> options, std::vector<std::string> environment = {}) {
    std::vector<std::string> words{CAMERA_SIM_BIN, "--port", "0",         "--until-stdin-closes",
                                   "--width",      "320",    "--height",  "240",
                                   "--gop",        "25",     "--bitrate", "300"};
    words.insert(words.end(), options.begin(), options.end());
    int to_child[2];
    int from_child[2];
    if (::pipe2(to_child, O_CLOEXEC) != 0 || ::pipe2(from_child, O_CLOEXEC) != 0)
      throw std::runtime_error("pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to_child[0], 0);
    posix_spawn_file_actions_adddup2(&actions, from_child[1], 1);
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    std::vector<char*> variables;
    for (char** variable = environ; *variable != nullptr; ++variable) variables.push_back(*variable);
    for (std::string& variable : environment) variables.push_back(variable.data());
    variables.push_back(nullptr);
    const int failed =
        ::posix_spawn(&pid_, CAMERA_SIM_BIN, &actions, nullptr, arguments.data(), variables.data());
    posix_spawn_file_actions_destroy(&actions);
    ::close(to_child[0]);
    ::close(from_child[1]);
    in_ = to_child[1];
    out_ = from_child[0];
    if (failed != 0) throw std::runtime_error("cannot start " CAMERA_SIM_BIN);
    const std::string ready = WaitLine("camera-sim ready ");
    prefix_ = ready.substr(17, ready.find(' ', 17) - 17);
  }
  ~SimProcess() {
    ::close(in_);
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::close(out_);
  }
  SimProcess(const SimProcess&) = delete;
  SimProcess& operator=(const SimProcess&) = delete;

  std::string Url(int camera) const { return prefix_ + std::to_string(camera); }

  // Sends a command and returns the answer, "ok …".
  std::string Tell(const std::string& command) {
    const std::string line = command + "\n";
    if (::write(in_, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
      throw std::runtime_error("write");
    return WaitLine("ok");
  }

 private:
  std::string WaitLine(const std::string& prefix) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    for (;;) {
      for (std::size_t end; (end = received_.find('\n')) != std::string::npos;) {
        const std::string line = received_.substr(0, end);
        received_.erase(0, end + 1);
        if (line.starts_with(prefix)) return line;
      }
      pollfd wait{out_, POLLIN, 0};
      char chunk[4096];
      if (std::chrono::steady_clock::now() > deadline)
        throw std::runtime_error("camera-sim did not say " + prefix);
      if (::poll(&wait, 1, 1000) <= 0) continue;
      const ssize_t count = ::read(out_, chunk, sizeof(chunk));
      if (count <= 0) throw std::runtime_error("camera-sim ended");
      received_.append(chunk, static_cast<std::size_t>(count));
    }
  }

  pid_t pid_ = 0;
  int in_ = -1;
  int out_ = -1;
  std::string received_;
  std::string prefix_;
};

}  // namespace millrace::test
