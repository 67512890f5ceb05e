// A real server in this process, with footage of real H.264, and an analyzer that does what it is told.
#pragma once

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <thread>

#include "api/aws/token_key.h"
#include "api/data_streams/data_stream_catalog.h"
#include "api/http/dispatcher.h"
#include "api/http/origin_policy.h"
#include "api/http/server.h"
#include "api/v1/application_service.h"
#include "api/v1/services.h"
#include "api/video_streams/services.h"
#include "consumers/analysis/analysis_host.h"
#include "fragments/coverage_ledger.h"
#include "fragments/mkv_writer.h"
#include "storage/embedded_log.h"
#include "tests/fragments/real_media.h"
#include "tests/wait.h"

namespace millrace {
inline constexpr const char* kFragmentLog = "millrace-fragments";

template <typename T>
T Get(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << result.error().ToString();
    std::abort();
  }
  return std::move(*result);
}

class FakeAnalyzer final : public FrameAnalyzer {
 public:
  std::string name() const override { return "fake"; }
  std::string version() const override { return "1"; }
  Result<std::unique_ptr<StreamAnalyzer>> Open(const std::string&, const boost::json::object&) override {
    ++opened;
    return std::unique_ptr<StreamAnalyzer>(std::make_unique<Stream>(*this));
  }
  std::function<Result<boost::json::object>(const AnalysisFrame&)> answer;
  int opened = 0;

 private:
  struct Stream final : StreamAnalyzer {
    explicit Stream(FakeAnalyzer& owner) : fake(owner) {}
    Result<boost::json::object> Analyze(const AnalysisFrame& frame) override {
      EXPECT_FALSE(frame.image.empty());
      EXPECT_EQ(frame.image.type(), CV_8UC3);
      if (fake.answer) return fake.answer(frame);
      return boost::json::object{{"Found", 1}};
    }
    FakeAnalyzer& fake;
  };
};

class AnalysisTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "millrace-analysis-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    const std::string clip = (directory_ / "clip.mp4").string();
    test::MakeMp4(clip, 1, "keyint=25:bframes=0", false);
    media_ = test::ReadMp4(clip, Timestamp{0});
    storage::EmbeddedLogOptions options;
    options.path = (directory_ / "data").string();
    options.reserve_bytes = 0;
    log_ = Get(storage::EmbeddedLog::Open(options));
    FragmentStore::Options store_options;
    store_options.shards = 2;
    store_ = Get(FragmentStore::Open(*log_, store_options));
    Get(log_->CreateStream("millrace-fake", 1, std::chrono::hours(24)));
    catalog_ = Get(api::DataStreamCatalog::Open(*log_, kFragmentLog));
    sealer_ = std::make_unique<wire::TokenSealer>(Get(api::OpenTokenSealer(*log_)));
    leases_ = std::make_unique<api::ApplicationLeases>(*log_, SystemClock());
    applications_ = std::make_unique<api::ApplicationServices>(
        api::ApplicationServices{*leases_, *log_, pool_, budget_, {kFragmentLog}});
    api::AddDataStreamRoutes(router_, {*catalog_, *sealer_, pool_, budget_, SystemClock()});
    api::AddVideoStreamRoutes(router_,
                              {*store_, *sealer_, pool_, budget_, media_budget_, readers_, SystemClock()});
    api::AddApplicationRoutes(router_, *applications_);
    ledger_ = Get(CoverageLedger::Open(*log_, *store_, {}));
    auto no_camera = [](const std::string&) { return std::optional<std::string>(); };
    api::AddStreamRoutes(router_, {*store_, pool_, no_camera, SystemClock(), *ledger_});
    api::ServerOptions server;
    server.port = 0;
    server.threads = 2;
    server_ = Get(api::Server::Start(dispatcher_, server));
  }
  void TearDown() override {
    server_.reset();
    ledger_.reset();
    store_.reset();
    log_.reset();
    std::filesystem::remove_all(directory_);
  }

  // A second of footage; `junk`: bytes of sound beside it.
  std::string Append(const std::string& stream, std::size_t junk = 0, bool broken = false) {
    VideoStream video = Get(store_->GetStream(stream));
    Fragment fragment;
    FragmentFacts& facts = fragment.facts;
    facts.number = Get(store_->OpenFragment(video));
    facts.start = Timestamp::FromMillis(1'763'690'000'000 + 1000 * ++appended_);
    facts.duration = std::chrono::seconds(1);
    facts.server_start = facts.start;
    facts.run = run_;
    facts.run_start = facts.start;
    facts.tracks = media_.tracks;
    facts.independent = !dependent_;
    std::vector<Frame> frames = media_.frames;
    if (dependent_) frames.erase(frames.begin());
    for (Frame& frame : frames) {
      frame.pts = facts.start + Duration{frame.pts.ns};
      if (broken) frame.data = SharedBytes(Bytes(200, 0xA5));
    }
    if (junk > 0) {
      TrackInfo sound;
      sound.number = 9;
      sound.codec = Codec::kAac;
      sound.codec_private = {0x11, 0x90};
      sound.sample_rate = 48'000;
      sound.channels = 2;
      facts.tracks.push_back(sound);
      Frame frame;
      frame.track = 9;
      frame.pts = facts.start;
      frame.key_frame = true;
      frame.data = SharedBytes(Bytes(junk, 0x5A));
      frames.push_back(std::move(frame));
    }
    for (const TrackInfo& track : facts.tracks)
      facts.track_facts.push_back({.track = track.number, .frames = 1});
    facts.tracks_id = TracksId(facts.tracks);
    fragment.mkv = Get(WriteMkv(facts.tracks, facts.start, facts.duration, frames)).bytes;
    facts.bytes = fragment.mkv.size();
    std::string number = facts.number.ToString();
    std::promise<Result<FragmentNumber>> done;
    store_->Append(video, std::move(fragment), [&](auto result) { done.set_value(std::move(result)); });
    Get(done.get_future().get());
    return stream + "/" + number;
  }

  std::unique_ptr<AnalysisHost> MakeHost(const std::set<std::string>& streams,
                                         const std::function<void(AnalysisOptions&)>& change = {}) {
    AnalysisOptions options;
    options.endpoint = {"127.0.0.1", server_->port()};
    options.application = "fake";
    options.settings.output = "millrace-fake";
    options.streams = streams;
    options.start = "TRIM_HORIZON";
    options.lease_length = std::chrono::seconds(1);
    if (change) change(options);
    return Get(AnalysisHost::Make(analyzer_, std::move(options)));
  }
  // Runs until there are so many results.
  void RunUntil(AnalysisHost& host, std::size_t results) {
    std::thread running([&] { EXPECT_TRUE(host.Run()); });
    test::WaitUntil([&] { return Results().size() >= results; });
    host.Stop();
    running.join();
    host.Close();
  }
  // "stream/number status" of every record.
  std::multiset<std::string> Results() {
    std::multiset<std::string> results;
    std::optional<storage::ShardPosition> next = Get(log_->Seek("millrace-fake", storage::ShardId{0}, {}));
    while (next) {
      auto batch = Get(log_->Read("millrace-fake", *next, {}));
      for (const auto& record : batch.records) {
        auto json = boost::json::parse(std::string(AsText(record.data.span())));
        results.insert(
            record.info.partition_key + "/" +
            std::string(json.at("InputInformation").at("KinesisVideo").at("FragmentNumber").as_string()) +
            " " + std::string(json.at("StreamProcessorInformation").at("Status").as_string()));
      }
      if (batch.records.empty()) break;
      next = batch.next;
    }
    return results;
  }

  std::filesystem::path directory_;
  test::Media media_;
  std::int64_t appended_ = 0;
  std::uint64_t run_ = 1;
  bool dependent_ = false;  // what is appended has no key frame
  FakeAnalyzer analyzer_;
  std::unique_ptr<storage::EmbeddedLog> log_;
  std::unique_ptr<FragmentStore> store_;
  std::unique_ptr<CoverageLedger> ledger_;
  std::unique_ptr<api::DataStreamCatalog> catalog_;
  std::unique_ptr<wire::TokenSealer> sealer_;
  std::unique_ptr<api::ApplicationLeases> leases_;
  api::WorkerPool pool_{4, 64};
  api::ByteBudget budget_{64 << 20};
  api::ByteBudget media_budget_{64 << 20};
  api::ByteBudget readers_{16};
  std::unique_ptr<api::ApplicationServices> applications_;
  api::Router router_;
  api::Dispatcher dispatcher_{router_, api::CheckCaller};
  std::unique_ptr<api::Server> server_;
};

}  // namespace millrace
