// Documents joined: what goes on in one Segment, what begins the next, and that no frame is touched.
#include "parser/segment_merger.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "parser/parse_fragment.h"
#include "tests/parser/mkv_builder.h"
#include "tests/parser/read_log.h"

namespace millrace::testing {
namespace {

class Segments final : public SegmentSink {
 public:
  Result<void> OnSegmentStart(const MkvDocument& document, SegmentChange why) override {
    segments.emplace_back();
    changes.push_back(why);
    EXPECT_EQ(document.tracks.size(), 2u);
    return {};
  }
  Result<void> OnBytes(ByteSpan bytes) override {
    if (fail) return Error{ErrorCode::kNoSpace, "the disk is full"};
    segments.back().insert(segments.back().end(), bytes.begin(), bytes.end());
    return {};
  }
  std::vector<Bytes> segments;
  std::vector<SegmentChange> changes;
  bool fail = false;
};

Bytes Document(std::uint64_t time, SizeForm segment = SizeForm::kUnknown8,
               SizeForm cluster = SizeForm::kKnown, std::string_view frame = "frame") {
  MkvBuilder mkv;
  mkv.Header(segment).Tracks().Tags({{kFragmentNumberTag, "1"}});
  mkv.StartCluster(time, cluster).Simple(1, 0, true, frame).Group(1, 40, "group", 40, true);
  mkv.SimpleRaw(2, 0, 0x82, Bytes{1, 1, 'a', 'b', 'b'}).EndCluster();
  mkv.Tags({{kContinuationTokenTag, "1"}});
  return mkv.Take();
}

Bytes Joined(const std::vector<Bytes>& documents) {
  Bytes all;
  for (const Bytes& document : documents) all.insert(all.end(), document.begin(), document.end());
  return all;
}

// The frames that a reader sees in `bytes`.
std::vector<std::string> FramesOf(ByteSpan bytes) {
  std::vector<std::string> frames;
  const ReadLog log = ReadWhole(bytes);
  EXPECT_EQ(log.error, "") << log.message;
  for (const std::string& line : log.lines) {
    if (line.find("frame") == 0) frames.push_back(line);
  }
  return frames;
}

Result<void> Merge(ByteSpan bytes, std::size_t piece, SegmentSink& sink,
                   const SegmentMerger::Options& options = {}) {
  SegmentMerger merger(sink, options);
  for (; !bytes.empty() && !merger.stopped(); bytes = bytes.subspan(std::min(piece, bytes.size()))) {
    // A copy of just this piece: what the merger keeps must be its own.
    const Bytes copy(bytes.begin(),
                     bytes.begin() + static_cast<std::ptrdiff_t>(std::min(piece, bytes.size())));
    MILLRACE_RETURN_IF_ERROR(merger.Push(copy));
  }
  return merger.Finish();
}

class AnySplit : public ::testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(SegmentMerger, AnySplit, ::testing::Values(1, 2, 13, 100, 1000000));

TEST_P(AnySplit, DocumentsWithTheSameTracksBecomeOneSegment) {
  for (const SizeForm cluster : {SizeForm::kKnown, SizeForm::kUnknown1}) {
    const Bytes all =
        Joined({Document(1000, SizeForm::kUnknown8, cluster), Document(2000, SizeForm::kKnown, cluster),
                Document(3000, SizeForm::kUnknown1, cluster)});
    Segments sink;
    ASSERT_TRUE(Merge(all, GetParam(), sink));
    ASSERT_EQ(sink.segments.size(), 1u);
    EXPECT_EQ(sink.changes, std::vector<SegmentChange>{SegmentChange::kFirst});
    EXPECT_EQ(FramesOf(sink.segments[0]), FramesOf(all));
    const auto whole = ParseFragment(SharedBytes(sink.segments[0]));
    ASSERT_TRUE(whole) << whole.error().message << ": one document";
    EXPECT_EQ(whole->clusters, 3u);
    EXPECT_FALSE(whole->service.fragment_number) << "the service's tags speak of one fragment";
  }
}

TEST_P(AnySplit, ATimeThatDoesNotRiseBeginsASegment) {
  const Bytes all = Joined({Document(1000), Document(1000), Document(2000), Document(1500)});
  Segments sink;
  ASSERT_TRUE(Merge(all, GetParam(), sink));
  EXPECT_EQ(sink.changes, (std::vector<SegmentChange>{SegmentChange::kFirst, SegmentChange::kTimestamp,
                                                      SegmentChange::kTimestamp}));
  std::vector<std::string> frames;
  for (const Bytes& segment : sink.segments) {
    ASSERT_TRUE(ParseFragment(SharedBytes(segment)));
  }
}

Bytes WithPrivate(Bytes document, std::string_view codec_private) {
  const std::string_view was = "avcC";
  auto at = std::search(document.begin(), document.end(), was.begin(), was.end());
  std::copy(codec_private.begin(), codec_private.end(), at);
  return document;
}

Bytes WithUid(Bytes document) {
  const Bytes was = {0x73, 0xC5, 0x81, 11};
  auto at = std::search(document.begin(), document.end(), was.begin(), was.end());
  at[3] = 99;
  return document;
}

TEST_P(AnySplit, OtherTracksBeginASegmentOtherNamesDoNot) {
  const Bytes all = Joined({Document(1000), WithUid(Document(2000)), WithPrivate(Document(3000), "AVCC"),
                            WithPrivate(Document(4000), "AVCC")});
  Segments sink;
  ASSERT_TRUE(Merge(all, GetParam(), sink));
  EXPECT_EQ(sink.changes, (std::vector<SegmentChange>{SegmentChange::kFirst, SegmentChange::kTracks}));
  const auto second = ParseFragment(SharedBytes(sink.segments[1]));
  ASSERT_TRUE(second);
  EXPECT_EQ(second->clusters, 2u);
  EXPECT_EQ(AsText(second->document.tracks[0].info->codec_private), "AVCC");
}

TEST_P(AnySplit, StopsAtAChangeWhenAskedTo) {
  const Bytes all = Joined({Document(1000), Document(2000), Document(500), Document(3000)});
  Segments sink;
  ASSERT_TRUE(Merge(all, GetParam(), sink, {.stop_at_change = true}));
  ASSERT_EQ(sink.segments.size(), 1u);
  const auto whole = ParseFragment(SharedBytes(sink.segments[0]));
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->clusters, 2u);
}

TEST(SegmentMerger, TakesNoMoreAfterItHasStopped) {
  Segments sink;
  SegmentMerger merger(sink, {.stop_at_change = true});
  ASSERT_TRUE(merger.Push(Joined({Document(1000), Document(500)})));
  EXPECT_TRUE(merger.stopped());
  const auto more = merger.Push(Document(2000));
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_TRUE(merger.Finish());
}

TEST(SegmentMerger, AFragmentIsPassedOnBeforeItIsWhole) {
  const std::string large(100'000, 'x');
  const Bytes document = Document(1000, SizeForm::kUnknown8, SizeForm::kUnknown1, large);
  Segments sink;
  SegmentMerger merger(sink);
  ASSERT_TRUE(merger.Push(ByteSpan(document).first(60'000)));
  ASSERT_EQ(sink.segments.size(), 1u);
  EXPECT_GT(sink.segments[0].size(), 50'000u);
}

TEST(SegmentMerger, TheSinksErrorComesOut) {
  Segments sink;
  sink.fail = true;
  const auto merged = Merge(Document(1000), 100000, sink);
  ASSERT_FALSE(merged);
  EXPECT_EQ(merged.error().code, ErrorCode::kNoSpace);
}

struct BadCase {
  const char* name;
  Bytes bytes;
  ErrorCode code;
};

TEST(SegmentMerger, RefusesWhatIsNoStream) {
  MkvBuilder trackless;
  trackless.Header().StartCluster(1).Simple(1, 0, true, "x").EndCluster();
  MkvBuilder timeless;
  timeless.Header().Tracks();
  const std::size_t cluster = BeginMaster(timeless.out(), ElementId::kCluster);
  timeless.Simple(1, 0, true, "x");
  EndMaster(timeless.out(), cluster);
  MkvBuilder late;
  late.Header().Tracks().StartCluster(~std::uint64_t{0} >> 1).Simple(1, 0, true, "x").EndCluster();
  Bytes cut = Document(1000);
  cut.resize(cut.size() - 3);
  for (const BadCase& bad : {BadCase{"no Tracks", trackless.Take(), ErrorCode::kCorruption},
                             BadCase{"no Timestamp", timeless.Take(), ErrorCode::kCorruption},
                             BadCase{"a time beyond all", late.Take(), ErrorCode::kCorruption},
                             BadCase{"cut", cut, ErrorCode::kCorruption},
                             BadCase{"no Matroska", Bytes(100, 'x'), ErrorCode::kCorruption}}) {
    for (const std::size_t piece : {1u, 1000u}) {
      Segments sink;
      const auto merged = Merge(bad.bytes, piece, sink);
      ASSERT_FALSE(merged) << bad.name;
      EXPECT_EQ(merged.error().code, bad.code) << bad.name << ": " << merged.error().message;
    }
  }
}

// A header that goes on and on is held only up to its limit.
TEST(SegmentMerger, AHeaderIsBounded) {
  MkvBuilder mkv;
  mkv.Header();
  const std::size_t tracks = BeginMaster(mkv.out(), ElementId::kTracks);
  AppendElementHeader(mkv.out(), ElementId::kVoid, 64 << 20);
  mkv.out().resize(mkv.out().size() + (64 << 20));
  EndMaster(mkv.out(), tracks);
  Segments sink;
  const auto merged = Merge(mkv.Take(), 1 << 16, sink);
  ASSERT_FALSE(merged);
  EXPECT_EQ(merged.error().code, ErrorCode::kResourceExhausted);
}

}  // namespace
}  // namespace millrace::testing
