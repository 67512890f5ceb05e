// Goal: whatever a producer's Matroska looks like, its fragments are its own bytes, whole and in order, or it
// is refused with the protocol's code for what is wrong. Method: documents made in memory, whole and in every
// split; each refusal by the smallest document that earns it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <string>

#include "fragments/decode_times.h"
#include "fragments/fragment_assembler.h"
#include "tests/fragments/assembled.h"
#include "tests/parser/mkv_builder.h"

namespace millrace::test {
namespace {

using millrace::testing::MkvBuilder;
using millrace::testing::SizeForm;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr Timestamp kEpoch = Timestamp::FromMillis(1'763'690'820'250);
constexpr auto kStart = static_cast<std::uint64_t>(kEpoch.millis());

// Four pictures and two sounds, 200 ms apart from the Cluster's start on.
void Media(MkvBuilder& mkv) {
  mkv.Simple(1, 0, true, "key").Simple(2, 0, true, "sound");
  mkv.Simple(1, 200, false, "two").Simple(2, 21, true, "sound").Simple(1, 400, false, "three");
  mkv.Simple(1, 600, false, "four");
}

MkvBuilder Started(SizeForm segment = SizeForm::kUnknown8) {
  MkvBuilder mkv;
  mkv.Header(segment).Tracks();
  return mkv;
}

// `count` fragments of 800 ms.
Bytes Stream(int count, SizeForm segment, SizeForm cluster, std::uint64_t start = kStart) {
  MkvBuilder mkv = Started(segment);
  for (int i = 0; i < count; ++i) {
    mkv.StartCluster(start + 800 * static_cast<std::uint64_t>(i), cluster);
    Media(mkv);
    mkv.EndCluster();
  }
  return mkv.Take();
}

std::vector<std::string> Texts(const ParsedFragment& fragment) {
  std::vector<std::string> texts;
  for (const ParsedFrame& frame : fragment.frames) texts.emplace_back(AsText(frame.data));
  return texts;
}

std::vector<std::uint64_t> Timecodes(const Assembled& assembled) {
  std::vector<std::uint64_t> timecodes;
  for (const auto& fragment : assembled.fragments) timecodes.push_back(fragment.timecode - kStart);
  return timecodes;
}

class Forms : public ::testing::TestWithParam<std::pair<SizeForm, SizeForm>> {};

TEST_P(Forms, EachClusterIsAFragmentInAnySplit) {
  const Bytes bytes = Stream(3, GetParam().first, GetParam().second);
  const Assembled whole = AssembleWhole(bytes);
  ASSERT_FALSE(whole.refusal) << whole.refusal->message;
  EXPECT_THAT(whole.order, ElementsAre('o', 'f', 'o', 'f', 'o', 'f'));
  ASSERT_THAT(Timecodes(whole), ElementsAre(0, 800, 1600));
  for (const AssembledFragment& fragment : whole.fragments) {
    EXPECT_EQ(Texts(fragment.parsed).size(), 6U);
    EXPECT_EQ(fragment.parsed.document.tracks.size(), 2U);
    EXPECT_EQ(fragment.fragment.facts.duration, std::chrono::milliseconds(800));
    EXPECT_EQ(fragment.fragment.facts.bytes, fragment.fragment.mkv.size());
  }
  EXPECT_TRUE(whole.fragments[0].starts_run);
  EXPECT_FALSE(whole.fragments[1].starts_run);
  EXPECT_EQ(whole.fragments[2].fragment.facts.end, FragmentEnd::kRunEnded);
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    const Assembled split = AssembleSplit(bytes, seed);
    ASSERT_FALSE(split.refusal) << split.refusal->message;
    ASSERT_EQ(split.order, whole.order);
    for (std::size_t i = 0; i < whole.fragments.size(); ++i) {
      const ByteSpan expected = whole.fragments[i].fragment.mkv.span();
      const ByteSpan actual = split.fragments[i].fragment.mkv.span();
      EXPECT_TRUE(std::equal(expected.begin(), expected.end(), actual.begin(), actual.end())) << i;
      EXPECT_EQ(split.fragments[i].fragment.facts, whole.fragments[i].fragment.facts);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, Forms,
                         ::testing::Values(std::pair{SizeForm::kKnown, SizeForm::kKnown},
                                           std::pair{SizeForm::kUnknown1, SizeForm::kUnknown1},
                                           std::pair{SizeForm::kUnknown8, SizeForm::kKnown},
                                           std::pair{SizeForm::kUnknown8, SizeForm::kUnknown8}));

TEST(Assembler, ADocumentIsTheProducersBytes) {
  MkvBuilder mkv = Started(SizeForm::kUnknown1);
  AppendText(mkv.out(), ElementId::kVoid, "padding");
  mkv.Tags({{"place", "door"}});
  const Bytes head = mkv.out();
  mkv.StartCluster(kStart);
  const std::size_t cluster = mkv.out().size() - 8 - 4 - 1 - 1 - 6;
  Media(mkv);
  mkv.EndCluster().Tags({{"weather", "rain"}});
  const Bytes bytes = mkv.Take();
  const Assembled assembled = AssembleWhole(bytes);
  ASSERT_EQ(assembled.fragments.size(), 1U);
  const ByteSpan stored = assembled.fragments[0].fragment.mkv.span();
  // The Segment's size is written in eight bytes; the rest is as it came.
  ASSERT_EQ(stored.size(), bytes.size() + 7);
  EXPECT_TRUE(std::equal(bytes.end() - static_cast<std::ptrdiff_t>(bytes.size() - cluster), bytes.end(),
                         stored.end() - static_cast<std::ptrdiff_t>(bytes.size() - cluster)));
  EXPECT_THAT(assembled.fragments[0].tags, ElementsAre(MkvTag{"weather", "rain"}));
  EXPECT_THAT(assembled.fragments[0].parsed.document.tags, ElementsAre(MkvTag{"place", "door"}));
  EXPECT_GT(head.size(), 0U);
}

TEST(Assembler, BlockGroupsLacingVoidAndUnknownElements) {
  MkvBuilder mkv = Started();
  mkv.StartCluster(kStart, SizeForm::kUnknown8).Simple(1, 0, true, "key").Group(1, 40, "delta", 40, true);
  mkv.SimpleRaw(2, 0, 0x82, Bytes{2, 3, 1, 'a', 'a', 'a', 'b', 'c', 'c'});
  AppendText(mkv.out(), ElementId::kVoid, "void");
  mkv.SimpleRaw(2, 80, 0x84, Bytes{1, 'a', 'a', 'b', 'b'});
  AppendText(mkv.out(), static_cast<ElementId>(0x4FFE), "unknown");
  const Assembled assembled = AssembleWhole(mkv.Take());
  ASSERT_FALSE(assembled.refusal) << assembled.refusal->message;
  ASSERT_EQ(assembled.fragments.size(), 1U);
  EXPECT_THAT(Texts(assembled.fragments[0].parsed),
              ElementsAre("key", "delta", "aaa", "b", "cc", "aa", "bb"));
}

TEST(Assembler, ChecksumsOfTheSegmentAndLargeIndexesAreLeftOut) {
  MkvBuilder mkv = Started();
  AppendText(mkv.out(), ElementId::kCrc32, "abcd");
  AppendBinary(mkv.out(), ElementId::kAttachments, Bytes(100'000));
  mkv.StartCluster(kStart);
  Media(mkv);
  mkv.EndCluster();
  AppendBinary(mkv.out(), ElementId::kCues, Bytes(100'000));
  AppendBinary(mkv.out(), ElementId::kCues, Bytes(10));
  const Assembled assembled = AssembleWhole(mkv.Take());
  ASSERT_FALSE(assembled.refusal) << assembled.refusal->message;
  ASSERT_EQ(assembled.fragments.size(), 1U);
  EXPECT_LT(assembled.fragments[0].fragment.mkv.size(), 1'000U);
  EXPECT_EQ(Texts(assembled.fragments[0].parsed).size(), 6U);
}

TEST(Assembler, SegmentsFollowEachOther) {
  Bytes bytes = Stream(2, SizeForm::kUnknown8, SizeForm::kUnknown8);
  const Bytes second = Stream(2, SizeForm::kKnown, SizeForm::kKnown, kStart + 1'600);
  bytes.insert(bytes.end(), second.begin(), second.end());
  const Assembled assembled = AssembleSplit(bytes, 1);
  ASSERT_FALSE(assembled.refusal) << assembled.refusal->message;
  EXPECT_THAT(Timecodes(assembled), ElementsAre(0, 800, 1'600, 2'400));
  EXPECT_FALSE(assembled.fragments[2].starts_run) << "the same tracks, at the time where it ended";
}

TEST(Assembler, OtherTracksAndALongHoleBeginARun) {
  MkvBuilder mkv = Started();
  const auto cluster = [&](std::uint64_t ms) {
    mkv.StartCluster(kStart + ms);
    Media(mkv);
    mkv.EndCluster();
  };
  cluster(0);
  cluster(5'000);
  cluster(20'000);
  Bytes bytes = mkv.Take();
  MkvBuilder other;
  other.Header();
  const std::size_t tracks = BeginMaster(other.out(), ElementId::kTracks);
  const std::size_t entry = BeginMaster(other.out(), ElementId::kTrackEntry);
  AppendUnsigned(other.out(), ElementId::kTrackNumber, 1);
  AppendUnsigned(other.out(), ElementId::kTrackType, 1);
  AppendText(other.out(), ElementId::kCodecId, "V_UNCOMPRESSED");
  EndMaster(other.out(), entry);
  EndMaster(other.out(), tracks);
  other.StartCluster(kStart + 21'000).Simple(1, 0, true, "raw").EndCluster();
  const Bytes more = other.Take();
  bytes.insert(bytes.end(), more.begin(), more.end());
  const Assembled assembled = AssembleWhole(bytes);
  ASSERT_EQ(assembled.fragments.size(), 4U);
  EXPECT_FALSE(assembled.fragments[1].starts_run);
  EXPECT_EQ(assembled.fragments[0].fragment.facts.duration, std::chrono::milliseconds(800))
      << "it ends with its last frame, not with the next one's first";
  EXPECT_TRUE(assembled.fragments[2].starts_run);
  EXPECT_TRUE(assembled.fragments[3].starts_run);
  EXPECT_TRUE(assembled.fragments[3].fragment.facts.tracks.empty()) << "a codec that is not known is kept";
  EXPECT_THAT(Texts(assembled.fragments[3].parsed), ElementsAre("raw"));
}

TEST(Assembler, RelativeTimesCountFromTheProducersStart) {
  const Assembled assembled =
      AssembleWhole(Stream(2, SizeForm::kUnknown8, SizeForm::kKnown, 0), {.relative_to = kEpoch});
  ASSERT_EQ(assembled.fragments.size(), 2U);
  EXPECT_EQ(assembled.opened[1].timecode, 800U) << "as it came";
  EXPECT_EQ(assembled.opened[1].start, kEpoch + std::chrono::milliseconds(800));
  const FragmentFacts& facts = assembled.fragments[1].fragment.facts;
  EXPECT_EQ(facts.start, kEpoch + std::chrono::milliseconds(800));
  EXPECT_EQ(assembled.fragments[1].parsed.timestamp_ns, 800'000'000);
  EXPECT_EQ(facts.track_facts[0].first_dts, facts.start);
}

TEST(Assembler, TheProducerSaysThatAFragmentIsOver) {
  MkvBuilder mkv = Started();
  mkv.StartCluster(kStart, SizeForm::kUnknown8);
  Media(mkv);
  mkv.Tags({{kEndOfFragmentTag, ""}});
  FragmentAssembler assembler({});
  AssemblerEvents events;
  ASSERT_FALSE(assembler.Push(mkv.out(), events));
  ASSERT_EQ(events.size(), 2U) << "at once, without the next Cluster";
  EXPECT_TRUE(std::holds_alternative<AssembledFragment>(events[1]));
  EXPECT_FALSE(assembler.open());
  MkvBuilder next;
  next.Tags({{"after", "the end"}}).StartCluster(kStart + 60'000, SizeForm::kUnknown8);
  Media(next);
  ASSERT_FALSE(assembler.Push(next.out(), events));
  ASSERT_FALSE(assembler.Finish(events));
  ASSERT_EQ(events.size(), 4U);
  EXPECT_THAT(std::get<AssembledFragment>(events[3]).tags, ElementsAre(MkvTag{"after", "the end"}));
  EXPECT_EQ(std::get<AssembledFragment>(events[3]).parsed.document.tags.size(), 1U) << "and in its document";
}

TEST(Assembler, ABodyOfGetMediaLosesTheServicesTags) {
  Bytes bytes;
  for (std::uint64_t i = 0; i < 2; ++i) {
    MkvBuilder mkv = Started();
    mkv.Tags({{kFragmentNumberTag, "1"}, {kServerTimestampTag, "1.5"}, {kProducerTimestampTag, "1.5"}});
    mkv.StartCluster(kStart + 800 * i);
    Media(mkv);
    mkv.EndCluster()
        .Tags({{"door", "open"}})
        .Tags({{kMillisBehindNowTag, "0"}, {kContinuationTokenTag, "1"}});
    const Bytes one = mkv.Take();
    bytes.insert(bytes.end(), one.begin(), one.end());
  }
  const Assembled assembled = AssembleSplit(bytes, 3);
  ASSERT_FALSE(assembled.refusal) << assembled.refusal->message;
  ASSERT_EQ(assembled.fragments.size(), 2U);
  for (const AssembledFragment& fragment : assembled.fragments) {
    EXPECT_EQ(fragment.parsed.service, ServiceTags());
    EXPECT_THAT(fragment.tags, ElementsAre(MkvTag{"door", "open"}));
    EXPECT_THAT(std::string(AsText(fragment.fragment.mkv.span())),
                ::testing::Not(HasSubstr("AWS_KINESISVIDEO")));
  }
}

// Elements that stand elsewhere are skipped, so nothing else limits how deep they go.
TEST(Assembler, TagsWithinTagsAreSkippedHoweverDeep) {
  constexpr std::size_t kDepth = 250'000;  // of 6 bytes each
  MkvBuilder mkv = Started();
  const std::size_t tags = BeginMaster(mkv.out(), ElementId::kTags, 4);
  std::vector<std::size_t> open;
  for (std::size_t i = 0; i < kDepth; ++i) open.push_back(BeginMaster(mkv.out(), ElementId::kTag, 4));
  for (; !open.empty(); open.pop_back()) EndMaster(mkv.out(), open.back(), 4);
  EndMaster(mkv.out(), tags, 4);
  mkv.StartCluster(kStart);
  Media(mkv);
  mkv.EndCluster();
  const Assembled assembled = AssembleWhole(mkv.Take());
  ASSERT_FALSE(assembled.refusal) << assembled.refusal->message;
  ASSERT_EQ(assembled.fragments.size(), 1U);
  EXPECT_GT(assembled.fragments[0].fragment.mkv.size(), 6 * kDepth) << "they are the producer's bytes";
}

TEST(Assembler, WhatBrokeOffIsKeptWhereItIsWhole) {
  const Bytes known = Stream(2, SizeForm::kUnknown8, SizeForm::kKnown);
  EXPECT_EQ(AssembleWhole(known, {}, Ending::kBreakOff).fragments.size(), 2U) << "its Cluster is whole";
  const ByteSpan cut = ByteSpan(known).first(known.size() - 1);
  EXPECT_EQ(AssembleWhole(cut, {}, Ending::kBreakOff).fragments.size(), 1U);
  const Bytes unknown = Stream(2, SizeForm::kUnknown8, SizeForm::kUnknown8);
  EXPECT_EQ(AssembleWhole(unknown, {}, Ending::kBreakOff).fragments.size(), 1U) << "more may have come";
}

TEST(Assembler, MemoryIsBoundedByOneFragment) {
  AssemblerOptions options;
  options.limits.fragment_bytes_max = 100'000;
  MkvBuilder mkv = Started();
  mkv.StartCluster(kStart, SizeForm::kUnknown8);
  for (int i = 0; i < 10'000; ++i)
    mkv.Simple(1, static_cast<std::int16_t>(i), i == 0, std::string(1'000, 'x'));
  const Assembled assembled = Assemble(
      mkv.Take(), [] { return 4'096; }, options);
  ASSERT_TRUE(assembled.refusal);
  EXPECT_EQ(assembled.refusal->id, RefusalId::kFragmentSize);
  EXPECT_LE(assembled.held_max, 2 * options.limits.fragment_bytes_max + 8'192);
}

// Each of many small Clusters repeats the header, whether that came before or came along with them.
TEST(Assembler, WhatOnePushBringsAboutIsBounded) {
  AssemblerOptions options;
  options.limits.frames_of_every_track = false;
  for (const std::size_t header : {std::size_t{2'000'000}, std::size_t{60'000}, std::size_t{8'000}}) {
    MkvBuilder mkv = Started();
    while (mkv.out().size() < header) AppendBinary(mkv.out(), ElementId::kVoid, Bytes(4'000));
    const std::size_t head_bytes = mkv.out().size();
    for (std::uint64_t i = 0; i < 600; ++i) {
      AppendElementHeader(mkv.out(), ElementId::kCluster, 10);
      AppendUnsigned64(mkv.out(), ElementId::kTimestamp, kStart + 200 * i);
    }
    FragmentAssembler assembler(options);
    std::size_t fragments = 0;
    for (ByteSpan rest = mkv.out(); !rest.empty();) {
      const std::size_t size = std::min(rest.size(), assembler.push_bytes_max());
      ASSERT_GT(size, 0U);
      AssemblerEvents events;
      ASSERT_FALSE(assembler.Push(rest.first(size), events));
      rest = rest.subspan(size);
      std::size_t bytes = 0;
      for (const AssemblerEvent& event : events) {
        if (const auto* whole = std::get_if<AssembledFragment>(&event)) {
          bytes += whole->fragment.mkv.size();
          ++fragments;
        }
      }
      // The first of them was begun by what came before.
      ASSERT_LE(bytes, FragmentAssembler::kPushedDocumentBytesMax + head_bytes);
    }
    EXPECT_GT(fragments, 500U);
  }
}

TEST(Assembler, ARefusalKeepsWhatWasWhole) {
  MkvBuilder mkv = Started();
  mkv.StartCluster(kStart);
  Media(mkv);
  mkv.EndCluster().StartCluster(kStart - 1);
  const Assembled assembled = AssembleWhole(mkv.Take());
  ASSERT_TRUE(assembled.refusal);
  EXPECT_EQ(assembled.refusal->id, RefusalId::kTimecodeGoesBack);
  EXPECT_EQ(assembled.refusal->timecode, kStart - 1);
  EXPECT_EQ(assembled.fragments.size(), 1U);
}

TEST(Assembler, ReorderedPicturesAreDescribedAcrossFragments) {
  MkvBuilder mkv = Started();
  for (std::uint64_t i = 0; i < 3; ++i) {
    mkv.StartCluster(kStart + 160 * i).Simple(2, 0, true, "sound");
    mkv.Simple(1, 0, true, "I")
        .Simple(1, 120, false, "P")
        .Simple(1, 40, false, "B")
        .Simple(1, 80, false, "B");
    mkv.EndCluster();
  }
  const Assembled assembled = AssembleWhole(mkv.Take());
  ASSERT_EQ(assembled.fragments.size(), 3U);
  std::optional<Timestamp> end;
  for (const AssembledFragment& fragment : assembled.fragments) {
    const TrackFacts& video = fragment.fragment.facts.track_facts[0];
    EXPECT_EQ(video.reorder_depth, 1U);
    std::vector<Timestamp> pts;
    for (const ParsedFrame& frame : fragment.parsed.frames) {
      if (frame.track == 1) pts.push_back(Timestamp{frame.timestamp_ns});
    }
    const auto times = VideoDecodeTimes(video, pts);
    ASSERT_TRUE(times) << times.error().ToString();
    EXPECT_EQ(times->front().dts, end.value_or(times->front().dts));
    end = video.end_dts;
    EXPECT_TRUE(AudioSamples(fragment.fragment.facts.track_facts[1]));
  }
}

// ---- refusals

struct RefusalCase {
  const char* name;
  RefusalId id;
  std::function<void(MkvBuilder&)> build;  // after the header and the tracks
  AssemblerOptions options{};
};
void PrintTo(const RefusalCase& tested, std::ostream* out) { *out << tested.name; }

class Refusals : public ::testing::TestWithParam<RefusalCase> {};

TEST_P(Refusals, HaveTheirCodeInAnySplit) {
  MkvBuilder mkv = Started();
  GetParam().build(mkv);
  const Bytes bytes = mkv.Take();
  for (std::uint32_t seed = 0; seed < 5; ++seed) {
    const Assembled assembled =
        seed == 0 ? AssembleWhole(bytes, GetParam().options) : AssembleSplit(bytes, seed, GetParam().options);
    ASSERT_TRUE(assembled.refusal);
    EXPECT_EQ(RefusalCode(assembled.refusal->id), RefusalCode(GetParam().id)) << assembled.refusal->message;
    EXPECT_FALSE(assembled.refusal->message.empty());
    EXPECT_FALSE(assembled.refusal->id == RefusalId::kInvalidMkv && assembled.refusal->timecode);
  }
}

void Whole(MkvBuilder& mkv, std::uint64_t timecode) {
  mkv.StartCluster(timecode);
  Media(mkv);
  mkv.EndCluster();
}

AssemblerOptions Limited(const std::function<void(AssemblerLimits&)>& change) {
  AssemblerOptions options;
  change(options.limits);
  return options;
}

INSTANTIATE_TEST_SUITE_P(
    Codes, Refusals,
    ::testing::Values(
        RefusalCase{"Garbage", RefusalId::kInvalidMkv,
                    [](MkvBuilder& mkv) { mkv.Raw(Bytes(64, 0x00)); }},
        RefusalCase{"CutWithinABlock", RefusalId::kInvalidMkv,
                    [](MkvBuilder& mkv) {
                      mkv.StartCluster(kStart, SizeForm::kUnknown8).Simple(1, 0, true, "key");
                      mkv.out().pop_back();
                    }},
        RefusalCase{"BlockBeforeTimestamp", RefusalId::kInvalidMkv,
                    [](MkvBuilder& mkv) {
                      AppendElementId(mkv.out(), ElementId::kCluster);
                      AppendUnknownSize(mkv.out());
                      mkv.Simple(1, 0, true, "key");
                    }},
        RefusalCase{"LacingThatDoesNotAddUp", RefusalId::kInvalidMkv,
                    [](MkvBuilder& mkv) {
                      mkv.StartCluster(kStart).SimpleRaw(2, 0, 0x82, Bytes{2, 250, 1, 'a'}).EndCluster();
                    }},
        RefusalCase{"OtherTracksInMidStream", RefusalId::kInvalidMkv,
                    [](MkvBuilder& mkv) {
                      Whole(mkv, kStart);
                      const std::size_t tracks = BeginMaster(mkv.out(), ElementId::kTracks);
                      EndMaster(mkv.out(), tracks);
                    }},
        RefusalCase{"NoTracks", RefusalId::kInvalidMkv,
                    [](MkvBuilder& mkv) {
                      mkv = MkvBuilder();
                      mkv.Header().StartCluster(kStart).EndCluster();
                    }},
        RefusalCase{"ShortSizesOnly", RefusalId::kInvalidMkv,
                    [](MkvBuilder& mkv) {
                      mkv = MkvBuilder();
                      const std::size_t ebml = BeginMaster(mkv.out(), ElementId::kEbml, 1);
                      AppendUnsigned(mkv.out(), ElementId::kEbmlMaxSizeLength, 4);
                      AppendText(mkv.out(), ElementId::kDocType, "matroska");
                      EndMaster(mkv.out(), ebml, 1);
                    }},
        RefusalCase{"HeaderTooLarge", RefusalId::kInvalidMkv,
                    [](MkvBuilder& mkv) {
                      AppendBinary(mkv.out(), ElementId::kVoid, Bytes(60'000));
                      Whole(mkv, kStart);
                    },
                    Limited([](AssemblerLimits& limits) { limits.header_bytes_max = 50'000; })},
        RefusalCase{"FragmentTooLarge", RefusalId::kFragmentSize,
                    [](MkvBuilder& mkv) { Whole(mkv, kStart); },
                    Limited([](AssemblerLimits& limits) { limits.fragment_bytes_max = 200; })},
        RefusalCase{"ClusterSaysItIsTooLarge", RefusalId::kFragmentSize,
                    [](MkvBuilder& mkv) {
                      AppendElementHeader(mkv.out(), ElementId::kCluster, 60'000'000);
                      AppendUnsigned(mkv.out(), ElementId::kTimestamp, kStart);
                    }},
        RefusalCase{"TooManyFrames", RefusalId::kFragmentSize,
                    [](MkvBuilder& mkv) { Whole(mkv, kStart); },
                    Limited([](AssemblerLimits& limits) { limits.frames_max = 5; })},
        RefusalCase{"FragmentTooLong", RefusalId::kFragmentDuration,
                    [](MkvBuilder& mkv) {
                      mkv.StartCluster(kStart).Simple(1, 0, true, "a").Simple(1, 20'001, false, "b");
                    }},
        RefusalCase{"FragmentTooLongBackwards", RefusalId::kFragmentDuration,
                    [](MkvBuilder& mkv) { mkv.StartCluster(kStart).Simple(1, -20'001, true, "a"); }},
        RefusalCase{"TimecodeGoesBack", RefusalId::kTimecodeGoesBack,
                    [](MkvBuilder& mkv) {
                      Whole(mkv, kStart);
                      Whole(mkv, kStart - 1);
                    }},
        RefusalCase{"PictureInTheFragmentBefore", RefusalId::kTimecodeGoesBack,
                    [](MkvBuilder& mkv) {
                      Whole(mkv, kStart);
                      mkv.StartCluster(kStart + 800).Simple(1, 0, true, "P").Simple(1, -200, false, "B");
                    }},
        RefusalCase{"SoundInTheFragmentBefore", RefusalId::kTimecodeGoesBack,
                    [](MkvBuilder& mkv) {
                      Whole(mkv, kStart);
                      mkv.StartCluster(kStart + 800).Simple(2, -790, true, "late");
                    }},
        RefusalCase{"TimecodeGoesBackOverDocuments", RefusalId::kTimecodeGoesBack,
                    [](MkvBuilder& mkv) {
                      Whole(mkv, kStart);
                      mkv.Header().Tracks();
                      Whole(mkv, 0);
                    }},
        RefusalCase{"ATimeThatCannotBe", RefusalId::kProducerTimestamp,
                    [](MkvBuilder& mkv) { Whole(mkv, 7'258'118'400'001); }},
        RefusalCase{"AStartThatCannotBe", RefusalId::kProducerTimestamp,
                    [](MkvBuilder& mkv) { Whole(mkv, 800); },
                    AssemblerOptions{.relative_to = Timestamp::FromSeconds(7'258'118'400), .limits = {}}},
        RefusalCase{"TooManyTracks", RefusalId::kTooManyTracks, [](MkvBuilder&) {},
                    Limited([](AssemblerLimits& limits) { limits.tracks_max = 1; })},
        RefusalCase{"UndeclaredTrack", RefusalId::kTrackMismatch,
                    [](MkvBuilder& mkv) { mkv.StartCluster(kStart).Simple(3, 0, true, "of none"); }},
        RefusalCase{"UndeclaredTrackInAGroup", RefusalId::kTrackMismatch,
                    [](MkvBuilder& mkv) { mkv.StartCluster(kStart).Group(3, 0, "of none", 0, false); }},
        RefusalCase{"ATrackWithoutFrames", RefusalId::kFramesMissing,
                    [](MkvBuilder& mkv) {
                      mkv.StartCluster(kStart).Simple(1, 0, true, "alone").EndCluster();
                    }},
        RefusalCase{"TooManyTags", RefusalId::kMetadata,
                    [](MkvBuilder& mkv) {
                      Whole(mkv, kStart);
                      for (int i = 0; i < 11; ++i) mkv.Tags({{"name", "value"}});
                    }},
        RefusalCase{"FarTooManyTags", RefusalId::kMetadata,
                    [](MkvBuilder& mkv) {
                      Whole(mkv, kStart);
                      for (int i = 0; i < 1'025; ++i) mkv.Tags({{"name", "value"}});
                    }},
        RefusalCase{"ATagsNameTooLong", RefusalId::kMetadata,
                    [](MkvBuilder& mkv) {
                      Whole(mkv, kStart);
                      mkv.Tags({{std::string(129, 'n'), "value"}});
                    }},
        RefusalCase{"ATagsValueTooLong", RefusalId::kMetadata,
                    [](MkvBuilder& mkv) {
                      Whole(mkv, kStart);
                      mkv.Tags({{"name", std::string(257, 'v')}});
                    }},
        RefusalCase{"AReservedName", RefusalId::kMetadata,
                    [](MkvBuilder& mkv) {
                      Whole(mkv, kStart);
                      mkv.Tags({{"AWS_OF_MINE", "value"}});
                    }},
        RefusalCase{"TheServicesTagsAmongTheProducers", RefusalId::kMetadata,
                    [](MkvBuilder& mkv) {
                      Whole(mkv, kStart);
                      mkv.Tags({{kServerTimestampTag, "1"}, {"mine", "value"}});
                    }},
        RefusalCase{"TooManyFragmentsASecond", RefusalId::kTooManyFragments,
                    [](MkvBuilder& mkv) {
                      for (std::uint64_t i = 0; i < 40; ++i) {
                        mkv.StartCluster(kStart + 40 * i).Simple(1, 0, true, "a").Simple(2, 0, true, "b");
                        mkv.EndCluster();
                      }
                    }}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(Assembler, SparseTracksAreTakenWhereTheyAreAllowed) {
  MkvBuilder mkv = Started();
  mkv.StartCluster(kStart).Simple(1, 0, true, "alone").EndCluster();
  const Assembled assembled = AssembleWhole(
      mkv.Take(), Limited([](AssemblerLimits& limits) { limits.frames_of_every_track = false; }));
  ASSERT_EQ(assembled.fragments.size(), 1U);
  EXPECT_EQ(assembled.fragments[0].fragment.facts.track_facts[1].frames, 0U);
}

TEST(Assembler, TagsThatSpeakOfATrackAreNotCounted) {
  MkvBuilder mkv = Started();
  Whole(mkv, kStart);
  const std::size_t all = BeginMaster(mkv.out(), ElementId::kTags);
  const std::size_t tag = BeginMaster(mkv.out(), ElementId::kTag);
  const std::size_t targets = BeginMaster(mkv.out(), ElementId::kTargets);
  AppendUnsigned(mkv.out(), ElementId::kTagTrackUid, 11);
  EndMaster(mkv.out(), targets);
  for (int i = 0; i < 30; ++i) {
    const std::size_t simple = BeginMaster(mkv.out(), ElementId::kSimpleTag);
    AppendText(mkv.out(), ElementId::kTagName, "BPS");
    AppendText(mkv.out(), ElementId::kTagString, "1000");
    EndMaster(mkv.out(), simple);
  }
  EndMaster(mkv.out(), tag);
  EndMaster(mkv.out(), all);
  const Assembled assembled = AssembleWhole(mkv.Take());
  EXPECT_FALSE(assembled.refusal) << assembled.refusal->message;
}

}  // namespace
}  // namespace millrace::test
