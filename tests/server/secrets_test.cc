// Goal: a named secret goes in sealed and comes out for the server alone; an edge configuration that names it
// becomes a camera. Method: the records over a log in memory; the real binary, its commands and its API.
#include <gmock/gmock.h>

#include "api/v1/edge_address.h"
#include "server/api_client.h"
#include "server/camera_records.h"
#include "server/secret_records.h"
#include "tests/fragments/memory_log.h"
#include "tests/server/command_line.h"

namespace millrace::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr Timestamp kNow = Timestamp::FromMillis(1'763'690'820'000);
constexpr char kArn[] = "arn:aws:secretsmanager:us-east-1:000000000000:secret:door";

TEST(CameraRecordsTest, WhoseACameraIsIsKept) {
  CameraSettings settings;
  settings.name = settings.stream = "door";
  settings.url = "rtsp://h/s";
  settings.labels["edge"] = "arn:aws:iot:us-east-1:000000000000:thing/hub";
  for (const bool edge : {false, true}) {
    settings.edge = edge;
    const auto read = CameraSettingsFromJson("door", CameraSettingsToJson(settings));
    ASSERT_TRUE(read) << read.error().ToString();
    EXPECT_EQ(*read, settings);
  }
}

TEST(CameraRecordsTest, RecordsOfWhenALabelSaidItAreRead) {
  const auto is_edge = [](const std::string& stream, const std::string& label) {
    const auto read =
        CameraSettingsFromJson("door", R"({"version":1,"url":"rtsp://h/s","stream":")" + stream +
                                           R"(","labels":{"edge":")" + label + R"("},"enabled":true})");
    EXPECT_TRUE(read) << read.error().ToString();
    return read && read->edge;
  };
  EXPECT_TRUE(is_edge("door", "arn:aws:iot:us-east-1:000000000000:thing/hub"));
  EXPECT_FALSE(is_edge("yard", "arn:aws:iot:us-east-1:000000000000:thing/hub"));
  EXPECT_FALSE(is_edge("door", "of the forest"));
}

class SecretRecordsTest : public testing::CommandLineTest {
 protected:
  SecretRecords Records(const char* key = "key") {
    return SecretRecords(log_, *SecretBox::Open(directory_ / key), clock_);
  }
  ManualClock clock_{kNow};
  test::MemoryLog log_;
};

TEST_F(SecretRecordsTest, ASecretIsKeptSealedAndReadByTheServer) {
  SecretRecords records = Records();
  ASSERT_TRUE(records.Put("door", "rtsp://a:pw@h/s"));
  clock_.Advance(std::chrono::seconds(5));
  const auto again = records.Put("door", "rtsp://a:pw2@h/s");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->created, kNow);
  EXPECT_EQ(again->updated, clock_.Now());
  ASSERT_TRUE(records.Put("attic", std::string(kSecretBytesMax, 'x')));
  EXPECT_EQ(Records().Read("door").value(), "rtsp://a:pw2@h/s");
  const Bytes stored = log_.GetMetadata("ingest/secret/door")->value;
  EXPECT_THAT(std::string(AsText(stored)), Not(HasSubstr("pw2")));
  const auto list = records.List();
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 2U);
  EXPECT_EQ((*list)[0].name, "attic");
  EXPECT_EQ((*list)[1].created, kNow);
  ASSERT_TRUE(records.Remove("door"));
  EXPECT_EQ(records.Remove("door").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(records.Read("door").error().code, ErrorCode::kNotFound);
}

TEST_F(SecretRecordsTest, WhatIsNotItsOwnIsRefused) {
  SecretRecords records = Records();
  EXPECT_EQ(records.Put("door", "").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(records.Put("door", std::string(kSecretBytesMax + 1, 'x')).error().code,
            ErrorCode::kInvalidArgument);
  ASSERT_TRUE(records.Put("door", "value"));
  const Bytes sealed = log_.GetMetadata("ingest/secret/door")->value;
  ASSERT_TRUE(log_.PutMetadata("ingest/secret/yard", sealed, std::nullopt));
  EXPECT_EQ(records.Read("yard").error().code, ErrorCode::kCorruption) << "another secret's";
  EXPECT_EQ(Records("other").Read("door").error().code, ErrorCode::kCorruption) << "another key";
  ASSERT_TRUE(log_.PutMetadata("ingest/secret/yard", Bytes{2}, std::nullopt));
  EXPECT_EQ(records.Read("yard").error().code, ErrorCode::kUnsupported);
  ASSERT_TRUE(log_.PutMetadata("ingest/secret/yard", Bytes{1, 2}, std::nullopt));
  EXPECT_EQ(records.Read("yard").error().code, ErrorCode::kCorruption);
  EXPECT_TRUE(records.Put("yard", "new")) << "what is damaged can be set again";
}

TEST_F(SecretRecordsTest, AnAddressIsAUrlOrNamedSoInJson) {
  SecretRecords records = Records();
  const auto address = [&](const std::string& value) {
    EXPECT_TRUE(records.Put("door", value));
    return api::AddressInSecret(records, kArn);
  };
  for (const char* value : {"rtsp://ann:p%40ss@camera.example:8554/live?a=b",
                            R"({"MediaURI":"rtsp://ann:p%40ss@camera.example:8554/live?a=b","other":1})"}) {
    const auto found = address(value);
    ASSERT_TRUE(found) << found.error().ToString();
    EXPECT_EQ(found->url, "rtsp://camera.example:8554/live?a=b");
    EXPECT_EQ(found->credentials.username, "ann");
    EXPECT_EQ(found->credentials.password, "p@ss");
  }
  EXPECT_EQ(address("rtsp://camera.example/live")->credentials.username, "");
  for (const char* value : {"http://ann:hidden@camera.example/", "hidden", "{hidden", R"({"uri":"hidden"})",
                            R"({"MediaURI":{"a":"hidden"}})"}) {
    const auto found = address(value);
    ASSERT_FALSE(found) << value;
    EXPECT_EQ(found.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(found.error().message, Not(HasSubstr("hidden")));
  }
  const auto none = api::AddressInSecret(records, "arn:aws:secretsmanager:us-east-1:0:secret:yard");
  EXPECT_EQ(none.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(none.error().message, HasSubstr("millrace secret set yard"));
}

class SecretCommands : public testing::CommandLineTest {
 protected:
  std::filesystem::path File(const std::string& text) {
    std::ofstream(directory_ / "value") << text;
    return directory_ / "value";
  }
  Result<boost::json::object> Post(const std::string& path, const std::string& json) {
    return ApiClient::Make(endpoint_)->Call("POST", path, json);
  }
};

TEST_F(SecretCommands, ASecretIsSetListedUsedAndRemoved) {
  Serve();
  auto set = Run({"secret", "set", "door"}, File("rtsp://ann:topsecret@127.0.0.1:1/live\n"));
  EXPECT_EQ(set.code, 0) << set.err;
  EXPECT_THAT(set.out, HasSubstr(kArn));
  const auto list = Run({"secret", "list", "--json"});
  EXPECT_THAT(list.out, HasSubstr(kArn));
  EXPECT_THAT(list.out, Not(HasSubstr("topsecret")));

  const std::string config =
      R"({"StreamName":"door","EdgeConfig":{"HubDeviceArn":"arn:aws:iot:us-east-1:0:thing/hub","RecorderConfig":)"
      R"({"MediaSourceConfig":{"MediaUriType":"RTSP_URI","MediaUriSecretArn":")" +
      std::string(kArn) + R"("}}}})";
  ASSERT_TRUE(Post("/createStream", R"({"StreamName":"door","DataRetentionInHours":5})"));
  const auto started = Post("/startEdgeConfigurationUpdate", config);
  ASSERT_TRUE(started) << started.error().ToString();
  EXPECT_EQ(started->at("SyncStatus"), "IN_SYNC");
  const auto camera = Run({"camera", "show", "door", "--json"});
  EXPECT_THAT(camera.out, HasSubstr("rtsp://127.0.0.1:1/live"));
  EXPECT_THAT(camera.out, HasSubstr(R"("has_credentials":true)"));
  EXPECT_THAT(camera.out, HasSubstr(R"("retention_hours":5)"));
  EXPECT_THAT(camera.out, Not(HasSubstr("topsecret")));
  const auto described = Post("/describeEdgeConfiguration", R"({"StreamName":"door"})");
  ASSERT_TRUE(described);
  EXPECT_TRUE(described->contains("EdgeAgentStatus"));
  ASSERT_TRUE(Post("/deleteEdgeConfiguration", R"({"StreamName":"door"})"));
  EXPECT_EQ(Run({"camera", "show", "door"}).code, 3);

  EXPECT_EQ(Run({"secret", "remove", "door"}).code, 0);
  EXPECT_EQ(Run({"secret", "remove", "door"}).code, 3);
  EXPECT_THAT(Run({"secret", "list"}).out, HasSubstr("No secrets"));
  EXPECT_FALSE(Post("/startEdgeConfigurationUpdate", config)) << "there is no such secret any more";
}

TEST_F(SecretCommands, ABadSecretIsRefused) {
  Serve();
  EXPECT_EQ(Run({"secret", "set", "door"}, File("")).code, 2);
  EXPECT_EQ(Run({"secret", "set", "door"}, File(std::string(5000, 'x'))).code, 2);
  EXPECT_EQ(Run({"secret", "set", "a b"}, File("x")).code, 2);
  EXPECT_EQ(Run({"secret", "set"}, File("x")).code, 2);
  EXPECT_THAT(Run({"secret", "list"}).out, HasSubstr("No secrets"));
}

}  // namespace
}  // namespace millrace::server
