// Goal: the edge operations answer as the model has them, tell what the stream's camera does, and refuse what
// cannot be a camera of this server. Method: raw requests to a real server; the cameras are pretended.
#include <gmock/gmock.h>

#include <map>

#include "ingest/edge_control.h"
#include "tests/api/aws_server.h"

namespace millrace::api::testing {
namespace {

constexpr char kHub[] = R"("HubDeviceArn":"arn:aws:iot:us-east-1:000000000000:thing/hub")";
constexpr char kSource[] =
    R"("MediaSourceConfig":{"MediaUriSecretArn":"arn:aws:secretsmanager:us-east-1:000000000000:secret:door",)"
    R"("MediaUriType":"RTSP_URI"})";
constexpr char kInvalid[] = "InvalidArgumentException";
constexpr char kNone[] = "StreamEdgeConfigurationNotFoundException";

class PretendedCameras final : public EdgeControl {
 public:
  Result<void> Check(const EdgeConfiguration& edge) override {
    checked = edge;
    if (refusal) return *refusal;
    return {};
  }
  Result<void> Apply(const std::string& stream) override {
    applied.push_back(stream);
    if (cannot_apply) return *cannot_apply;
    return {};
  }
  EdgeStatus Status(const std::string&) override { return status; }

  EdgeConfiguration checked;
  std::optional<Error> refusal, cannot_apply;
  std::vector<std::string> applied;
  EdgeStatus status;
};

class EdgeOperationsTest : public AwsServerTest {
 protected:
  void SetUp() override {
    AwsServerTest::SetUp();
    ASSERT_TRUE(store_->CreateStream("door", std::chrono::hours(24)));
  }
  EdgeControl* Edge() override { return &cameras_; }
  CameraOfStream CameraOf() override {
    return [this](const std::string& stream) -> std::optional<std::string> {
      const auto found = fed_.find(stream);
      if (found == fed_.end()) return std::nullopt;
      return found->second;
    };
  }

  AwsAnswer Ask(const std::string& operation, const std::string& members) {
    return Rest("/" + operation, "{" + members + "}");
  }
  // The error's name, "" for none.
  std::string Fault(const std::string& operation, const std::string& members) {
    const auto answer = Ask(operation, members);
    if (answer.status() == 200) return "";
    EXPECT_NE(answer.Text("Message"), "");
    return answer.raw.Header("x-amzn-ErrorType");
  }
  AwsAnswer Start(const std::string& config, const std::string& stream = "door") {
    return Ask("startEdgeConfigurationUpdate",
               R"("StreamName":")" + stream + R"(","EdgeConfig":{)" + config + "}");
  }
  std::string StartFault(const std::string& config, const std::string& stream = "door") {
    const std::string fault = Start(config, stream).Fault();
    return fault.substr(0, fault.find(':'));
  }
  static std::string Least() { return std::string(kHub) + R"(,"RecorderConfig":{)" + kSource + "}"; }
  boost::json::object Describe() {
    const auto answer = Ask("describeEdgeConfiguration", R"("StreamName":"door")");
    EXPECT_EQ(answer.status(), 200) << answer.raw.body;
    return answer.object();
  }

  PretendedCameras cameras_;
  std::map<std::string, std::string> fed_;
};

TEST_F(EdgeOperationsTest, AConfigurationIsToldAsItWasSet) {
  const std::string everything =
      std::string(kHub) + R"(,"RecorderConfig":{)" + kSource +
      R"(,"ScheduleConfig":{"ScheduleExpression":"0 0 8 ? * MON-FRI","DurationInSeconds":3600}},)" +
      R"("UploaderConfig":{"ScheduleConfig":{"ScheduleExpression":"0 0 0 * * ?","DurationInSeconds":60}},)" +
      R"("DeletionConfig":{"EdgeRetentionInHours":12,"LocalSizeConfig":{"MaxLocalMediaSizeInMB":64,)" +
      R"("StrategyOnFullSize":"DENY_NEW_MEDIA"},"DeleteAfterUpload":true})";
  const auto started = Start(everything);
  EXPECT_EQ(
      started.raw.body,
      R"({"StreamName":"door","StreamARN":"arn:aws:kinesisvideo:us-east-1:000000000000:stream/door/1795240800000",)"
      R"("CreationTime":1795240800.000,"LastUpdatedTime":1795240800.000,"SyncStatus":"SYNCING","EdgeConfig":{)" +
          everything + "}}");
  EXPECT_EQ(cameras_.applied, std::vector<std::string>{"door"});
  EXPECT_EQ(cameras_.checked.media_uri_secret_arn,
            "arn:aws:secretsmanager:us-east-1:000000000000:secret:door");
  EXPECT_EQ(cameras_.checked.recorder_schedule, (EdgeSchedule{"0 0 8 ? * MON-FRI", 3600}));
  clock_.Advance(std::chrono::seconds(5));
  EXPECT_EQ(Start(Least()).status(), 200);
  Reopen();
  const auto described = Ask("describeEdgeConfiguration", R"("StreamName":"door")");
  EXPECT_THAT(
      described.raw.body,
      ::testing::HasSubstr(
          R"("CreationTime":1795240800.000,"LastUpdatedTime":1795240805.000,"SyncStatus":"SYNCING","EdgeConfig":{)" +
          Least() + "}"));
  EXPECT_EQ(store_->GetStream("door")->retention, std::chrono::hours(24)) << "no footage is kept twice";
}

TEST_F(EdgeOperationsTest, TheStatusIsTheCameras) {
  ASSERT_EQ(Start(Least()).status(), 200);
  CameraStatus camera;
  camera.state_since = kNow;
  const auto recorder = [&](CameraState state, std::optional<std::string> error) {
    camera.state = state;
    camera.last_error = std::move(error);
    cameras_.status.camera = camera;
    const auto described = Describe();
    EXPECT_EQ(described.at("SyncStatus"), "IN_SYNC");
    const auto& agent = described.at("EdgeAgentStatus").as_object();
    EXPECT_EQ(agent.at("LastUploaderStatus").at("UploaderStatus"), "SUCCESS");
    const auto& job = agent.at("LastRecorderStatus").as_object();
    return std::string(job.at("RecorderStatus").as_string()) + " " +
           std::string(job.at("JobStatusDetails").as_string());
  };
  EXPECT_EQ(recorder(CameraState::kRecording, std::nullopt), "SUCCESS recording");
  EXPECT_EQ(recorder(CameraState::kConnecting, std::nullopt), "SUCCESS connecting");
  EXPECT_EQ(recorder(CameraState::kDisabled, std::nullopt),
            "SUCCESS switched off until its schedule says otherwise");
  EXPECT_EQ(recorder(CameraState::kUnauthorized, "wrong password"), "USER_ERROR wrong password");
  EXPECT_EQ(recorder(CameraState::kWaiting, "no route"), "SYSTEM_ERROR no route");
  EXPECT_EQ(recorder(CameraState::kFailed, "no video"), "SYSTEM_ERROR no video");
  EXPECT_EQ(recorder(CameraState::kConnecting, "no route"),
            "SYSTEM_ERROR connecting again; before: no route");
  camera.last_frame = kNow + std::chrono::seconds(1);
  recorder(CameraState::kRecording, std::nullopt);
  EXPECT_DOUBLE_EQ(
      Describe().at("EdgeAgentStatus").at("LastRecorderStatus").at("LastCollectedTime").as_double(),
      1795240801.0);

  cameras_.status = {.failure = Error{ErrorCode::kNotFound, "there is no secret"}, .camera = {}};
  const auto failed = Describe();
  EXPECT_EQ(failed.at("SyncStatus"), "SYNC_FAILED");
  EXPECT_EQ(failed.at("FailedStatusDetails"), "there is no secret");
  EXPECT_EQ(failed.at("EdgeAgentStatus").at("LastRecorderStatus").at("RecorderStatus"), "USER_ERROR");
}

TEST_F(EdgeOperationsTest, WhatTheEdgeKeepsForLongerTheStreamKeeps) {
  const auto with = [&](const std::string& deletion) {
    EXPECT_EQ(Start(Least() + R"(,"DeletionConfig":{)" + deletion + "}").status(), 200);
    return store_->GetStream("door")->retention;
  };
  using std::chrono::hours;
  EXPECT_EQ(with(R"("EdgeRetentionInHours":720)"), hours(24)) << "the edge's copy goes after its upload";
  EXPECT_EQ(with(R"("EdgeRetentionInHours":720,"DeleteAfterUpload":true)"), hours(24));
  EXPECT_EQ(with(R"("EdgeRetentionInHours":1,"DeleteAfterUpload":false)"), hours(24));
  EXPECT_EQ(with(R"("DeleteAfterUpload":false)"), hours(24));
  EXPECT_EQ(with(R"("EdgeRetentionInHours":720,"DeleteAfterUpload":false)"), hours(720));
}

TEST_F(EdgeOperationsTest, AConfigurationIsDeletedWithItsCamera) {
  ASSERT_EQ(Start(Least()).status(), 200);
  const std::string arn =
      R"("StreamARN":"arn:aws:kinesisvideo:us-east-1:000000000000:stream/door/1795240800000")";
  EXPECT_EQ(Fault("deleteStream", arn), "ResourceInUseException");
  cameras_.cannot_apply = Error{ErrorCode::kIo, "the disk"};
  EXPECT_EQ(Fault("deleteEdgeConfiguration", R"("StreamName":"door")"), "InternalFailure");
  cameras_.cannot_apply.reset();
  ASSERT_EQ(Start(Least()).status(), 200);
  EXPECT_EQ(Ask("deleteEdgeConfiguration", arn).raw.body, "{}");
  EXPECT_EQ(cameras_.applied.size(), 4U);
  for (const char* operation : {"describeEdgeConfiguration", "deleteEdgeConfiguration"}) {
    const auto gone = Ask(operation, arn);
    EXPECT_EQ(gone.status(), 404);
    EXPECT_EQ(gone.raw.Header("x-amzn-ErrorType"), kNone);
  }
  fed_["door"] = "door-2";
  EXPECT_EQ(Fault("deleteStream", arn), "ResourceInUseException");
  fed_.clear();
  EXPECT_EQ(Fault("deleteStream", arn), "");
}

TEST_F(EdgeOperationsTest, ConfigurationsAreListedByHub) {
  for (int i = 0; i < 12; ++i) {
    const std::string name = "s" + std::string(i < 10 ? "0" : "") + std::to_string(i);
    ASSERT_TRUE(store_->CreateStream(name, std::chrono::hours(1)));
    if (i == 3) continue;
    ASSERT_EQ(Start(Least(), name).status(), 200);
  }
  const std::string other = R"("HubDeviceArn":"arn:aws:iot:us-east-1:000000000000:thing/other")";
  ASSERT_EQ(Start(other + R"(,"RecorderConfig":{)" + kSource + "}", "s05").status(), 200);
  const auto list = [&](const std::string& more) {
    std::vector<std::string> pages;
    std::string token;
    do {
      const auto answer = Ask("listEdgeAgentConfigurations",
                              kHub + more + (token.empty() ? "" : R"(,"NextToken":")" + token + "\""));
      EXPECT_EQ(answer.status(), 200) << answer.raw.body;
      std::string page;
      for (const auto& one : answer.object().at("EdgeConfigs").as_array()) {
        page += std::string(one.at("StreamName").as_string()) + " ";
        EXPECT_FALSE(one.as_object().contains("EdgeAgentStatus"));
      }
      pages.push_back(page);
      token = answer.Text("NextToken");
    } while (!token.empty() && pages.size() < 10);
    return pages;
  };
  using ::testing::ElementsAre;
  EXPECT_THAT(list(""), ElementsAre("s00 s01 s02 s04 s06 ", "s07 s08 s09 s10 s11 "));
  EXPECT_THAT(list(R"(,"MaxResults":10)"), ElementsAre("s00 s01 s02 s04 s06 s07 s08 s09 s10 s11 "));
  EXPECT_THAT(list(R"(,"MaxResults":4)"), ElementsAre("s00 s01 s02 s04 ", "s06 s07 s08 s09 ", "s10 s11 "));
  EXPECT_EQ(
      Ask("listEdgeAgentConfigurations", R"("HubDeviceArn":"arn:aws:iot:us-east-1:000000000000:thing/none")")
          .raw.body,
      R"({"EdgeConfigs":[]})");
  EXPECT_EQ(Fault("listEdgeAgentConfigurations", ""), kInvalid);
  EXPECT_EQ(Fault("listEdgeAgentConfigurations", R"("HubDeviceArn":"arn:aws:iot:us-east-1:0:hub/x")"),
            kInvalid);
  EXPECT_EQ(Fault("listEdgeAgentConfigurations", kHub + std::string(R"(,"MaxResults":11)")), kInvalid);
  EXPECT_EQ(Fault("listEdgeAgentConfigurations", kHub + std::string(R"(,"NextToken":"abcd")")), kInvalid);
}

TEST_F(EdgeOperationsTest, WhatCannotBeIsRefused) {
  ASSERT_TRUE(store_->CreateStream("live", Duration{0}));
  ASSERT_TRUE(store_->CreateStream(std::string(129, 'x'), std::chrono::hours(1)));
  EXPECT_EQ(StartFault(Least(), "live"), "NoDataRetentionException");
  EXPECT_EQ(StartFault(Least(), "none"), "ResourceNotFoundException");
  EXPECT_EQ(StartFault(Least(), std::string(129, 'x')), kInvalid);
  fed_["door"] = "cam";
  EXPECT_EQ(StartFault(Least()), "ResourceInUseException");
  fed_.clear();
  cameras_.refusal = Error{ErrorCode::kInvalidArgument, "there is no secret 'door' here"};
  EXPECT_EQ(Start(Least()).Fault(), "InvalidArgumentException: there is no secret 'door' here");
  cameras_.refusal.reset();
  const auto schedule = [](const std::string& expression, const std::string& duration) {
    return std::string(kHub) + R"(,"RecorderConfig":{)" + kSource +
           R"(,"ScheduleConfig":{"ScheduleExpression":")" + expression + R"(","DurationInSeconds":)" +
           duration + "}}";
  };
  const auto source = [](const std::string& arn, const std::string& type) {
    return std::string(kHub) + R"(,"RecorderConfig":{"MediaSourceConfig":{"MediaUriSecretArn":")" + arn +
           R"(","MediaUriType":")" + type + "\"}}";
  };
  const auto deletion = [](const std::string& members) {
    return Least() + R"(,"DeletionConfig":{)" + members + "}";
  };
  for (const std::string& config :
       std::vector<std::string>{"",
                                kHub,
                                std::string(R"("RecorderConfig":{)") + kSource + "}",
                                std::string(kHub) + R"(,"RecorderConfig":{})",
                                schedule("0 0 * * ?", "60"),
                                schedule(std::string(101, '*'), "60"),
                                schedule("0 0 0 * *\\n ?", "60"),
                                schedule("0 0 0 * * ?", "59"),
                                schedule("0 0 0 * * ?", "3601"),
                                schedule("0 0 0 * * ?", "null"),
                                source("door", "RTSP_URI"),
                                source("arn:aws:secretsmanager:us-east-1:0:secret:", "RTSP_URI"),
                                source("arn:aws:secretsmanager:us-east-1:0:secret:a/b", "RTSP_URI"),
                                source("arn:aws:secretsmanager:us-east-1:0:secret:door", "HTTP_URI"),
                                Least() + R"(,"UploaderConfig":{})",
                                deletion(R"("EdgeRetentionInHours":0)"),
                                deletion(R"("EdgeRetentionInHours":721)"),
                                deletion(R"("LocalSizeConfig":{"MaxLocalMediaSizeInMB":63})"),
                                deletion(R"("LocalSizeConfig":{"MaxLocalMediaSizeInMB":2000001})"),
                                deletion(R"("LocalSizeConfig":{"StrategyOnFullSize":"STOP"})")}) {
    EXPECT_EQ(StartFault(config), kInvalid) << config;
  }
  EXPECT_EQ(StartFault(deletion(R"("DeleteAfterUpload":"yes")")), "SerializationException");
  EXPECT_EQ(Fault("describeEdgeConfiguration", R"("StreamName":"door")"), kNone);
  EXPECT_TRUE(cameras_.applied.empty());
}

}  // namespace
}  // namespace millrace::api::testing
