// GetMedia without end: each fragment whole and once, whatever happens to the connection.
#include "consumers/sources/media_stream.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "tests/consumers/sources/scripted_server.h"
#include "tests/parser/mkv_builder.h"

namespace millrace::testing {
namespace {

std::string Number(int i) { return std::string(46, '1') + std::to_string(i); }

std::string Chunk(int i, bool token = true) {
  MkvBuilder mkv;
  mkv.Header().Tracks().Tags({{kFragmentNumberTag, Number(i)}, {kServerTimestampTag, "1700000000.5"}});
  mkv.StartCluster(static_cast<std::uint64_t>(1000 * i)).Simple(1, 0, true, "frame of " + std::to_string(i));
  mkv.Simple(1, 40, false, "second").EndCluster();
  if (token) mkv.Tags({{kMillisBehindNowTag, "0"}, {kContinuationTokenTag, "token" + std::to_string(i)}});
  return std::string(AsText(mkv.Take()));
}

std::string ErrorChunk(int i) {
  MkvBuilder mkv;
  mkv.Header().Tags({{kFragmentNumberTag, Number(i)}, {kErrorIdTag, "5000"}, {kErrorCodeTag, "internal"}});
  return std::string(AsText(mkv.Take()));
}

// Answers GetDataEndpoint with itself, and each GetMedia with the next of `bodies`; behind the last one with
// 404.
class MediaServer {
 public:
  explicit MediaServer(std::vector<ScriptedAnswer> bodies)
      : bodies_(std::move(bodies)),
        server_([this](const ScriptedRequest& request) { return Answer(request); }) {}

  MediaStreamOptions Options() {
    MediaStreamOptions options;
    options.address.endpoint = server_.endpoint();
    options.address.stream = "door";
    options.address.http.key = wire::AccessKey{"id", "secret"};
    options.retry_first = std::chrono::milliseconds(1);
    options.retry_max = std::chrono::milliseconds(2);
    return options;
  }
  ScriptedServer& server() { return server_; }

 private:
  ScriptedAnswer Answer(const ScriptedRequest& request) {
    if (request.target == "/getDataEndpoint") {
      return {200, "{\"DataEndpoint\": \"" + server_.endpoint().ToString() + "\"}"};
    }
    if (next_ < bodies_.size()) return bodies_[next_++];
    return {404, R"({"__type": "ResourceNotFoundException", "message": "no such stream"})"};
  }

  std::vector<ScriptedAnswer> bodies_;
  std::size_t next_ = 0;
  ScriptedServer server_;
};

// Reads until the server has no more bodies. What each fragment's first frame says.
std::vector<std::string> ReadAll(MediaStream& media, ErrorCode last = ErrorCode::kNotFound) {
  std::vector<std::string> frames;
  const auto ended = media.Run([&](const ParsedFragment& fragment) -> Result<void> {
    EXPECT_EQ(fragment.frames.size(), 2u);
    frames.emplace_back(AsText(fragment.frames[0].data));
    return {};
  });
  EXPECT_FALSE(ended);
  if (ended) return frames;
  EXPECT_EQ(ended.error().code, last) << ended.error().message;
  return frames;
}

std::string Body(const std::string& selector) {
  return "{\"StartSelector\":{" + selector + "},\"StreamName\":\"door\"}";
}

const std::string kTokenOf2 =
    Body(R"("StartSelectorType":"CONTINUATION_TOKEN","ContinuationToken":"token2")");

TEST(MediaStream, GoesOnBehindTheLastWholeFragment) {
  const std::string third = Chunk(3);
  MediaServer server({{200, Chunk(1) + Chunk(2) + third.substr(0, third.size() - 40), true},
                      {200, Chunk(3) + Chunk(4)},
                      {200, ""},
                      {200, Chunk(5)}});
  MediaStream media(server.Options());
  EXPECT_EQ(ReadAll(media),
            (std::vector<std::string>{"frame of 1", "frame of 2", "frame of 3", "frame of 4", "frame of 5"}));
  EXPECT_EQ(media.fragments(), 5u);
  const auto asked = server.server().BodiesOf("/getMedia");
  ASSERT_EQ(asked.size(), 5u);
  EXPECT_EQ(asked[0], Body(R"("StartSelectorType":"NOW")"));
  EXPECT_EQ(asked[1], kTokenOf2);
  EXPECT_EQ(media.place().kind, MediaStart::Kind::kToken);
  EXPECT_EQ(media.place().place, "token5");
}

TEST(MediaStream, CutAnywhereNothingIsLostOrGivenTwice) {
  const std::string two = Chunk(1) + Chunk(2);
  for (std::size_t at = 0; at < two.size(); at += 37) {
    MediaServer server({{200, two.substr(0, at), true}, {200, two + Chunk(3)}});
    MediaStreamOptions options = server.Options();
    options.start.kind = MediaStart::Kind::kEarliest;
    MediaStream media(options);
    EXPECT_EQ(ReadAll(media), (std::vector<std::string>{"frame of 1", "frame of 2", "frame of 3"}))
        << "cut at " << at;
  }
}

TEST(MediaStream, GoesOnByNumberWhereThereAreNoTokens) {
  MediaServer server({{200, Chunk(1, false) + Chunk(2, false)}, {200, Chunk(2, false) + Chunk(3, false)}});
  MediaStream media(server.Options());
  EXPECT_EQ(ReadAll(media), (std::vector<std::string>{"frame of 1", "frame of 2", "frame of 3"}));
  EXPECT_EQ(server.server().BodiesOf("/getMedia")[1],
            Body("\"StartSelectorType\":\"FRAGMENT_NUMBER\",\"AfterFragmentNumber\":\"" + Number(2) + "\""));
}

TEST(MediaStream, TriesAgainWhatMayBeOverSoon) {
  MediaServer server({{503, ""},
                      {400, R"({"__type": "ClientLimitExceededException", "message": "too many"})"},
                      {200, Chunk(1) + Chunk(2) + ErrorChunk(3)},
                      {500, ""},
                      {200, Chunk(3)}});
  MediaStream media(server.Options());
  EXPECT_EQ(ReadAll(media), (std::vector<std::string>{"frame of 1", "frame of 2", "frame of 3"}));
  EXPECT_EQ(media.reconnects(), 5u);
}

TEST(MediaStream, EndsWithWhatTryingAgainDoesNotMend) {
  for (const auto& [answer, code] :
       {std::pair{ScriptedAnswer{404, R"({"__type": "ResourceNotFoundException", "message": "x"})"},
                  ErrorCode::kNotFound},
        std::pair{ScriptedAnswer{400, R"({"__type": "InvalidArgumentException", "message": "x"})"},
                  ErrorCode::kInvalidArgument},
        std::pair{ScriptedAnswer{200, std::string(100, 'x')}, ErrorCode::kCorruption}}) {
    MediaServer server({answer});
    MediaStream media(server.Options());
    EXPECT_TRUE(ReadAll(media, code).empty());
  }
}

TEST(MediaStream, AFragmentOverALimitEndsIt) {
  for (const bool of_gatherer : {false, true}) {
    MediaServer server({{200, Chunk(1)}});
    MediaStreamOptions options = server.Options();
    (of_gatherer ? options.limits.frames_max : options.limits.frame_bytes_max) = 1;
    MediaStream media(options);
    EXPECT_TRUE(ReadAll(media, ErrorCode::kResourceExhausted).empty());
    EXPECT_EQ(server.server().BodiesOf("/getMedia").size(), 1u) << "the same bytes would come again";
  }
}

TEST(MediaStream, TheSinksErrorEndsItWhateverItIs) {
  MediaServer server({{200, Chunk(1) + Chunk(2)}});
  MediaStream media(server.Options());
  int given = 0;
  const auto ended = media.Run([&](const ParsedFragment&) -> Result<void> {
    ++given;
    return Error{ErrorCode::kUnavailable, "my own trouble"};
  });
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().message, "my own trouble");
  EXPECT_EQ(given, 1);
  EXPECT_EQ(media.fragments(), 0u) << "it was not taken: it comes again to the next reader";
}

TEST(MediaStream, WithoutResumeItEndsWithTheBody) {
  MediaServer server({{200, Chunk(1)}, {200, Chunk(2)}});
  MediaStreamOptions options = server.Options();
  options.resume = false;
  MediaStream whole(options);
  int fragments = 0;
  const auto count = [&](const ParsedFragment&) -> Result<void> {
    ++fragments;
    return {};
  };
  EXPECT_TRUE(whole.Run(count));
  EXPECT_EQ(fragments, 1);

  MediaServer cutting({{200, Chunk(1).substr(0, 200), true}});
  options = cutting.Options();
  options.resume = false;
  MediaStream cut(options);
  const auto ended = cut.Run(count);
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, ErrorCode::kUnavailable);
}

TEST(MediaStream, StopEndsItFromAnotherThreadAndWhileItWaits) {
  std::vector<ScriptedAnswer> away(1000, ScriptedAnswer{503, ""});
  MediaServer server(away);
  MediaStreamOptions options = server.Options();
  options.retry_first = options.retry_max = std::chrono::hours(1);
  MediaStream media(options);
  std::thread reader([&] { EXPECT_TRUE(media.Run([](const ParsedFragment&) { return Result<void>(); })); });
  while (server.server().BodiesOf("/getMedia").empty()) std::this_thread::yield();
  media.Stop();
  reader.join();
}

TEST(MediaStream, RequestsAreSignedAndTheStartIsAsAsked) {
  MediaServer server({});
  MediaStreamOptions options = server.Options();
  options.start = {MediaStart::Kind::kProducerTimestamp, Timestamp::FromMillis(1'700'000'000'250), {}};
  MediaStream media(options);
  ReadAll(media);
  const auto requests = server.server().requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].target, "/getDataEndpoint");
  EXPECT_NE(requests[0].body.find("\"APIName\":\"GET_MEDIA\""), std::string::npos);
  for (const ScriptedRequest& request : requests) {
    EXPECT_NE(request.head.find("Authorization: AWS4-HMAC-SHA256 Credential=id/"), std::string::npos)
        << request.head;
  }
  EXPECT_NE(requests[1].body.find("PRODUCER_TIMESTAMP\",\"StartTimestamp\":1.70000000025E9"),
            std::string::npos)
      << requests[1].body;
}

}  // namespace
}  // namespace millrace::testing
