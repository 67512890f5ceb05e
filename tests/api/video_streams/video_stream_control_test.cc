// Goal: the control plane of Kinesis Video Streams answers as its model says, keeps what it was told over a
// restart, lets one of two concurrent changes win, and has the right error for every bad request.
// Method: raw requests to a real server; real clients are in tests/system.
#include <gmock/gmock.h>

#include <set>
#include <thread>

#include "tests/api/aws_server.h"

namespace millrace::api::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::UnorderedElementsAre;

class VideoStreamControlTest : public AwsServerTest {
 protected:
  // "{}" for a request that is answered with nothing; else the error's name.
  std::string Outcome(const std::string& path, const std::string& json) {
    const auto answer = Rest(path, json);
    if (answer.status() == 200) return answer.raw.body;
    const std::string type = answer.raw.Header("x-amzn-ErrorType");
    EXPECT_EQ(answer.status(), StatusOf(type)) << path << " " << json;
    EXPECT_NE(answer.Text("Message"), "") << path << " " << json;
    return type;
  }
  static int StatusOf(const std::string& type) { return type == "ResourceNotFoundException" ? 404 : 400; }

  void Create(const std::string& name, const std::string& more = "") {
    const auto answer = Rest("/createStream", R"({"StreamName":")" + name + "\"" + more + "}");
    ASSERT_EQ(answer.status(), 200) << answer.raw.body;
  }
  boost::json::object Describe(const std::string& name) {
    const auto answer = Rest("/describeStream", R"({"StreamName":")" + name + "\"}");
    EXPECT_EQ(answer.status(), 200) << answer.raw.body;
    return answer.object().at("StreamInfo").as_object();
  }
  std::string Version(const std::string& name) { return Describe(name).at("Version").as_string().c_str(); }
  std::string Arn(const std::string& name) { return Describe(name).at("StreamARN").as_string().c_str(); }
  static std::set<std::string> Members(const boost::json::object& object) {
    std::set<std::string> names;
    for (const auto& member : object) names.emplace(member.key());
    return names;
  }
  std::string Retain(const std::string& operation, int hours, const std::string& version) {
    return Outcome("/updateDataRetention",
                   R"({"StreamName":"door","CurrentVersion":")" + version + R"(","Operation":")" + operation +
                       R"(","DataRetentionChangeInHours":)" + std::to_string(hours) + "}");
  }
};

constexpr char kInvalid[] = "InvalidArgumentException";
constexpr char kMissing[] = "ResourceNotFoundException";

TEST_F(VideoStreamControlTest, AStreamIsDescribedAsItWasMadeAndSoAfterARestart) {
  Create("door", R"(,"DeviceName":"hub.1","MediaType":"video/h264,audio/aac","KmsKeyId":"alias/x",)"
                 R"("DataRetentionInHours":5,"Tags":{"site":"north","empty":""},"Newer":{"a":1},)"
                 R"("StreamStorageConfiguration":{"DefaultStorageTier":"WARM"})");
  for (const bool again : {false, true}) {
    if (again) Reopen();
    const auto info = Describe("door");
    EXPECT_THAT(Members(info),
                UnorderedElementsAre("DeviceName", "StreamName", "StreamARN", "MediaType", "KmsKeyId",
                                     "Version", "Status", "CreationTime", "DataRetentionInHours"));
    EXPECT_EQ(info.at("DeviceName"), "hub.1");
    EXPECT_EQ(info.at("MediaType"), "video/h264,audio/aac");
    EXPECT_EQ(info.at("KmsKeyId"), "alias/x");
    EXPECT_EQ(info.at("Status"), "ACTIVE");
    EXPECT_EQ(info.at("DataRetentionInHours"), 5);
    EXPECT_DOUBLE_EQ(info.at("CreationTime").as_double(), static_cast<double>(kNow.millis()) / 1000);
    EXPECT_THAT(info.at("Version").as_string().c_str(), MatchesRegex("[a-zA-Z0-9]+"));
    EXPECT_EQ(Outcome("/listTagsForStream", R"({"StreamName":"door"})"),
              R"({"Tags":{"empty":"","site":"north"}})");
    EXPECT_EQ(Outcome("/describeStreamStorageConfiguration", R"({"StreamName":"door"})"),
              R"({"StreamName":"door","StreamARN":")" + Arn("door") +
                  R"(","StreamStorageConfiguration":{"DefaultStorageTier":"WARM"}})");
  }
}

TEST_F(VideoStreamControlTest, WhatWasNotSaidIsLeftOut) {
  Create("door");
  EXPECT_THAT(Members(Describe("door")), UnorderedElementsAre("StreamName", "StreamARN", "Version", "Status",
                                                              "CreationTime", "DataRetentionInHours"));
  EXPECT_EQ(Describe("door").at("DataRetentionInHours"), 0);
  EXPECT_EQ(Outcome("/listTagsForStream", R"({"StreamName":"door"})"), R"({"Tags":{}})");
  EXPECT_THAT(Outcome("/describeStreamStorageConfiguration", R"({"StreamName":"door"})"),
              HasSubstr(R"({"DefaultStorageTier":"HOT"})"));
  EXPECT_EQ(Outcome("/describeNotificationConfiguration", R"({"StreamName":"door"})"), "{}");
  EXPECT_EQ(Outcome("/describeImageGenerationConfiguration", R"({"StreamName":"door"})"), "{}");
  EXPECT_EQ(Outcome("/describeMappedResourceConfiguration", R"({"StreamName":"door","MaxResults":1})"),
            R"({"MappedResourceConfigurationList":[]})");
  EXPECT_EQ(Outcome("/createStream", R"({"StreamName":"door"})"), "ResourceInUseException");
}

TEST_F(VideoStreamControlTest, WhatBreaksTheModelIsRefused) {
  Create("door", R"(,"DataRetentionInHours":5)");
  const std::string long_text(257, 'x');
  const auto create = [&](const std::string& member) {
    return Outcome("/createStream", R"({"StreamName":"new",)" + member + "}");
  };
  for (const std::string& member : std::vector<std::string>{
           R"("DeviceName":"a b")",
           R"("DeviceName":")" + std::string(129, 'x') + "\"",
           R"("DeviceName":"")",
           R"("MediaType":"video")",
           R"("MediaType":"video/h264,")",
           R"("MediaType":"video/h264/x")",
           R"("MediaType":"video/h 264")",
           R"("MediaType":"video/)" + std::string(123, 'x') + "\"",
           R"("KmsKeyId":"")",
           R"("KmsKeyId":"a\nb")",
           R"("DataRetentionInHours":-1)",
           R"("DataRetentionInHours":87601)",
           R"("Tags":{})",
           R"("Tags":{"a,b":"c"})",
           R"("Tags":{"a":"b*c"})",
           R"("Tags":{"a":"b\tc"})",
           R"("Tags":{"":"b"})",
           R"("Tags":{")" + std::string(129, 'x') + R"(":"b"})",
           R"("Tags":{"a":")" + long_text + "\"}",
           R"("StreamStorageConfiguration":{})",
           R"("StreamStorageConfiguration":{"DefaultStorageTier":"COLD"})",
       }) {
    EXPECT_EQ(create(member), kInvalid) << member;
  }
  EXPECT_EQ(create(R"("DataRetentionInHours":"5")"), "SerializationException");
  EXPECT_EQ(create(R"("Tags":[])"), "SerializationException");
  EXPECT_EQ(Outcome("/createStream", "{}"), kInvalid);
  EXPECT_EQ(Outcome("/describeStream", R"({"StreamName":"new"})"), kMissing);

  const std::string version = Version("door");
  for (const auto& [path, json] : std::vector<std::pair<std::string, std::string>>{
           {"/describeStream", "{}"},
           {"/describeStream", R"({"StreamARN":"arn:aws:kinesisvideo:us-east-1:1:channel/door/1"})"},
           {"/updateStream", R"({"StreamName":"door"})"},
           {"/updateStream", R"({"CurrentVersion":"a"})"},
           {"/updateStream", R"({"StreamName":"door","CurrentVersion":"a-b"})"},
           {"/updateStream", R"({"StreamName":"door","CurrentVersion":""})"},
           {"/deleteStream", R"({"StreamName":"door"})"},
           {"/deleteStream", "{}"},
           {"/updateDataRetention", R"({"StreamName":"door","CurrentVersion":")" + version + "\"}"},
           {"/updateDataRetention", R"({"StreamName":"door","CurrentVersion":"a","Operation":"SET",
               "DataRetentionChangeInHours":1})"},
           {"/updateDataRetention", R"({"StreamName":"door","CurrentVersion":"a",
               "Operation":"INCREASE_DATA_RETENTION","DataRetentionChangeInHours":0})"},
           {"/listStreams", R"({"MaxResults":0})"},
           {"/listStreams", R"({"MaxResults":10001})"},
           {"/listStreams", R"({"NextToken":"abcd"})"},
           {"/listStreams", R"({"NextToken":"a b"})"},
           {"/listStreams",
            R"({"StreamNameCondition":{"ComparisonOperator":"EQUALS","ComparisonValue":"d"}})"},
           {"/listStreams",
            R"({"StreamNameCondition":{"ComparisonOperator":"BEGINS_WITH","ComparisonValue":"*"}})"},
           {"/updateStreamStorageConfiguration", R"({"StreamName":"door","CurrentVersion":"a"})"},
           {"/updateStreamStorageConfiguration",
            R"({"StreamName":"door","StreamStorageConfiguration":{"DefaultStorageTier":"HOT"}})"},
           {"/describeMappedResourceConfiguration", R"({"StreamName":"door","MaxResults":2})"},
           {"/describeMappedResourceConfiguration", R"({"StreamName":"door","NextToken":"abcd"})"},
       }) {
    EXPECT_EQ(Outcome(path, json), kInvalid) << path << " " << json;
  }
  EXPECT_EQ(Version("door"), version);
}

TEST_F(VideoStreamControlTest, WhatIsNotThereIsNotFound) {
  const std::string configuration = R"("StreamStorageConfiguration":{"DefaultStorageTier":"HOT"})";
  for (const auto& [path, more] : std::vector<std::pair<std::string, std::string>>{
           {"/describeStream", ""},
           {"/updateStream", R"(,"CurrentVersion":"a")"},
           {"/updateDataRetention",
            R"(,"CurrentVersion":"a","Operation":"INCREASE_DATA_RETENTION","DataRetentionChangeInHours":1)"},
           {"/tagStream", R"(,"Tags":{"a":"b"})"},
           {"/untagStream", R"(,"TagKeyList":["a"])"},
           {"/listTagsForStream", ""},
           {"/describeNotificationConfiguration", ""},
           {"/updateNotificationConfiguration", ""},
           {"/describeImageGenerationConfiguration", ""},
           {"/updateImageGenerationConfiguration", ""},
           {"/describeStreamStorageConfiguration", ""},
           {"/updateStreamStorageConfiguration", R"(,"CurrentVersion":"a",)" + configuration},
           {"/describeMappedResourceConfiguration", ""},
       }) {
    EXPECT_EQ(Outcome(path, R"({"StreamName":"none")" + more + "}"), kMissing) << path;
  }
  const std::string arn = R"("arn:aws:kinesisvideo:us-east-1:000000000000:stream/none/1")";
  EXPECT_EQ(Outcome("/deleteStream", R"({"StreamARN":)" + arn + "}"), kMissing);
  EXPECT_EQ(Outcome("/ListTagsForResource", R"({"ResourceARN":)" + arn + "}"), kMissing);
  EXPECT_EQ(Outcome("/ListTagsForResource",
                    R"({"ResourceARN":"arn:aws:kinesisvideo:us-east-1:000000000000:channel/none/1"})"),
            kMissing);
}

TEST_F(VideoStreamControlTest, AnUpdateNeedsTheVersionAndMakesANewOne) {
  Create("door");
  const std::string first = Version("door");
  const auto update = [&](const std::string& version, const std::string& more) {
    return Outcome("/updateStream",
                   R"({"StreamName":"door","CurrentVersion":")" + version + "\"" + more + "}");
  };
  EXPECT_EQ(update(first, R"(,"DeviceName":"a","MediaType":"video/h264")"), "{}");
  EXPECT_EQ(update(first, R"(,"DeviceName":"b")"), "VersionMismatchException");
  EXPECT_EQ(update("nonsense", ""), "VersionMismatchException");
  EXPECT_EQ(update(Version("door"), R"(,"DeviceName":"c")"), "{}");
  EXPECT_EQ(Describe("door").at("DeviceName"), "c");
  EXPECT_EQ(Describe("door").at("MediaType"), "video/h264");
  const std::string third = Version("door");
  Reopen();
  EXPECT_EQ(Version("door"), third);
  EXPECT_EQ(Outcome("/updateStreamStorageConfiguration",
                    R"({"StreamName":"door","CurrentVersion":")" + third +
                        R"(","StreamStorageConfiguration":{"DefaultStorageTier":"WARM"}})"),
            "{}");
  EXPECT_EQ(update(third, ""), "VersionMismatchException");
}

TEST_F(VideoStreamControlTest, OfTwoUpdatesAtOnceExactlyOneWins) {
  Create("door");
  for (int round = 0; round < 5; ++round) {
    const std::string version = Version("door");
    std::vector<std::string> outcomes(4);
    std::vector<std::thread> threads;
    for (std::string& outcome : outcomes) {
      threads.emplace_back([&] { outcome = Retain("INCREASE_DATA_RETENTION", 1, version); });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_THAT(outcomes, UnorderedElementsAre("{}", "VersionMismatchException", "VersionMismatchException",
                                               "VersionMismatchException"));
    EXPECT_EQ(Describe("door").at("DataRetentionInHours"), round + 1);
  }
}

TEST_F(VideoStreamControlTest, RetentionGoesUpAndDownBetweenItsBounds) {
  Create("door", R"(,"DataRetentionInHours":2)");
  EXPECT_EQ(Retain("INCREASE_DATA_RETENTION", 3, Version("door")), "{}");
  EXPECT_EQ(Describe("door").at("DataRetentionInHours"), 5);
  EXPECT_EQ(Retain("DECREASE_DATA_RETENTION", 6, Version("door")), kInvalid);
  EXPECT_EQ(Retain("INCREASE_DATA_RETENTION", 87'596, Version("door")), kInvalid);
  EXPECT_EQ(Retain("INCREASE_DATA_RETENTION", 2'147'483'647, Version("door")), kInvalid);
  EXPECT_EQ(Retain("INCREASE_DATA_RETENTION", 87'595, Version("door")), "{}");
  EXPECT_EQ(Retain("DECREASE_DATA_RETENTION", 87'600, Version("door")), "{}");
  EXPECT_EQ(Describe("door").at("DataRetentionInHours"), 0);
}

TEST_F(VideoStreamControlTest, AShorterRetentionIsInForceAtOnceAndALongerOneKeepsWhatIsHeld) {
  Create("door", R"(,"DataRetentionInHours":24)");
  const VideoStream stream = *store_->GetStream("door");
  Append(stream, clock_.Now());
  clock_.Advance(std::chrono::hours(3));
  Append(stream, clock_.Now());
  clock_.Advance(std::chrono::hours(1));
  const auto count = [&] { return store_->List("door", {})->size(); };
  ASSERT_EQ(count(), 2U);
  EXPECT_EQ(Retain("DECREASE_DATA_RETENTION", 22, Version("door")), "{}");
  EXPECT_EQ(count(), 1U);
  EXPECT_EQ(Retain("INCREASE_DATA_RETENTION", 22, Version("door")), "{}");
  clock_.Advance(std::chrono::hours(10));
  EXPECT_EQ(count(), 1U);
}

TEST_F(VideoStreamControlTest, AStreamIsDeletedByArnOverItsVersionOnly) {
  Create("door");
  const std::string arn = Arn("door");
  const auto remove = [&](const std::string& more) {
    return Outcome("/deleteStream", R"({"StreamARN":")" + arn + "\"" + more + "}");
  };
  EXPECT_EQ(remove(R"(,"CurrentVersion":"stale")"), "VersionMismatchException");
  EXPECT_EQ(remove(R"(,"CurrentVersion":")" + Version("door") + "\""), "{}");
  EXPECT_EQ(remove(""), kMissing);
  clock_.Advance(std::chrono::seconds(1));
  Create("door");
  EXPECT_EQ(remove(""), kMissing) << "another stream of this name";
  EXPECT_EQ(Outcome("/deleteStream", R"({"StreamARN":")" + Arn("door") + "\"}"), "{}");
  EXPECT_EQ(Outcome("/describeStream", R"({"StreamName":"door"})"), kMissing);
}

TEST_F(VideoStreamControlTest, AStreamOfWhichFootageIsHeldIsInUse) {
  Create("door", R"(,"DataRetentionInHours":1)");
  FootageHold hold;
  hold.id = "case-7";
  hold.start = kNow;
  ASSERT_TRUE(store_->PlaceHold("door", hold));
  const std::string request = R"({"StreamARN":")" + Arn("door") + R"(","CurrentVersion":")";
  EXPECT_EQ(Outcome("/deleteStream", request + "stale\"}"), "VersionMismatchException");
  EXPECT_EQ(Outcome("/deleteStream", request + Version("door") + "\"}"), "ResourceInUseException");
  ASSERT_TRUE(store_->ReleaseHold("door", "case-7"));
  EXPECT_EQ(Outcome("/deleteStream", request + Version("door") + "\"}"), "{}");
}

TEST_F(VideoStreamControlTest, StreamsAreListedInPages) {
  for (const char* name : {"a", "b", "b.1", "b.2", "c"}) Create(name);
  const auto list = [&](const std::string& members) {
    std::vector<std::string> pages;
    std::string token;
    do {
      const auto answer = Rest(
          "/listStreams", "{" + members + (token.empty() ? "" : ",\"NextToken\":\"" + token + "\"") + "}");
      EXPECT_EQ(answer.status(), 200) << answer.raw.body;
      std::string page;
      for (const auto& stream : answer.object().at("StreamInfoList").as_array()) {
        page += std::string(stream.at("StreamName").as_string()) + " ";
      }
      pages.push_back(page);
      token = answer.Text("NextToken");
      EXPECT_LE(token.size(), 1024U);
    } while (!token.empty() && pages.size() < 10);
    return pages;
  };
  EXPECT_THAT(list(R"("MaxResults":10000)"), ElementsAre("a b b.1 b.2 c "));
  EXPECT_THAT(list(R"("MaxResults":2)"), ElementsAre("a b ", "b.1 b.2 ", "c "));
  EXPECT_THAT(list(R"("MaxResults":5)"), ElementsAre("a b b.1 b.2 c "));
  const std::string begins =
      R"("StreamNameCondition":{"ComparisonOperator":"BEGINS_WITH","ComparisonValue":"b"})";
  EXPECT_THAT(list(begins), ElementsAre("b b.1 b.2 "));
  EXPECT_THAT(list(R"("MaxResults":2,)" + begins), ElementsAre("b b.1 ", "b.2 "));
  EXPECT_THAT(list(R"("StreamNameCondition":{"ComparisonOperator":"BEGINS_WITH","ComparisonValue":"x"})"),
              ElementsAre(""));
  const auto all = Rest("/listStreams", R"({"NextToken":""})");
  EXPECT_EQ(all.object().at("StreamInfoList").as_array()[0], boost::json::value(Describe("a")));
}

// The longest names and prefixes make a token that a client may send back.
TEST_F(VideoStreamControlTest, TokensOfLongNamesAreShortEnough) {
  const std::string prefix(255, 'x');
  Create(prefix + "1");
  Create(prefix + "2");
  const std::string begins =
      R"("StreamNameCondition":{"ComparisonOperator":"BEGINS_WITH","ComparisonValue":")" + prefix + "\"}";
  const auto first = Rest("/listStreams", R"({"MaxResults":1,)" + begins + "}");
  const std::string token = first.Text("NextToken");
  EXPECT_LE(token.size(), 1024U);
  const auto second = Rest("/listStreams", R"({"MaxResults":1,"NextToken":")" + token + "\"}");
  EXPECT_EQ(second.status(), 200) << second.raw.body;
  EXPECT_EQ(second.object().at("StreamInfoList").as_array().size(), 1U);
  EXPECT_EQ(second.Text("NextToken"), "");
}

TEST_F(VideoStreamControlTest, TagsAreAddedReplacedAndTakenAway) {
  Create("door");
  const std::string version = Version("door");
  const std::string arn = Arn("door");
  EXPECT_EQ(Outcome("/tagStream", R"({"StreamName":"door","Tags":{"a":"1","b":"2"}})"), "{}");
  EXPECT_EQ(Outcome("/tagStream", R"({"StreamARN":")" + arn + R"(","Tags":{"b":"","\u00e4 +-=._:/@":"x"}})"),
            "{}");
  EXPECT_EQ(Outcome("/untagStream", R"({"StreamName":"door","TagKeyList":["a","none"]})"), "{}");
  EXPECT_EQ(Outcome("/listTagsForStream", R"({"StreamName":"door"})"),
            "{\"Tags\":{\"b\":\"\",\"\xC3\xA4 +-=._:/@\":\"x\"}}");
  const std::string resource = R"({"ResourceARN":")" + arn + "\"";
  EXPECT_EQ(
      Outcome("/TagResource", resource + R"(,"Tags":[{"Key":"c","Value":"3"},{"Key":"d","Value":""}]})"),
      "{}");
  EXPECT_EQ(Outcome("/UntagResource", resource + R"(,"TagKeyList":["b","\u00e4 +-=._:/@"]})"), "{}");
  EXPECT_EQ(Outcome("/ListTagsForResource", resource + "}"), R"({"Tags":{"c":"3","d":""}})");
  Reopen();
  EXPECT_EQ(Outcome("/ListTagsForResource", resource + "}"), R"({"Tags":{"c":"3","d":""}})");
  EXPECT_EQ(Version("door"), version) << "clients that tag may go on with the version they have";
}

TEST_F(VideoStreamControlTest, AStreamHasFiftyTagsAtMost) {
  std::string fifty;
  for (int i = 0; i < 50; ++i) fifty += (i > 0 ? ",\"k" : "\"k") + std::to_string(i) + "\":\"v\"";
  Create("door", ",\"Tags\":{" + fifty + "}");
  EXPECT_EQ(Outcome("/tagStream", R"({"StreamName":"door","Tags":{"k0":"w"}})"), "{}");
  EXPECT_EQ(Outcome("/tagStream", R"({"StreamName":"door","Tags":{"new":"w"}})"),
            "TagsPerResourceExceededLimitException");
  EXPECT_EQ(Outcome("/TagResource",
                    R"({"ResourceARN":")" + Arn("door") + R"(","Tags":[{"Key":"new","Value":"v"}]})"),
            "TagsPerResourceExceededLimitException");
  EXPECT_EQ(Outcome("/createStream", R"({"StreamName":"new","Tags":{)" + fifty + R"(,"more":""}})"),
            kInvalid);
}

TEST_F(VideoStreamControlTest, BadTagRequestsAreRefused) {
  Create("door");
  const std::string resource = R"({"ResourceARN":")" + Arn("door") + "\",";
  for (const auto& [path, json] : std::vector<std::pair<std::string, std::string>>{
           {"/tagStream", R"({"StreamName":"door"})"},
           {"/tagStream", R"({"StreamName":"door","Tags":{}})"},
           {"/tagStream", R"({"StreamName":"door","Tags":{"a":"x,y"}})"},
           {"/untagStream", R"({"StreamName":"door","TagKeyList":[]})"},
           {"/untagStream", R"({"StreamName":"door","TagKeyList":[""]})"},
           {"/untagStream", R"({"StreamName":"door","TagKeyList":["*"]})"},
           {"/listTagsForStream", R"({"StreamName":"door","NextToken":"abcd"})"},
           {"/TagResource", resource + R"("Tags":[]})"},
           {"/TagResource", resource + R"("Tags":[{"Key":"a"}]})"},
           {"/TagResource", resource + R"("Tags":[{"Value":"a"}]})"},
           {"/TagResource", R"({"Tags":[{"Key":"a","Value":"b"}]})"},
           {"/TagResource", R"({"ResourceARN":"arn:aws:kinesis:us-east-1:000000000000:stream/door",
               "Tags":[{"Key":"a","Value":"b"}]})"},
           {"/UntagResource", resource + R"("TagKeyList":[]})"},
           {"/ListTagsForResource", resource + R"("NextToken":"abcd"})"},
           {"/ListTagsForResource", "{}"},
       }) {
    EXPECT_EQ(Outcome(path, json), kInvalid) << path << " " << json;
  }
  EXPECT_EQ(Outcome("/listTagsForStream", R"({"StreamName":"door"})"), R"({"Tags":{}})");
}

}  // namespace
}  // namespace millrace::api::testing
