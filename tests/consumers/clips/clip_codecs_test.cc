// Goal: every codec comes out of a clip as it went in, in each format that can hold it; the others are
// refused with the way round. Method: ffmpeg's files, stored as PutMedia stores them, exported, and decoded
// by ffmpeg.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>

#include "consumers/clips/clip_exporter.h"
#include "tests/consumers/stored_mkv.h"
#include "tests/consumers/test_media.h"

namespace millrace {
namespace {

using testing::DecodedMd5;
using ::testing::HasSubstr;
using testing::MemoryFragmentStore;
using testing::TemporaryDirectory;

constexpr Timestamp kStart = Timestamp::FromMillis(1'763'690'820'000);

struct CodecCase {
  const char* name;
  const char* encoders;
  bool mp4;
  bool made_aac = false;  // the sound of an MP4
};
void PrintTo(const CodecCase& test, std::ostream* out) { *out << test.name; }

class ClipOfCodec : public ::testing::TestWithParam<CodecCase> {};

TEST_P(ClipOfCodec, IsTheSource) {
  const TemporaryDirectory directory;
  const std::string source = directory.File("source.mkv");
  const auto made = testing::RunCommand(
      directory,
      std::string("SVT_LOG=1 ffmpeg -v error -nostdin -f lavfi -i testsrc2=size=192x108:rate=25:duration=3 "
                  "-f lavfi -i \"sine=frequency=440:sample_rate=48000:duration=3\" ") +
          GetParam().encoders + " -pix_fmt yuv420p -g 25 -cluster_time_limit 1000 " + source);
  ASSERT_EQ(made.exit_code, 0) << made.errors;
  MemoryFragmentStore store;
  testing::StoreMkv(store, "door", source, kStart);
  ClipExporter exporter(store);
  const ClipRequest request{.stream = "door", .start = kStart, .end = kStart + std::chrono::minutes(1)};
  const auto video = DecodedMd5(directory, source, "v", "error");
  // A decoder gives a block of sound for each packet.
  const auto audio = DecodedMd5(directory, source, "a", "error");

  const auto expect_source = [&](const std::string& path) {
    EXPECT_EQ(DecodedMd5(directory, path, "v", "error"), video) << path;
    const auto sound = DecodedMd5(directory, path, "a", "error").size();
    if (GetParam().made_aac && !path.ends_with(".mkv")) {
      EXPECT_GE(sound, 3U * 8000 / 1024 - 4) << path;
    } else {
      // A packet that is over before the first picture is left out.
      EXPECT_GE(sound + 1, audio.size()) << path;
      EXPECT_LE(sound, audio.size()) << path;
    }
  };
  ClipRequest mkv = request;
  mkv.format = ClipFormat::kMkv;
  ASSERT_TRUE(exporter.Check(mkv)) << exporter.Check(mkv).error().ToString();
  const auto in_mkv = exporter.ToFile(mkv, directory.File("clip.mkv"));
  ASSERT_TRUE(in_mkv) << in_mkv.error().ToString();
  EXPECT_EQ(in_mkv->video_frames, 75U);
  expect_source(directory.File("clip.mkv"));
  if (!GetParam().mp4) {
    const auto refused = exporter.ToFile(request, directory.File("clip.mp4"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
    EXPECT_THAT(refused.error().message, HasSubstr("MKV"));
    EXPECT_EQ(exporter.Check(request).error().code, ErrorCode::kUnsupported);
    EXPECT_FALSE(std::filesystem::exists(directory.File("clip.mp4")));
    return;
  }
  ASSERT_TRUE(exporter.Check(request)) << exporter.Check(request).error().ToString();
  const auto in_mp4 = exporter.ToFile(request, directory.File("clip.mp4"));
  ASSERT_TRUE(in_mp4) << in_mp4.error().ToString();
  expect_source(directory.File("clip.mp4"));
  // To where nobody can seek: in movie fragments, and with the index in front.
  for (const bool indexed : {false, true}) {
    Bytes bytes;
    const auto sink = [&](ByteSpan part) -> Result<void> {
      bytes.insert(bytes.end(), part.begin(), part.end());
      return {};
    };
    const auto begin = [](std::uint64_t) -> Result<void> { return {}; };
    const auto streamed =
        indexed ? exporter.ToIndexedSink(request, begin, sink) : exporter.ToSink(request, sink);
    ASSERT_TRUE(streamed) << streamed.error().ToString();
    const std::string path = directory.File(indexed ? "indexed.mp4" : "fragmented.mp4");
    testing::WriteFile(path, {SharedBytes(std::move(bytes))});
    expect_source(path);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, ClipOfCodec,
    ::testing::Values(
        CodecCase{"H264Aac", "-c:v libx264 -preset ultrafast -bf 2 -c:a aac", true},
        CodecCase{
            "H265Opus",
            "-c:v libx265 -preset ultrafast -x265-params log-level=error:open-gop=0:scenecut=0 -c:a libopus",
            true},
        CodecCase{"Vp9Opus", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus", true},
        CodecCase{"Av1Aac", "-c:v libsvtav1 -preset 12 -c:a aac", true},
        CodecCase{"Vp8Opus", "-c:v libvpx -deadline realtime -cpu-used 8 -c:a libopus", false},
        CodecCase{"H264Mulaw", "-c:v libx264 -preset ultrafast -c:a pcm_mulaw -ar 8000", true, true},
        CodecCase{"H264Alaw", "-c:v libx264 -preset ultrafast -c:a pcm_alaw -ar 8000", true, true}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace millrace
