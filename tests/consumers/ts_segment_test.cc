// Goal: MPEG-TS segments made one by one are one stream: their continuity counters and times go on over their
// borders. Method: real H.264 and AAC; packets are looked at one by one, and ffmpeg decodes what was joined.
#include "consumers/hls/ts_segment.h"

#include <gtest/gtest.h>

#include <map>

#include "consumers/fragment_frames.h"
#include "consumers/hls/ts_continuity.h"
#include "memory_fragment_store.h"
#include "test_media.h"

namespace millrace {
namespace {

using testing::MakeMedia;
using testing::MemoryFragmentStore;
using testing::TemporaryDirectory;
using testing::TestMedia;
using testing::TestRecorder;

constexpr Timestamp kStart = Timestamp::FromMillis(1'763'690'820'123);
constexpr std::size_t kPacket = 188;

// The counters of the packets with a payload, by PID; all packets are whole, and their stuffing is sound.
void Count(ByteSpan stream, std::map<unsigned, std::vector<unsigned>>& counters) {
  ASSERT_EQ(stream.size() % kPacket, 0U);
  for (std::size_t at = 0; at < stream.size(); at += kPacket) {
    const ByteSpan packet = stream.subspan(at, kPacket);
    ASSERT_EQ(packet[0], 0x47);
    const unsigned pid = (packet[1] & 0x1Fu) << 8 | packet[2];
    const std::size_t field = (packet[3] & 0x20) != 0 ? packet[4] : 0;
    ASSERT_LE(field, (packet[3] & 0x10) != 0 ? 182U : 183U);
    if ((packet[3] & 0x10) != 0) counters[pid].push_back(packet[3] & 0x0F);
  }
}

class TsSegment : public ::testing::Test {
 protected:
  std::vector<MediaSegment> Segments(const TestMedia& media, std::uint32_t pieces = 1) {
    EXPECT_TRUE(store_.CreateStream("door", std::chrono::hours(1)));
    TestRecorder(store_, *store_.GetStream("door")).Record(media.tracks, media.frames);
    std::vector<MediaSegment> segments;
    const auto facts = store_.List("door", {.order = FragmentOrder::kNumber});
    for (const FragmentFacts& each : *facts) {
      const auto fragment = store_.Read("door", each.number);
      const auto frames = FramesOf(*fragment);
      EXPECT_TRUE(frames);
      for (std::uint32_t piece = 0; piece < pieces; ++piece) {
        auto segment = MakeTsSegment(fragment->facts, *frames, {.piece = piece, .pieces = pieces});
        EXPECT_TRUE(segment) << segment.error().ToString();
        if (segment) segments.push_back(std::move(*segment));
      }
    }
    return segments;
  }

  TemporaryDirectory directory_;
  MemoryFragmentStore store_;
};

TEST_F(TsSegment, CountersAndFramesGoOnFromSegmentToSegment) {
  const TestMedia media =
      MakeMedia(directory_, {.seconds = 6, .b_frames = 3, .key_frame_interval = 25}, kStart);
  const auto segments = Segments(media, 2);
  ASSERT_GE(segments.size(), 10U);
  std::vector<SharedBytes> all;
  std::map<unsigned, std::vector<unsigned>> counters;
  for (const MediaSegment& segment : segments) {
    ASSERT_EQ(segment.parts.size(), 1U);
    EXPECT_EQ(segment.bytes, segment.parts[0].size());
    Count(segment.parts[0].span(), counters);
    all.push_back(segment.parts[0]);
  }
  EXPECT_EQ(counters.size(), 4U);  // PAT, PMT, picture, sound
  for (const auto& [pid, values] : counters) {
    for (std::size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], i % 16) << pid << " " << i;
    EXPECT_EQ(values.size() % 16, 0U) << pid;
  }
  const std::string joined = directory_.File("all.ts");
  testing::WriteFile(joined, all);
  // At level "verbose" ffmpeg tells of counters that jump.
  EXPECT_EQ(testing::DecodedMd5(directory_, joined, "v"), media.video_md5);
  EXPECT_EQ(testing::DecodedMd5(directory_, joined, "a"), media.audio_md5);
}

TEST_F(TsSegment, CodecsThatItCannotCarryAreRefused) {
  for (Codec codec : {Codec::kVp8, Codec::kVp9, Codec::kAv1, Codec::kOpus}) {
    TrackInfo track;
    track.number = 1;
    track.codec = codec;
    const auto refused = CheckTsTracks({track});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  }
}

TEST_F(TsSegment, WhatIsNoTransportStreamIsAnError) {
  EXPECT_FALSE(AlignContinuity(Bytes(100, 0x47)));
  EXPECT_FALSE(AlignContinuity(Bytes(kPacket, 0x48)));
  Bytes overlong(kPacket, 0xFF);
  overlong[0] = 0x47;
  overlong[3] = 0x30;  // an adaptation field of 255 bytes
  EXPECT_FALSE(AlignContinuity(overlong));
  EXPECT_TRUE(AlignContinuity({}));
}

// Every number of packets of a PID, every size of its last payload.
TEST_F(TsSegment, EveryCountIsAligned) {
  for (std::size_t packets = 1; packets <= 33; ++packets) {
    for (std::size_t last = 20; last <= 184; last += 41) {
      Bytes stream;
      for (std::size_t i = 0; i < packets; ++i) {
        const std::size_t payload = i + 1 == packets ? last : 184;
        Bytes packet{0x47, static_cast<std::uint8_t>(i == 0 ? 0x41 : 0x01), 0x00,
                     static_cast<std::uint8_t>(payload < 184 ? 0x30 : 0x10)};
        if (payload < 184) {
          packet.push_back(static_cast<std::uint8_t>(183 - payload));
          if (payload < 183) packet.push_back(0);
          packet.resize(kPacket - payload, 0xFF);
        }
        while (packet.size() < kPacket)
          packet.push_back(static_cast<std::uint8_t>(stream.size() + packet.size()));
        if (i == 0) packet[4] = packet[5] = 0, packet[6] = 1;  // a unit of media begins
        stream.insert(stream.end(), packet.begin(), packet.end());
      }
      if (packets == 1 && last < 184) continue;  // its beginning would lie in the stuffing
      const auto payload_of = [](ByteSpan bytes) {
        Bytes payload;
        for (std::size_t at = 0; at < bytes.size(); at += kPacket) {
          const std::size_t begin = (bytes[at + 3] & 0x20) != 0 ? 5u + bytes[at + 4] : 4u;
          payload.insert(payload.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at + begin),
                         bytes.begin() + static_cast<std::ptrdiff_t>(at + kPacket));
        }
        return payload;
      };
      const auto aligned = AlignContinuity(stream);
      ASSERT_TRUE(aligned) << packets << " " << last;
      std::map<unsigned, std::vector<unsigned>> counters;
      Count(*aligned, counters);
      EXPECT_EQ(counters[0x100].size() % 16, 0U) << packets << " " << last;
      EXPECT_EQ(payload_of(*aligned), payload_of(stream)) << packets << " " << last;
    }
  }
}

}  // namespace
}  // namespace millrace
