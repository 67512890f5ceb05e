// Bytes that are no video, or were: errors and counts, never a crash and never a picture that is not sound.
#include <gtest/gtest.h>

#include <opencv2/core.hpp>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "numbered_video.h"
#include "parser/decoder/fragment_decoder.h"

namespace millrace::testing {
namespace {

using Kind = FrameSelection::Kind;

Result<void> Ignore(const Picture&) { return {}; }

// The fragment with other bytes in place of frame `index`'s.
ParsedFragment WithFrame(ParsedFragment fragment, std::size_t index, const Bytes& bytes) {
  fragment.frames[index].data = bytes;
  return fragment;
}

Bytes Copy(ByteSpan bytes) { return {bytes.begin(), bytes.end()}; }

TEST(HostileFramesTest, FramesWithoutSenseAreCorrupt) {
  const ParsedFragment video = MakeVideo({.pictures = 1});
  const Bytes frames[] = {{},
                          {0},
                          Bytes(5000, 0xFF),
                          Bytes(5000, 0),
                          {0, 0, 0, 200, 0x65, 1, 2, 3},
                          Copy(video.frames[0].data.first(20))};
  for (const Kind kind : {Kind::kKeyFrames, Kind::kAll}) {
    FragmentDecoder decoder({.selection = {kind}});
    for (const Bytes& bytes : frames) {
      const auto report = decoder.Decode(WithFrame(video, 0, bytes), &Ignore);
      ASSERT_FALSE(report);
      EXPECT_EQ(report.error().code, ErrorCode::kCorruption) << report.error().ToString();
    }
    const auto good = decoder.Decode(video, &Ignore);
    ASSERT_TRUE(good) << "the decoder stays usable: " << good.error().ToString();
    EXPECT_EQ(good->pictures, 1u);
  }
}

TEST(HostileFramesTest, ADamagedFrameIsLeftOutAndCounted) {
  const ParsedFragment video = MakeVideo({.pictures = 20, .key_frame_interval = 10});
  Bytes damaged = Copy(video.frames[10].data);
  for (std::size_t i = damaged.size() / 3; i < damaged.size() / 3 + 400; ++i) damaged[i] = 0xFF;
  const ParsedFragment fragment = WithFrame(video, 10, damaged);
  FragmentDecoder decoder({});
  std::vector<std::int64_t> times;
  const auto report = decoder.Decode(fragment, [&](const Picture& picture) -> Result<void> {
    times.push_back(picture.timestamp_ns);
    return {};
  });
  ASSERT_TRUE(report);
  EXPECT_EQ(times, std::vector<std::int64_t>{0});
  EXPECT_EQ(report->damaged, 1u);
}

TEST(HostileFramesTest, ATrackOfAnUnknownCodecIsUnsupported) {
  ParsedFragment video = MakeVideo({.pictures = 1});
  video.document.tracks[0].info.reset();
  video.document.tracks[0].codec_id = "V_THEORA";
  FragmentDecoder decoder({.selection = {Kind::kAll}});
  for (const auto& result : {decoder.LeadIn(video), [&]() -> Result<void> {
                               MILLRACE_RETURN_IF_ERROR(decoder.Decode(video, &Ignore));
                               return {};
                             }()}) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kUnsupported);
    EXPECT_NE(result.error().message.find("V_THEORA"), std::string::npos);
  }
}

TEST(HostileFramesTest, ACodecPrivateWithoutSenseIsAnError) {
  const ParsedFragment video = MakeVideo({.pictures = 1});
  std::mt19937 random(7);
  for (std::size_t size = 0; size < 60; ++size) {
    ParsedFragment fragment = video;
    Bytes bytes(size);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
    fragment.document.tracks[0].info->codec_private = bytes;
    FragmentDecoder decoder({});
    const auto report = decoder.Decode(fragment, &Ignore);
    if (!report) {
      EXPECT_EQ(report.error().code, ErrorCode::kCorruption) << report.error().ToString();
    }
  }
}

TEST(HostileFramesTest, PicturesAboveTheLimitAreRefused) {
  ParsedFragment video = MakeVideo({.pictures = 1});
  FragmentDecoder decoder({.pixels_max = 320 * 180 - 1});
  const auto told = decoder.Decode(video, &Ignore);
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().code, ErrorCode::kResourceExhausted);
  // One whose container lies about it is refused by libavcodec.
  video.document.tracks[0].info->width = 16;
  const auto hidden = decoder.Decode(video, &Ignore);
  ASSERT_FALSE(hidden);
  EXPECT_EQ(hidden.error().code, ErrorCode::kCorruption);
}

// Random damage to real frames of each codec: whatever comes out, it is counted right and never crashes.
TEST(HostileFramesTest, SurvivesRandomDamage) {
  const VideoOptions videos[] = {
      {.codec = "libx264 -preset ultrafast -x264-params scenecut=0",
       .pictures = 12,
       .key_frame_interval = 6,
       .b_frames = 2,
       .width = 160,
       .height = 90},
      {.codec = "libx265 -preset ultrafast -x265-params log-level=error",
       .pictures = 12,
       .key_frame_interval = 6,
       .b_frames = 2,
       .width = 160,
       .height = 90},
      {.codec = "libvpx -deadline realtime -cpu-used 8",
       .pictures = 12,
       .key_frame_interval = 6,
       .width = 160,
       .height = 90},
      {.codec = "libvpx-vp9 -deadline realtime -cpu-used 8",
       .pictures = 12,
       .key_frame_interval = 6,
       .width = 160,
       .height = 90},
      {.codec = "libsvtav1 -preset 12", .pictures = 12, .key_frame_interval = 6, .width = 160, .height = 90}};
  std::mt19937 random(20261121);
  const auto below = [&](std::size_t end) {
    return std::uniform_int_distribution<std::size_t>(0, end - 1)(random);
  };
  for (const VideoOptions& options : videos) {
    const ParsedFragment video = MakeVideo(options);
    FragmentDecoder decoders[] = {FragmentDecoder({.selection = {Kind::kAll}, .form = {.rows_max = 45}}),
                                  FragmentDecoder({.form = {.format = PictureFormat::kGray}})};
    for (int round = 0; round < 60; ++round) {
      std::vector<Bytes> kept;
      kept.reserve(video.frames.size());
      ParsedFragment fragment = video;
      for (ParsedFrame& frame : fragment.frames) {
        Bytes bytes = Copy(frame.data);
        switch (below(6)) {
          case 0:
            for (int flips = 0; flips < 5; ++flips)
              bytes[below(bytes.size())] ^= static_cast<std::uint8_t>(1U << below(8));
            break;
          case 1:
            bytes.resize(below(bytes.size()));
            break;
          case 2:
            for (std::size_t i = below(bytes.size()); i < bytes.size(); ++i)
              bytes[i] = static_cast<std::uint8_t>(random());
            break;
          default:
            break;
        }
        kept.push_back(std::move(bytes));
        frame.data = kept.back();
      }
      if (round % 3 == 0) std::shuffle(fragment.frames.begin(), fragment.frames.end(), random);
      for (FragmentDecoder& decoder : decoders) {
        std::set<std::int64_t> times;
        std::uint32_t pictures = 0;
        const auto report = decoder.Decode(fragment, [&](const Picture& picture) -> Result<void> {
          ++pictures;
          times.insert(picture.timestamp_ns);
          EXPECT_FALSE(picture.image.empty());
          return {};
        });
        EXPECT_EQ(times.size(), pictures) << "a frame gives one picture at most";
        if (report) {
          EXPECT_EQ(report->pictures, pictures);
          EXPECT_EQ(report->frames, 12u);
        } else {
          EXPECT_EQ(report.error().code, ErrorCode::kCorruption) << report.error().ToString();
        }
      }
    }
  }
}

}  // namespace
}  // namespace millrace::testing
