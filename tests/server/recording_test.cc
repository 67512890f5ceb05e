// From a camera to a file, through the real binary: record, follow, play, export, stop, verify, and go on
// after a restart.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "tests/server/process.h"

namespace millrace::server {
namespace {

using ::testing::HasSubstr;
using testing::Process;
using testing::ReadAll;

class RecordingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "millrace-recording-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    camera_ = Start({MILLRACE_CAMERA_SIM, "--port", "0", "--width", "320", "--height", "240", "--bitrate",
                     "300", "--gop", "25", "--duration", "4", "--user", "viewer"},
                    {"CAMERA_SIM_PASSWORD=look"});
    ASSERT_TRUE(camera_->WaitForOutput("camera-sim ready ", std::chrono::seconds(120))) << camera_->err();
    std::string out = camera_->out();
    auto start = out.find("rtsp://");
    url_ = out.substr(start, out.find_first_of(" \n", start) - start);
    if (!url_.ends_with('/')) url_ += '/';
    url_ += "1";
  }
  void TearDown() override {
    server_.reset();
    camera_.reset();
    std::filesystem::remove_all(directory_);
  }

  std::unique_ptr<Process> Start(const std::vector<std::string>& arguments,
                                 std::vector<std::string> environment = {}) {
    for (const char* name : {"PATH", "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"}) {
      if (const char* value = std::getenv(name)) environment.push_back(std::string(name) + "=" + value);
    }
    environment.push_back("HOME=" + directory_.string());
    environment.push_back("MILLRACE_DATA_DIR=" + (directory_ / "data").string());
    environment.push_back("MILLRACE_CAMERA_PASSWORD=look");
    if (!endpoint_.empty()) environment.push_back("MILLRACE_ENDPOINT=" + endpoint_);
    std::string name = "process" + std::to_string(++processes_);
    return std::make_unique<Process>(arguments, environment, directory_ / (name + ".out"),
                                     directory_ / (name + ".err"));
  }

  std::string Run(std::vector<std::string> arguments, int code = 0) {
    arguments.insert(arguments.begin(), MILLRACE_BINARY);
    auto process = Start(arguments);
    EXPECT_EQ(process->Wait(), code) << process->out() << process->err();
    return process->out();
  }

  // Sooner or later: where the machine stands still for long, the camera is connected to anew.
  bool Says(const std::vector<std::string>& arguments, const std::string& text) {
    return test::WaitUntil([&] { return Run(arguments).find(text) != std::string::npos; });
  }

  void Serve() {
    server_ = Start({MILLRACE_BINARY, "serve", "--listen", "127.0.0.1:0"});
    ASSERT_TRUE(server_->WaitForOutput("Console: http://")) << server_->err();
    std::string out = server_->out();
    auto start = out.find("http://");
    endpoint_ = out.substr(start, out.find_first_of("/\n", start + 7) - start);
  }

  std::filesystem::path directory_;
  std::string url_;
  std::string endpoint_;
  int processes_ = 0;
  std::unique_ptr<Process> camera_;
  std::unique_ptr<Process> server_;
};

TEST_F(RecordingTest, FromACameraToAFileAndOnAfterARestart) {
  Serve();
  Run({"camera", "add", "door", url_, "--username", "viewer"});
  std::string lines = Run({"tail", "door", "--count", "3"});
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 3) << lines;
  EXPECT_TRUE(Says({"camera", "show", "door"}, "recording"));
  EXPECT_THAT(Run({"stream", "list"}), HasSubstr("door"));
  for (const char* name : {"clip.mp4", "clip.mkv"}) {
    Run({"export", "door", "--start", "0", "-o", (directory_ / name).string()});
    EXPECT_GT(std::filesystem::file_size(directory_ / name), 20'000U) << name;
  }
  EXPECT_EQ(ReadAll(directory_ / "clip.mp4").substr(4, 4), "ftyp");
  EXPECT_EQ(ReadAll(directory_ / "clip.mkv").substr(0, 4), "\x1a\x45\xdf\xa3");
  server_->Signal(SIGTERM);
  ASSERT_EQ(server_->Wait(), 0) << server_->err();
  EXPECT_THAT(Run({"check"}), HasSubstr("no damage found"));

  Serve();
  // What was there is there, and a new run follows: its lines come after those of the first.
  std::string after = Run({"tail", "door", "--last", "1000", "--count", "6", "--json"});
  EXPECT_THAT(after, HasSubstr("\"run\":1,"));
  EXPECT_EQ(after.find(lines.substr(lines.find("run 1  ") + 7, 47)) != std::string::npos, true);
  Run({"tail", "door", "--last", "1", "--count", "4"});
  EXPECT_TRUE(Says({"stream", "show", "door"}, "Live:       yes"));
  Run({"camera", "remove", "door", "--purge"});
  Run({"stream", "show", "door"}, 3);
  server_->Signal(SIGTERM);
  EXPECT_EQ(server_->Wait(), 0);
}

}  // namespace
}  // namespace millrace::server
