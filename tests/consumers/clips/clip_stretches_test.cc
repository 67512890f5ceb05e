// Goal: where the tracks change, one file after the other can be had; what a format cannot hold is said, with
// the way round. Method: real media, read back by ffmpeg.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "consumers/clips/clip_exporter.h"
#include "tests/consumers/memory_fragment_store.h"
#include "tests/consumers/test_media.h"

namespace millrace {
namespace {

using testing::DecodedMd5;
using ::testing::HasSubstr;
using testing::MakeMedia;
using testing::MemoryFragmentStore;
using testing::TemporaryDirectory;
using testing::TestMedia;
using testing::TestRecorder;

constexpr Timestamp kStart = Timestamp::FromMillis(1'763'690'820'123);

class ClipStretches : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(store_.CreateStream("door", std::chrono::hours(1))); }
  void Record(const TestMedia& media) {
    TestRecorder(store_, *store_.GetStream("door")).Record(media.tracks, media.frames);
  }

  TemporaryDirectory directory_;
  MemoryFragmentStore store_;
  ClipExporter exporter_{store_};
};

TEST_F(ClipStretches, OneFileForEachResolution) {
  std::vector<TestMedia> parts;
  parts.push_back(MakeMedia(directory_, {.seconds = 3, .audio = false}, kStart));
  parts.push_back(MakeMedia(directory_, {.seconds = 3, .width = 320, .height = 180, .audio = false},
                            kStart + std::chrono::seconds(10)));
  parts.push_back(MakeMedia(directory_, {.seconds = 3, .audio = false}, kStart + std::chrono::seconds(20)));
  for (const TestMedia& part : parts) Record(part);
  ClipRequest request{.stream = "door", .start = kStart, .end = kStart + std::chrono::minutes(1)};
  EXPECT_EQ(exporter_.Check(request).error().code, ErrorCode::kFailedPrecondition);
  const auto stretches = exporter_.Stretches(request);
  ASSERT_TRUE(stretches) << stretches.error().ToString();
  ASSERT_EQ(stretches->size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    const ClipOutline& outline = (*stretches)[i];
    EXPECT_EQ(outline.start, kStart + std::chrono::seconds(10 * i));
    EXPECT_EQ(outline.end, outline.start + std::chrono::seconds(3));
    EXPECT_EQ(outline.tracks[0].width, i == 1 ? 320U : 192U);
    request.stretch = outline.first;
    ASSERT_TRUE(exporter_.Check(request));
    const std::string path = directory_.File("clip" + std::to_string(i) + ".mp4");
    const auto summary = exporter_.ToFile(request, path);
    ASSERT_TRUE(summary) << summary.error().ToString();
    EXPECT_EQ(DecodedMd5(directory_, path, "v"), parts[i].video_md5);
  }
  request.stretch->counter += 1000;
  EXPECT_EQ(exporter_.Check(request).error().code, ErrorCode::kNotFound);
}

TEST_F(ClipStretches, SoundThatComesLaterIsNoChange) {
  TestMedia silent = MakeMedia(directory_, {.seconds = 3, .audio = false}, kStart);
  TestMedia loud = MakeMedia(directory_, {.seconds = 3}, kStart + std::chrono::seconds(5));
  silent.tracks[0] = loud.tracks[0];
  Record(silent);
  Record(loud);
  const ClipRequest request{.stream = "door", .start = kStart, .end = kStart + std::chrono::minutes(1)};
  const auto stretches = exporter_.Stretches(request);
  ASSERT_TRUE(stretches) << stretches.error().ToString();
  ASSERT_EQ(stretches->size(), 1U);
  EXPECT_EQ((*stretches)[0].tracks.size(), 2U);
  // The last packet of sound lasts a little longer than the picture.
  EXPECT_GE((*stretches)[0].duration, std::chrono::seconds(6));
  EXPECT_LT((*stretches)[0].duration, std::chrono::milliseconds(6'100));
}

TEST(ClipTracks, WhatAFormatHolds) {
  const auto track = [](Codec codec, Bytes codec_private) {
    TrackInfo info{.number = 1, .codec = codec, .codec_private = std::move(codec_private)};
    return info;
  };
  const Bytes avcc{1, 0x64, 0, 0x1F, 0xFF, 0xE1, 0, 4, 0x67, 0x64, 0, 0x1F, 1, 0, 1, 0x68};
  using enum TrackFault;
  const struct {
    TrackInfo track;
    TrackFault mp4;
    TrackFault mkv;
  } cases[] = {
      {track(Codec::kH264, avcc), kNone, kNone},
      {track(Codec::kH264, {}), kNoCodecPrivate, kNoCodecPrivate},
      {track(Codec::kH264, {0, 0, 0, 1, 0x67}), kBadCodecPrivate, kBadCodecPrivate},
      {track(Codec::kH265, {}), kNoCodecPrivate, kNoCodecPrivate},
      {track(Codec::kH265, {1, 2, 3}), kBadCodecPrivate, kBadCodecPrivate},
      {track(Codec::kAv1, {}), kNoCodecPrivate, kNoCodecPrivate},
      {track(Codec::kVp9, {}), kNone, kNone},
      {track(Codec::kVp8, {}), kCodec, kNone},
      {track(Codec::kAac, {0x11}), kBadCodecPrivate, kBadCodecPrivate},
      {track(Codec::kAac, {0x11, 0x90}), kNone, kNone},
      {track(Codec::kOpus, {1, 2}), kBadCodecPrivate, kBadCodecPrivate},
      {track(Codec::kPcmMulaw, {}), kCodec, kNone},
      {track(Codec::kPcmAlaw, {}), kCodec, kNone},
  };
  for (const auto& test : cases) {
    EXPECT_EQ(FaultOf(test.track, ClipFormat::kMp4), test.mp4) << ToString(test.track.codec);
    EXPECT_EQ(FaultOf(test.track, ClipFormat::kMkv), test.mkv) << ToString(test.track.codec);
    EXPECT_EQ(CheckTrack(test.track, ClipFormat::kMp4).has_value(), test.mp4 == kNone);
  }
  EXPECT_THAT(CheckTrack(track(Codec::kVp8, {}), ClipFormat::kMp4).error().message, HasSubstr("MKV"));
  EXPECT_THAT(CheckTrack(track(Codec::kPcmAlaw, {}), ClipFormat::kMp4).error().message, HasSubstr("G.711"));
}

}  // namespace
}  // namespace millrace
