// Goal: a clip of whole fragments holds those that start in its range, by either clock, and its index stands
// in front although nobody seeks. Method: real media, read back by ffmpeg.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "consumers/clips/clip_exporter.h"
#include "tests/consumers/memory_fragment_store.h"
#include "tests/consumers/test_media.h"

namespace millrace {
namespace {

using testing::DecodedMd5;
using ::testing::HasSubstr;
using testing::MakeMedia;
using testing::MemoryFragmentStore;
using testing::TemporaryDirectory;
using testing::TestMedia;
using testing::TestRecorder;

constexpr Timestamp kStart = Timestamp::FromMillis(1'763'690'820'123);

class ClipCuts : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(store_.CreateStream("door", std::chrono::hours(1))); }

  void Record(const TestMedia& media, BuilderLimits limits = {}) {
    TestRecorder(store_, *store_.GetStream("door"), limits).Record(media.tracks, media.frames);
  }
  static ClipRequest Request(Duration from, Duration to, ClipCut cut = ClipCut::kFragmentsByProducerTime) {
    return {.stream = "door", .start = kStart + from, .end = kStart + to, .cut = cut};
  }
  // Writes the clip down, and its length as it was told.
  Result<ClipSummary> ToFile(const ClipRequest& request, const std::string& path) {
    Bytes bytes;
    std::optional<std::uint64_t> told;
    auto begin = [&](std::uint64_t length) -> Result<void> {
      EXPECT_TRUE(bytes.empty());
      told = length;
      return {};
    };
    auto sink = [&](ByteSpan part) -> Result<void> {
      EXPECT_TRUE(told);
      bytes.insert(bytes.end(), part.begin(), part.end());
      return {};
    };
    auto summary = exporter_.ToIndexedSink(request, begin, sink);
    if (summary) {
      EXPECT_EQ(told, bytes.size());
      EXPECT_EQ(summary->bytes, bytes.size());
    } else {
      EXPECT_TRUE(bytes.empty()) << "errors come before bytes";
    }
    testing::WriteFile(path, {SharedBytes(std::move(bytes))});
    return summary;
  }
  // The server times of a recorded fragment are those at which its frames arrived; here an hour later.
  void MoveServerTimes() {
    const auto recorded = store_.List("door", {});
    for (const FragmentFacts& facts : *recorded) {
      Fragment fragment = *store_.Read("door", facts.number);
      fragment.facts.server_start = facts.start + std::chrono::hours(1);
      store_.Remove("door", facts.number.counter);
      store_.Put("door", std::move(fragment));
    }
  }
  static std::vector<std::string> Part(const std::vector<std::string>& all, std::size_t from,
                                       std::size_t to) {
    return {all.begin() + static_cast<std::ptrdiff_t>(from), all.begin() + static_cast<std::ptrdiff_t>(to)};
  }

  TemporaryDirectory directory_;
  MemoryFragmentStore store_;
  ClipExporter exporter_{store_};
};

TEST_F(ClipCuts, WholeFragmentsWithTheIndexInFront) {
  // A key frame, and so a fragment, every two seconds.
  const TestMedia media = MakeMedia(directory_, {.seconds = 20, .b_frames = 2}, kStart);
  Record(media);
  const std::string path = directory_.File("clip.mp4");
  // Those that start at 4, 6 and 8 s: the ends count, and what starts before runs into it in vain.
  const auto summary = ToFile(Request(std::chrono::milliseconds(2'001), std::chrono::seconds(8)), path);
  ASSERT_TRUE(summary) << summary.error().ToString();
  EXPECT_EQ(summary->fragments, 3U);
  EXPECT_EQ(summary->first, kStart + std::chrono::seconds(4));
  EXPECT_EQ(DecodedMd5(directory_, path, "v"), Part(media.video_md5, 100, 250));
  const std::string mp4 = testing::ReadTextFile(path);
  EXPECT_LT(mp4.find("moov"), mp4.find("mdat"));
  EXPECT_EQ(mp4.find("moof"), std::string::npos) << "not fragmented";
  // The same as what is written to a file that can be seeked in.
  const std::string file = directory_.File("file.mp4");
  ASSERT_TRUE(exporter_.ToFile(Request(std::chrono::milliseconds(2'001), std::chrono::seconds(8)), file));
  EXPECT_EQ(mp4, testing::ReadTextFile(file));
}

TEST_F(ClipCuts, ByTheServersClock) {
  const TestMedia media = MakeMedia(directory_, {.seconds = 8, .audio = false}, kStart);
  Record(media);
  MoveServerTimes();
  const std::string path = directory_.File("clip.mp4");
  const Duration hour = std::chrono::hours(1);
  const auto summary = ToFile(Request(hour + std::chrono::seconds(2), hour + std::chrono::seconds(4),
                                      ClipCut::kFragmentsByServerTime),
                              path);
  ASSERT_TRUE(summary) << summary.error().ToString();
  EXPECT_EQ(DecodedMd5(directory_, path, "v"), Part(media.video_md5, 50, 150));
  EXPECT_EQ(ToFile(Request(hour, hour + std::chrono::seconds(9)), path).error().code, ErrorCode::kNotFound)
      << "by the producer's there is nothing";
}

TEST_F(ClipCuts, WhatWasSentAgainCountsOnce) {
  const TestMedia media = MakeMedia(directory_, {.seconds = 6, .audio = false}, kStart);
  Record(media);
  Record(media);
  const std::string path = directory_.File("clip.mp4");
  const auto summary = ToFile(Request(Duration{0}, std::chrono::seconds(10)), path);
  ASSERT_TRUE(summary) << summary.error().ToString();
  EXPECT_EQ(summary->fragments, 3U);
  EXPECT_EQ(summary->first, kStart);
  EXPECT_EQ(DecodedMd5(directory_, path, "v"), media.video_md5);
}

TEST_F(ClipCuts, AFragmentWithoutKeyFrameBringsThoseThatItNeeds) {
  // One key frame in ten seconds, fragments of at most two.
  const TestMedia media = MakeMedia(
      directory_, {.seconds = 10, .b_frames = 0, .key_frame_interval = 500, .audio = false}, kStart);
  BuilderLimits limits;
  limits.duration_max = std::chrono::seconds(2);
  Record(media, limits);
  const std::string path = directory_.File("clip.mp4");
  const auto summary = ToFile(Request(std::chrono::seconds(3), std::chrono::seconds(5)), path);
  ASSERT_TRUE(summary) << summary.error().ToString();
  EXPECT_EQ(summary->first, kStart);
  EXPECT_EQ(DecodedMd5(directory_, path, "v"), Part(media.video_md5, 0, summary->video_frames));
}

TEST_F(ClipCuts, FailuresComeBeforeBytes) {
  const TestMedia media = MakeMedia(directory_, {.seconds = 6, .audio = false}, kStart);
  Record(media);
  const std::string path = directory_.File("clip.mp4");
  const ClipRequest all = Request(Duration{0}, std::chrono::seconds(10));
  Fragment damaged = *store_.Read("door", store_.List("door", {}).value()[1].number);
  const Fragment good = damaged;
  damaged.facts.track_facts[0].first_dts = damaged.facts.track_facts[0].first_dts + std::chrono::hours(1);
  damaged.facts.track_facts[0].reorder_depth = 1;
  store_.Remove("door", 2);
  store_.Put("door", damaged);
  EXPECT_EQ(ToFile(all, path).error().code, ErrorCode::kCorruption);
  store_.Remove("door", 2);
  store_.Put("door", good);
  ASSERT_TRUE(ToFile(all, path));
  EXPECT_EQ(ToFile(Request(std::chrono::seconds(20), std::chrono::seconds(30)), path).error().code,
            ErrorCode::kNotFound);
  EXPECT_EQ(ToFile(Request(std::chrono::seconds(2), std::chrono::seconds(1)), path).error().code,
            ErrorCode::kInvalidArgument);
  const auto refuse = [](std::uint64_t) -> Result<void> { return Error{ErrorCode::kUnavailable, "gone"}; };
  const auto sink = [](ByteSpan) -> Result<void> { return {}; };
  EXPECT_EQ(exporter_.ToIndexedSink(all, refuse, sink).error().code, ErrorCode::kUnavailable);
  const auto begin = [](std::uint64_t) -> Result<void> { return {}; };
  EXPECT_EQ(exporter_.ToIndexedSink(all, begin, sink, [] { return true; }).error().code,
            ErrorCode::kCancelled);
  EXPECT_EQ(ClipExporter(store_, {.frames_max = 10}).ToIndexedSink(all, begin, sink).error().code,
            ErrorCode::kInvalidArgument);
  // Footage that goes between index and media ends the clip; nothing else stands in its place.
  int reads = 0;
  store_.SetReadHook([&] {
    if (++reads == 4) store_.Remove("door", 3);
  });
  EXPECT_EQ(exporter_.ToIndexedSink(all, begin, sink).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace millrace
