// Playlists, names and caches of HlsService, over made-up facts: what needs no decoder.
#include "consumers/hls/hls_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <sstream>
#include <thread>

#include "consumers/hls/playlist.h"
#include "consumers/hls/single_flight_cache.h"
#include "facts_maker.h"
#include "memory_fragment_store.h"

namespace millrace {
namespace {

using testing::AacTrack;
using ::testing::AllOf;
using testing::H264Track;
using ::testing::HasSubstr;
using testing::kFactsStart;
using testing::MakeFacts;
using testing::MemoryFragmentStore;
using ::testing::Not;
using ::testing::StartsWith;

std::string TextOf(const Result<HlsResource>& resource) {
  if (!resource) return "error: " + resource.error().ToString();
  std::string text;
  for (const SharedBytes& part : resource->parts) text += AsText(part.span());
  return text;
}

std::size_t Count(const std::string& text, const std::string& line) {
  std::size_t count = 0;
  std::istringstream stream(text);
  for (std::string each; std::getline(stream, each);)
    count += each == line || each.starts_with(line + ":") ? 1 : 0;
  return count;
}

class Hls : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(store_.CreateStream("door", std::chrono::hours(1))); }
  void Put(FragmentFacts facts) { store_.Put("door", {std::move(facts), {}}); }
  // Fragments `from` to `to` of one second each.
  void PutSeconds(std::uint64_t from, std::uint64_t to, std::uint64_t run = 1) {
    for (std::uint64_t i = from; i <= to; ++i)
      Put(MakeFacts(i, static_cast<std::int64_t>(i) * 1000, 1000, run));
  }
  static HlsRange Range(std::int64_t from_s, std::optional<std::int64_t> to_s) {
    HlsRange range;
    range.start = kFactsStart + std::chrono::seconds(from_s);
    if (to_s) range.end = kFactsStart + std::chrono::seconds(*to_s);
    return range;
  }
  static std::string Name(std::uint64_t counter) { return SegmentName(MakeFacts(counter, 0).number); }

  MemoryFragmentStore store_;
  ManualClock clock_{kFactsStart + std::chrono::hours(1)};
  HlsOptions options_{.clock = &clock_};
  HlsService hls_{store_, options_};
};

TEST_F(Hls, LivePlaylistHasTheNewestSegmentsAndTheStreamsNumbers) {
  PutSeconds(1, 100, 7);
  const std::string text = TextOf(hls_.Media("door", {}));
  EXPECT_THAT(
      text,
      StartsWith("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:10\n#EXT-X-MEDIA-SEQUENCE:81\n"
                 "#EXT-X-DISCONTINUITY-SEQUENCE:7\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"init-"));
  EXPECT_EQ(Count(text, "#EXTINF"), 20U);
  EXPECT_THAT(text,
              HasSubstr("#EXT-X-PROGRAM-DATE-TIME:2025-11-21T02:08:21.000Z\n#EXTINF:1.000,\n" + Name(81)));
  EXPECT_THAT(text, Not(AnyOf(HasSubstr("ENDLIST"), HasSubstr("PLAYLIST-TYPE"), HasSubstr("GAP"))));
}

TEST_F(Hls, LivePlaylistMovesOnWithTheStream) {
  PutSeconds(1, 30);
  auto first = hls_.Media("door", {});
  EXPECT_EQ(first->etag, hls_.Media("door", {})->etag);
  PutSeconds(31, 31);
  auto second = hls_.Media("door", {});
  EXPECT_NE(first->etag, second->etag);
  EXPECT_THAT(TextOf(second), HasSubstr("#EXT-X-MEDIA-SEQUENCE:12\n"));
}

TEST_F(Hls, NumbersStayRightOverMissingFragmentsAndRuns) {
  PutSeconds(1, 50, 3);
  store_.Remove("door", 44);
  store_.Remove("door", 45);
  Put(MakeFacts(51, 90'000, 1000, 5));  // run 4 left no footage
  const std::string text = TextOf(hls_.Media("door", {}));
  EXPECT_EQ(Count(text, "#EXT-X-GAP"), 2U);
  EXPECT_THAT(
      text,
      HasSubstr(
          "#EXT-X-GAP\n#EXT-X-PROGRAM-DATE-TIME:2025-11-21T02:07:45.000Z\n#EXTINF:1.000,\ngap-45.m4s\n"));
  EXPECT_THAT(
      text,
      HasSubstr(
          "#EXT-X-DISCONTINUITY\n#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2025-11-21T02:08:30.000Z"));
  // 49 entries from the sequence's first to 51, one a number.
  const auto first = std::stoull(text.substr(text.find("SEQUENCE:") + 9));
  EXPECT_EQ(first + Count(text, "#EXTINF") - 1, 51U);
}

TEST_F(Hls, LongFragmentsKeepTheTargetDurationTrue) {
  Put(MakeFacts(1, 0, 1000));
  Put(MakeFacts(2, 1000, 15'000));
  Put(MakeFacts(3, 16'000, 20'000));
  Put(MakeFacts(4, 36'000, 1000));
  // In recorded time they are pieces, which add up.
  const std::string recorded = TextOf(hls_.Media("door", Range(0, 60)));
  EXPECT_THAT(recorded, HasSubstr("#EXT-X-TARGETDURATION:10\n"));
  EXPECT_THAT(recorded, HasSubstr("#EXT-X-PROGRAM-DATE-TIME:2025-11-21T02:07:08.500Z\n#EXTINF:7.500,\n" +
                                  PieceName(MakeFacts(2, 0).number, 1, 2)));
  EXPECT_THAT(recorded, HasSubstr("#EXTINF:10.000,\n" + PieceName(MakeFacts(3, 0).number, 0, 2)));
  EXPECT_EQ(Count(recorded, "#EXTINF"), 6U);
  EXPECT_THAT(recorded, Not(HasSubstr("INDEPENDENT")));
  // Live each has one number, and the target is larger.
  const std::string live = TextOf(hls_.Media("door", {}));
  EXPECT_THAT(live, AllOf(HasSubstr("#EXT-X-TARGETDURATION:20\n"), HasSubstr("#EXTINF:15.000,\n" + Name(2))));
}

TEST_F(Hls, NamesOfPiecesHaveOneSpelling) {
  const FragmentNumber number = MakeFacts(2, 0).number;
  for (std::uint32_t piece = 0; piece < 2; ++piece) {
    const auto named = ParseSegmentName(PieceName(number, piece, 2));
    ASSERT_TRUE(named);
    EXPECT_EQ(named->number, number);
    EXPECT_EQ(named->selection, (SegmentSelection{.piece = piece, .pieces = 2}));
  }
  for (const char* end : {"-0of2.m4s", "-3of2.m4s", "-1of1.m4s", "-01of2.m4s", "-1of3.m4s", "-.m4s", "-1of2",
                          "-1of2.m4s ", "-of.m4s", "-1of99999999999.m4s"}) {
    EXPECT_FALSE(ParseSegmentName(number.ToString() + end)) << end;
  }
}

TEST_F(Hls, LivePlaylistBeginsAnewAfterAJumpOfTheNumbers) {
  PutSeconds(1, 50);
  PutSeconds(1001, 1003);
  const std::string text = TextOf(hls_.Media("door", {}));
  EXPECT_THAT(text, HasSubstr("#EXT-X-MEDIA-SEQUENCE:1001\n"));
  EXPECT_EQ(Count(text, "#EXTINF"), 3U);
}

TEST_F(Hls, FragmentsThatCannotBeDecodedAreGaps) {
  for (std::uint64_t i = 1; i <= 30; ++i) {
    FragmentFacts facts = MakeFacts(i, static_cast<std::int64_t>(i) * 1000);
    facts.independent = i % 5 == 0;
    Put(facts);
  }
  store_.Remove("door", 22);
  const std::string text = TextOf(hls_.Media("door", {}));
  EXPECT_THAT(text, AllOf(HasSubstr("#EXT-X-MEDIA-SEQUENCE:10\n"), Not(HasSubstr("INDEPENDENT-SEGMENTS"))));
  EXPECT_EQ(Count(text, "#EXT-X-GAP"), 3U);  // 22 is missing; 23 and 24 need it

  const std::string recorded = TextOf(hls_.Media("door", Range(23, 28)));
  EXPECT_THAT(recorded, HasSubstr("#EXT-X-MEDIA-SEQUENCE:25\n"));  // 20 to 22 do not lead to 23 any more
}

TEST_F(Hls, NoSegmentIsLongerThanTheTargetDuration) {
  PutSeconds(1, 10);
  Put(MakeFacts(11, 11'000, 17'000));  // a camera that stalled
  Put(MakeFacts(12, 28'000, 60'000));  // not from a recorder
  Put(MakeFacts(13, 88'000));
  const std::string text = TextOf(hls_.Media("door", Range(0, 100)));
  EXPECT_THAT(text, HasSubstr("#EXTINF:8.500,\n" + PieceName(MakeFacts(11, 0).number, 1, 2)));
  EXPECT_EQ(Count(text, "#EXT-X-GAP"), 1U);
}

TEST_F(Hls, AHoleWithinARunIsAGapOfRecordedTime) {
  clock_.StepTo(kFactsStart + std::chrono::seconds(12));
  PutSeconds(1, 3);
  const std::string before = TextOf(hls_.Media("door", Range(0, 60)));
  Put(MakeFacts(4, 8'500));  // nothing came for four and a half seconds
  Put(MakeFacts(5, 9'500));
  Put(MakeFacts(6, 35'500));  // for 25 s: three of at most ten
  const std::string text = TextOf(hls_.Media("door", Range(0, 60)));
  EXPECT_THAT(text, StartsWith(before));
  EXPECT_THAT(text,
              HasSubstr(Name(3) +
                        "\n#EXT-X-GAP\n#EXT-X-PROGRAM-DATE-TIME:2025-11-21T02:07:04.000Z\n"
                        "#EXTINF:4.500,\ngap-3-1.m4s\n#EXT-X-PROGRAM-DATE-TIME:2025-11-21T02:07:08.500Z\n"
                        "#EXTINF:1.000,\n" +
                        Name(4)));
  EXPECT_EQ(Count(text, "#EXT-X-GAP"), 4U);
  EXPECT_THAT(text, HasSubstr("#EXTINF:8.334,\ngap-5-3.m4s\n"));
  EXPECT_EQ(Count(text, "#EXT-X-DISCONTINUITY"), 0U);
  EXPECT_FALSE(hls_.Get("door", "gap-3-1.m4s", {}));
  // A live one has no number to spare.
  EXPECT_EQ(Count(TextOf(hls_.Media("door", {})), "#EXT-X-GAP"), 0U);
}

TEST_F(Hls, ALongHoleIsADiscontinuityAlone) {
  PutSeconds(1, 3);
  Put(MakeFacts(4, 3'600'000));            // an hour within a run
  Put(MakeFacts(5, 7'200'000, 1'000, 2));  // an hour between two
  const std::string text = TextOf(hls_.Media("door", Range(0, 10'000)));
  EXPECT_EQ(Count(text, "#EXT-X-GAP"), 0U);
  EXPECT_EQ(Count(text, "#EXT-X-DISCONTINUITY"), 2U);
}

TEST_F(Hls, RecordedRangeGrowsUntilItIsOver) {
  clock_.StepTo(kFactsStart + std::chrono::seconds(12));
  PutSeconds(1, 10);
  const HlsRange range = Range(5, 15);
  const std::string growing = TextOf(hls_.Media("door", range));
  EXPECT_THAT(growing, AllOf(HasSubstr("#EXT-X-PLAYLIST-TYPE:EVENT\n"), Not(HasSubstr("ENDLIST")),
                             HasSubstr("#EXT-X-MEDIA-SEQUENCE:5\n"),
                             HasSubstr("#EXT-X-START:TIME-OFFSET=0.000,PRECISE=YES\n")));
  EXPECT_EQ(Count(growing, "#EXTINF"), 6U);
  PutSeconds(11, 13);
  const std::string more = TextOf(hls_.Media("door", range));
  EXPECT_THAT(more, StartsWith(growing));
  EXPECT_EQ(Count(more, "#EXTINF"), 9U);
  PutSeconds(14, 16);  // the first of them reaches the range's end
  const std::string over = TextOf(hls_.Media("door", range));
  EXPECT_THAT(over, StartsWith(more));
  EXPECT_TRUE(over.ends_with(Name(14) + "\n#EXT-X-ENDLIST\n")) << over;
  PutSeconds(17, 18);
  EXPECT_EQ(TextOf(hls_.Media("door", range)), over);
}

TEST_F(Hls, RecordedRangeIsOverWhenItsTimeHasPassed) {
  PutSeconds(1, 10);
  clock_.StepTo(kFactsStart + std::chrono::seconds(44));
  EXPECT_THAT(TextOf(hls_.Media("door", Range(5, 15))), Not(HasSubstr("ENDLIST")));
  clock_.StepTo(kFactsStart + std::chrono::seconds(45));
  EXPECT_THAT(TextOf(hls_.Media("door", Range(5, 15))), HasSubstr("ENDLIST"));
  EXPECT_THAT(TextOf(hls_.Media("door", Range(5, std::nullopt))), Not(HasSubstr("ENDLIST")));
}

TEST_F(Hls, StartLiesWithinItsFragment) {
  for (std::uint64_t i = 0; i < 6; ++i) {
    FragmentFacts facts = MakeFacts(i + 1, static_cast<std::int64_t>(i) * 4000, 4000);
    facts.independent = i % 2 == 0;
    Put(facts);
  }
  // 13 s lies in the fourth fragment, which needs the third.
  EXPECT_THAT(TextOf(hls_.Media("door", Range(13, 20))),
              AllOf(HasSubstr("#EXT-X-MEDIA-SEQUENCE:3\n"), HasSubstr("TIME-OFFSET=5.000,")));
  // Before all footage: its beginning.
  EXPECT_THAT(TextOf(hls_.Media("door", Range(-100, 20))),
              AllOf(HasSubstr("#EXT-X-MEDIA-SEQUENCE:1\n"), HasSubstr("TIME-OFFSET=0.000,")));
}

TEST_F(Hls, OverlappingRunsFollowEachOther) {
  PutSeconds(1, 10, 1);
  for (std::uint64_t i = 11; i <= 20; ++i)
    Put(MakeFacts(i, static_cast<std::int64_t>(i - 8) * 1000 + 300, 1000, 2));
  const std::string text = TextOf(hls_.Media("door", Range(4, 9)));
  EXPECT_EQ(Count(text, "#EXT-X-DISCONTINUITY"), 1U);
  EXPECT_LT(text.find(Name(8)), text.find(Name(12)));
}

TEST_F(Hls, ADayIsFastAndMoreIsRefused) {
  HlsOptions small = options_;
  small.range_fragments_max = 500;
  HlsService hls(store_, small);
  PutSeconds(1, 501);
  auto refused = hls.Media("door", Range(0, 2000));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(refused.error().message, HasSubstr("500"));
  EXPECT_TRUE(hls.Media("door", Range(0, 400)));
  // Each further request looks at what is new only.
  EXPECT_TRUE(hls_.Media("door", Range(0, std::nullopt)));
  const std::size_t before = store_.listed();
  PutSeconds(502, 502);
  EXPECT_TRUE(hls_.Media("door", Range(0, std::nullopt)));
  EXPECT_LE(store_.listed() - before, 2U);
}

TEST_F(Hls, PagesOfALongRangeFitTogether) {
  PutSeconds(1, 2'500);
  const std::string text = TextOf(hls_.Media("door", Range(0, 5000)));
  EXPECT_EQ(Count(text, "#EXTINF"), 2'500U);
  EXPECT_EQ(Count(text, "#EXT-X-GAP") + Count(text, "#EXT-X-DISCONTINUITY"), 0U);
}

TEST_F(Hls, MultivariantSaysWhatIsMeasured) {
  for (std::uint64_t i = 1; i <= 30; ++i) {
    Put(MakeFacts(i, static_cast<std::int64_t>(i) * 1000, 1000, 1, {H264Track(), AacTrack()}));
  }
  EXPECT_THAT(
      TextOf(hls_.Multivariant("door", {})),
      AllOf(
          HasSubstr("CODECS=\"avc1.64001f,mp4a.40.2\",RESOLUTION=1920x1080,FRAME-RATE=25.000\nmedia.m3u8\n"),
          HasSubstr("BANDWIDTH=4011392,AVERAGE-BANDWIDTH=4011392")));
  EXPECT_THAT(TextOf(hls_.Multivariant("door", Range(3, 9))),
              HasSubstr("\nmedia.m3u8?start=2025-11-21T02:07:03.000Z&end=2025-11-21T02:07:09.000Z\n"));
}

TEST_F(Hls, InitSegmentsAreFoundWithoutAPlaylist) {
  PutSeconds(1, 3);
  Put(MakeFacts(4, 4000, 1000, 2, {H264Track(0x28), AacTrack()}));
  const std::string name = InitName(MakeFacts(4, 0, 1000, 2, {H264Track(0x28), AacTrack()}).tracks_id);
  auto init = hls_.Get("door", name, {});
  ASSERT_TRUE(init) << init.error().ToString();
  EXPECT_EQ(init->content_type, "video/mp4");
  EXPECT_THAT(std::string(init->cache_control), HasSubstr("immutable"));
  EXPECT_EQ(hls_.Get("door", InitName(1), {}).error().code, ErrorCode::kNotFound);
  const std::size_t listed = store_.listed();
  EXPECT_EQ(hls_.Get("door", InitName(2), {}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_.listed(), listed);  // what was looked through is not looked through again
}

TEST_F(Hls, CodecsThatCannotBePlayedSaySo) {
  TrackInfo vp8 = H264Track();
  vp8.codec = Codec::kVp8;
  Put(MakeFacts(1, 0, 1000, 1, {vp8}));
  for (const char* name : {"index.m3u8", "media.m3u8"}) {
    EXPECT_THAT(TextOf(hls_.Get("door", name, {})),
                AllOf(StartsWith("error: unsupported"), HasSubstr("vp8"), HasSubstr("WHEP")));
    EXPECT_THAT(TextOf(hls_.Get("door", name, Range(0, 5))), StartsWith("error: unsupported"));
  }
  TrackInfo g711 = AacTrack();
  g711.codec = Codec::kPcmMulaw;
  Put(MakeFacts(2, 1000, 1000, 2, {H264Track(), g711}));  // is made AAC
  EXPECT_THAT(TextOf(hls_.Get("door", "index.m3u8", {})), HasSubstr("CODECS=\"avc1.64001f,mp4a.40.2\""));
  g711.sample_rate = 12'345;
  Put(MakeFacts(3, 2000, 1000, 3, {H264Track(), g711}));  // AAC has no such rate: the picture can be watched
  EXPECT_THAT(TextOf(hls_.Get("door", "index.m3u8", {})), HasSubstr("CODECS=\"avc1.64001f\","));
}

TEST_F(Hls, BadRequests) {
  EXPECT_EQ(hls_.Get("nobody", "index.m3u8", {}).error().code, ErrorCode::kNotFound);
  EXPECT_THAT(TextOf(hls_.Get("door", "media.m3u8", {})), HasSubstr("no footage yet"));
  PutSeconds(1, 10);
  for (const char* name :
       {"", "..", "../../etc/passwd", "media.m3u8/", "init-.mp4", "init-0123456789abcdeF.mp4",
        "init-0123456789abcde.mp4", "init-0123456789abcdef0.mp4", "init-+123456789abcdef.mp4", "1.m4s",
        ".m4s", "gap-4.m4s", "99999999999999999999999999999999999999999999999.m4s",
        "-1343852333181432392736592830000000000000000000.m4s"}) {
    auto got = hls_.Get("door", name, {});
    ASSERT_FALSE(got) << name;
    EXPECT_EQ(got.error().code, ErrorCode::kNotFound) << name;
  }
  EXPECT_EQ(hls_.Get("door", Name(77), {}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(hls_.Get("door", Name(3), {}).error().code, ErrorCode::kCorruption);  // these facts have no media
  EXPECT_EQ(hls_.Media("door", Range(5, 5)).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(hls_.Media("door", Range(5, 4)).error().code, ErrorCode::kInvalidArgument);
  HlsRange end_only;
  end_only.end = kFactsStart;
  EXPECT_EQ(hls_.Multivariant("door", end_only).error().code, ErrorCode::kInvalidArgument);
  auto empty = hls_.Media("door", Range(100, 200));
  EXPECT_EQ(empty.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(empty.error().message, HasSubstr("from 2025-11-21T02:07:01.000Z to 2025-11-21T02:07:11.000Z"));
  EXPECT_EQ(hls_.Media("door", {Timestamp{INT64_MIN / 2}, Timestamp{INT64_MIN / 2 + 1}}).error().code,
            ErrorCode::kNotFound);
}

// ---- the cache

using TextCache = SingleFlightCache<std::string>;

TEST(SingleFlightCache, AHundredWhoAskAtOnceCostOneMaking) {
  TextCache cache("test_flight", 1 << 20);
  std::atomic<int> made{0};
  std::promise<void> gate;
  std::shared_future<void> open = gate.get_future().share();
  auto make = [&]() -> Result<TextCache::Made> {
    ++made;
    open.wait();
    return TextCache::Made{"value", 5};
  };
  std::vector<std::future<TextCache::ValuePtr>> askers;
  for (int i = 0; i < 100; ++i) {
    askers.push_back(std::async(std::launch::async, [&] { return *cache.Get("key", make); }));
  }
  gate.set_value();
  for (auto& asker : askers) EXPECT_EQ(*asker.get(), "value");
  EXPECT_EQ(made, 1);
}

TEST(SingleFlightCache, HoldsNoMoreThanItsBound) {
  TextCache cache("test_bound", 10'000);
  for (int i = 0; i < 1000; ++i) {
    auto got = cache.Get(std::to_string(i), [&]() -> Result<TextCache::Made> {
      return TextCache::Made{"x", 900};
    });
    ASSERT_TRUE(got);
    ASSERT_LE(cache.bytes(), 10'000U);
  }
  EXPECT_EQ(cache.Peek("0"), nullptr);
  EXPECT_NE(cache.Peek("999"), nullptr);
  auto huge = cache.Get("huge", [&]() -> Result<TextCache::Made> { return TextCache::Made{"h", 20'000}; });
  EXPECT_TRUE(huge);
  EXPECT_EQ(cache.Peek("huge"), nullptr);
  EXPECT_NE(cache.Peek("999"), nullptr);
}

// Goal: what is made of a value that was forgotten meanwhile does not come back, nor reaches anybody else.
TEST(SingleFlightCache, WhatIsMadeOfAForgottenValueIsNotKept) {
  TextCache cache("test_forgotten", 10'000);
  const auto make_of = [](const TextCache::ValuePtr& before) {
    return [before]() -> Result<TextCache::Made> {
      return TextCache::Made{(before ? *before : std::string()) + "x", 1};
    };
  };
  ASSERT_TRUE(cache.Get("a/1", make_of(nullptr)));
  const std::uint64_t generation = cache.generation();
  const TextCache::ValuePtr before = cache.Peek("a/1");
  cache.Forget("a/");
  auto outdated = cache.Replace("a/1", "flight", generation, [&]() -> Result<TextCache::Made> {
    // Who asks while it is being made gets one of his own.
    EXPECT_EQ(**cache.Replace("a/1", "flight", cache.generation(), make_of(nullptr)), "x");
    return make_of(before)();
  });
  EXPECT_EQ(**outdated, "xx");
  ASSERT_NE(cache.Peek("a/1"), nullptr);
  EXPECT_EQ(*cache.Peek("a/1"), "x");
  // Forgotten while it is being made: the same.
  auto forgotten = cache.Replace("a/1", "flight", cache.generation(), [&]() -> Result<TextCache::Made> {
    cache.Forget("a/");
    return TextCache::Made{"y", 1};
  });
  EXPECT_EQ(**forgotten, "y");
  EXPECT_EQ(cache.Peek("a/1"), nullptr);
  // With nothing forgotten it is kept.
  ASSERT_TRUE(cache.Replace("a/1", "flight", cache.generation(), make_of(nullptr)));
  EXPECT_NE(cache.Peek("a/1"), nullptr);
}

TEST(SingleFlightCache, ErrorsAndExceptionsAreNotKept) {
  TextCache cache("test_errors", 10'000);
  EXPECT_FALSE(cache.Get("k", []() -> Result<TextCache::Made> { return Error{ErrorCode::kIo, "no"}; }));
  auto thrown = cache.Get("k", []() -> Result<TextCache::Made> { throw std::runtime_error("thrown"); });
  EXPECT_EQ(thrown.error().code, ErrorCode::kInternal);
  auto made = cache.Get("k", []() -> Result<TextCache::Made> { return TextCache::Made{"v", 1}; });
  EXPECT_EQ(**made, "v");
}

}  // namespace
}  // namespace millrace
