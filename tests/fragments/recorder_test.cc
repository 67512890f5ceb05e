#include <gtest/gtest.h>

#include <thread>

#include "fragments/decode_times.h"
#include "fragments/stream_recorder.h"
#include "storage/embedded_log.h"
#include "tests/fragments/frames.h"
#include "tests/fragments/memory_log.h"
#include "tests/fragments/real_media.h"
#include "tests/wait.h"

namespace millrace {
namespace {

using test::AudioPacket;
using test::AudioTrack;
using test::BaselineTrack;
using test::MemoryLog;
using test::VideoFrame;

constexpr Duration kLong = test::kPatience;

class RecorderTest : public testing::Test {
 protected:
  void SetUp() override {
    FragmentStore::Options options;
    options.clock = &clock_;
    options.held_bytes_max = 0;  // what is refused is lost at once
    store_ = *FragmentStore::Open(log_, options);
    stream_ = *store_->CreateStream("door", kCameraRetentionDefault);
    RecorderOptions recorder;
    recorder.clock = &clock_;
    recorder.refused = [this](const VideoStream& stream, Timestamp start, Timestamp end, const Error& error) {
      EXPECT_EQ(stream.name, "door");
      EXPECT_EQ(error.code, ErrorCode::kNoSpace);
      refused_.push_back({start, end});
    };
    recorder_ = std::make_unique<StreamRecorder>(*store_, stream_, recorder);
    feed_ = *store_->Live("door");
  }
  void PushSeconds(int from, int to) {
    for (int i = from * 25; i < to * 25; ++i) ASSERT_TRUE(recorder_->Push(VideoFrame(i * 40, i % 25 == 0)));
  }

  ManualClock clock_{Timestamp::FromMillis(test::kStartMs)};
  MemoryLog log_;
  std::vector<CoverageInterval> refused_;
  std::unique_ptr<FragmentStore> store_;
  VideoStream stream_;
  std::unique_ptr<StreamRecorder> recorder_;
  std::shared_ptr<LiveFeed> feed_;
};

TEST_F(RecorderTest, StoresFragmentsAndShowsThemLive) {
  const auto reader = feed_->Subscribe([] {});
  log_.HoldPuts();
  ASSERT_TRUE(recorder_->StartRun({BaselineTrack()}, ClockSource::kCamera));
  PushSeconds(0, 3);
  auto live = feed_->Fragments();
  ASSERT_EQ(live.size(), 3u);
  EXPECT_EQ(live[0].state, LiveState::kClosed);
  EXPECT_EQ(live[2].state, LiveState::kOpen);
  EXPECT_FALSE(recorder_->Flush(Duration{0}));
  log_.ReleasePuts();
  EXPECT_TRUE(recorder_->Flush(kLong));
  EXPECT_EQ(feed_->Fragments()[0].state, LiveState::kPersisted);
  recorder_->EndRun();
  EXPECT_TRUE(recorder_->Flush(kLong));
  const auto stored = store_->List("door", {.order = FragmentOrder::kNumber});
  ASSERT_TRUE(stored);
  ASSERT_EQ(stored->size(), 3u);
  // The three ways to a fragment give the same one, and a live frame is a part of the stored document.
  live = feed_->Fragments();
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(live[i].facts, (*stored)[i]);
    const auto read = store_->Read("door", live[i].number);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->facts, (*stored)[i]);
    const ByteSpan mkv = read->mkv.span();
    for (const Frame& frame : live[i].frames) {
      const ByteSpan data = frame.data.span();
      EXPECT_NE(std::search(mkv.begin(), mkv.end(), data.begin(), data.end()), mkv.end());
    }
  }
  const RecorderCounters counters = recorder_->counters();
  EXPECT_EQ(counters.frames, 75u);
  EXPECT_EQ(counters.fragments_persisted, 3u);
  EXPECT_EQ(counters.fragments_failed, 0u);
}

TEST_F(RecorderTest, AFailedAppendIsCountedAndMarkedAndRecordingGoesOn) {
  const auto reader = feed_->Subscribe([] {});
  ASSERT_TRUE(recorder_->StartRun({BaselineTrack()}, ClockSource::kArrival));
  log_.FailPuts(Error{ErrorCode::kNoSpace, "made to fail"});
  PushSeconds(0, 3);
  EXPECT_EQ(feed_->Fragments()[0].state, LiveState::kFailed);
  EXPECT_EQ(recorder_->counters().fragments_failed, 2u);
  const Timestamp start = Timestamp::FromMillis(test::kStartMs);
  EXPECT_EQ(refused_, (std::vector<CoverageInterval>{
                          {start, start + std::chrono::seconds(1)},
                          {start + std::chrono::seconds(1), start + std::chrono::seconds(2)}}));
  log_.FailPuts(std::nullopt);
  PushSeconds(3, 5);
  recorder_->EndRun();
  EXPECT_TRUE(recorder_->Flush(kLong));
  EXPECT_EQ(recorder_->counters().fragments_persisted, 3u);
  EXPECT_EQ(store_->List("door", {})->size(), 3u);
}

TEST_F(RecorderTest, EachConnectionIsARunAndAnEndedRunTakesNoFrames) {
  EXPECT_EQ(recorder_->Push(VideoFrame(0, true)).error().code, ErrorCode::kFailedPrecondition);
  for (int run = 0; run < 3; ++run) {
    ASSERT_TRUE(recorder_->StartRun({BaselineTrack()}, ClockSource::kArrival));
    PushSeconds(run * 10, run * 10 + 1);
    recorder_->EndRun();
  }
  EXPECT_FALSE(recorder_->Push(VideoFrame(0, true)));
  const auto stored = store_->List("door", {});
  ASSERT_EQ(stored->size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ((*stored)[i].run, i + 1);
  EXPECT_EQ(store_->Coverage("door", Timestamp{0}, Timestamp{INT64_MAX}, 10)->size(), 3u);
}

TEST_F(RecorderTest, AStreamThatIsDeletedMeanwhileGivesErrors) {
  ASSERT_TRUE(recorder_->StartRun({BaselineTrack()}, ClockSource::kArrival));
  PushSeconds(0, 1);
  ASSERT_TRUE(store_->DeleteStream("door"));
  EXPECT_EQ(recorder_->Push(VideoFrame(1000, true)).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(log_.RecordCount(), 0u);
}

// Goal: a disk that stalls costs a stream no more memory than it may take, the stream says what it lost, and
// its neighbour, which sends what cameras send, loses nothing.
TEST_F(RecorderTest, AStreamThatSendsTooMuchIsCutDownAlone) {
  constexpr std::size_t kMemory = 8 << 20;
  FragmentStore::Options store_options;
  store_options.clock = &clock_;
  store_options.live_bytes_max = kMemory / 8 * 7;
  recorder_.reset();  // it uses the other one
  store_ = *FragmentStore::Open(log_, store_options);
  std::vector<CoverageInterval> refused;
  std::vector<std::string> refused_streams;
  RecorderOptions options;
  options.clock = &clock_;
  options.memory_bytes_max = kMemory;
  options.refused = [&](const VideoStream& stream, Timestamp start, Timestamp end, const Error& error) {
    EXPECT_EQ(error.code, ErrorCode::kResourceExhausted);
    refused.push_back({start, end});
    refused_streams.push_back(stream.name);
  };
  StreamRecorder flood(*store_, *store_->CreateStream("flood", kCameraRetentionDefault), options);
  StreamRecorder calm(*store_, *store_->CreateStream("calm", kCameraRetentionDefault), options);
  ASSERT_TRUE(flood.StartRun({BaselineTrack()}, ClockSource::kArrival));
  ASSERT_TRUE(calm.StartRun({BaselineTrack()}, ClockSource::kArrival));
  log_.HoldPuts();
  for (int i = 0; i < 30 * 25; ++i) {  // 30 s, at 20 Mbit/s and at half a one
    ASSERT_TRUE(flood.Push(VideoFrame(i * 40, i % 50 == 0, 100'000)));
    ASSERT_TRUE(calm.Push(VideoFrame(i * 40, i % 50 == 0, 2'500)));
  }
  // What waits, and what is open.
  EXPECT_LE((*store_->Live("flood"))->bytes(), kMemory * 7 / 8);
  EXPECT_GT(refused.size(), 10u);
  log_.ReleasePuts();
  for (int i = 30 * 25; i < 32 * 25; ++i) {
    ASSERT_TRUE(flood.Push(VideoFrame(i * 40, i % 50 == 0, 100'000)));
    ASSERT_TRUE(calm.Push(VideoFrame(i * 40, i % 50 == 0, 2'500)));
  }
  flood.EndRun();
  calm.EndRun();
  EXPECT_TRUE(flood.Flush(kLong));
  EXPECT_TRUE(calm.Flush(kLong));

  for (const std::string& stream : refused_streams) EXPECT_EQ(stream, "flood");
  const auto everything = [&](const std::string& name) {
    return *store_->Coverage(name, Timestamp{0}, Timestamp{INT64_MAX}, 10);
  };
  ASSERT_EQ(everything("calm").size(), 1u);
  EXPECT_EQ(everything("calm")[0].end - everything("calm")[0].start, std::chrono::seconds(32));
  std::uint64_t waited = 0;
  const std::vector<FragmentFacts> stored = *store_->List("flood", {});
  for (const FragmentFacts& facts : stored) {
    EXPECT_LE(facts.bytes, kMemory / 8);
    if (facts.start < Timestamp::FromMillis(test::kStartMs + 30'000)) waited += facts.bytes;
  }
  EXPECT_LE(waited, kMemory / 2 + kMemory / 8);
  EXPECT_GT(waited, kMemory / 4);
  // What was stored and what was refused is all that there was.
  EXPECT_EQ(everything("flood").back().end, Timestamp::FromMillis(test::kStartMs + 32'000));
  Duration missing{0};
  for (const CoverageInterval& each : refused) missing += each.end - each.start;
  const std::vector<CoverageInterval> recorded = everything("flood");
  for (const CoverageInterval& each : recorded) missing += each.end - each.start;
  EXPECT_EQ(missing, std::chrono::seconds(32));
}

TEST_F(RecorderTest, DestroyingItStoresWhatIsOpenAndOutlivesAppends) {
  const auto reader = feed_->Subscribe([] {});
  ASSERT_TRUE(recorder_->StartRun({BaselineTrack()}, ClockSource::kArrival));
  log_.HoldPuts();
  PushSeconds(0, 2);
  recorder_.reset();
  EXPECT_EQ(log_.RecordCount(), 2u);
  log_.ReleasePuts();
  EXPECT_EQ(feed_->Fragments().back().state, LiveState::kPersisted);
}

// Goal: tracks pushed from threads of their own, with readers of the feed and of the store at work, race
// nowhere and lose nothing, over the real log.
TEST(RecorderOverTheLog, TracksPushFromThreadsOfTheirOwn) {
  const test::TemporaryDirectory directory;
  storage::EmbeddedLogOptions options;
  options.path = directory.Path("log");
  options.reserve_bytes = 0;
  auto log = storage::EmbeddedLog::Open(options);
  ASSERT_TRUE(log) << log.error().ToString();
  auto store = *FragmentStore::Open(**log, {});
  const VideoStream stream = *store->CreateStream("door", kCameraRetentionDefault);
  {
    StreamRecorder recorder(*store, stream, {});
    ASSERT_TRUE(recorder.StartRun({BaselineTrack(), AudioTrack()}, ClockSource::kArrival));
    const auto feed = *store->Live("door");
    std::atomic<bool> done = false;
    std::atomic<int> video_ms = 0;
    std::atomic<int> audio_ms = 0;
    std::thread reader([&] {
      std::optional<LivePosition> position;
      while (!done) {
        const LiveRead read = feed->Read(position, 100);
        if (!read.frames.empty()) position = read.next;
        EXPECT_TRUE(store->List("door", {}));
        std::this_thread::yield();
      }
    });
    // Neither runs away from the other by more than half a second, as with a real source.
    std::thread video([&] {
      for (int i = 0; i < 500; ++i) {
        while (i * 40 > audio_ms + 500) std::this_thread::yield();
        EXPECT_TRUE(recorder.Push(VideoFrame(i * 40, i % 50 == 0)));
        video_ms = i * 40;
      }
      video_ms = INT32_MAX / 2;
    });
    std::thread audio([&] {
      for (int i = 0; i * 1024 / 48 < 20'000; ++i) {
        while (i * 1024 / 48 > video_ms + 500) std::this_thread::yield();
        EXPECT_TRUE(recorder.Push(AudioPacket(i)));
        audio_ms = i * 1024 / 48;
      }
      audio_ms = INT32_MAX / 2;
    });
    video.join();
    audio.join();
    recorder.EndRun();
    EXPECT_TRUE(recorder.Flush(kLong));
    done = true;
    reader.join();
    EXPECT_EQ(recorder.counters().frames + recorder.counters().frames_dropped, 500u + 938u);
    EXPECT_EQ(recorder.counters().frames_dropped, 0u);
  }
  const auto stored = store->List("door", {});
  ASSERT_TRUE(stored);
  ASSERT_EQ(stored->size(), 10u);
  for (const FragmentFacts& facts : *stored) {
    EXPECT_EQ(facts.track_facts[0].frames, 50u);
    EXPECT_TRUE(AudioSamples(facts.track_facts[1]));
    EXPECT_EQ(facts.duration, std::chrono::seconds(2));
  }
  store.reset();
}

}  // namespace
}  // namespace millrace
