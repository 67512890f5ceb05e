#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fragments/mkv_writer.h"
#include "tests/fragments/frames.h"
#include "tests/fragments/real_media.h"

namespace millrace {
namespace {

using test::CheckRuns;
using test::FrameDigests;
using test::KeepingSink;
using test::Media;
using test::TemporaryDirectory;
using test::ToolComplaints;

constexpr Timestamp kStart = Timestamp::FromMillis(test::kStartMs);

struct Recording {
  const char* name;
  std::string x264;
  bool audio;
  BuilderLimits limits;
  std::uint32_t depth;
  bool each_alone;  // every fragment can be decoded without the one before it
};

class RecordingTest : public testing::TestWithParam<Recording> {};

// Goal: nothing of real media is lost or changed, and no tool has anything against any fragment.
TEST_P(RecordingTest, IsWhatWasEncodedAndPleasesEveryTool) {
  const TemporaryDirectory files;
  const std::string source = files.Path("source.mp4");
  test::MakeMp4(source, 12, GetParam().x264, GetParam().audio);
  const Media media = test::ReadMp4(source, kStart);
  KeepingSink sink;
  FragmentBuilder builder(sink, GetParam().limits);
  ASSERT_TRUE(builder.StartRun(media.tracks, ClockSource::kCamera));
  for (const Frame& frame : media.frames) ASSERT_TRUE(builder.Push(frame));
  builder.EndRun();
  EXPECT_EQ(CheckRuns(sink), "");
  // Without its edit list the source's audio begins up to 80 ms before the first picture.
  EXPECT_LE(builder.counters().frames_dropped, GetParam().audio ? 4u : 0u);
  EXPECT_EQ(builder.counters().times_corrected, 0u);
  ASSERT_GE(sink.fragments.size(), 3u);
  EXPECT_EQ(sink.runs, 1u);

  Bytes joined;
  std::vector<std::string> one_by_one;
  for (std::size_t i = 0; i < sink.fragments.size(); ++i) {
    const Fragment& fragment = sink.fragments[i];
    EXPECT_EQ(fragment.facts.track_facts[0].reorder_depth, GetParam().depth);
    const std::string path = files.Path(std::to_string(i) + ".mkv");
    test::WriteFile(path, fragment.mkv.span());
    if (i == 0 || (i + 1 == sink.fragments.size() && GetParam().each_alone)) {
      EXPECT_EQ(ToolComplaints(path), "") << i;
    }
    const ByteSpan bytes = fragment.mkv.span();
    const Bytes cluster_id = {0x1F, 0x43, 0xB6, 0x75};
    const auto cluster = std::search(bytes.begin(), bytes.end(), cluster_id.begin(), cluster_id.end());
    joined.insert(joined.end(), i == 0 ? bytes.begin() : cluster, bytes.end());
    if (GetParam().each_alone) {
      for (std::string& digest : FrameDigests(path, "v:0", false)) one_by_one.push_back(std::move(digest));
    }
  }
  const std::string all = files.Path("all.mkv");
  test::WriteFile(all, joined);
  const std::vector<std::string> decoded = FrameDigests(source, "v:0", false);
  ASSERT_EQ(decoded.size(), 300u);
  EXPECT_EQ(FrameDigests(all, "v:0", false), decoded);
  if (!one_by_one.empty()) {
    EXPECT_EQ(one_by_one, decoded);
  }
  EXPECT_EQ(FrameDigests(all, "v:0", true), FrameDigests(source, "v:0", true));
  if (GetParam().audio) {
    std::vector<std::string> packets = FrameDigests(source, "a:0", true);
    packets.erase(packets.begin(),
                  packets.begin() + static_cast<std::ptrdiff_t>(builder.counters().frames_dropped));
    EXPECT_EQ(FrameDigests(all, "a:0", true), packets);
  }
}

INSTANTIATE_TEST_SUITE_P(
    RealMedia, RecordingTest,
    testing::Values(Recording{"BFramesAndAac", "keyint=50:bframes=3:b-pyramid=normal", true, {}, 2, true},
                    Recording{"NoBFrames", "keyint=25:bframes=0", true, {}, 0, true},
                    Recording{"OpenGop", "keyint=50:bframes=2:open-gop=1", true, {}, 2, false},
                    Recording{"VideoOnly", "keyint=40:bframes=1", false, {}, 1, true},
                    Recording{"LongGopCutByDuration",
                              "keyint=300:bframes=3",
                              true,
                              {.duration_max = std::chrono::seconds(2)},
                              2,
                              false},
                    Recording{
                        "LongGopCutBySize", "keyint=300:bframes=3", true, {.bytes_max = 150'000}, 2, false}),
    [](const testing::TestParamInfo<Recording>& param) { return std::string(param.param.name); });

TEST(WriteMkv, AudioAlonePleasesEveryTool) {
  const TemporaryDirectory files;
  test::MakeMp4(files.Path("source.mp4"), 2, "keyint=25", true);
  const Media media = test::ReadMp4(files.Path("source.mp4"), kStart);
  std::vector<Frame> audio;
  for (const Frame& frame : media.frames) {
    if (frame.track == 2) audio.push_back(frame);
  }
  const auto document = WriteMkv({media.tracks[1]}, kStart, std::chrono::seconds(2), audio);
  ASSERT_TRUE(document);
  test::WriteFile(files.Path("audio.mkv"), document->bytes.span());
  EXPECT_EQ(ToolComplaints(files.Path("audio.mkv")), "");
}

TEST(WriteMkv, SaysWhereFramesAndClusterStand) {
  const std::vector<Frame> frames = {test::VideoFrame(0, true, 10), test::VideoFrame(40, false, 300)};
  const auto document = WriteMkv({test::VideoTrack()}, kStart, std::chrono::milliseconds(80), frames);
  ASSERT_TRUE(document);
  const ByteSpan bytes = document->bytes.span();
  EXPECT_EQ(ReadBigEndian<std::uint32_t>(bytes.subspan(document->cluster_offset)), 0x1F43B675u);
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const ByteSpan data = frames[i].data.span();
    EXPECT_TRUE(std::equal(data.begin(), data.end(),
                           bytes.begin() + static_cast<std::ptrdiff_t>(document->frame_offsets[i])));
  }
  EXPECT_LE(bytes.size(), MkvOverhead({test::VideoTrack()}) + 310 + 2 * kBlockOverheadMax);
}

TEST(WriteMkv, RefusesWhatCannotStandInACluster) {
  const auto code = [](std::vector<TrackInfo> tracks, Timestamp start, std::vector<Frame> frames) {
    const auto document = WriteMkv(tracks, start, std::chrono::seconds(1), frames);
    return document ? ErrorCode::kInternal : document.error().code;
  };
  const std::vector<TrackInfo> video = {test::VideoTrack()};
  TrackInfo mulaw = test::AudioTrack();
  mulaw.codec = Codec::kPcmMulaw;
  EXPECT_EQ(code({}, kStart, {}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(video, Timestamp{-1}, {}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(video, kStart, {test::AudioFrame(0)}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(video, kStart, {test::VideoFrame(32'768, true)}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(video, kStart, {test::VideoFrame(-32'769, true)}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({mulaw}, kStart, {}), ErrorCode::kInvalidArgument);  // with the codec data of AAC
  EXPECT_EQ(code(video, kStart, {test::VideoFrame(32'767, true)}), ErrorCode::kInternal);  // it can
}

}  // namespace
}  // namespace millrace
