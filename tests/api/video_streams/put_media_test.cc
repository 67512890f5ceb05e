// Goal: producers built for Kinesis Video Streams put media here unchanged: their headers, their way of
// sending, their way of reading acknowledgements. Method: a client that behaves as the C producer does and
// one that behaves as the Java SDK does, over sockets, to a real server and log.
#include <gmock/gmock.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "ingest/put_session.h"
#include "parser/ebml_writer.h"
#include "parser/parse_fragment.h"
#include "parser/tags.h"
#include "tests/api/aws_server.h"
#include "tests/ingest/put_media_bytes.h"
#include "tests/storage/simulated_file_system.h"
#include "tests/wait.h"

namespace millrace::api::testing {
namespace {

using millrace::testing::MkvBuilder;
using millrace::testing::SizeForm;
using test::Joined;
using test::MediaCluster;
using test::MediaHead;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::uint64_t kStart = 1'795'240'800'000;  // AwsServerTest's clock

struct Ack {
  std::string type{};
  std::uint64_t timecode = 0;
  std::string number{};
  std::int64_t error_id = 0;
  std::string error_code{};
  bool has_fragment = false;
};

// As libcurl hands it to the C producer: one chunk, at most 1024 bytes, one object, a newline behind it.
Ack ParseAck(const std::string& chunk) {
  Ack ack;
  EXPECT_LE(chunk.size(), 1024U);
  EXPECT_EQ(chunk.back(), '\n');
  boost::system::error_code ec;
  const auto value = boost::json::parse(chunk, ec);
  EXPECT_FALSE(ec) << chunk;
  if (ec || !value.is_object()) return ack;
  const auto& object = value.as_object();
  ack.type = object.at("EventType").as_string().c_str();
  if (const auto* timecode = object.if_contains("FragmentTimecode")) {
    ack.timecode = timecode->to_number<std::uint64_t>();
    ack.number = object.at("FragmentNumber").as_string().c_str();
    ack.has_fragment = true;
  }
  if (const auto* id = object.if_contains("ErrorId")) {
    ack.error_id = id->as_int64();
    ack.error_code = object.at("ErrorCode").as_string().c_str();
  }
  return ack;
}

class Producer {
 public:
  explicit Producer(std::uint16_t port) : client_(port) {}

  // As the C producer: no port in Host, a go-ahead wanted, milliseconds without leading zeros.
  void BeginAsC(const std::string& stream, const std::string& more = "") {
    client_.Send(
        "POST /putMedia HTTP/1.1\r\nHost: localhost\r\nuser-agent: AWS-SDK-KVS/3.6.0 GCC/12.2\r\n"
        "x-amzn-stream-name: " +
        stream +
        "\r\nx-amzn-producer-start-timestamp: 1795240800.7\r\n"
        "x-amzn-fragment-acknowledgment-required: 1\r\nx-amzn-fragment-timecode-type: ABSOLUTE\r\n"
        "connection: keep-alive\r\ncontent-type: application/json\r\n"
        "transfer-encoding: chunked\r\nExpect: 100-continue\r\n" +
        more + "\r\n");
    EXPECT_EQ(client_.ReceiveHead().status, 100);
    EXPECT_EQ(client_.ReceiveHead().status, 200) << "before any of the body";
  }
  // As the Java SDK: an unsigned payload, relative timecodes, sent without waiting for anything.
  void BeginAsJava(const std::string& stream, const std::string& start, const Bytes& first) {
    client_.Send("POST /putMedia HTTP/1.1\r\nHost: localhost\r\nx-amzn-stream-name: " + stream +
                 "\r\nx-amzn-fragment-timecode-type: RELATIVE\r\nx-amzn-producer-start-timestamp: " + start +
                 "\r\nx-amz-content-sha256: UNSIGNED-PAYLOAD\r\nTransfer-Encoding: chunked\r\n\r\n");
    Send(first);
    EXPECT_EQ(client_.ReceiveHead().status, 200);
  }
  // In chunks of uneven sizes.
  bool Send(const Bytes& bytes) {
    std::size_t size = 1;
    for (std::size_t at = 0; at < bytes.size(); at += size, size = size * 7 % 1'021 + 1) {
      const std::size_t count = std::min(size, bytes.size() - at);
      char head[24];
      std::snprintf(head, sizeof(head), "%zx\r\n", count);
      std::string chunk = head;
      chunk.append(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                   bytes.begin() + static_cast<std::ptrdiff_t>(at + count));
      if (!client_.Send(chunk + "\r\n")) return false;
      size = count;
    }
    return true;
  }
  void End() { client_.Send("0\r\n\r\n"); }
  Ack NextOrIdle() {
    const std::string chunk = client_.ReceiveChunk();
    return chunk.empty() ? Ack{.type = client_.chunks_complete() ? "end" : "cut off"} : ParseAck(chunk);
  }
  // Idle ones may stand between any others: a busy machine is silent for a while.
  Ack Next() {
    Ack ack = NextOrIdle();
    while (ack.type == "IDLE") ack = NextOrIdle();
    return ack;
  }
  // "BUFFERING 0".
  std::string NextText() {
    const Ack ack = Next();
    std::string text = ack.has_fragment ? ack.type + " " + std::to_string(ack.timecode - zero) : ack.type;
    if (ack.error_id != 0) text += " " + std::to_string(ack.error_id) + " " + ack.error_code;
    return text;
  }
  // Those up to the end.
  std::vector<std::string> All() {
    std::vector<std::string> all;
    do {
      all.push_back(NextText());
    } while (all.back() != "end" && all.back() != "cut off");
    return all;
  }
  RawClient& client() { return client_; }
  std::uint64_t zero = kStart;

 private:
  RawClient client_;
};

class PutMediaTest : public AwsServerTest {
 protected:
  void SetUp() override {
    AwsServerTest::SetUp();
    auto stream = store_->CreateStream("door", std::chrono::hours(24));
    ASSERT_TRUE(stream);
    stream_ = *stream;
  }
  std::unique_ptr<Dispatcher> MakeDispatcher() override {
    streams_ = std::make_unique<PutStreams>(*store_, PutStreamsOptions{});
    AddPutMediaRoutes(*router_, {.store = *store_,
                                 .streams = *streams_,
                                 .pool = pool_,
                                 .memory = memory_,
                                 .connections = connections_,
                                 .camera_of =
                                     [](const std::string& name) {
                                       return name == "filmed" ? std::optional<std::string>("cam")
                                                               : std::nullopt;
                                     },
                                 .idle_every = std::chrono::milliseconds(200)});
    return AwsServerTest::MakeDispatcher();
  }
  std::vector<FragmentFacts> Stored() { return *store_->List("door", {.order = FragmentOrder::kNumber}); }
  int StatusOf(const std::string& headers) { return Send("/putMedia", headers, "").status; }

  VideoStream stream_;
  std::unique_ptr<PutStreams> streams_;
  static constexpr std::uint64_t kMemory = 8 * 1024 * 1024;
  ByteBudget memory_{kMemory};
  ByteBudget connections_{4};
};

TEST_F(PutMediaTest, AProducerLikeTheCOne) {
  Producer producer(server_->port());
  producer.BeginAsC("door");
  // Each acknowledgement comes while the body goes on.
  producer.Send(Joined({MediaHead(), MediaCluster(kStart, "a")}));
  const Ack buffering = producer.Next();
  EXPECT_EQ(buffering.type, "BUFFERING");
  EXPECT_EQ(buffering.timecode, kStart);
  EXPECT_EQ(buffering.number.size(), 47U);
  producer.Send(MediaCluster(kStart + 800, "b"));
  EXPECT_EQ(producer.Next().type, "RECEIVED");
  std::vector<std::string> two{producer.Next().type, producer.Next().type};
  EXPECT_THAT(two, ::testing::UnorderedElementsAre("PERSISTED", "BUFFERING"));
  producer.End();
  EXPECT_THAT(producer.All(), ElementsAre("RECEIVED 800", "PERSISTED 800", "end"));
  ASSERT_EQ(Stored().size(), 2U);
  EXPECT_EQ(Stored()[0].number.ToString(), buffering.number);

  // What was put is what is read.
  const auto answer = Rest("/getMediaForFragmentList",
                           R"({"StreamName":"door","Fragments":[")" + buffering.number + R"("]})");
  const auto parsed = ParseFragment(SharedBytes(Bytes(answer.raw.body.begin(), answer.raw.body.end())));
  ASSERT_TRUE(parsed) << parsed.error().ToString();
  ASSERT_EQ(parsed->frames.size(), 5U);
  EXPECT_EQ(AsText(parsed->frames[0].data), "a picture 0");
  EXPECT_EQ(parsed->service.producer_timestamp, kNow);
  EXPECT_EQ(parsed->service.fragment_number, buffering.number);
}

TEST_F(PutMediaTest, AProducerLikeTheJavaOne) {
  Producer producer(server_->port());
  producer.zero = 0;
  producer.BeginAsJava("door", "1795240800.25", Joined({MediaHead(), MediaCluster(0, "a")}));
  producer.Send(MediaCluster(800, "b"));
  producer.End();
  const auto all = producer.All();
  EXPECT_THAT(all, ::testing::UnorderedElementsAre("BUFFERING 0", "RECEIVED 0", "PERSISTED 0",
                                                   "BUFFERING 800", "RECEIVED 800", "PERSISTED 800", "end"))
      << "timecodes as they came";
  ASSERT_EQ(Stored().size(), 2U);
  EXPECT_EQ(Stored()[1].start, kNow + std::chrono::milliseconds(1'050));
}

TEST_F(PutMediaTest, AnotherRequestCanFollow) {
  Producer producer(server_->port());
  producer.BeginAsC("door");
  producer.Send(Joined({MediaHead(), MediaCluster(kStart, "a")}));
  producer.End();
  EXPECT_EQ(producer.All().back(), "end");
  producer.BeginAsC("door");
  producer.Send(Joined({MediaHead(), MediaCluster(kStart + 800, "b")}));
  producer.End();
  EXPECT_EQ(producer.All().back(), "end");
  EXPECT_EQ(Stored().size(), 2U);
}

TEST_F(PutMediaTest, AnErrorEndsTheAnswer) {
  struct Case {
    Bytes body;
    std::string error;
  };
  const Bytes malformed(64, 0);
  const Case cases[] = {
      {Joined({MediaHead(), MediaCluster(kStart, "a"), malformed}), "ERROR 4006 INVALID_MKV_DATA"},
      {Joined({MediaHead(), MediaCluster(kStart, "a"), MediaCluster(kStart - 1, "b")}),
       "ERROR -1 4004 FRAGMENT_TIMECODE_LESSER_THAN_PREVIOUS"},
  };
  for (const Case& tested : cases) {
    ASSERT_TRUE(store_->DeleteStream("door"));
    ASSERT_TRUE(store_->CreateStream("door", std::chrono::hours(24)));
    Producer producer(server_->port());
    producer.BeginAsC("door");
    producer.Send(tested.body);
    auto all = producer.All();
    ASSERT_GE(all.size(), 3U);
    EXPECT_EQ(all.back(), "end");
    std::string error = all[all.size() - 2];
    if (const auto at = error.find("18446744073709551615"); at != std::string::npos)
      error.replace(at, 20, "-1");
    EXPECT_EQ(error, tested.error);
  }
}

TEST_F(PutMediaTest, SilenceIsKeptAlive) {
  Producer producer(server_->port());
  producer.BeginAsC("door");
  EXPECT_EQ(producer.NextOrIdle().type, "IDLE");
  producer.Send(MediaHead());
  EXPECT_EQ(producer.NextOrIdle().type, "IDLE");
  producer.End();
  EXPECT_THAT(producer.All(), ElementsAre("end"));
}

TEST_F(PutMediaTest, AProducerThatDiesAndComesBack) {
  {
    Producer producer(server_->port());
    producer.BeginAsC("door");
    Bytes bytes = Joined({MediaHead(), MediaCluster(kStart, "a"), MediaCluster(kStart + 800, "b")});
    bytes.resize(bytes.size() - 5);
    producer.Send(bytes);
    while (producer.Next().type != "PERSISTED") {
    }
  }
  Producer producer(server_->port());
  producer.BeginAsC("door");
  producer.Send(Joined({MediaHead(), MediaCluster(kStart, "a"), MediaCluster(kStart + 800, "b")}));
  producer.End();
  const auto all = producer.All();
  EXPECT_EQ(std::count(all.begin(), all.end(), "PERSISTED 0"), 1);
  EXPECT_EQ(std::count(all.begin(), all.end(), "PERSISTED 800"), 1);
  EXPECT_EQ(Stored().size(), 2U) << "nothing twice";
}

TEST_F(PutMediaTest, ANewerProducerTakesOver) {
  Producer older(server_->port()), newer(server_->port());
  older.BeginAsC("door");
  older.Send(Joined({MediaHead(), MediaCluster(kStart, "old")}));
  EXPECT_EQ(older.Next().type, "BUFFERING");
  newer.BeginAsC("door");
  newer.Send(Joined({MediaHead(), MediaCluster(kStart + 800, "new")}));
  EXPECT_EQ(newer.Next().type, "BUFFERING");
  // It may complete what it has open; the error would not wait for a slow disk.
  older.Send(MkvBuilder().Tags({{kEndOfFragmentTag, ""}}).out());
  EXPECT_EQ(older.NextText(), "RECEIVED 0");
  EXPECT_EQ(older.NextText(), "PERSISTED 0");
  older.Send(MediaCluster(kStart + 800, "old"));
  const auto all = older.All();
  EXPECT_THAT(all, ElementsAre(StartsWith("ERROR"), "end"));
  EXPECT_THAT(all[0], HasSubstr("4000 STREAM_READ_ERROR"));
  newer.End();
  EXPECT_THAT(newer.All(), ElementsAre("RECEIVED 800", "PERSISTED 800", "end"));
}

TEST_F(PutMediaTest, WithoutAcknowledgementsErrorsAreToldAlone) {
  Producer producer(server_->port());
  producer.client().Send(
      "POST /putMedia HTTP/1.1\r\nHost: localhost\r\nx-amzn-stream-name: door\r\n"
      "x-amzn-fragment-acknowledgment-required: 0\r\nx-amzn-fragment-timecode-type: ABSOLUTE\r\n"
      "transfer-encoding: chunked\r\n\r\n");
  EXPECT_EQ(producer.client().ReceiveHead().status, 200);
  producer.Send(Joined({MediaHead(), MediaCluster(kStart, "a"), Bytes(64, 0)}));
  EXPECT_THAT(producer.All(), ElementsAre("ERROR 4006 INVALID_MKV_DATA", "end"));
}

TEST_F(PutMediaTest, BadRequestsAreRefusedBeforeTheBody) {
  const std::string absolute = "x-amzn-fragment-timecode-type: ABSOLUTE\r\n";
  const std::string relative = "x-amzn-fragment-timecode-type: RELATIVE\r\n";
  const std::string door = "x-amzn-stream-name: door\r\n";
  EXPECT_EQ(StatusOf(absolute), 400) << "no stream";
  EXPECT_EQ(StatusOf(door), 400) << "no timecode type";
  EXPECT_EQ(StatusOf(door + "x-amzn-fragment-timecode-type: absolute\r\n"), 400);
  EXPECT_EQ(StatusOf(door + relative), 400) << "no start";
  // Among them times that nanoseconds do not hold, and one that they just do, far from any clock's.
  for (const char* start : {"", "x", "-1", "1.x", ".5", "9999999999999", "9223372037", "9223372036",
                            "99999999999999999999", "1,5", "1795240800.1.2"}) {
    EXPECT_EQ(StatusOf(door + relative + "x-amzn-producer-start-timestamp: " + start + "\r\n"), 400) << start;
  }
  EXPECT_EQ(StatusOf(absolute + "x-amzn-stream-name: no such name\r\n"), 400);
  EXPECT_EQ(StatusOf(absolute + "x-amzn-stream-arn: arn:of:nothing\r\n"), 400);
  EXPECT_EQ(StatusOf(absolute + door +
                     "x-amzn-stream-arn: arn:aws:kinesisvideo:us-east-1:000000000000:stream/door/" +
                     std::to_string(stream_.created.millis()) + "\r\n"),
            400)
      << "both";
  EXPECT_EQ(StatusOf(absolute + "x-amzn-stream-name: nobodys\r\n"), 404);
  EXPECT_EQ(
      StatusOf(absolute + "x-amzn-stream-arn: arn:aws:kinesisvideo:us-east-1:000000000000:stream/door/1\r\n"),
      404)
      << "an earlier stream of this name";
  ASSERT_TRUE(store_->CreateStream("filmed", std::chrono::hours(1)));
  const auto filmed = Parse(Send("/putMedia", absolute + "x-amzn-stream-name: filmed\r\n", ""));
  EXPECT_EQ(filmed.status(), 400);
  EXPECT_THAT(filmed.Fault(), StartsWith("ConnectionLimitExceededException: "));
  EXPECT_EQ(StatusOf(absolute + door), 200) << "an empty body is no error";
}

TEST_F(PutMediaTest, ConnectionsAreCounted) {
  std::vector<std::unique_ptr<Producer>> producers;
  for (int i = 0; i < 4; ++i) {
    producers.push_back(std::make_unique<Producer>(server_->port()));
    producers.back()->BeginAsC("door");
  }
  const auto refused =
      Parse(Send("/putMedia", "x-amzn-fragment-timecode-type: ABSOLUTE\r\nx-amzn-stream-name: door\r\n", ""));
  EXPECT_THAT(refused.Fault(), StartsWith("ConnectionLimitExceededException: "));
  producers.clear();
  EXPECT_TRUE(test::WaitUntil([&] { return connections_.taken() == 0; }));
  EXPECT_EQ(memory_.taken(), 0U);
}

// A live reader gets each fragment when it is durable.
TEST_F(PutMediaTest, ReadersFollow) {
  RawClient reader(server_->port());
  const std::string body = R"({"StreamName":"door","StartSelector":{"StartSelectorType":"EARLIEST"}})";
  reader.Send("POST /getMedia HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) +
              "\r\n\r\n" + body);
  EXPECT_EQ(reader.ReceiveHead().status, 200);
  Producer producer(server_->port());
  producer.BeginAsC("door");
  producer.Send(MediaHead());
  std::string media;
  for (std::uint64_t i = 0; i < 3; ++i) {
    producer.Send(Joined({MediaCluster(kStart + 800 * i, "part " + std::to_string(i), SizeForm::kKnown)}));
    if (i == 0) continue;
    const std::string last = "part " + std::to_string(i - 1) + " sound";
    while (media.find(last) == std::string::npos) {
      const std::string chunk = reader.ReceiveChunk();
      ASSERT_FALSE(chunk.empty());
      media += chunk;
    }
  }
}

// A disk that does not answer for a while.
class SlowDiskTest : public PutMediaTest {
 protected:
  void ConfigureLog(storage::EmbeddedLogOptions& options) override {
    options.path = "/data";
    options.files = &disk_;
  }
  void TearDown() override {
    SetStalled(false);
    PutMediaTest::TearDown();
  }
  void SetStalled(bool stalled) {
    {
      const std::lock_guard lock(mutex_);
      stalled_ = stalled;
    }
    changed_.notify_all();
  }

  storage::SimulatedFileSystem disk_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stalled_ = false;
};

TEST_F(SlowDiskTest, AProducerIsNotReadWhileTheDiskStalls) {
  constexpr std::uint64_t kClusters = 120;
  disk_.SetStall([this](storage::FileCall) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !stalled_; });
  });
  Producer producer(server_->port());
  producer.BeginAsC("door");
  producer.Send(MediaHead());
  SetStalled(true);
  std::atomic<std::uint64_t> sent = 0;
  std::thread sending([&] {
    const std::string padding(50'000, 'x');
    for (std::uint64_t i = 0; i < kClusters; ++i, ++sent) {
      producer.Send(MediaCluster(kStart + 800 * i, padding));
    }
    producer.End();
  });
  // As much as may be held has come in, and then nothing more does.
  EXPECT_TRUE(test::WaitUntil([&] { return memory_.taken() == kMemory; }));
  const std::uint64_t before = sent;
  EXPECT_LT(before, kClusters);
  SetStalled(false);
  const auto all = producer.All();
  sending.join();
  EXPECT_EQ(all.back(), "end");
  EXPECT_EQ(std::count_if(all.begin(), all.end(),
                          [](const std::string& ack) { return ack.starts_with("PERSISTED"); }),
            static_cast<std::ptrdiff_t>(kClusters));
  EXPECT_EQ(Stored().size(), kClusters);
}

// Each Cluster repeats what stands before the first: a piece of some kilobytes makes documents of many
// megabytes, which are not made before there is room for them.
TEST_F(SlowDiskTest, FewBytesThatBecomeMuchWaitForRoom) {
  constexpr std::uint64_t kClusters = 200;
  disk_.SetStall([this](storage::FileCall) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !stalled_; });
  });
  const auto before = store_->OpenFragment(stream_);
  ASSERT_TRUE(before);
  Bytes head = MediaHead();
  while (head.size() < 250'000) AppendBinary(head, ElementId::kVoid, Bytes(4'000));
  Bytes clusters;
  for (std::uint64_t i = 0; i < kClusters; ++i) {
    AppendElementHeader(clusters, ElementId::kCluster, 10);
    AppendUnsigned64(clusters, ElementId::kTimestamp, kStart + 200 * i);
  }
  Producer producer(server_->port());
  producer.BeginAsC("door", "x-millrace-sparse-tracks: 1\r\n");
  producer.Send(head);
  SetStalled(true);
  char size[24];
  std::snprintf(size, sizeof(size), "%zx\r\n", clusters.size());
  producer.client().Send(size + std::string(AsText(clusters)) + "\r\n");
  EXPECT_TRUE(test::WaitUntil([&] { return memory_.taken() == kMemory; }));
  const auto opened = store_->OpenFragment(stream_);
  ASSERT_TRUE(opened);
  EXPECT_LT(opened->counter - before->counter, kClusters / 2);
  SetStalled(false);
  producer.End();
  const auto all = producer.All();
  EXPECT_EQ(all.back(), "end");
  EXPECT_EQ(Stored().size(), kClusters);
}

}  // namespace
}  // namespace millrace::api::testing
