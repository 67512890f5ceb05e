// The Kinesis protocols' routes on a real log in a temporary directory, behind a real server, with a clock
// that tests set.
#pragma once

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <filesystem>
#include <future>

#include "api/aws/byte_budget.h"
#include "api/aws/token_key.h"
#include "api/data_streams/data_stream_catalog.h"
#include "api/data_streams/services.h"
#include "api/http/origin_policy.h"
#include "api/http/server.h"
#include "api/video_streams/services.h"
#include "fragments/mkv_writer.h"
#include "storage/embedded_log.h"
#include "tests/api/http/raw_client.h"

namespace millrace::api::testing {

// An answer of the protocols.
struct AwsAnswer {
  RawAnswer raw;
  boost::json::value body;  // null: none, or no JSON

  int status() const { return raw.status; }
  const boost::json::object& object() const { return body.as_object(); }
  std::string Text(const char* member) const {
    const auto* value = body.is_object() ? body.as_object().if_contains(member) : nullptr;
    return value != nullptr && value->is_string() ? std::string(value->as_string().c_str()) : std::string();
  }
  // "ResourceNotFoundException: Stream …": what the error says; "" for none.
  std::string Fault() const {
    if (raw.status == 200) return "";
    const std::string type = raw.Header("x-amzn-ErrorType");
    const std::string message = Text("message");
    return type + ": " + (message.empty() ? Text("Message") : message);
  }
};

class AwsServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "millrace-aws-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    Open();
  }
  void TearDown() override {
    Close();
    std::filesystem::remove_all(directory_);
  }

  void Open() {
    storage::EmbeddedLogOptions options;
    options.path = (directory_ / "data").string();
    options.clock = &clock_;
    options.reserve_bytes = 0;
    ConfigureLog(options);
    auto log = storage::EmbeddedLog::Open(options);
    ASSERT_TRUE(log) << log.error().ToString();
    log_ = std::move(*log);
    FragmentStore::Options store_options;
    store_options.clock = &clock_;
    store_options.shards = 2;
    auto store = FragmentStore::Open(*log_, store_options);
    ASSERT_TRUE(store) << store.error().ToString();
    store_ = std::move(*store);
    auto sealer = OpenTokenSealer(*log_);
    ASSERT_TRUE(sealer) << sealer.error().ToString();
    sealer_ = std::make_unique<wire::TokenSealer>(*sealer);
    auto catalog = DataStreamCatalog::Open(*log_, store_options.data_stream);
    ASSERT_TRUE(catalog) << catalog.error().ToString();
    catalog_ = std::move(*catalog);
    router_ = std::make_unique<Router>();
    AddDataStreamRoutes(*router_, MakeDataStreamServices());
    AddVideoStreamRoutes(*router_, VideoServices());
    Serve();
  }
  // The routes of `router_`.
  void Serve() {
    dispatcher_ = MakeDispatcher();
    ServerOptions options;
    options.port = 0;
    options.threads = 2;
    auto server = Server::Start(*dispatcher_, options);
    ASSERT_TRUE(server) << server.error().ToString();
    server_ = std::move(*server);
  }
  VideoStreamServices VideoServices() {
    return {*store_,  *sealer_, pool_,     budget_,    media_budget_,
            readers_, clock_,   identity_, CameraOf(), Edge()};
  }
  virtual void ConfigureLog(storage::EmbeddedLogOptions&) {}
  virtual CameraOfStream CameraOf() { return {}; }
  virtual EdgeControl* Edge() { return nullptr; }
  virtual DataStreamServices MakeDataStreamServices() {
    return {*catalog_, *sealer_, pool_, budget_, clock_};
  }
  virtual std::unique_ptr<Dispatcher> MakeDispatcher() {
    return std::make_unique<Dispatcher>(*router_, CheckCaller);
  }
  void Close() {
    server_.reset();
    catalog_.reset();
    store_.reset();
    log_.reset();
  }
  void Reopen() {
    Close();
    Open();
  }

  RawAnswer Send(const std::string& target, const std::string& headers, const std::string& body) {
    RawClient client(server_->port());
    client.Send("POST " + target + " HTTP/1.1\r\nHost: localhost:4567\r\n" + headers +
                "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    return client.Receive();
  }
  static AwsAnswer Parse(RawAnswer raw) {
    AwsAnswer answer{std::move(raw), nullptr};
    boost::system::error_code ec;
    auto value = boost::json::parse(answer.raw.body, ec);
    if (!ec) answer.body = std::move(value);
    return answer;
  }
  // A data stream operation.
  AwsAnswer Call(const std::string& operation, const std::string& json) {
    return Parse(Send(
        "/",
        "Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: Kinesis_20131202." + operation + "\r\n",
        json));
  }
  // A video stream operation: "/listFragments".
  AwsAnswer Rest(const std::string& path, const std::string& json) {
    return Parse(Send(path, "Content-Type: application/json\r\n", json));
  }

  static TrackInfo VideoTrack() {
    TrackInfo track;
    track.number = 1;
    track.codec = Codec::kH264;
    track.codec_private = {1, 0x64, 0, 0x1F, 0xFF, 0xE1, 0, 1, 0x67, 1, 0, 1, 0x68};
    track.width = 640;
    track.height = 480;
    return track;
  }
  static TrackInfo AudioTrack() {
    TrackInfo track;
    track.number = 2;
    track.codec = Codec::kAac;
    track.codec_private = {0x11, 0x90};
    track.sample_rate = 48'000;
    track.channels = 2;
    return track;
  }

  // A second of four pictures, of which the first is a key frame, and two sounds. A picture's bytes are
  // "video <n>", `padding` more; a sound's "audio <n>".
  Fragment MakeFragment(const FragmentNumber& number, Timestamp start, std::size_t padding = 0) {
    Fragment fragment;
    fragment.facts.number = number;
    fragment.facts.start = start;
    fragment.facts.duration = std::chrono::seconds(1);
    fragment.facts.server_start = start + std::chrono::milliseconds(100);
    fragment.facts.run = 1;
    fragment.facts.run_start = start;
    fragment.facts.tracks = {VideoTrack(), AudioTrack()};
    fragment.facts.track_facts = {{.track = 1, .frames = 4}, {.track = 2, .frames = 2}};
    std::vector<Frame> frames;
    const auto add = [&](std::uint32_t track, int ms, bool key, std::string text) {
      text.resize(text.size() + padding, '.');
      frames.push_back({.track = track,
                        .pts = start + std::chrono::milliseconds(ms),
                        .arrival = {},
                        .key_frame = key,
                        .data = SharedBytes(Bytes(text.begin(), text.end()))});
    };
    for (int i = 0; i < 4; ++i) add(1, 250 * i, i == 0, "video " + std::to_string(i));
    for (int i = 0; i < 2; ++i) add(2, 500 * i, true, "audio " + std::to_string(i));
    auto written = WriteMkv(fragment.facts.tracks, start, fragment.facts.duration, frames);
    EXPECT_TRUE(written) << written.error().ToString();
    fragment.mkv = written->bytes;
    fragment.facts.bytes = fragment.mkv.size();
    return fragment;
  }

  FragmentNumber Append(const VideoStream& stream, Timestamp start, std::size_t padding = 0) {
    const auto number = store_->OpenFragment(stream);
    EXPECT_TRUE(number) << number.error().ToString();
    Append(stream, MakeFragment(*number, start, padding));
    return *number;
  }
  void Append(const VideoStream& stream, Fragment fragment) {
    std::promise<Result<FragmentNumber>> done;
    store_->Append(stream, std::move(fragment),
                   [&](Result<FragmentNumber> result) { done.set_value(std::move(result)); });
    const auto appended = done.get_future().get();
    EXPECT_TRUE(appended) << appended.error().ToString();
  }

  static constexpr Timestamp kNow = Timestamp::FromMillis(1'795'240'800'000);

  std::filesystem::path directory_;
  ManualClock clock_{kNow};
  std::unique_ptr<storage::EmbeddedLog> log_;
  std::unique_ptr<FragmentStore> store_;
  std::unique_ptr<wire::TokenSealer> sealer_;
  std::unique_ptr<DataStreamCatalog> catalog_;
  WorkerPool pool_{2, 64};
  ByteBudget budget_{64 * 1024 * 1024};
  ByteBudget media_budget_{64 * 1024 * 1024};
  ByteBudget readers_{16};
  AwsIdentity identity_;  // of the video streams' routes, from the next Open on
  std::unique_ptr<Router> router_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::unique_ptr<Server> server_;
};

}  // namespace millrace::api::testing
