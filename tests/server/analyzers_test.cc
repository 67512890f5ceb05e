// Goal: a supervised process is told what to do, listened to, ended when it misbehaves and started again; and
// its settings are read strictly. Method: shell scripts in the place of analyzers.
#include <gtest/gtest.h>

#include <atomic>
#include <boost/json/parse.hpp>
#include <filesystem>
#include <fstream>

#include "server/analyzer_choice.h"
#include "server/analyzer_supervisor.h"
#include "server/child_process.h"
#include "server/config.h"
#include "server/events_command.h"
#include "server/replay_lanes.h"
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
  const auto end = (*child)->Ended();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->exit_code, std::nullopt);
  EXPECT_EQ(end->how, "signal 9 (Killed)");
}

TEST(ChildProcess, SaysHowItEndedAndWhatCannotStart) {
  auto child = ChildProcess::Start(Shell("exit 7"));
  ASSERT_TRUE(child);
  EXPECT_TRUE(WaitUntil([&] { return (*child)->Ended().has_value(); }));
  const auto end = (*child)->Ended();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->exit_code, 7);
  EXPECT_EQ(end->how, "exit code 7");
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
    options.silence_max = std::chrono::hours(1);  // a machine that stands still is no silence
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

TEST(ReplayLanes, WhatAProcessSaysByItsExitCodeIsTheError) {
  const std::pair<const char*, ErrorCode> cases[] = {{"exit 2", ErrorCode::kInvalidArgument},
                                                     {"exit 3", ErrorCode::kNotFound},
                                                     {"exit 5", ErrorCode::kFailedPrecondition},
                                                     {"exit 1", ErrorCode::kInternal}};
  for (const auto& [script, code] : cases) {
    ReplayLanesOptions options;
    options.commands = {Shell(script)};
    ReplayLanes lanes(std::move(options));
    Result<bool> stepped = true;
    EXPECT_TRUE(WaitUntil([&] { return !(stepped = lanes.Step()) || !*stepped; }));
    ASSERT_FALSE(stepped) << script;
    EXPECT_EQ(stepped.error().code, code) << script;
  }
}

TEST(AnalyzerChoice, ShowsTheFramesThatTheServerShows) {
  const auto built_in = AnalyzersConfig::BuiltInInstances();
  for (const auto& [name, instance] : built_in) {
    EXPECT_EQ(FramesOf({.analyzer = name, .plugin = {}, .options = {}, .frames = {}}), instance.frames);
  }
  EXPECT_EQ(built_in.at("motion").frames, "per-second:5");
  AnalyzerChoice choice;
  choice.plugin = "/a.so";
  EXPECT_EQ(FramesOf(choice), "key-frames");
  choice.frames = "all";
  EXPECT_EQ(FramesOf(choice), "all");
}

TEST(EventsCommand, EventsWithoutAnIdAreToldApart) {
  auto key = [](const char* event) { return KeyOfEvent(boost::json::parse(event).as_object()); };
  EXPECT_NE(key(R"({"Type":"On","FragmentNumber":"1"})"), key(R"({"Type":"On","FragmentNumber":"2"})"));
  EXPECT_EQ(key(R"({"Type":"On","FragmentNumber":"1"})"), key(R"({"Type":"On","FragmentNumber":"1"})"));
  EXPECT_EQ(key(R"({"Type":"On","EventId":"a","FragmentNumber":"1"})"),
            key(R"({"Type":"On","EventId":"a","FragmentNumber":"2"})"));
}

TEST(AnalyzersConfig, OptionsFitIntoAProcesssEnvironmentTogether) {
  const std::string half(70'000, 'x');
  const std::string both = "analyzers: {instances: [{name: a, plugin: /a.so, streams: {door: {x: " + half +
                           "}, yard: {x: " + half + "}}}]}";
  EXPECT_FALSE(ParseConfig(both, "test"));
  EXPECT_TRUE(ParseConfig(
      "analyzers: {instances: [{name: a, plugin: /a.so, streams: {door: {x: " + half + "}}}]}", "test"));
}

TEST(AnalyzersConfig, IsRead) {
  auto config = ParseConfig(
      "analyzers: {frames: 'per-second:2', when_behind: skip, memory_mib: 512, frame_max_s: 5, "
      "plugins: {plates: /opt/libplates.so}}",
      "test");
  ASSERT_TRUE(config) << config.error().ToString();
  const auto& instances = config->analyzers.instances;
  EXPECT_EQ(instances.at("plates").plugin, "/opt/libplates.so");
  EXPECT_EQ(instances.at("faces").analyzer, "faces");
  for (const char* name : {"faces", "plates"}) {
    EXPECT_EQ(instances.at(name).frames, "per-second:2");
    EXPECT_EQ(instances.at(name).when_behind, "skip");
  }
  EXPECT_EQ(config->analyzers.memory_bytes_max, 512u << 20);
}

TEST(AnalyzersConfig, InstancesHaveOptions) {
  auto config = ParseConfig(R"(
analyzers:
  frames: every:5
  instances:
    - name: near
      analyzer: faces
      options: {smallest_face: 0.3, confidence_min: 60}
      streams: {gate: {confidence_min: 80}}
    - name: plates
      plugin: /opt/libplates.so
      frames: all
      when_behind: skip
      options: {country: "it", code: "12", zones: [{name: drive, box: [0, 0.5, 1, 1]}], on: true, none: null}
)",
                            "test");
  ASSERT_TRUE(config) << config.error().ToString();
  const auto& near = config->analyzers.instances.at("near");
  EXPECT_EQ(near.analyzer, "faces");
  EXPECT_EQ(near.frames, "key-frames");  // the analyzer's own
  EXPECT_EQ(boost::json::value(near.options.all),
            boost::json::parse(R"({"smallest_face":0.3,"confidence_min":60})"));
  EXPECT_EQ(boost::json::value(near.options.by_stream.at("gate")),
            boost::json::parse(R"({"confidence_min":80})"));
  const auto& plates = config->analyzers.instances.at("plates");
  EXPECT_EQ(plates.frames, "all");
  EXPECT_EQ(plates.when_behind, "skip");
  EXPECT_EQ(boost::json::value(plates.options.all), boost::json::parse(R"({"country":"it","code":"12",
      "zones":[{"name":"drive","box":[0,0.5,1,1]}],"on":true,"none":null})"));
  EXPECT_EQ(config->analyzers.instances.count("faces"), 1u);
}

TEST(AnalyzersConfig, IsRefusedWhereItIsWrong) {
  for (const char* bad :
       {"analyzers: {frames: some}",
        "analyzers: {frames: 'every:0'}",
        "analyzers: {when_behind: give-up}",
        "analyzers: {memory_mib: 1}",
        "analyzers: {frame_max_s: 0}",
        "analyzers: {plugins: [a]}",
        "analyzers: {plugins: {Plates: /opt/a.so}}",
        "analyzers: {plugins: {plates: a.so}}",
        "analyzers: {plugins: {'../x': /opt/a.so}}",
        "analyzers: {plugins: {plates: [1]}}",
        "analyzers: {restart: 1}",
        "analyzers: []",
        "analyzers: {instances: {}}",
        "analyzers: {instances: [x]}",
        "analyzers: {instances: [{name: a}]}",
        "analyzers: {instances: [{analyzer: faces}]}",
        "analyzers: {instances: [{name: A, analyzer: faces}]}",
        "analyzers: {instances: [{name: a, analyzer: nobody}]}",
        "analyzers: {instances: [{name: a, analyzer: faces, plugin: /a.so}]}",
        "analyzers: {instances: [{name: a, plugin: a.so}]}",
        "analyzers: {instances: [{name: a, analyzer: faces, options: [1]}]}",
        "analyzers: {instances: [{name: a, analyzer: faces, options: {a: "
        "[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}}]}",
        "analyzers: {instances: [{name: a, analyzer: faces, streams: [gate]}]}",
        "analyzers: {instances: [{name: a, analyzer: faces, streams: {gate: 1}}]}",
        "analyzers: {instances: [{name: a, analyzer: faces, frames: none}]}",
        "analyzers: {instances: [{name: a, analyzer: faces}, {name: a, analyzer: faces}]}"}) {
    EXPECT_FALSE(ParseConfig(bad, "test")) << bad;
  }
}

struct OptionsCase {
  const char* options;
  const char* says;  // empty: good
};

TEST(AnalyzersConfig, OptionsAreCheckedBeforeAnythingStarts) {
  for (const auto& [options, says] :
       {OptionsCase{R"({"smallest_face":0.2})", ""},
        OptionsCase{R"({"smallest_fase":0.2})", "analyzer 'near': option 'smallest_fase' is not known"},
        OptionsCase{R"({"smallest_face":7})", "option 'smallest_face' must be a number from 0.02 to 1"}}) {
    AnalyzerInstance instance;
    instance.name = "near";
    instance.analyzer = "faces";
    instance.options.all = boost::json::parse(options).as_object();
    auto checked = CheckOptions(instance);
    EXPECT_EQ(checked.has_value(), std::string(says).empty());
    if (checked) continue;
    EXPECT_NE(checked.error().message.find(says), std::string::npos) << checked.error().message;
  }
}

}  // namespace
}  // namespace millrace::server
