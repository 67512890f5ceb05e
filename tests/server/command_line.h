// The real binary in a directory of its own: commands to their end, and a server that they talk to.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "tests/server/process.h"

namespace millrace::server::testing {

struct Outcome {
  int code = 0;
  std::string out;
  std::string err;
};

class CommandLineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "millrace-server-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::vector<std::string> Environment() const {
    std::vector<std::string> environment{"PATH=" + std::string(std::getenv("PATH")),
                                         "HOME=" + directory_.string(),
                                         "MILLRACE_DATA_DIR=" + (directory_ / "data").string()};
    for (const char* name : {"ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"}) {
      if (const char* value = std::getenv(name)) environment.push_back(std::string(name) + "=" + value);
    }
    if (!endpoint_.empty()) environment.push_back("MILLRACE_ENDPOINT=" + endpoint_);
    environment.insert(environment.end(), extra_environment_.begin(), extra_environment_.end());
    return environment;
  }

  std::unique_ptr<Process> Start(std::vector<std::string> arguments,
                                 const std::filesystem::path& in = "/dev/null") {
    arguments.insert(arguments.begin(), MILLRACE_BINARY);
    std::string name = "process" + std::to_string(++processes_);
    return std::make_unique<Process>(arguments, Environment(), directory_ / (name + ".out"),
                                     directory_ / (name + ".err"), in);
  }

  // `in`: a file on standard input.
  Outcome Run(std::vector<std::string> arguments, const std::filesystem::path& in = "/dev/null") {
    auto process = Start(std::move(arguments), in);
    int code = process->Wait();
    return {code, process->out(), process->err()};
  }

  // A server on a free port; commands talk to it afterwards.
  void Serve(std::vector<std::string> arguments = {}) {
    arguments.insert(arguments.begin(), {"serve", "--listen", "127.0.0.1:0"});
    server_ = Start(arguments);
    ASSERT_TRUE(server_->WaitForOutput("Console: http://")) << server_->err();
    std::string out = server_->out();
    auto start = out.find("http://");
    endpoint_ = out.substr(start, out.find_first_of("/\n", start + 7) - start);
  }

  int StopServer(int signal = SIGTERM) {
    server_->Signal(signal);
    return server_->Wait();
  }

  std::filesystem::path Write(const std::string& name, const std::string& text) {
    std::ofstream(directory_ / name) << text;
    return directory_ / name;
  }

  std::filesystem::path directory_;
  std::string endpoint_;
  std::vector<std::string> extra_environment_;
  int processes_ = 0;
  std::unique_ptr<Process> server_;
};

}  // namespace millrace::server::testing
