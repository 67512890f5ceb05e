// Signaling channels over HTTP: the control plane, and two ends that talk through WebSockets.
#include <gmock/gmock.h>

#include <atomic>

#include "api/access/caller.h"
#include "api/signaling/channel_operations.h"
#include "api/signaling/services.h"
#include "tests/api/aws_server.h"
#include "tests/api/signaling/web_socket_client.h"
#include "tests/fragments/memory_log.h"
#include "tests/wait.h"

namespace millrace::api::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// Lets everybody in, as one user who maps a channel; none: as somebody who may do everything.
class AsUser final : public Gatekeeper {
 public:
  net::awaitable<bool> Admit(Request& request, ResponseWriter&, const Router::Match&) override {
    if (auto user = user_.load()) {
      request.caller =
          std::make_shared<Caller>("kinesisvideo:UpdateMediaStorageConfiguration", std::move(user), "MRBOB");
    }
    co_return true;
  }
  void Answered(const Request&, const ObservedWriter&) override {}
  // Who may do everything with these resources, and nothing else.
  void Become(std::vector<std::string> resources) {
    auto policy = std::make_shared<const Policy>(Policy{"test", {{true, {"*"}, std::move(resources)}}});
    user_ = std::make_shared<const User>(User{"bob", {}, {std::move(policy)}});
  }
  void BecomeNobody() { user_ = std::shared_ptr<const User>(); }

 private:
  std::atomic<std::shared_ptr<const User>> user_;
};

class SignalingServiceTest : public AwsServerTest {
 protected:
  void SetUp() override {
    AwsServerTest::SetUp();
    Start();
  }
  void Start() {
    server_.reset();
    channels_ = std::make_unique<SignalingChannels>(*log_, clock_);
    router_ = std::make_unique<Router>();
    VideoStreamServices video = VideoServices();
    video.channels = channels_.get();
    AddVideoStreamRoutes(*router_, video);
    AddSignalingRoutes(*router_,
                       {video, *channels_, hub_, connections_, webrtc_, [] { return std::uint16_t{4568}; }});
    Serve();
  }
  void TearDown() override {
    server_.reset();
    channels_.reset();
    AwsServerTest::TearDown();
  }

  std::string Create(const std::string& name) {
    const AwsAnswer answer = Rest("/createSignalingChannel", R"({"ChannelName":")" + name + "\"}");
    EXPECT_EQ(answer.status(), 200) << answer.raw.body;
    return answer.Text("ChannelARN");
  }
  std::unique_ptr<WebSocketClient> Connect(const std::string& arn, const std::string& client_id = "") {
    std::string target = "/?X-Amz-ChannelARN=" + InQuery(arn);
    if (!client_id.empty()) target += "&X-Amz-ClientId=" + client_id;
    return std::make_unique<WebSocketClient>(server_->port(), target);
  }
  boost::json::object Describe(const std::string& arn) {
    const AwsAnswer answer = Rest("/describeSignalingChannel", R"({"ChannelARN":")" + arn + "\"}");
    return answer.status() == 200 ? answer.body.at("ChannelInfo").as_object() : boost::json::object();
  }

  std::unique_ptr<Dispatcher> MakeDispatcher() override {
    return std::make_unique<Dispatcher>(*router_, gate_);
  }

  AsUser gate_;
  SignalingHub hub_;
  ByteBudget connections_{8};
  WebrtcSettings webrtc_;
  std::unique_ptr<SignalingChannels> channels_;
};

TEST_F(SignalingServiceTest, ChannelsAreMadeDescribedChangedAndDeleted) {
  const std::string arn = Create("door");
  EXPECT_THAT(arn, StartsWith("arn:aws:kinesisvideo:us-east-1:000000000000:channel/door/"));
  EXPECT_EQ(Rest("/createSignalingChannel", R"({"ChannelName":"door"})").raw.Header("x-amzn-ErrorType"),
            "ResourceInUseException");
  auto info = Describe(arn);
  EXPECT_EQ(info.at("ChannelType"), "SINGLE_MASTER");
  EXPECT_EQ(info.at("ChannelStatus"), "ACTIVE");
  EXPECT_EQ(info.at("SingleMasterConfiguration").at("MessageTtlSeconds"), 60);
  const std::string version(info.at("Version").as_string());

  const std::string update = R"({"ChannelARN":")" + arn + R"(","CurrentVersion":")" + version +
                             R"(","SingleMasterConfiguration":{"MessageTtlSeconds":30}})";
  EXPECT_EQ(Rest("/updateSignalingChannel", update).status(), 200);
  EXPECT_EQ(Rest("/updateSignalingChannel", update).raw.Header("x-amzn-ErrorType"),
            "VersionMismatchException");
  EXPECT_EQ(Describe(arn).at("SingleMasterConfiguration").at("MessageTtlSeconds"), 30);

  Reopen();
  EXPECT_EQ(SignalingChannels(*log_, clock_).Get("door")->message_ttl_s, 30u);
}

TEST_F(SignalingServiceTest, DeletingEndsItsConnections) {
  const std::string arn = Create("door");
  const auto master = Connect(arn);
  ASSERT_EQ(master->status(), 101);
  EXPECT_EQ(Rest("/deleteSignalingChannel", R"({"ChannelARN":")" + arn + R"(","CurrentVersion":"1x9"})")
                .raw.Header("x-amzn-ErrorType"),
            "VersionMismatchException");
  EXPECT_EQ(Rest("/deleteSignalingChannel", R"({"ChannelARN":")" + arn + "\"}").status(), 200);
  EXPECT_EQ(master->Read(), "");
  EXPECT_EQ(Connect(arn)->status(), 404);
  EXPECT_EQ(Rest("/describeSignalingChannel", R"({"ChannelName":"door"})").status(), 404);
}

TEST_F(SignalingServiceTest, ListsPageByPage) {
  for (const char* name : {"door-1", "door-2", "door-3", "yard"}) Create(name);
  const std::string condition =
      R"("ChannelNameCondition":{"ComparisonOperator":"BEGINS_WITH","ComparisonValue":"door"})";
  auto first = Rest("/listSignalingChannels", R"({"MaxResults":2,)" + condition + "}");
  ASSERT_EQ(first.body.at("ChannelInfoList").as_array().size(), 2u) << first.raw.body;
  auto second =
      Rest("/listSignalingChannels", R"({"MaxResults":2,"NextToken":")" + first.Text("NextToken") + "\"}");
  ASSERT_EQ(second.body.at("ChannelInfoList").as_array().size(), 1u) << second.raw.body;
  EXPECT_EQ(second.body.at("ChannelInfoList").at(0).at("ChannelName"), "door-3");
  EXPECT_FALSE(second.body.as_object().contains("NextToken"));
  EXPECT_EQ(Rest("/listSignalingChannels", R"({"NextToken":"AAAA"})").raw.Header("x-amzn-ErrorType"),
            "InvalidArgumentException");
}

TEST_F(SignalingServiceTest, TagsAreAResources) {
  const std::string arn = Create("door");
  EXPECT_EQ(
      Rest("/TagResource", R"({"ResourceARN":")" + arn + R"(","Tags":[{"Key":"site","Value":"north"}]})")
          .status(),
      200);
  auto listed = Rest("/ListTagsForResource", R"({"ResourceARN":")" + arn + "\"}");
  EXPECT_EQ(listed.body.at("Tags").at("site"), "north");
  EXPECT_EQ(Rest("/UntagResource", R"({"ResourceARN":")" + arn + R"(","TagKeyList":["site"]})").status(),
            200);
  listed = Rest("/ListTagsForResource", R"({"ResourceARN":")" + arn + "\"}");
  EXPECT_TRUE(listed.body.at("Tags").as_object().empty());
}

TEST_F(SignalingServiceTest, EndpointsAreThisServers) {
  const std::string arn = Create("door");
  const auto endpoints = [&](const std::string& protocols) {
    return Rest("/getSignalingChannelEndpoint",
                R"({"ChannelARN":")" + arn + R"(","SingleMasterChannelEndpointConfiguration":{"Protocols":)" +
                    protocols + R"(,"Role":"MASTER"}})");
  };
  const auto list = endpoints(R"(["WSS","HTTPS"])").body.at("ResourceEndpointList").as_array();
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].at("ResourceEndpoint"), "wss://localhost:4568");
  EXPECT_EQ(list[1].at("ResourceEndpoint"), "http://localhost:4567");
  EXPECT_EQ(endpoints(R"(["WEBRTC"])").raw.Header("x-amzn-ErrorType"), "InvalidArgumentException");
  EXPECT_EQ(endpoints(R"(["SMTP"])").raw.Header("x-amzn-ErrorType"), "InvalidArgumentException");

  // Where it is told how it is reached, it says that.
  for (const char* authority : {"s://video.example:8443", "://video.example"}) {
    identity_.endpoint = std::string("http") + authority;
    Start();
    const auto told = endpoints(R"(["WSS","HTTPS"])").body.at("ResourceEndpointList").as_array();
    ASSERT_EQ(told.size(), 2u);
    EXPECT_EQ(told[0].at("ResourceEndpoint").as_string(), std::string("ws") + authority);
    EXPECT_EQ(told[1].at("ResourceEndpoint").as_string(), identity_.endpoint);
  }
}

TEST_F(SignalingServiceTest, MediaStorageMapsAChannelToAStream) {
  const std::string arn = Create("door");
  const std::string kept =
      Rest("/createStream", R"({"StreamName":"kept","DataRetentionInHours":2})").Text("StreamARN");
  const std::string ring = Rest("/createStream", R"({"StreamName":"ring"})").Text("StreamARN");
  const auto update = [&](const std::string& channel, const std::string& configuration) {
    return Rest("/updateMediaStorageConfiguration",
                R"({"ChannelARN":")" + channel + R"(","MediaStorageConfiguration":)" + configuration + "}");
  };
  EXPECT_EQ(update(arn, R"({"Status":"ENABLED","StreamARN":")" + ring + "\"}").raw.Header("x-amzn-ErrorType"),
            "NoDataRetentionException");
  EXPECT_EQ(update(arn, R"({"Status":"ENABLED"})").raw.Header("x-amzn-ErrorType"),
            "InvalidArgumentException");
  EXPECT_EQ(update(arn, R"({"Status":"ENABLED","StreamARN":")" + kept + "\"}").status(), 200);
  EXPECT_EQ(update(Create("yard"), R"({"Status":"ENABLED","StreamARN":")" + kept + "\"}")
                .raw.Header("x-amzn-ErrorType"),
            "InvalidArgumentException");
  auto described = Rest("/describeMediaStorageConfiguration", R"({"ChannelName":"door"})");
  EXPECT_EQ(described.body.at("MediaStorageConfiguration").at("Status"), "ENABLED");
  EXPECT_EQ(described.body.at("MediaStorageConfiguration").at("StreamARN").as_string(), kept);
  auto mapped = Rest("/describeMappedResourceConfiguration", R"({"StreamName":"kept"})");
  EXPECT_EQ(mapped.body.at("MappedResourceConfigurationList").at(0).at("ARN").as_string(), arn);
  EXPECT_EQ(update(arn, R"({"Status":"DISABLED"})").status(), 200);
  described = Rest("/describeMediaStorageConfiguration", R"({"ChannelName":"door"})");
  EXPECT_EQ(described.body.at("MediaStorageConfiguration").at("Status"), "DISABLED");
}

// The stream is what its ARN says, which is what is allowed or not.
TEST_F(SignalingServiceTest, WhoHasTheChannelAloneDoesNotMapItToAStream) {
  const std::string channel = Create("door");
  const std::string stream =
      Rest("/createStream", R"({"StreamName":"kept","DataRetentionInHours":2})").Text("StreamARN");
  const auto map = [&](const std::string& members) {
    return Rest("/updateMediaStorageConfiguration",
                R"({"ChannelARN":")" + channel + R"(","MediaStorageConfiguration":{"Status":"ENABLED",)" +
                    members + "}}")
        .raw.Header("x-amzn-ErrorType");
  };
  gate_.Become({channel});
  EXPECT_EQ(map(R"("StreamARN":")" + stream + "\""), "AccessDeniedException");
  EXPECT_EQ(map(R"("StreamName":"kept")"), "InvalidArgumentException");
  gate_.BecomeNobody();
  const auto described = Rest("/describeMediaStorageConfiguration", R"({"ChannelName":"door"})");
  EXPECT_EQ(described.body.at("MediaStorageConfiguration").at("Status"), "DISABLED");
  gate_.Become({channel, stream});
  EXPECT_EQ(map(R"("StreamARN":")" + stream + "\""), "");
}

// Another change, and a session, come between looking the channel up and changing it.
TEST_F(SignalingServiceTest, AChangeOfTheMappingEndsTheSessionsOfTheOneJustBefore) {
  test::MemoryLog log;
  SignalingChannels channels(log, clock_);
  const VideoStreamServices video{*store_, *sealer_, pool_, budget_, media_budget_, readers_, clock_};
  const SignalingServices services{video, channels, hub_, connections_, webrtc_, {}};
  const auto kept = store_->CreateStream("kept", std::chrono::hours(2));
  const auto other = store_->CreateStream("other", std::chrono::hours(2));
  SignalingChannel asked;
  asked.name = "door";
  const auto door = channels.Create(asked);
  ASSERT_TRUE(kept && other && door);
  const auto map = [&](const VideoStream& stream) {
    boost::json::object storage;
    storage["Status"] = "ENABLED";
    storage["StreamARN"] = video.identity.VideoStreamArn(stream.name, stream.created);
    boost::json::object request;
    request["ChannelARN"] = video.identity.ChannelArn(door->name, door->created);
    request["MediaStorageConfiguration"] = std::move(storage);
    const SignalingAnswer answer = UpdateMediaStorageConfiguration(services, request, "");
    EXPECT_TRUE(answer) << answer.error().message;
  };
  map(*kept);
  SignalingHub::MemberPtr session;
  log.BeforeListing([&] {
    map(*other);
    session = *hub_.JoinStorage({door->name, door->created}, "", std::chrono::seconds(60), [] {});
  });
  map(*kept);
  ASSERT_NE(session, nullptr);
  EXPECT_TRUE(session->Take().closed);
}

TEST_F(SignalingServiceTest, ViewerAndMasterTalk) {
  const std::string arn = Create("door");
  const auto viewer = Connect(arn, "v1");
  ASSERT_EQ(viewer->status(), 101);
  viewer->Write(R"({"action":"SDP_OFFER","messagePayload":"b2ZmZXI="})");
  const auto master = Connect(arn);
  ASSERT_EQ(master->status(), 101);
  EXPECT_EQ(master->Read(),
            R"({"messageType":"SDP_OFFER","messagePayload":"b2ZmZXI=","senderClientId":"v1"})");
  master->Write(R"({"action":"SDP_ANSWER","recipientClientId":"v1","messagePayload":"YW5zd2Vy"})");
  EXPECT_EQ(viewer->Read(), R"({"messageType":"SDP_ANSWER","messagePayload":"YW5zd2Vy"})");
  master->Write("");
  master->Write(R"({"action":"SDP_ANSWER","messagePayload":"YW5zd2Vy","correlationId":"c7"})");
  EXPECT_THAT(master->Read(),
              HasSubstr(R"("correlationId":"c7","errorType":"InvalidArgumentException","statusCode":"400")"));
}

TEST_F(SignalingServiceTest, ANewMasterTakesThePlace) {
  const std::string arn = Create("door");
  const auto before = Connect(arn);
  const auto after = Connect(arn);
  EXPECT_EQ(before->Read(), "");
  EXPECT_THAT(before->close_reason(), HasSubstr("place"));
}

TEST_F(SignalingServiceTest, AHandshakeThatIsRefusedTakesNobodysPlace) {
  const std::string arn = Create("door");
  const auto master = Connect(arn);
  ASSERT_EQ(master->status(), 101);
  RawClient client(server_->port());
  client.Send("GET /?X-Amz-ChannelARN=" + InQuery(arn) +
              " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n\r\n");
  EXPECT_EQ(client.Receive().status, 426);
  const auto viewer = Connect(arn, "v1");
  viewer->Write(R"({"action":"SDP_OFFER","messagePayload":"b2ZmZXI="})");
  EXPECT_THAT(master->Read(), HasSubstr("SDP_OFFER"));
}

TEST_F(SignalingServiceTest, WhoCannotConnectIsToldWhy) {
  EXPECT_EQ(WebSocketClient(server_->port(), "/").status(), 400);
  EXPECT_EQ(WebSocketClient(server_->port(), "/?X-Amz-ChannelARN=door").status(), 400);
  const std::string arn = Create("door");
  EXPECT_EQ(Connect(arn, "no%20name")->status(), 400);
  // A place is given back some time after its answer has come.
  EXPECT_TRUE(test::WaitUntil([&] { return connections_.taken() == 0; }));
  std::vector<std::unique_ptr<WebSocketClient>> many;
  for (int i = 0; i < 8; ++i) {
    many.push_back(Connect(arn, "v" + std::to_string(i)));
    EXPECT_EQ(many.back()->status(), 101);
  }
  EXPECT_EQ(Connect(arn)->status(), 400);
  many.clear();
  EXPECT_TRUE(test::WaitUntil([&] { return Connect(arn)->status() == 101; }));
}

TEST_F(SignalingServiceTest, IceServersAreTheConfiguredOnes) {
  webrtc_.stun_servers = {"stun:127.0.0.1:3478"};
  webrtc_.turn_servers = {{"turn:127.0.0.1:3478?transport=udp", "ada", "secret"}};
  const std::string arn = Create("door");
  const auto answer = Rest("/v1/get-ice-server-config", R"({"ChannelARN":")" + arn + R"(","ClientId":"v1"})");
  const auto& list = answer.body.at("IceServerList").as_array();
  ASSERT_EQ(list.size(), 2u) << answer.raw.body;
  EXPECT_EQ(list[0].at("Uris").at(0), "stun:127.0.0.1:3478");
  EXPECT_EQ(list[1].at("Username"), "ada");
  EXPECT_EQ(list[1].at("Ttl"), 300);
}

}  // namespace
}  // namespace millrace::api::testing
