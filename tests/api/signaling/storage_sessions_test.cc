// Goal: who joins a storage session gets an offer by the channel, or the right error; and each end of what a
// session is made of is the session's. Method: the service over HTTP, masters that are bare WebSockets, and
// the number of connections that there are.
#include <gmock/gmock.h>

#include <boost/json/parse.hpp>

#include "api/signaling/services.h"
#include "consumers/whep/whep_service.h"
#include "tests/api/aws_server.h"
#include "tests/api/signaling/web_socket_client.h"
#include "tests/wait.h"
#include "wire/base64.h"

namespace millrace::api::testing {
namespace {

using ::testing::HasSubstr;

constexpr char kInvalid[] = "InvalidArgumentException";
// To connect in: longer than a test lasts.
constexpr std::chrono::minutes kLong{5};

// The payload of a message as its text, and "" where the message is of another type.
std::string Payload(const std::string& message, const std::string& type) {
  const auto value = boost::json::parse(message);
  if (std::string(value.at("messageType").as_string()) != type ||
      value.as_object().contains("senderClientId"))
    return "";
  const auto bytes = wire::DecodeBase64(std::string(value.at("messagePayload").as_string()));
  return bytes ? std::string(bytes->begin(), bytes->end()) : "";
}

std::string Message(const std::string& action, const std::string& json) {
  return R"({"action":")" + action + R"(","messagePayload":")" +
         wire::EncodeBase64({reinterpret_cast<const std::uint8_t*>(json.data()), json.size()}) + "\"}";
}

class StorageSessionsTest : public AwsServerTest {
 protected:
  void SetUp() override {
    AwsServerTest::SetUp();
    webrtc_.addresses = {"127.0.0.1"};
    Start(kLong);
  }
  // Once more: with another time to connect in.
  void Start(std::chrono::milliseconds connecting_max) {
    Stop();
    channels_ = std::make_unique<SignalingChannels>(*log_, clock_);
    streams_ = std::make_unique<PutStreams>(*store_, PutStreamsOptions{});
    publishers_ = std::make_unique<WebrtcSessions>(2);
    whep_ = std::make_unique<WhepService>(*store_, webrtc_, WhepOptions{});
    storage_ = std::make_unique<StorageSessionServices>(
        StorageSessionServices{*publishers_, webrtc_, *streams_, *whep_, {}});
    storage_->options.times.connecting_max = connecting_max;
    storage_->options.camera_of = [](const std::string& stream) -> std::optional<std::string> {
      if (stream == "filmed") return "yard";
      return std::nullopt;
    };
    router_ = std::make_unique<Router>();
    VideoStreamServices video = VideoServices();
    video.channels = channels_.get();
    AddVideoStreamRoutes(*router_, video);
    SignalingServices services{video, *channels_, hub_, connections_, webrtc_, {}};
    services.storage = with_webrtc_ ? storage_.get() : nullptr;
    AddSignalingRoutes(*router_, services);
    Serve();
  }
  void Stop() {
    server_.reset();
    if (publishers_) publishers_->Stop();
    if (whep_) whep_->Stop();
    storage_.reset();
    publishers_.reset();
    whep_.reset();
    streams_.reset();
    channels_.reset();
  }
  void TearDown() override {
    Stop();
    AwsServerTest::TearDown();
  }

  std::string Channel(const std::string& name) {
    return Rest("/createSignalingChannel", R"({"ChannelName":")" + name + "\"}").Text("ChannelARN");
  }
  std::string Stream(const std::string& name) {
    return Rest("/createStream", R"({"StreamName":")" + name + R"(","DataRetentionInHours":2})")
        .Text("StreamARN");
  }
  void Map(const std::string& channel, const std::string& stream, const std::string& status = "ENABLED") {
    const AwsAnswer answer =
        Rest("/updateMediaStorageConfiguration", R"({"ChannelARN":")" + channel +
                                                     R"(","MediaStorageConfiguration":{"Status":")" + status +
                                                     R"(","StreamARN":")" + stream + "\"}}");
    EXPECT_EQ(answer.status(), 200) << answer.raw.body;
  }
  // A channel that is mapped to a stream of its name.
  std::string Mapped(const std::string& name) {
    std::string channel = Channel(name);
    Map(channel, Stream(name));
    return channel;
  }
  AwsAnswer Join(const std::string& channel) {
    return Rest("/joinStorageSession", R"({"channelArn":")" + channel + "\"}");
  }
  AwsAnswer JoinAsViewer(const std::string& channel) {
    return Rest("/joinStorageSessionAsViewer", R"({"channelArn":")" + channel + R"(","clientId":"v1"})");
  }
  std::string ErrorOf(const AwsAnswer& answer) { return answer.raw.Header("x-amzn-ErrorType"); }
  std::unique_ptr<WebSocketClient> Master(const std::string& channel) {
    auto master =
        std::make_unique<WebSocketClient>(server_->port(), "/?X-Amz-ChannelARN=" + InQuery(channel));
    EXPECT_EQ(master->status(), 101);
    return master;
  }
  bool BecomesQuiet() {
    return test::WaitUntil([&] { return publishers_->size() == 0; });
  }

  bool with_webrtc_ = true;
  SignalingHub hub_;
  ByteBudget connections_{8};
  WebrtcSettings webrtc_;
  std::unique_ptr<SignalingChannels> channels_;
  std::unique_ptr<PutStreams> streams_;
  std::unique_ptr<WebrtcSessions> publishers_;
  std::unique_ptr<WhepService> whep_;
  std::unique_ptr<StorageSessionServices> storage_;
};

TEST_F(StorageSessionsTest, TheMasterIsOfferedWhatItIsToSend) {
  const std::string channel = Mapped("door");
  const auto master = Master(channel);
  const AwsAnswer joined = Join(channel);
  ASSERT_EQ(joined.status(), 200) << joined.raw.body;
  EXPECT_EQ(joined.raw.body, "{}");
  const std::string offer = Payload(master->Read(), "SDP_OFFER");
  EXPECT_THAT(offer, HasSubstr(R"("type":"offer")"));
  EXPECT_THAT(offer, HasSubstr("H264/90000"));
  EXPECT_THAT(offer, HasSubstr("OPUS/48000/2"));
  EXPECT_THAT(offer, HasSubstr("a=recvonly"));
  const std::string candidate = Payload(master->Read(), "ICE_CANDIDATE");
  EXPECT_THAT(candidate, HasSubstr(" 127.0.0.1 "));
  EXPECT_THAT(candidate, HasSubstr(R"("sdpMid":"video0-)"));
}

TEST_F(StorageSessionsTest, WhatAnswersNothingEndsTheSession) {
  const std::string channel = Mapped("door");
  const auto master = Master(channel);
  for (const std::string json :
       {R"({"type":"answer","sdp":"v=0\r\n"})", R"({"sdp":7})", "[]", "{", "\xff\xfe"}) {
    ASSERT_TRUE(test::WaitUntil([&] { return Join(channel).status() == 200; }));
    while (Payload(master->Read(), "SDP_OFFER").empty()) continue;
    master->Write(Message("ICE_CANDIDATE", R"({"candidate":"candidate:1 1 TCP 1 nowhere.test 9 typ host"})"));
    master->Write(Message("ICE_CANDIDATE", json));
    master->Write(Message("SDP_ANSWER", json));
    EXPECT_TRUE(BecomesQuiet()) << json;
  }
}

TEST_F(StorageSessionsTest, AMasterThatNeverAnswersIsLetGo) {
  Start(std::chrono::milliseconds(200));
  const std::string channel = Mapped("door");
  const auto master = Master(channel);
  ASSERT_EQ(Join(channel).status(), 200);
  EXPECT_TRUE(BecomesQuiet());
  // Nor does one that is not there leave an offer behind that nobody stands for.
  const std::string yard = Mapped("yard");
  ASSERT_EQ(Join(yard).status(), 200);
  EXPECT_TRUE(BecomesQuiet());
  const auto late = Master(yard);
  late->Write(Message("SDP_ANSWER", "{}").insert(1, R"("correlationId":"c1",)"));
  EXPECT_THAT(late->Read(), HasSubstr("STATUS_RESPONSE"));
}

TEST_F(StorageSessionsTest, JoiningAnewEndsTheOneBefore) {
  const std::string channel = Mapped("door");
  const auto master = Master(channel);
  ASSERT_EQ(Join(channel).status(), 200);
  ASSERT_EQ(Join(channel).status(), 200);
  EXPECT_TRUE(test::WaitUntil([&] { return publishers_->size() == 1; }));
  // Twice a second at most: this second, which is still to come, has had its two.
  const SignalingHub::ChannelKey door{"door", channels_->Get("door")->created};
  const auto later = std::chrono::steady_clock::now() + std::chrono::hours(1);
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(hub_.JoinStorage(
        door, "v1", std::chrono::seconds(60), [] {}, later));
  }
  EXPECT_EQ(ErrorOf(Join(channel)), "ClientLimitExceededException");
}

TEST_F(StorageSessionsTest, NoMoreThanThereMayBe) {
  for (const char* name : {"a", "b"}) ASSERT_EQ(Join(Mapped(name)).status(), 200);
  const AwsAnswer third = Join(Mapped("c"));
  EXPECT_EQ(third.status(), 400);
  EXPECT_EQ(ErrorOf(third), "ClientLimitExceededException");
}

TEST_F(StorageSessionsTest, TheEndOfWhatItIsMadeOfIsItsEnd) {
  const std::string stream = Stream("kept");
  const std::string channel = Channel("door");
  Map(channel, stream);
  auto master = Master(channel);
  ASSERT_EQ(Join(channel).status(), 200);
  Map(channel, stream);  // nothing changes
  EXPECT_EQ(publishers_->size(), 1u);
  Map(channel, stream, "DISABLED");
  EXPECT_TRUE(BecomesQuiet());
  EXPECT_EQ(ErrorOf(Join(channel)), kInvalid);

  Map(channel, stream);
  ASSERT_EQ(Join(channel).status(), 200);
  Map(channel, Stream("other"));
  EXPECT_TRUE(BecomesQuiet());

  ASSERT_TRUE(test::WaitUntil([&] { return Join(channel).status() == 200; }));
  ASSERT_EQ(Rest("/deleteSignalingChannel", R"({"ChannelARN":")" + channel + "\"}").status(), 200);
  EXPECT_TRUE(BecomesQuiet());
  EXPECT_EQ(Join(channel).status(), 404);
  EXPECT_EQ(ErrorOf(Join(channel)), "ResourceNotFoundException");
}

TEST_F(StorageSessionsTest, WhoCannotJoinIsToldWhy) {
  const std::string channel = Channel("door");
  EXPECT_EQ(ErrorOf(Join(channel)), kInvalid);
  EXPECT_EQ(ErrorOf(JoinAsViewer(channel)), kInvalid);
  for (const char* body :
       {"{}", R"({"channelArn":7})", R"({"channelArn":""})", R"({"channelArn":"door"})",
        R"({"channelArn":"arn:aws:kinesisvideo:us-east-1:0:stream/door/1"})", "[]", "hello"})
    EXPECT_EQ(Rest("/joinStorageSession", body).status(), 400) << body;
  for (const char* id : {"", "no name", "a/b"}) {
    const AwsAnswer answer = Rest("/joinStorageSessionAsViewer",
                                  R"({"channelArn":")" + channel + R"(","clientId":")" + id + "\"}");
    EXPECT_EQ(ErrorOf(answer), kInvalid) << id;
  }
  const std::string mapped = Mapped("kept");
  EXPECT_EQ(Join(mapped.substr(0, mapped.rfind('/')) + "/7").status(), 404);
  const AwsAnswer dark = JoinAsViewer(mapped);
  EXPECT_EQ(ErrorOf(dark), kInvalid);
  EXPECT_THAT(dark.raw.body, HasSubstr("nothing is recorded"));
  EXPECT_THAT(Join(Mapped("filmed")).raw.body, HasSubstr("The camera 'yard' records the stream"));

  // The stream is gone, and so is one that was made again under its name.
  const std::string stream = Stream("brief");
  const std::string brief = Channel("brief");
  Map(brief, stream);
  ASSERT_EQ(Rest("/deleteStream", R"({"StreamARN":")" + stream + "\"}").status(), 200);
  EXPECT_EQ(Join(brief).status(), 404);
  EXPECT_EQ(publishers_->size(), 0u);
  EXPECT_EQ(whep_->sessions().size(), 0u);

  with_webrtc_ = false;
  Start(kLong);
  const AwsAnswer off = Join(mapped);
  EXPECT_EQ(ErrorOf(off), kInvalid);
  EXPECT_THAT(off.raw.body, HasSubstr("webrtc.enabled"));
}

}  // namespace
}  // namespace millrace::api::testing
