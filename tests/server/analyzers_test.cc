// Goal: a supervised process is told what to do, listened to, ended when it misbehaves and started again; and
// its settings are read strictly. Method: shell scripts in the place of analyzers.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>

#include "server/analyzer_supervisor.h"
#include "server/child_process.h"
#include "server/config.h"
#include "tests/wait.h"

namespace millrace::server {
namespace {

std::vector<std::string> Shell(const std::string& script) { return {"/bin/sh", "-c", script}; }

using test::WaitUntil;

TEST(ChildProcess, IsToldAndListenedTo) {
  auto child = ChildProcess::Start(Shell("while read line; do echo \"got $line\"; done; exit 3"));
  ASSERT_TRUE(child) << child.error().ToString();
  EXPECT_TRUE((*child)->Tell("one"));
  EXPECT_TRUE((*child)->Tell("two"));
  std::vector<std::string> lines;
  EXPECT_TRUE(WaitUntil([&] {
    for (std::string& line : (*child)->ReadLines(std::chrono::milliseconds(20))) lines.push_back(line);
    return lines.size() == 2;
  }));
  EXPECT_EQ(lines, (std::vector<std::string>{"got one", "got two"}));
  EXPECT_FALSE((*child)->Ended());
  EXPECT_GT((*child)->pid(), 0);
  (*child)->Signal(9);
  EXPECT_TRUE(WaitUntil([&] { return (*child)->Ended().has_value(); }));
  EXPECT_EQ((*child)->Ended(), "signal 9 (Killed)");
}

TEST(ChildProcess, SaysHowItEndedAndWhatCannotStart) {
  auto child = ChildProcess::Start(Shell("exit 7"));
  ASSERT_TRUE(child);
  EXPECT_TRUE(WaitUntil([&] { return (*child)->Ended().has_value(); }));
  EXPECT_EQ((*child)->Ended(), "exit code 7");
  EXPECT_FALSE(ChildProcess::Start({"/no/such/program"}));
}

TEST(ChildProcess, EndlessLinesTakeNoMemory) {
  auto child =
      ChildProcess::Start(Shell("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end; cat > /dev/null"));
  ASSERT_TRUE(child);
  bool ended = false;
  EXPECT_TRUE(WaitUntil([&] {
    for (const std::string& line : (*child)->ReadLines(std::chrono::milliseconds(20))) {
      EXPECT_LT(line.size(), 100'000u);
      ended = ended || line == "end";
    }
    return ended;
  }));
}

class SupervisorTest : public ::testing::Test {
 protected:
  SupervisorOptions Options(const std::string& script) {
    SupervisorOptions options;
    options.name = "test";
    options.command = Shell(script);
    options.backoff = {.base = std::chrono::milliseconds(10), .max = std::chrono::milliseconds(50)};
    options.silence_max = std::chrono::seconds(10);
    return options;
  }
  void Start(SupervisorOptions options) {
    supervisor_ = std::make_unique<AnalyzerSupervisor>(
        std::move(options),
        [this] {
          return wanted_ ? std::set<std::string>{"door", "yard"} : std::set<std::string>();
        },
        [this] { ++unwanted_; });
  }
  bool Reaches(const std::function<bool(const api::AnalyzerStatus&)>& state) {
    return WaitUntil([&] { return state(supervisor_->status()); });
  }

  std::atomic<bool> wanted_{true};
  std::atomic<int> unwanted_{0};
  std::unique_ptr<AnalyzerSupervisor> supervisor_;
};

TEST_F(SupervisorTest, RunsWhileItIsWantedAndCountsOverRestarts) {
  Start(Options(
      "read streams; echo '{\"fragments\":2,\"frames\":5,\"behind_ms\":120,\"fragment\":\"door/1\"}'; "
      "[ \"$streams\" = '{\"streams\":[\"door\",\"yard\"]}' ] || exit 9; sleep 0.3; exit 1"));
  EXPECT_TRUE(Reaches([](const auto& status) { return status.ends >= 2 && status.fragments >= 6; }));
  EXPECT_EQ(supervisor_->status().last_error, "exit code 1, with fragment door/1");
  wanted_ = false;
  EXPECT_TRUE(Reaches([](const auto& status) { return status.state == "idle" && !status.pid; }));
  EXPECT_TRUE(WaitUntil([&] { return unwanted_ == 1; }));
  std::uint64_t starts = supervisor_->status().starts;
  wanted_ = true;
  EXPECT_TRUE(Reaches([&](const auto& status) { return status.starts > starts; }));
}

TEST_F(SupervisorTest, EndsWhatHangsWithOneFrame) {
  auto options = Options("while true; do echo '{\"busy_ms\":5000,\"fragment\":\"door/2\"}'; sleep 0.1; done");
  options.frame_max = std::chrono::seconds(1);
  Start(options);
  EXPECT_TRUE(Reaches([](const auto& status) { return status.ends >= 1; }));
  EXPECT_EQ(supervisor_->status().last_error, "killed: it hung with one frame, with fragment door/2");
}

TEST_F(SupervisorTest, EndsWhatGivesNoSignOfLife) {
  auto options = Options("exec sleep 1000");
  options.silence_max = std::chrono::milliseconds(200);
  Start(options);
  EXPECT_TRUE(Reaches([](const auto& status) { return status.ends >= 1; }));
  EXPECT_EQ(supervisor_->status().last_error, "killed: it gave no sign of life");
}

TEST_F(SupervisorTest, GarbageIsNoSignOfLife) {
  auto options = Options("while true; do echo '[1,2'; echo; echo '{\"fragments\":-4'; sleep 0.05; done");
  options.silence_max = std::chrono::milliseconds(300);
  Start(options);
  EXPECT_TRUE(Reaches([](const auto& status) { return status.ends >= 1; }));
  EXPECT_EQ(supervisor_->status().fragments, 0u);
}

TEST_F(SupervisorTest, AProgramThatCannotStartIsTriedAgain) {
  auto options = Options("");
  options.command = {"/no/such/program"};
  Start(options);
  EXPECT_TRUE(Reaches([](const auto& status) { return !status.last_error.empty(); }));
  EXPECT_EQ(supervisor_->status().starts, 0u);
}

// ---- settings

TEST(AnalyzersConfig, IsRead) {
  auto config = ParseConfig(
      "analyzers: {frames: 'per-second:2', when_behind: skip, memory_mib: 512, frame_max_s: 5, "
      "plugins: {plates: /opt/libplates.so}}",
      "test");
  ASSERT_TRUE(config) << config.error().ToString();
  EXPECT_EQ(config->analyzers.frames, "per-second:2");
  EXPECT_EQ(config->analyzers.when_behind, "skip");
  EXPECT_EQ(config->analyzers.memory_bytes_max, 512u << 20);
  EXPECT_EQ(config->analyzers.plugins.at("plates"), "/opt/libplates.so");
}

TEST(AnalyzersConfig, IsRefusedWhereItIsWrong) {
  for (const char* bad :
       {"analyzers: {frames: some}", "analyzers: {frames: 'every:0'}", "analyzers: {when_behind: give-up}",
        "analyzers: {memory_mib: 1}", "analyzers: {frame_max_s: 0}", "analyzers: {plugins: [a]}",
        "analyzers: {plugins: {Plates: /opt/a.so}}", "analyzers: {plugins: {plates: a.so}}",
        "analyzers: {plugins: {'../x': /opt/a.so}}", "analyzers: {plugins: {plates: [1]}}",
        "analyzers: {restart: 1}", "analyzers: []"}) {
    EXPECT_FALSE(ParseConfig(bad, "test")) << bad;
  }
}

}  // namespace
}  // namespace millrace::server
