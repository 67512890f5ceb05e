#include "parser/parse_fragment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/parser/mkv_builder.h"
#include "tests/parser/read_log.h"

namespace millrace::testing {
namespace {

using ::testing::HasSubstr;

TEST(ParseFragment, GivesFramesAsSlicesOfTheInput) {
  MkvBuilder mkv;
  mkv.Header().Tracks().StartCluster(1000).Simple(1, 0, true, "key").Simple(2, 3, true, "sound").EndCluster();
  mkv.StartCluster(3000).Simple(1, 0, false, "delta").EndCluster();
  const SharedBytes bytes(mkv.Take());
  const Result<ParsedFragment> fragment = ParseFragment(bytes);
  ASSERT_TRUE(fragment) << fragment.error().message;
  EXPECT_EQ(fragment->clusters, 2u);
  EXPECT_EQ(fragment->timestamp_ns, 1'000'000'000);
  EXPECT_EQ(fragment->document.TrackInfos().size(), 2u);
  ASSERT_EQ(fragment->frames.size(), 3u);
  const ParsedFrame& last = fragment->frames[2];
  EXPECT_EQ(AsText(last.data), "delta");
  EXPECT_EQ(last.timestamp_ns, 3'000'000'000);
  EXPECT_FALSE(last.key_frame);
  EXPECT_GE(last.data.data(), bytes.data());
  EXPECT_LE(last.data.data() + last.data.size(), bytes.data() + bytes.size());
}

TEST(ParseFragment, AFrameThatIsSharedOutlivesTheFragment) {
  MkvBuilder mkv;
  mkv.Header().Tracks().StartCluster(0).Simple(1, 0, true, "kept").EndCluster();
  SharedBytes kept;
  {
    const Result<ParsedFragment> fragment = ParseFragment(SharedBytes(mkv.Take()));
    ASSERT_TRUE(fragment);
    kept = fragment->Share(fragment->frames[0]);
  }
  EXPECT_EQ(AsText(kept.span()), "kept");
}

TEST(ParseFragment, GivesTagsAndWhatTheServiceSays) {
  MkvBuilder mkv;
  mkv.Header()
      .Tracks()
      .Tags({{"ENCODER", "x"}})
      .Tags({{kFragmentNumberTag, "7"}, {kProducerTimestampTag, "1.250"}});
  mkv.StartCluster(0)
      .Simple(1, 0, true, "x")
      .EndCluster()
      .Tags({{"door", "open"}, {kContinuationTokenTag, "7"}});
  const Result<ParsedFragment> fragment = ParseFragment(SharedBytes(mkv.Take()));
  ASSERT_TRUE(fragment) << fragment.error().message;
  EXPECT_EQ(fragment->service.fragment_number, "7");
  EXPECT_EQ(fragment->service.producer_timestamp, Timestamp::FromMillis(1250));
  EXPECT_EQ(fragment->service.continuation_token, "7");
  ASSERT_EQ(fragment->document.tags.size(), 1u);
  EXPECT_EQ(fragment->document.tags[0].name, "ENCODER");
  ASSERT_EQ(fragment->tags.size(), 1u);
  EXPECT_EQ(fragment->tags[0], (MkvTag{.name = "door", .value = "open", .track_uid = 0}));
}

// Forms that the fast walk leaves to the careful one must give the same.
TEST(ParseFragment, UnusualFormsGiveTheSame) {
  MkvBuilder mkv;
  mkv.Header().Tracks().Tags({{"ENCODER", "x"}}).StartCluster(1000).Simple(1, 0, true, "key");
  AppendUnsigned(mkv.out(), ElementId::kPixelWidth, 7);  // misplaced
  mkv.EndCluster().Tags({{"door", "open"}, {kFragmentNumberTag, "7"}});
  const Result<ParsedFragment> fragment = ParseFragment(SharedBytes(mkv.Take()));
  ASSERT_TRUE(fragment) << fragment.error().message;
  EXPECT_EQ(fragment->clusters, 1u);
  EXPECT_EQ(fragment->timestamp_ns, 1'000'000'000);
  EXPECT_EQ(fragment->frames.size(), 1u);
  EXPECT_EQ(fragment->document.tags.size(), 1u);
  EXPECT_EQ(fragment->document.tracks.size(), 2u);
  EXPECT_EQ(fragment->tags.size(), 1u);
  EXPECT_EQ(fragment->service.fragment_number, "7");
}

TEST(ParseFragment, EveryFormOfClusterInEveryFormOfSegment) {
  for (const SizeForm segment : {SizeForm::kKnown, SizeForm::kUnknown1, SizeForm::kUnknown8}) {
    for (const SizeForm cluster : {SizeForm::kKnown, SizeForm::kUnknown1, SizeForm::kUnknown8}) {
      MkvBuilder mkv;
      mkv.Header(segment).Tracks();
      for (std::uint64_t i = 0; i < 3; ++i) {
        mkv.StartCluster(i * 1000, cluster).Simple(1, 0, true, "a").Group(2, 5, "b", 20, false);
        AppendText(mkv.out(), ElementId::kVoid, "void");
        AppendText(mkv.out(), static_cast<ElementId>(0x4FFF), "unknown");
        mkv.SimpleRaw(2, 6, 0x06, Bytes{1, 0x81, 'x', 'y'}).EndCluster();
      }
      mkv.Tags({{"door", "open"}});
      const Bytes bytes = mkv.Take();
      const ReadLog log = ReadEveryWay(bytes);
      EXPECT_EQ(log.error, "");
      const Result<ParsedFragment> fragment = ParseFragment(SharedBytes(bytes));
      ASSERT_TRUE(fragment);
      EXPECT_EQ(fragment->clusters, 3u);
      EXPECT_EQ(fragment->frames.size(), 12u);
    }
  }
}

TEST(ParseFragment, ADocumentWithoutClustersHasItsHeader) {
  MkvBuilder mkv;
  mkv.Header().Tracks();
  const Result<ParsedFragment> fragment = ParseFragment(SharedBytes(mkv.Take()));
  ASSERT_TRUE(fragment);
  EXPECT_EQ(fragment->document.tracks.size(), 2u);
  EXPECT_TRUE(fragment->frames.empty());
  EXPECT_TRUE(ParseFragment(SharedBytes())) << "nothing has no frames";
}

TEST(ParseFragment, ASecondDocumentIsRefused) {
  MkvBuilder mkv;
  mkv.Header().Tracks().StartCluster(0).EndCluster().Header().Tracks();
  const Result<ParsedFragment> fragment = ParseFragment(SharedBytes(mkv.Take()));
  ASSERT_FALSE(fragment);
  EXPECT_EQ(fragment.error().code, ErrorCode::kCorruption);
  EXPECT_THAT(fragment.error().message, HasSubstr("second document"));
}

TEST(ParseFragment, CountsFrames) {
  MkvBuilder mkv;
  mkv.Header().Tracks().StartCluster(0);
  for (std::int16_t i = 0; i < 10; ++i) mkv.Simple(1, i, true, "x");
  const Bytes ten = mkv.EndCluster().Take();
  EXPECT_TRUE(ParseFragment(SharedBytes(ten), ParserLimits{.frames_max = 10}));
  const Result<ParsedFragment> refused = ParseFragment(SharedBytes(ten), ParserLimits{.frames_max = 9});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kResourceExhausted);

  // 256 frames for six bytes: what a lace can claim counts too.
  mkv.Header().Tracks().StartCluster(0);
  for (std::int16_t i = 0; i < 10; ++i) mkv.SimpleRaw(1, i, 0x04, Bytes{255});
  const Result<ParsedFragment> laced =
      ParseFragment(SharedBytes(mkv.EndCluster().Take()), ParserLimits{.frames_max = 1000});
  ASSERT_FALSE(laced);
  EXPECT_EQ(laced.error().code, ErrorCode::kResourceExhausted);
}

TEST(ParseFragment, KeepsAllPicturesOfATrackNumberAbove127) {
  MkvBuilder mkv;
  mkv.Header();
  Bytes entry;
  AppendUnsigned(entry, ElementId::kTrackNumber, 300);
  AppendUnsigned(entry, ElementId::kTrackType, 1);
  AppendText(entry, ElementId::kCodecId, "V_VP8");
  Bytes tracks;
  AppendBinary(tracks, ElementId::kTrackEntry, entry);
  AppendBinary(mkv.out(), ElementId::kTracks, tracks);
  mkv.StartCluster(0).Simple(300, 0, true, "x").EndCluster();
  EXPECT_EQ(ReadEveryWay(mkv.Take()).error, "");
}

}  // namespace
}  // namespace millrace::testing
