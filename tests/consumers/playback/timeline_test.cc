// Goal: a session's timeline follows from the session, the facts and the time, and from nothing else: numbers
// are equal whenever and however often it is asked for. Method: made-up facts; what the protocols make of a
// timeline is tested over HTTP (tests/api/video_streams/playback_test.cc).
#include "consumers/playback/timeline.h"

#include <gtest/gtest.h>

#include "consumers/hls/session_playlist.h"
#include "consumers/playback/playback_timelines.h"
#include "tests/consumers/facts_maker.h"
#include "tests/consumers/memory_fragment_store.h"

namespace millrace {
namespace {

using testing::kFactsStart;
using testing::MakeFacts;
using testing::MemoryFragmentStore;

PlaybackSession Session(PlaybackMode mode = PlaybackMode::kLive, std::uint32_t fragments_max = 5) {
  PlaybackSession session;
  session.mode = mode;
  session.fragments_max = fragments_max;
  session.stream = "door";
  session.created = kFactsStart + std::chrono::hours(1);
  session.expires = session.created + std::chrono::hours(1);
  session.first = MakeFacts(1, 0).number;
  return session;
}

PlaybackFragment Piece(std::uint64_t counter, std::int64_t start_ms, std::int64_t ms = 1000,
                       std::uint64_t run = 1) {
  PlaybackFragment fragment;
  fragment.number = MakeFacts(counter, 0).number;
  fragment.start = fragment.server_start = kFactsStart + std::chrono::milliseconds(start_ms);
  fragment.duration = std::chrono::milliseconds(ms);
  fragment.run = run;
  fragment.present = 1;
  return fragment;
}

std::vector<std::uint64_t> Counters(const Timeline& timeline) {
  std::vector<std::uint64_t> counters;
  for (const TimelineFragment& fragment : timeline.listed()) counters.push_back(fragment.number.counter);
  return counters;
}

TEST(PlaybackSessionCode, IsReadAsItWasWritten) {
  PlaybackSession session = Session(PlaybackMode::kLiveReplay, 5000);
  session.protocol = PlaybackProtocol::kDash;
  session.container = SegmentContainer::kMpegTs;
  session.by_server_time = false;
  session.show_numbers = true;
  session.start = Timestamp{-5};
  session.target_s = 11;
  session.stream = std::string(256, 'x');
  const Bytes encoded = EncodeSession(session);
  EXPECT_LT(encoded.size(), 512U);
  const auto decoded = DecodeSession(encoded);
  ASSERT_TRUE(decoded) << decoded.error().ToString();
  EXPECT_EQ(*decoded, session);
  for (std::size_t size = 0; size < encoded.size() - 256; ++size) {
    EXPECT_FALSE(DecodeSession(ByteSpan(encoded).first(size))) << size;
  }
  Bytes other = encoded;
  other[0] = 2;
  EXPECT_FALSE(DecodeSession(other));
}

TEST(Timeline, LongFragmentsArePiecesOfASessionsTarget) {
  PlaybackSession session = Session();
  session.target_s = 2;
  session.discontinuities = DiscontinuityMode::kNever;
  Timeline timeline(session);
  ASSERT_TRUE(timeline.Add(Piece(1, 0, 2000)));
  ASSERT_TRUE(timeline.Add(Piece(2, 2000, 2499)));  // rounds to the target
  ASSERT_TRUE(timeline.Add(Piece(3, 4499, 20'000)));
  ASSERT_TRUE(timeline.Add(Piece(4, 24'499)));
  timeline.Advance(session.created);
  const auto& listed = timeline.listed();
  EXPECT_EQ(listed[1].pieces, 1U);
  EXPECT_EQ(listed[2].pieces, 10U);
  EXPECT_EQ(listed[2].sequence, 2U);
  EXPECT_EQ(listed[3].sequence, 12U);
  const std::string text = RenderSessionPlaylist(session, timeline, "T", 1);
  EXPECT_NE(text.find("#EXTINF:2.499,\n"), std::string::npos);
  EXPECT_NE(text.find("&Piece=9&Pieces=10\n"), std::string::npos);
  EXPECT_EQ(text.find("INDEPENDENT"), std::string::npos);
}

TEST(Timeline, AWindowBeginsWithAKeyFrame) {
  const PlaybackSession session = Session(PlaybackMode::kLive, 3);
  Timeline timeline(session);
  for (std::uint64_t i = 1; i <= 10; ++i) {
    PlaybackFragment fragment = Piece(i, static_cast<std::int64_t>(i) * 1000);
    fragment.independent = i == 1 || i == 6;
    ASSERT_TRUE(timeline.Add(fragment));
    timeline.Advance(session.created);
  }
  EXPECT_EQ(Counters(timeline), (std::vector<std::uint64_t>{6, 7, 8, 9, 10}));
  EXPECT_EQ(timeline.listed().front().sequence, 5U);
  // What no decoder can begin with, after one that is missing, is passed over.
  PlaybackFragment lost = Piece(12, 12'000);
  lost.independent = false;
  EXPECT_FALSE(timeline.Add(lost));
  PlaybackFragment vp8 = Piece(13, 13'000);
  vp8.playable = false;
  EXPECT_FALSE(timeline.Add(vp8));
  EXPECT_FALSE(timeline.Add(Piece(9, 14'000)));  // comes too late
  EXPECT_TRUE(timeline.Add(Piece(14, 14'000)));
}

TEST(Timeline, DiscontinuitiesAreMoreThanFiftyMilliseconds) {
  PlaybackSession session = Session(PlaybackMode::kOnDemand, 10);
  session.discontinuities = DiscontinuityMode::kOnDiscontinuity;
  Timeline timeline(session);
  PlaybackFragment changed = Piece(6, 5001, 1000);
  changed.tracks_id = 7;
  for (const PlaybackFragment& fragment :
       {Piece(1, 0), Piece(2, 1050), Piece(3, 2000), Piece(4, 3051), Piece(5, 4000), changed}) {
    ASSERT_TRUE(timeline.Add(fragment));
  }
  timeline.Advance(session.created);
  std::vector<bool> marks;
  for (const TimelineFragment& fragment : timeline.listed()) marks.push_back(fragment.discontinuity);
  EXPECT_EQ(marks, (std::vector<bool>{false, false, false, true, true, true}));
  EXPECT_EQ(timeline.listed().back().discontinuities, 3U);
  EXPECT_EQ(timeline.listed()[2].period, timeline.listed()[0].number);
}

// However a timeline grew, by one fragment at a time or at once, it is the same.
TEST(Timeline, NumbersDoNotDependOnWhenItIsAskedFor) {
  MemoryFragmentStore store;
  ASSERT_TRUE(store.CreateStream("door", std::chrono::hours(1)));
  TracksIndex tracks(store);
  ManualClock clock(kFactsStart + std::chrono::hours(1));
  for (PlaybackMode mode : {PlaybackMode::kLive, PlaybackMode::kLiveReplay}) {
    const VideoStream stream = *store.GetStream("door");
    PlaybackSession session = Session(mode);
    session.stream_created = stream.created;
    session.discontinuities = DiscontinuityMode::kOnDiscontinuity;
    session.by_server_time = mode == PlaybackMode::kLive;
    if (mode == PlaybackMode::kLiveReplay) session.start = kFactsStart;
    PlaybackTimelines followed(store, tracks, {.clock = &clock});
    for (std::uint64_t i = 1; i <= 40; ++i) {
      const auto at = static_cast<std::int64_t>(i) * 1000 + (i > 20 ? 5000 : 0);
      store.Put("door", {MakeFacts(i, at, i % 7 == 0 ? 3000 : 1000, i > 20 ? 2 : 1), {}});
      clock.Advance(std::chrono::seconds(1));
      const auto timeline = followed.Get(stream, session);
      ASSERT_TRUE(timeline) << timeline.error().ToString();
      PlaybackTimelines fresh(store, tracks, {.clock = &clock});
      const auto again = fresh.Get(stream, session);
      ASSERT_TRUE(again);
      EXPECT_EQ(RenderSessionPlaylist(session, **timeline, "T", 1),
                RenderSessionPlaylist(session, **again, "T", 1));
    }
  }
}

TEST(Timeline, ACrowdCostsOneLookAtAnIndex) {
  MemoryFragmentStore store;
  ASSERT_TRUE(store.CreateStream("door", std::chrono::hours(1)));
  for (std::uint64_t i = 1; i <= 10; ++i)
    store.Put("door", {MakeFacts(i, static_cast<std::int64_t>(i) * 1000), {}});
  TracksIndex tracks(store);
  ManualClock clock(kFactsStart + std::chrono::hours(1));
  PlaybackTimelines timelines(store, tracks, {.clock = &clock});
  const VideoStream stream = *store.GetStream("door");
  PlaybackSession session = Session();
  ASSERT_TRUE(timelines.Begin(stream, session));
  EXPECT_EQ(session.first.counter, 6U);
  ASSERT_TRUE(timelines.Get(stream, session));
  const std::size_t listed = store.listed();
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(timelines.Get(stream, session));
  EXPECT_EQ(store.listed(), listed);  // nothing is read twice
}

}  // namespace
}  // namespace millrace
