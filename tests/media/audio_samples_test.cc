#include "media/audio_samples.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

TrackInfo Track(Codec codec, Bytes codec_private, std::uint32_t rate) {
  TrackInfo track;
  track.codec = codec;
  track.codec_private = std::move(codec_private);
  track.sample_rate = rate;
  return track;
}

TEST(SamplesPerFrame, AacAsItsConfigurationSays) {
  EXPECT_EQ(SamplesPerFrame(Track(Codec::kAac, {0x11, 0x90}, 48'000)), 1024u);
  EXPECT_EQ(SamplesPerFrame(Track(Codec::kAac, {0x11, 0x94}, 48'000)), 960u);         // short form
  EXPECT_EQ(SamplesPerFrame(Track(Codec::kAac, {0x2B, 0x11, 0x88}, 48'000)), 2048u);  // SBR over 24 kHz
  EXPECT_EQ(SamplesPerFrame(Track(Codec::kAac, {0x2B, 0x11, 0x88}, 24'000)), 1024u);
  EXPECT_EQ(SamplesPerFrame(Track(Codec::kAac, {}, 48'000)), 1024u);
  EXPECT_EQ(SamplesPerFrame(Track(Codec::kAac, {0x17, 0x80}, 48'000)), 1024u);  // a rate written out
  EXPECT_EQ(SamplesPerFrame(Track(Codec::kOpus, {}, 48'000)), 0u);
}

TEST(SamplesOfPacket, OpusAsItsTableOfContentsSays) {
  const TrackInfo opus = Track(Codec::kOpus, {}, 48'000);
  EXPECT_EQ(SamplesOfPacket(opus, Bytes{0xFC, 0}), 960u);      // CELT, 20 ms
  EXPECT_EQ(SamplesOfPacket(opus, Bytes{0xE0, 0}), 120u);      // CELT, 2.5 ms
  EXPECT_EQ(SamplesOfPacket(opus, Bytes{0x18, 0}), 2880u);     // SILK, 60 ms
  EXPECT_EQ(SamplesOfPacket(opus, Bytes{0x68, 0}), 960u);      // hybrid, 20 ms
  EXPECT_EQ(SamplesOfPacket(opus, Bytes{0xFD, 0}), 1920u);     // two frames
  EXPECT_EQ(SamplesOfPacket(opus, Bytes{0xFF, 0x03}), 2880u);  // three
  EXPECT_EQ(SamplesOfPacket(opus, Bytes{0xFF}), 0u);           // cut short
  EXPECT_EQ(SamplesOfPacket(opus, Bytes{0xFF, 0x3F}), 0u);     // longer than 120 ms
  EXPECT_EQ(SamplesOfPacket(opus, {}), 0u);
  EXPECT_EQ(SamplesOfPacket(Track(Codec::kAac, {}, 48'000), Bytes{1}), 1024u);
}

}  // namespace
}  // namespace millrace
