// Goal: who begins to watch is given pictures: never those of a feed that the stream has no more, nor of one
// whose pictures do not become RTP. Method: live feeds that are written by hand.
#include "consumers/whep/whep_stream.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>

#include "tests/wait.h"

namespace millrace::test {
namespace {

const FragmentNumber kNumber{.counter = 1, .server_ms = 1'700'000'000'000};

TrackInfo Track(std::uint32_t number, Codec codec) {
  TrackInfo track;
  track.number = number;
  track.codec = codec;
  return track;
}

class WhepStreamTest : public testing::Test {
 protected:
  void Add(std::uint32_t track, std::int64_t ms) {
    Frame frame;
    frame.track = track;
    frame.pts = Timestamp::FromMillis(1'700'000'000'000 + ms);
    frame.key_frame = true;
    frame.data = SharedBytes(Bytes(10));
    feed_->Add(kNumber, frame);
  }
  bool Shows() const { return stream_.Shows(feed_, FragmentsCome::kFrameByFrame); }

  std::atomic<bool> current_ = true;
  std::shared_ptr<LiveFeed> feed_ = std::make_shared<LiveFeed>(LiveFeed::Options{});
  WhepStream stream_{feed_, FragmentsCome::kFrameByFrame, "door", [this] { return current_.load(); }};
};

TEST_F(WhepStreamTest, AnotherFeedIsNotShown) {
  EXPECT_TRUE(Shows());
  EXPECT_FALSE(stream_.Shows(std::make_shared<LiveFeed>(LiveFeed::Options{}), FragmentsCome::kFrameByFrame));
  EXPECT_FALSE(stream_.Shows(feed_, FragmentsCome::kWhole));
}

TEST_F(WhepStreamTest, AFeedThatTheStreamHasNoMoreIsNotShownAnyLonger) {
  current_ = false;
  EXPECT_TRUE(WaitUntil([this] { return !Shows(); }));
}

TEST_F(WhepStreamTest, PicturesThatDoNotBecomeRtpAreTheEnd) {
  feed_->Open(kNumber, 1, true, {Track(1, Codec::kH265)});
  Add(1, 0);
  EXPECT_TRUE(WaitUntil([this] { return !Shows(); }));
}

// It is sent over its whole length, and the feed lets go of it long before that: here as soon as it is
// stored.
TEST(WholeFragmentsTest, ALongFragmentIsTakenAtOnce) {
  LiveFeed::Options options;
  options.keep_after_persisted = Duration{0};
  const auto feed = std::make_shared<LiveFeed>(options);
  const WhepStream stream(feed, FragmentsCome::kWhole, "door", [] { return true; });
  TrackInfo sound = Track(1, Codec::kOpus);
  sound.sample_rate = 48'000;
  sound.channels = 2;
  feed->Open(kNumber, 1, true, {sound});
  const auto last = std::make_shared<const Bytes>(Bytes(100));
  for (int i = 0; i < 2400; ++i) {  // 2 min: longer than it is waited for
    Frame frame;
    frame.track = 1;
    frame.pts = Timestamp::FromMillis(1'700'000'000'000 + i * 50);
    frame.key_frame = true;
    frame.data = i < 2399 ? SharedBytes(Bytes(100)) : SharedBytes(last, *last);
    feed->Add(kNumber, frame);
  }
  FragmentFacts facts;
  facts.number = kNumber;
  feed->Close(facts);
  // The test, the feed and the stream have it.
  EXPECT_TRUE(WaitUntil([&] { return last.use_count() == 3; }));
  feed->SetPersisted(kNumber);
  EXPECT_TRUE(feed->Fragments().empty());
  EXPECT_EQ(last.use_count(), 2);
}

}  // namespace
}  // namespace millrace::test
