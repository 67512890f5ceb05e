// Goal: a stream's edge configuration makes its camera, its schedule switches the camera, its end takes the
// camera away; other people's cameras are left alone. Method: a real fleet and store over sources and a log
// in memory, and a clock that the test sets.
#include "ingest/edge_cameras.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>

#include "tests/fragments/memory_log.h"
#include "tests/ingest/collectors.h"
#include "tests/ingest/fake_source.h"

namespace millrace::test {
namespace {

constexpr char kHub[] = "arn:aws:iot:us-east-1:000000000000:thing/hub";
const Timestamp kNow = *ParseTime("2026-11-20T07:59:50Z");  // a Friday

EdgeConfiguration Edge() {
  EdgeConfiguration edge;
  edge.hub_device_arn = kHub;
  edge.media_uri_secret_arn = "secret";
  return edge;
}

class EdgeCamerasTest : public testing::Test {
 protected:
  void SetUp() override {
    store_ = *FragmentStore::Open(log_, {.clock = &clock_});
    ASSERT_TRUE(store_->CreateStream("door", std::chrono::hours(24)));
    fleet_ = *CameraFleet::Start(cameras_, sinks_.Factory(), {}, sources_.Factory());
    Begin();
  }
  void Begin() {
    const auto address = [this](const std::string& arn) -> Result<CameraAddress> {
      const std::lock_guard lock(mutex_);
      EXPECT_EQ(arn, "secret");
      if (address_error_) return *address_error_;
      return address_;
    };
    EdgeCameras::Options options{*store_, *fleet_, address, &clock_};
    options.look_every = std::chrono::milliseconds(20);
    edge_ = std::make_unique<EdgeCameras>(std::move(options));
  }
  void TearDown() override {
    edge_.reset();
    fleet_->Stop();
  }

  void Set(std::optional<EdgeConfiguration> edge, const std::string& stream = "door") {
    const StreamUpdate update{.change = [&](StreamSettings& settings) -> Result<void> {
      settings.edge = edge;
      return {};
    }};
    ASSERT_TRUE(store_->UpdateStream(stream, update));
  }
  void SetAddress(const std::string& url, const std::string& password, std::optional<Error> error = {}) {
    const std::lock_guard lock(mutex_);
    address_ = {url, {"viewer", password}};
    address_error_ = std::move(error);
  }
  bool Enabled(bool enabled) const {
    return WaitUntil([&] {
      const auto camera = fleet_->Get("door");
      return camera && camera->settings.enabled == enabled;
    });
  }
  bool Gone() const {
    return WaitUntil([&] { return !fleet_->Get("door"); });
  }

  ManualClock clock_{kNow};
  MemoryLog log_;
  std::unique_ptr<FragmentStore> store_;
  MemoryStore cameras_;
  SinkSet sinks_;
  FakeSources sources_{[](const RtspSourceOptions&, RtspSourceEvents&) {}};
  std::unique_ptr<CameraFleet> fleet_;
  std::mutex mutex_;
  CameraAddress address_{"rtsp://camera.example/live", {"viewer", "first"}};
  std::optional<Error> address_error_;
  std::unique_ptr<EdgeCameras> edge_;
};

TEST_F(EdgeCamerasTest, AConfigurationMakesACameraAndItsEndTakesItAway) {
  Set(Edge());
  ASSERT_TRUE(edge_->Apply("door"));
  const auto camera = fleet_->Get("door");
  ASSERT_TRUE(camera);
  EXPECT_EQ(camera->settings.url, "rtsp://camera.example/live");
  EXPECT_EQ(camera->settings.stream, "door");
  EXPECT_EQ(camera->settings.retention, std::chrono::hours(24));
  EXPECT_EQ(camera->settings.labels.at(kEdgeLabel), kHub);
  EXPECT_TRUE(camera->settings.edge);
  EXPECT_TRUE(camera->has_credentials);
  EXPECT_TRUE(camera->settings.enabled);
  EXPECT_TRUE(edge_->Status("door").camera);
  EXPECT_FALSE(edge_->Status("door").failure);
  Set(std::nullopt);
  ASSERT_TRUE(edge_->Apply("door"));
  EXPECT_FALSE(fleet_->Get("door"));
  EXPECT_FALSE(edge_->Status("door").camera);
}

TEST_F(EdgeCamerasTest, ConfigurationsAreFollowedWithoutBeingTold) {
  Set(Edge());
  EXPECT_TRUE(Enabled(true));
  ASSERT_TRUE(fleet_->Remove("door"));
  EXPECT_TRUE(Enabled(true)) << "somebody else removed it";
  ASSERT_TRUE(store_->DeleteStream("door"));
  EXPECT_TRUE(Gone());
}

TEST_F(EdgeCamerasTest, TheScheduleSwitchesTheCamera) {
  EdgeConfiguration edge = Edge();
  edge.recorder_schedule = EdgeSchedule{"0 0 8 ? * MON-FRI", 60};
  Set(edge);
  EXPECT_TRUE(Enabled(false));
  clock_.Advance(std::chrono::seconds(10));  // 08:00:00
  EXPECT_TRUE(Enabled(true));
  clock_.Advance(std::chrono::seconds(59));
  EXPECT_TRUE(Enabled(true));
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_TRUE(Enabled(false));
  clock_.Advance(std::chrono::hours(24));  // Saturday
  EXPECT_TRUE(Enabled(false));
}

TEST_F(EdgeCamerasTest, WhatASecretSaysNowCounts) {
  Set(Edge());
  ASSERT_TRUE(Enabled(true));
  SetAddress("rtsp://other.example/live", "second");
  edge_->LookAgain();
  EXPECT_TRUE(WaitUntil([&] {
    const auto camera = fleet_->Get("door");
    return camera && camera->settings.url == "rtsp://other.example/live";
  }));
  SetAddress("", "", Error{ErrorCode::kNotFound, "there is no secret"});
  EXPECT_TRUE(Gone()) << "its login goes with the secret";
  EXPECT_TRUE(WaitUntil([&] { return edge_->Status("door").failure.has_value(); }));
  SetAddress("rtsp://camera.example/live", "third");
  EXPECT_TRUE(Enabled(true));
  EXPECT_TRUE(WaitUntil([&] { return !edge_->Status("door").failure; }));
  SetAddress("", "", Error{ErrorCode::kCorruption, "the key is another"});
  EXPECT_TRUE(WaitUntil([&] { return edge_->Status("door").failure.has_value(); }));
  EXPECT_TRUE(fleet_->Get("door")) << "what cannot be read now is no reason to stop recording";
}

TEST_F(EdgeCamerasTest, OtherPeoplesCamerasAreLeftAlone) {
  CameraSettings settings;
  settings.name = "door";
  settings.url = "rtsp://mine.example/live";
  settings.stream = "elsewhere";
  ASSERT_TRUE(fleet_->Put(settings, std::nullopt));
  Set(Edge());
  EXPECT_EQ(edge_->Apply("door").error().code, ErrorCode::kAlreadyExists);
  EXPECT_THAT(edge_->Status("door").failure->message, testing::HasSubstr("remove it first"));
  EXPECT_FALSE(edge_->Status("door").camera);
  Set(std::nullopt);
  ASSERT_TRUE(edge_->Apply("door"));
  EXPECT_EQ(fleet_->Get("door")->settings.url, "rtsp://mine.example/live");
  ASSERT_TRUE(fleet_->Remove("door"));
  settings.name = "mine";
  settings.stream = "door";
  ASSERT_TRUE(fleet_->Put(settings, std::nullopt));
  Set(Edge());
  EXPECT_EQ(edge_->Apply("door").error().code, ErrorCode::kAlreadyExists);
}

// Labels are people's own text.
TEST_F(EdgeCamerasTest, ALabelMakesNobodysCameraAnEdgeCamera) {
  CameraSettings settings;
  settings.name = "door";
  settings.url = "rtsp://mine.example/live";
  settings.stream = "door";
  settings.labels[kEdgeLabel] = kHub;
  ASSERT_TRUE(fleet_->Put(settings, std::nullopt));
  ASSERT_TRUE(edge_->Apply("door"));
  EXPECT_TRUE(fleet_->Get("door")) << "its stream has no configuration";
  Set(Edge());
  EXPECT_EQ(edge_->Apply("door").error().code, ErrorCode::kAlreadyExists);
  EXPECT_FALSE(edge_->Status("door").camera);
  SetAddress("", "", Error{ErrorCode::kNotFound, "there is no secret"});
  EXPECT_FALSE(edge_->Apply("door"));
  Set(std::nullopt);
  ASSERT_TRUE(edge_->Apply("door"));
  ASSERT_TRUE(fleet_->Get("door"));
  EXPECT_EQ(fleet_->Get("door")->settings.url, "rtsp://mine.example/live");
}

TEST_F(EdgeCamerasTest, AConfigurationThatCannotWorkIsToldBefore) {
  const auto refusal = [&](const EdgeConfiguration& edge) {
    const auto checked = edge_->Check(edge);
    EXPECT_TRUE(checked || checked.error().code == ErrorCode::kInvalidArgument);
    return checked ? "" : checked.error().message;
  };
  using testing::HasSubstr;
  EXPECT_EQ(refusal(Edge()), "");
  EdgeConfiguration edge = Edge();
  edge.from_file = true;
  EXPECT_THAT(refusal(edge), HasSubstr("FILE_URI"));
  edge = Edge();
  edge.recorder_schedule = EdgeSchedule{"0 0 25 * * ?", 60};
  EXPECT_THAT(refusal(edge), HasSubstr("RecorderConfig.ScheduleConfig.ScheduleExpression: '25' is no hours"));
  edge.recorder_schedule = EdgeSchedule{"0 0 0 30 2 ?", 60};
  EXPECT_THAT(refusal(edge), HasSubstr("never comes"));
  edge = Edge();
  edge.uploader_schedule = EdgeSchedule{"0 0 0 * * *", 60};
  EXPECT_THAT(refusal(edge), HasSubstr("UploaderConfig"));
  SetAddress("", "", Error{ErrorCode::kNotFound, "there is no secret 'x' here"});
  EXPECT_THAT(refusal(Edge()), HasSubstr("MediaUriSecretArn: there is no secret 'x' here"));
}

struct MomentCase {
  const char* name;
  const char* expression;
  std::uint32_t duration_s;
  const char* now;
  bool on;
  const char* due;
};
void PrintTo(const MomentCase& c, std::ostream* out) { *out << c.name; }

class EdgeMoments : public testing::TestWithParam<MomentCase> {};

TEST_P(EdgeMoments, AreOnOrOff) {
  const MomentCase& c = GetParam();
  const auto moment = AtMoment({c.expression, c.duration_s}, *ParseTime(c.now));
  ASSERT_TRUE(moment) << moment.error().ToString();
  EXPECT_EQ(moment->on, c.on);
  EXPECT_EQ(moment->due ? FormatRfc3339(*moment->due) : "", c.due);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, EdgeMoments,
    testing::Values(
        MomentCase{"Before", "0 0 8 * * ?", 60, "2026-11-20T07:59:59.999Z", false,
                   "2026-11-20T08:00:00.000Z"},
        MomentCase{"Begins", "0 0 8 * * ?", 60, "2026-11-20T08:00:00Z", true, "2026-11-20T08:01:00.000Z"},
        MomentCase{"Lasts", "0 0 8 * * ?", 60, "2026-11-20T08:00:59.999Z", true, "2026-11-20T08:01:00.000Z"},
        MomentCase{"Ends", "0 0 8 * * ?", 60, "2026-11-20T08:01:00Z", false, "2026-11-21T08:00:00.000Z"},
        MomentCase{"EachHourIsAlways", "0 0 * * * ?", 3600, "2026-11-20T08:30:00Z", true,
                   "2026-11-20T09:00:00.000Z"},
        MomentCase{"AtTheSeam", "0 0 * * * ?", 3600, "2026-11-20T09:00:00Z", true,
                   "2026-11-20T10:00:00.000Z"},
        MomentCase{"OverMidnight", "0 30 23 * * ?", 3600, "2026-11-21T00:15:00Z", true,
                   "2026-11-21T00:30:00.000Z"},
        MomentCase{"TheLastTimeIsOver", "0 0 0 1 1 ? 2026", 60, "2026-11-20T00:00:00Z", false, ""}),
    [](const auto& param) { return param.param.name; });

}  // namespace
}  // namespace millrace::test
