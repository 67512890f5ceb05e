#include "parser/fragment_visitor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <string>

#include "parser/parse_fragment.h"
#include "tests/parser/mkv_builder.h"
#include "tests/parser/read_log.h"

namespace millrace::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(FragmentVisitor, GivesTheFramesOfAFragment) {
  MkvBuilder mkv;
  mkv.Header().Tracks().StartCluster(1000).Simple(1, 0, true, "key").Simple(2, 5, false, "sound");
  mkv.Simple(1, -40, false, "delta").EndCluster();
  const ReadLog log = ReadEveryWay(mkv.Take());
  EXPECT_EQ(log.error, "");
  // Sound is always a key frame, whatever the flag says.
  EXPECT_THAT(log.lines,
              ElementsAre(HasSubstr("start 1000000000"), StartsWith("frame 1 @1000000000 +0 key 3 bytes"),
                          StartsWith("frame 2 @1005000000 +0 key 5 bytes"),
                          StartsWith("frame 1 @960000000 +0 5 bytes"), StartsWith("cluster end"),
                          StartsWith("end frames=3")));
}

TEST(FragmentVisitor, ReadsBlockGroups) {
  MkvBuilder mkv;
  mkv.Header()
      .Tracks()
      .StartCluster(0)
      .Group(1, 0, "key", 40, false)
      .Group(1, 40, "delta", 0, true)
      .EndCluster();
  const ReadLog log = ReadEveryWay(mkv.Take());
  EXPECT_EQ(log.error, "");
  EXPECT_THAT(log.lines[1], StartsWith("frame 1 @0 +40000000 key 3 bytes"));
  EXPECT_THAT(log.lines[2], StartsWith("frame 1 @40000000 +0 5 bytes"));
}

TEST(FragmentVisitor, SharesOutALace) {
  MkvBuilder mkv;
  mkv.Header().Tracks().StartCluster(100);
  mkv.SimpleRaw(2, 0, 0x80 | 0x04,
                Bytes{2, 'a', 'a', 'b', 'b', 'c', 'c'});         // fixed; 20 ms a frame by DefaultDuration
  mkv.SimpleRaw(1, 0, 0x80 | 0x02, Bytes{1, 1, 'a', 'b', 'b'});  // Xiph; nothing says how long
  mkv.EndCluster();
  const ReadLog log = ReadEveryWay(mkv.Take());
  EXPECT_EQ(log.error, "");
  EXPECT_THAT(log.lines[1], StartsWith("frame 2 @100000000 +0 key 2 bytes"));
  EXPECT_THAT(log.lines[2], StartsWith("frame 2 @120000000 +0 key 2 bytes"));
  EXPECT_THAT(log.lines[3], StartsWith("frame 2 @140000000 +0 key 2 bytes"));
  EXPECT_THAT(log.lines[4], StartsWith("frame 1 @100000000 +0 key 1 bytes"));
  EXPECT_THAT(log.lines[5], StartsWith("frame 1 @100000000 +0 key 2 bytes"));
}

TEST(FragmentVisitor, DescribesTheTracks) {
  MkvBuilder mkv;
  mkv.Header().Tracks().StartCluster(0).EndCluster();
  class Keeper final : public FragmentHandler {
   public:
    Result<void> OnFragmentStart(const MkvFragment& fragment) override {
      document = fragment.document;
      return {};
    }
    std::shared_ptr<const MkvDocument> document;
  };
  Keeper keeper;
  FragmentReader reader(keeper);
  ASSERT_TRUE(reader.Push(ByteSpan(mkv.Take())));
  ASSERT_TRUE(reader.Finish());
  ASSERT_NE(keeper.document, nullptr);
  EXPECT_EQ(keeper.document->doc_type, "matroska");
  EXPECT_EQ(keeper.document->muxing_app, "tests");
  const std::vector<TrackInfo> infos = keeper.document->TrackInfos();
  ASSERT_EQ(infos.size(), 2u);
  EXPECT_EQ(infos[0].codec, Codec::kH264);
  EXPECT_EQ(infos[0].width, 320u);
  EXPECT_EQ(infos[0].height, 240u);
  EXPECT_EQ(AsText(infos[0].codec_private), "avcC");
  EXPECT_EQ(infos[1].codec, Codec::kAac);
  EXPECT_EQ(infos[1].sample_rate, 48000u);
  EXPECT_EQ(infos[1].channels, 2u);
  EXPECT_EQ(keeper.document->FindTrack(2)->default_duration, Duration(20'000'000));
  EXPECT_EQ(keeper.document->FindTrack(3), nullptr);
}

// A producer's stream: one document, tags after the Cluster that they speak of.
TEST(FragmentVisitor, GivesAProducersTagsToTheClusterBefore) {
  MkvBuilder mkv;
  mkv.Header(SizeForm::kUnknown1).Tracks().Tags({{"ENCODER", "x"}});
  mkv.StartCluster(0, SizeForm::kUnknown1).Simple(1, 0, true, "a").Tags({{"door", "open"}, {"light", "on"}});
  mkv.StartCluster(1000, SizeForm::kUnknown1).Simple(1, 0, true, "b");
  mkv.StartCluster(2000, SizeForm::kUnknown1).Simple(1, 0, true, "c").Tags({{"door", "shut"}});
  const ReadLog log = ReadEveryWay(mkv.Take());
  EXPECT_EQ(log.error, "");
  ASSERT_EQ(log.lines.size(), 12u);
  EXPECT_THAT(log.lines[0], HasSubstr("header: ENCODER=x"));
  EXPECT_EQ(log.lines[3], "end frames=1 tags: door=open light=on");
  EXPECT_EQ(log.lines[7], "end frames=1 tags:");
  EXPECT_EQ(log.lines[11], "end frames=1 tags: door=shut");
}

TEST(FragmentVisitor, EndOfFragmentTagEndsItAtOnce) {
  MkvBuilder mkv;
  mkv.Header().Tracks().StartCluster(0, SizeForm::kUnknown8).Simple(1, 0, true, "a");
  mkv.Tags({{kEndOfFragmentTag, ""}});
  LoggingHandler handler;
  FragmentReader reader(handler);
  ASSERT_TRUE(reader.Push(ByteSpan(mkv.Take())));
  ASSERT_EQ(handler.lines.size(), 4u) << "before the input's end";
  EXPECT_THAT(handler.lines[3], StartsWith("end frames=1"));
  ASSERT_TRUE(reader.Finish());
  EXPECT_EQ(handler.lines.size(), 4u);
}

// A GetMedia body: whole documents end to end, the service's tags around each Cluster.
void AppendGetMediaDocument(MkvBuilder& mkv, const std::string& number, std::uint64_t cluster) {
  mkv.Header().Tracks();
  mkv.Tags({{kFragmentNumberTag, number},
            {kServerTimestampTag, "1511852109.126"},
            {kProducerTimestampTag, "1511852108.500"}});
  mkv.StartCluster(cluster).Simple(1, 0, true, "frame").EndCluster();
  mkv.Tags({{"door", "open"}});
  mkv.Tags({{kMillisBehindNowTag, "250"}, {kContinuationTokenTag, number}});
}

TEST(FragmentVisitor, ReadsAGetMediaBody) {
  MkvBuilder mkv;
  AppendGetMediaDocument(mkv, "91343852333181432392682062607743920146159169392", 1000);
  AppendGetMediaDocument(mkv, "91343852333181432397633822764885441041330163792", 3000);
  const ReadLog log = ReadEveryWay(mkv.Take());
  EXPECT_EQ(log.error, "");
  ASSERT_EQ(log.lines.size(), 8u);
  EXPECT_THAT(log.lines[0], AllOf(HasSubstr("number=91343852333181432392682062607743920146159169392"),
                                  HasSubstr("server=1511852109126"), HasSubstr("producer=1511852108500")));
  EXPECT_THAT(log.lines[3], AllOf(HasSubstr("behind=250"), HasSubstr("tags: door=open"),
                                  HasSubstr("token=91343852333181432392682062607743920146159169392")));
  EXPECT_THAT(log.lines[4], AllOf(HasSubstr("start 3000000000"),
                                  HasSubstr("number=91343852333181432397633822764885441041330163792")));
}

// So that a reader can cut the producer's own bytes: the document's header and the Cluster.
TEST(FragmentVisitor, SaysWhereAFragmentsBytesAre) {
  MkvBuilder mkv;
  AppendGetMediaDocument(mkv, "1", 0);
  const Bytes first = mkv.Take();
  AppendGetMediaDocument(mkv, "2", 1000);
  Bytes both = first;
  const Bytes second = mkv.Take();
  both.insert(both.end(), second.begin(), second.end());
  class Cutter final : public FragmentHandler {
   public:
    Result<void> OnClusterEnd(const MkvFragment& fragment) override {
      cuts.push_back({fragment.document_offset, fragment.offset, fragment.end_offset});
      return {};
    }
    std::vector<std::vector<std::uint64_t>> cuts;
  };
  Cutter cutter;
  FragmentReader reader(cutter);
  for (const std::uint8_t byte : both) ASSERT_TRUE(reader.Push(ByteSpan(&byte, 1)));
  ASSERT_TRUE(reader.Finish());
  ASSERT_EQ(cutter.cuts.size(), 2u);
  EXPECT_EQ(cutter.cuts[0][0], 0u);
  EXPECT_EQ(cutter.cuts[1][0], first.size());
  for (const std::vector<std::uint64_t>& cut : cutter.cuts) {
    EXPECT_EQ(ReadBigEndian<std::uint32_t>(ByteSpan(both).subspan(cut[1])),
              static_cast<std::uint32_t>(ElementId::kCluster));
    // What follows is the producer's Tags.
    EXPECT_EQ(ReadBigEndian<std::uint32_t>(ByteSpan(both).subspan(cut[2])),
              static_cast<std::uint32_t>(ElementId::kTags));
    Bytes alone(both.begin() + static_cast<std::ptrdiff_t>(cut[0]),
                both.begin() + static_cast<std::ptrdiff_t>(cut[2]));
    const Result<ParsedFragment> fragment = ParseFragment(SharedBytes(std::move(alone)));
    ASSERT_TRUE(fragment) << fragment.error().message;
    EXPECT_EQ(fragment->frames.size(), 1u);
  }
}

TEST(FragmentVisitor, AContinuationTokenEndsTheFragmentAtOnce) {
  MkvBuilder mkv;
  AppendGetMediaDocument(mkv, "1", 0);
  LoggingHandler handler;
  FragmentReader reader(handler);
  ASSERT_TRUE(reader.Push(ByteSpan(mkv.Take())));
  EXPECT_THAT(handler.lines.back(), StartsWith("end frames=1"));
}

TEST(FragmentVisitor, TellsTheServicesError) {
  MkvBuilder mkv;
  AppendGetMediaDocument(mkv, "1", 0);
  mkv.Header().Tags(
      {{kFragmentNumberTag, "2"}, {kErrorIdTag, "4000"}, {kErrorCodeTag, "FRAGMENT_NOT_FOUND"}});
  const ReadLog log = ReadEveryWay(mkv.Take());
  EXPECT_EQ(log.error, "");
  EXPECT_EQ(log.lines.back(), "service error number=2 error=4000 code=FRAGMENT_NOT_FOUND");
}

TEST(FragmentVisitor, AServiceTagWithAWrongValueIsAPlainTag) {
  MkvBuilder mkv;
  mkv.Header().Tracks().Tags({{kServerTimestampTag, "yesterday"}, {kFragmentNumberTag, ""}});
  mkv.StartCluster(0).EndCluster().Tags(
      {{kMillisBehindNowTag, "12x"}, {kErrorIdTag, "99999999999999999999"}});
  const ReadLog log = ReadEveryWay(mkv.Take());
  EXPECT_EQ(log.error, "");
  EXPECT_THAT(log.lines[0],
              HasSubstr("header: AWS_KINESISVIDEO_SERVER_TIMESTAMP=yesterday AWS_KINESISVIDEO_FRAGMENT"));
  EXPECT_THAT(log.lines.back(),
              HasSubstr("tags: AWS_KINESISVIDEO_MILLIS_BEHIND_NOW=12x AWS_KINESISVIDEO_ERROR_ID=9"));
}

TEST(FragmentVisitor, NestedTagsAndTargets) {
  MkvBuilder mkv;
  mkv.Header().Tracks();
  Bytes& out = mkv.out();
  const std::size_t tags = BeginMaster(out, ElementId::kTags, 4);
  const std::size_t tag = BeginMaster(out, ElementId::kTag, 4);
  const std::size_t outer = BeginMaster(out, ElementId::kSimpleTag, 4);
  AppendText(out, ElementId::kTagName, "outer");
  const std::size_t inner = BeginMaster(out, ElementId::kSimpleTag, 4);
  AppendText(out, ElementId::kTagName, "inner");
  AppendText(out, ElementId::kTagString, "2");
  EndMaster(out, inner, 4);
  AppendText(out, ElementId::kTagString, "1");
  EndMaster(out, outer, 4);
  EndMaster(out, tag, 4);
  EndMaster(out, tags, 4);
  mkv.StartCluster(0).EndCluster();
  const ReadLog log = ReadEveryWay(mkv.Take());
  EXPECT_EQ(log.error, "");
  EXPECT_THAT(log.lines[0], HasSubstr("header: inner=2 outer=1"));
}

TEST(FragmentVisitor, TracksMayRecurUnchanged) {
  MkvBuilder mkv;
  mkv.Header().Tracks().StartCluster(0).Simple(1, 0, true, "a").EndCluster();
  mkv.Tracks().StartCluster(10).Simple(1, 0, true, "b").EndCluster();
  const ReadLog log = ReadEveryWay(mkv.Take());
  EXPECT_EQ(log.error, "");
  EXPECT_EQ(log.lines.size(), 8u);
}

// What is well-formed EBML and yet wrong.
struct BadFragment {
  const char* name;
  std::function<void(MkvBuilder&)> make;
  const char* error;
  const char* message;
  ParserLimits limits = {};
};
void PrintTo(const BadFragment& tested, std::ostream* out) { *out << tested.name; }
class BadFragments : public ::testing::TestWithParam<BadFragment> {};

TEST_P(BadFragments, AreRefused) {
  MkvBuilder mkv;
  GetParam().make(mkv);
  const ReadLog log = ReadEveryWay(mkv.Take(), GetParam().limits);
  EXPECT_EQ(log.error, GetParam().error);
  EXPECT_THAT(log.message, HasSubstr(GetParam().message));
}

void OneTrack(MkvBuilder& mkv, const std::function<void(Bytes&)>& fill) {
  mkv.Header();
  Bytes entry;
  fill(entry);
  Bytes tracks;
  AppendBinary(tracks, ElementId::kTrackEntry, entry);
  AppendBinary(mkv.out(), ElementId::kTracks, tracks);
}

INSTANTIATE_TEST_SUITE_P(
    Rfc9559Section5, BadFragments,
    ::testing::Values(
        BadFragment{"UndeclaredTrack",
                    [](MkvBuilder& mkv) {
                      mkv.Header().Tracks().StartCluster(0).Simple(3, 0, true, "x").EndCluster();
                    },
                    "corruption", "undeclared track 3"},
        BadFragment{
            "BlocksWithoutTracks",
            [](MkvBuilder& mkv) { mkv.Header().StartCluster(0).Simple(1, 0, true, "x").EndCluster(); },
            "corruption", "undeclared track 1"},
        BadFragment{"BlockBeforeTimestamp",
                    [](MkvBuilder& mkv) {
                      mkv.Header().Tracks();
                      const std::size_t cluster = BeginMaster(mkv.out(), ElementId::kCluster);
                      mkv.Simple(1, 0, true, "x");
                      EndMaster(mkv.out(), cluster);
                    },
                    "corruption", "before its Cluster's Timestamp"},
        BadFragment{"ClusterWithoutTimestamp",
                    [](MkvBuilder& mkv) {
                      mkv.Header().Tracks();
                      AppendElementHeader(mkv.out(), ElementId::kCluster, 0);
                    },
                    "corruption", "has no Timestamp"},
        BadFragment{"TwoTimestamps",
                    [](MkvBuilder& mkv) {
                      mkv.Header().Tracks().StartCluster(5);
                      AppendUnsigned(mkv.out(), ElementId::kTimestamp, 6);
                      mkv.EndCluster();
                    },
                    "corruption", "second of its Cluster"},
        BadFragment{
            "TimestampOutOfRange",
            [](MkvBuilder& mkv) { mkv.Header().Tracks().StartCluster(~std::uint64_t{0}).EndCluster(); },
            "corruption", "out of range"},
        BadFragment{
            "DurationOutOfRange",
            [](MkvBuilder& mkv) {
              mkv.Header().Tracks().StartCluster(0).Group(1, 0, "x", ~std::uint64_t{0}, false).EndCluster();
            },
            "corruption", "BlockDuration"},
        BadFragment{"GroupWithoutBlock",
                    [](MkvBuilder& mkv) {
                      mkv.Header().Tracks().StartCluster(0);
                      AppendElementHeader(mkv.out(), ElementId::kBlockGroup, 0);
                      mkv.EndCluster();
                    },
                    "corruption", "has no Block"},
        BadFragment{"GroupWithTwoBlocks",
                    [](MkvBuilder& mkv) {
                      mkv.Header().Tracks().StartCluster(0);
                      const std::size_t group = BeginMaster(mkv.out(), ElementId::kBlockGroup);
                      for (int i = 0; i < 2; ++i)
                        AppendBinary(mkv.out(), ElementId::kBlock, Bytes{0x81, 0, 0, 0, 'x'});
                      EndMaster(mkv.out(), group);
                      mkv.EndCluster();
                    },
                    "corruption", "second of its BlockGroup"},
        BadFragment{
            "LacingThatLies",
            [](MkvBuilder& mkv) {
              mkv.Header().Tracks().StartCluster(0).SimpleRaw(1, 0, 0x02, Bytes{200, 255, 255}).EndCluster();
            },
            "corruption", "lacing"},
        BadFragment{"BlockOfNothing",
                    [](MkvBuilder& mkv) {
                      mkv.Header().Tracks().StartCluster(0);
                      AppendElementHeader(mkv.out(), ElementId::kSimpleBlock, 0);
                      mkv.EndCluster();
                    },
                    "corruption", "SimpleBlock at byte"},
        BadFragment{"TracksThatChange",
                    [](MkvBuilder& mkv) {
                      mkv.Header().Tracks().StartCluster(0).EndCluster();
                      AppendElementHeader(mkv.out(), ElementId::kTracks, 0);
                    },
                    "corruption", "differs from the Tracks"},
        BadFragment{"TrackZero",
                    [](MkvBuilder& mkv) {
                      OneTrack(mkv, [](Bytes& out) { AppendText(out, ElementId::kCodecId, "V_VP8"); });
                    },
                    "corruption", "TrackNumber 0"},
        BadFragment{"TrackWithoutCodec",
                    [](MkvBuilder& mkv) {
                      OneTrack(mkv, [](Bytes& out) { AppendUnsigned(out, ElementId::kTrackNumber, 1); });
                    },
                    "corruption", "no CodecID"},
        BadFragment{"TrackNumberTwice",
                    [](MkvBuilder& mkv) {
                      mkv.Header();
                      Bytes entry;
                      AppendUnsigned(entry, ElementId::kTrackNumber, 1);
                      AppendText(entry, ElementId::kCodecId, "V_VP8");
                      Bytes tracks;
                      AppendBinary(tracks, ElementId::kTrackEntry, entry);
                      AppendBinary(tracks, ElementId::kTrackEntry, entry);
                      AppendBinary(mkv.out(), ElementId::kTracks, tracks);
                    },
                    "corruption", "repeats TrackNumber 1"},
        BadFragment{"SoundFromNowhere",
                    [](MkvBuilder& mkv) {
                      OneTrack(mkv, [](Bytes& out) {
                        AppendUnsigned(out, ElementId::kTrackNumber, 1);
                        AppendText(out, ElementId::kCodecId, "A_AAC");
                        Bytes audio;
                        AppendFloat(audio, ElementId::kSamplingFrequency, -1);
                        AppendBinary(out, ElementId::kAudio, audio);
                      });
                    },
                    "corruption", "SamplingFrequency"},
        BadFragment{"CompressedFrames",
                    [](MkvBuilder& mkv) {
                      OneTrack(mkv, [](Bytes& out) {
                        AppendUnsigned(out, ElementId::kTrackNumber, 1);
                        AppendText(out, ElementId::kCodecId, "V_VP8");
                        AppendBinary(out, ElementId::kContentEncodings, Bytes{});
                      });
                    },
                    "unsupported", "ContentEncodings"},
        BadFragment{"ScaleOfZero",
                    [](MkvBuilder& mkv) {
                      mkv.Header();
                      MkvBuilder other;  // a second document, whose Info says it
                      other.Header();
                      Bytes bytes = other.Take();
                      for (std::size_t i = 0; i + 7 < bytes.size(); ++i) {
                        if (bytes[i] == 0x2A && bytes[i + 1] == 0xD7 && bytes[i + 2] == 0xB1) {
                          bytes[i + 4] = bytes[i + 5] = bytes[i + 6] = 0;
                        }
                      }
                      mkv.Raw(bytes);
                    },
                    "corruption", "TimestampScale"}),
    [](const auto& tested) { return std::string(tested.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Limits, BadFragments,
    ::testing::Values(BadFragment{"TooManyTracks", [](MkvBuilder& mkv) { mkv.Header().Tracks(); },
                                  "resource_exhausted", "TrackEntry", ParserLimits{.tracks_max = 1}},
                      BadFragment{"TooManyTags",
                                  [](MkvBuilder& mkv) {
                                    mkv.Header().Tags({{"a", "1"}, {"b", "2"}, {"c", "3"}});
                                  },
                                  "resource_exhausted", "SimpleTag", ParserLimits{.tags_max = 2}},
                      BadFragment{"TooManyTagsInSeveralElements",
                                  [](MkvBuilder& mkv) {
                                    mkv.Header().Tracks().StartCluster(0).EndCluster();
                                    for (int i = 0; i < 3; ++i) mkv.Tags({{"a", "1"}});
                                  },
                                  "resource_exhausted", "Tags", ParserLimits{.tags_max = 2}},
                      BadFragment{
                          "TagsTooLarge",
                          [](MkvBuilder& mkv) {
                            mkv.Header().Tags({{"a", std::string(600, 'x')}, {"b", std::string(600, 'x')}});
                          },
                          "resource_exhausted", "tags", ParserLimits{.tag_bytes_max = 1000}},
                      BadFragment{"HeaderTooLarge", [](MkvBuilder& mkv) { mkv.Header().Tracks(); },
                                  "resource_exhausted", "header", ParserLimits{.header_bytes_max = 20}}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(FragmentVisitor, TagsOfManyFragmentsAreCountedByFragment) {
  MkvBuilder mkv;
  mkv.Header().Tracks();
  for (std::uint64_t i = 0; i < 50; ++i) mkv.StartCluster(i).EndCluster().Tags({{"a", "1"}, {"b", "2"}});
  EXPECT_EQ(ReadWhole(mkv.Take(), ParserLimits{.tags_max = 2}).error, "");
}

}  // namespace
}  // namespace millrace::testing
