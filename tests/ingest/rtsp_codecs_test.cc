// Goal: cameras of every codec that RTSP brings are received frame by frame, with tracks that can be recorded
// and played. Method: files made here by ffmpeg, sent by GStreamer's RTSP server, and what comes held against
// the file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <ostream>

#include "ingest/gst_rtsp_source.h"
#include "ingest/gst_track.h"
#include "media/bitstream.h"
#include "media/h265.h"
#include "media/vpx.h"
#include "parser/parse_fragment.h"
#include "tests/ingest/collectors.h"
#include "tests/ingest/rtsp_media_server.h"

namespace millrace::test {
namespace {

struct CameraCodec {
  const char* name;
  const char* encode;  // ffmpeg's options
  Codec video;
  const char* video_line;  // from matroskademux to the payloader
  std::optional<Codec> audio{};
  const char* audio_line = "";
};
void PrintTo(const CameraCodec& codec, std::ostream* out) { *out << codec.name; }

// The slices' bytes: parameter sets may come as often as a payloader likes.
std::string PictureOf(const TrackInfo& track, ByteSpan frame) {
  if (track.codec != Codec::kH265) return std::string(AsText(frame));
  std::string slices;
  while (frame.size() > 4) {
    const std::size_t length = ReadBigEndian<std::uint32_t>(frame);
    if (length < 2 || length > frame.size() - 4) break;
    const ByteSpan nal = frame.subspan(4, length);
    if ((nal[0] >> 1) < 32) slices += AsText(nal);
    frame = frame.subspan(4 + length);
  }
  return slices;
}

class RtspCodecs : public ::testing::TestWithParam<CameraCodec> {
 protected:
  void SetUp() override {
    directory_ = ::testing::TempDir() + "rtsp-codecs-XXXXXX";
    ASSERT_NE(::mkdtemp(directory_.data()), nullptr);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string directory_;
};

TEST_P(RtspCodecs, EveryFrameComes) {
  const CameraCodec& codec = GetParam();
  const std::string path = directory_ + "/source.mkv";
  const std::string command =
      "timeout 60 ffmpeg -v error -nostdin -y -f lavfi -i testsrc2=size=160x120:rate=25:duration=1.6 -f "
      "lavfi -i "
      "sine=frequency=440:sample_rate=48000:duration=1.6 " +
      std::string(codec.encode) + " -cluster_time_limit 20000 " + path;
  ASSERT_EQ(std::system(command.c_str()), 0);
  std::ifstream in(path, std::ios::binary);
  const auto source = ParseFragment(SharedBytes(Bytes(std::istreambuf_iterator<char>(in), {})));
  ASSERT_TRUE(source) << source.error().ToString();
  std::vector<std::string> pictures;
  std::string sound;
  for (const ParsedFrame& frame : source->frames) {
    const TrackInfo& track = *source->document.FindTrack(frame.track)->info;
    if (track.kind() == TrackKind::kVideo) pictures.push_back(PictureOf(track, frame.data));
    if (track.kind() == TrackKind::kAudio) sound += AsText(frame.data);
  }
  ASSERT_EQ(pictures.size(), 40U);

  std::string launch = "( filesrc location=" + path + " ! matroskademux name=d d.video_0 ! queue ! " +
                       codec.video_line + " name=pay0 pt=96";
  if (codec.audio) launch += std::string(" d.audio_0 ! queue ! ") + codec.audio_line + " name=pay1";
  const RtspMediaServer server(launch + " )");
  CollectingEvents events;
  RtspSourceOptions options;
  options.name = "test";
  options.url = server.Url();
  options.network_timeout = kPatience;
  const auto connection = MakeGstRtspSource(options, events);
  ASSERT_TRUE(connection->Start());
  // The last packets may wait for what follows them.
  EXPECT_TRUE(events.inbox.Wait([&](const Received& r) {
    if (r.ended || r.runs.empty()) return r.ended.has_value();
    std::size_t heard = 0;
    for (const Frame& frame : r.runs[0].Of(2)) heard += frame.data.size();
    return r.runs[0].Of(1).size() >= pictures.size() - 2 && (!codec.audio || heard > sound.size() / 2);
  }));
  connection->Stop();
  const Received received = events.inbox.Get();
  ASSERT_GE(received.runs.size(), 1U) << (received.ended ? received.ended->ToString() : "nothing came");
  const Received::Run& run = received.runs[0];
  ASSERT_EQ(run.tracks.size(), codec.audio ? 2U : 1U);
  EXPECT_EQ(run.tracks[0].codec, codec.video);
  EXPECT_EQ(run.tracks[0].width, 160U);
  EXPECT_EQ(run.tracks[0].height, 120U);
  if (codec.video == Codec::kH265) {
    EXPECT_TRUE(ParseHevcConfig(run.tracks[0].codec_private));
    EXPECT_EQ(ReorderDepthByHeaders(run.tracks[0]), 2U);
  }
  if (codec.video == Codec::kVp9) {
    EXPECT_TRUE(DecodeVp9Features(run.tracks[0].codec_private));
  }
  const std::vector<Frame> frames = run.Of(1);
  ASSERT_LE(frames.size(), pictures.size());
  for (std::size_t i = 0; i < frames.size(); ++i) {
    ASSERT_EQ(PictureOf(run.tracks[0], frames[i].data.span()), pictures[i]) << "frame " << i;
    EXPECT_EQ(frames[i].key_frame, i % 20 == 0) << i;
  }
  if (!codec.audio) return;
  EXPECT_EQ(run.tracks[1].codec, *codec.audio);
  EXPECT_EQ(run.tracks[1].sample_rate, *codec.audio == Codec::kOpus ? 48'000U : 8'000U);
  EXPECT_FALSE(run.tracks[1].codec_private.empty());
  std::string heard;
  for (const Frame& frame : run.Of(2)) {
    heard += AsText(frame.data.span());
    EXPECT_GT(frame.duration, Duration{0});
  }
  EXPECT_GT(heard.size(), sound.size() / 2)
      << received.lost << " packets lost; " << (received.ended ? received.ended->ToString() : "still there");
  EXPECT_TRUE(sound.starts_with(heard));
}

INSTANTIATE_TEST_SUITE_P(
    Each, RtspCodecs,
    ::testing::Values(
        CameraCodec{
            "H265Mulaw",
            "-c:v libx265 -preset ultrafast -x265-params "
            "log-level=none:keyint=20:min-keyint=20:bframes=3:b-adapt=0:pools=1:open-gop=0:info=0:scenecut=0 "
            "-c:a pcm_mulaw -ar 8000",
            Codec::kH265, "h265parse ! rtph265pay config-interval=-1", Codec::kPcmMulaw, "rtppcmupay"},
        CameraCodec{"Vp8Opus", "-c:v libvpx -deadline realtime -b:v 300k -g 20 -keyint_min 20 -c:a libopus",
                    Codec::kVp8, "rtpvp8pay", Codec::kOpus, "rtpopuspay pt=97"},
        CameraCodec{"Vp9Alaw",
                    "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 300k -g 20 -keyint_min 20 -c:a "
                    "pcm_alaw -ar 8000",
                    Codec::kVp9, "vp9parse ! rtpvp9pay", Codec::kPcmAlaw, "rtppcmapay"}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(PlanTrack, Av1IsRefusedWithTheReason) {
  gst_init(nullptr, nullptr);
  GstCaps* caps = gst_caps_from_string("application/x-rtp,media=video,encoding-name=AV1,clock-rate=90000");
  const auto plan = PlanTrack(caps);
  gst_caps_unref(caps);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(plan.error().message, ::testing::HasSubstr("depayloader"));
  EXPECT_THAT(plan.error().message, ::testing::HasSubstr("PutMedia"));
}

}  // namespace
}  // namespace millrace::test
