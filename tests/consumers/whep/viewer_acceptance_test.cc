// Goal: what is told to who wants to watch depends on what the stream is now: not live, of a codec that
// WebRTC does not show, with B-frames, or fit. Method: a live feed that is written by hand.
#include <gtest/gtest.h>

#include "consumers/whep/whep_stream.h"

namespace millrace::test {
namespace {

const FragmentNumber kNumber{.counter = 1, .server_ms = 1'700'000'000'000};

TrackInfo Track(std::uint32_t number, Codec codec) {
  TrackInfo track;
  track.number = number;
  track.codec = codec;
  return track;
}

class ViewerAcceptanceTest : public testing::Test {
 protected:
  void Open(std::vector<TrackInfo> tracks) { feed_.Open(kNumber, 1, true, std::move(tracks)); }
  void Add(std::uint32_t track, std::int64_t ms) {
    Frame frame;
    frame.track = track;
    frame.pts = Timestamp::FromMillis(1'700'000'000'000 + ms);
    frame.key_frame = ms == 0;
    frame.data = SharedBytes(Bytes(10));
    feed_.Add(kNumber, frame);
  }
  LiveFeed feed_{LiveFeed::Options{}};
};

TEST_F(ViewerAcceptanceTest, AStreamThatIsNotLiveHasNothingToWatch) {
  const auto refused = ViewerAcceptance(feed_, "door");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_NE(refused.error().message.find("/hls/door/"), std::string::npos) << refused.error().message;
}

TEST_F(ViewerAcceptanceTest, SoundIsWatchedAsOpus) {
  TrackInfo video = Track(1, Codec::kH264);
  // avcC of no parameter sets: High, level 4.0.
  video.codec_private = {1, 0x64, 0x00, 0x28, 0xFF, 0xE0, 0};
  Open({video, Track(2, Codec::kAac)});
  for (int i = 0; i < 5; ++i) Add(1, 40 * i);
  const auto accepted = ViewerAcceptance(feed_, "door");
  ASSERT_TRUE(accepted) << accepted.error().message;
  EXPECT_FALSE(accepted->receive);
  ASSERT_EQ(accepted->video.size(), 1U);
  EXPECT_EQ(accepted->video[0].codec, Codec::kH264);
  ASSERT_EQ(accepted->audio.size(), 1U);
  EXPECT_EQ(accepted->audio[0].codec, Codec::kOpus);
}

TEST_F(ViewerAcceptanceTest, BFramesAreLeftToHls) {
  Open({Track(1, Codec::kH264)});
  for (const int ms : {0, 120, 40, 80}) Add(1, ms);
  const auto refused = ViewerAcceptance(feed_, "door");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(refused.error().message.find("/hls/door/index.m3u8"), std::string::npos);
}

// Sound is interleaved with pictures, and may be a little behind them.
TEST_F(ViewerAcceptanceTest, SoundBehindPicturesIsNoReordering) {
  Open({Track(1, Codec::kVp8), Track(2, Codec::kOpus)});
  Add(1, 0);
  Add(1, 40);
  Add(2, 20);
  Add(1, 80);
  EXPECT_TRUE(ViewerAcceptance(feed_, "door"));
}

TEST_F(ViewerAcceptanceTest, OtherVideoCodecsAreLeftToHls) {
  for (const Codec codec : {Codec::kH265, Codec::kAv1}) {
    LiveFeed feed{LiveFeed::Options{}};
    feed.Open(kNumber, 1, true, {Track(1, codec), Track(2, Codec::kOpus)});
    const auto refused = ViewerAcceptance(feed, "door");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
    EXPECT_NE(refused.error().message.find("HLS"), std::string::npos);
  }
}

}  // namespace
}  // namespace millrace::test
