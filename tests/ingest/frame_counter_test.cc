// Goal: the number in camera-sim's pictures can be read after encoding, so that tests can count frames by
// their pictures. Method: the clip decoded by libav.
#include "samples/camera-sim/frame_counter.h"

#include <gtest/gtest.h>

#include <vector>

#include "media/libav_handles.h"
#include "tests/ingest/sim_process.h"

namespace millrace::test {
namespace {

std::vector<std::optional<std::uint32_t>> CountersOf(const std::string& path) {
  AVFormatContext* raw = nullptr;
  if (avformat_open_input(&raw, path.c_str(), nullptr, nullptr) < 0)
    throw std::runtime_error("cannot open " + path);
  const AvInputPtr input(raw);
  const AVCodec* codec = nullptr;
  const int video = av_find_best_stream(raw, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0);
  const AvCodecContextPtr decoder(avcodec_alloc_context3(codec));
  avcodec_parameters_to_context(decoder.get(), raw->streams[video]->codecpar);
  if (avcodec_open2(decoder.get(), codec, nullptr) < 0) throw std::runtime_error("cannot decode " + path);
  std::vector<std::optional<std::uint32_t>> counters;
  const AvFramePtr frame(av_frame_alloc());
  const AvPacketPtr packet(av_packet_alloc());
  const auto take = [&] {
    while (avcodec_receive_frame(decoder.get(), frame.get()) == 0) {
      const auto stride = static_cast<std::size_t>(frame->linesize[0]);
      counters.push_back(camera_sim::ReadFrameCounter(frame->data[0], stride, frame->width));
    }
  };
  while (av_read_frame(raw, packet.get()) >= 0) {
    if (packet->stream_index == video) avcodec_send_packet(decoder.get(), packet.get());
    av_packet_unref(packet.get());
    take();
  }
  avcodec_send_packet(decoder.get(), nullptr);
  take();
  return counters;
}

TEST(FrameCounterTest, IsReadFromEveryDecodedPicture) {
  const std::string clip = MakeTempDir(testing::TempDir()) + "/clip.mp4";
  const SimProcess sim({"--bframes", "2", "--duration", "1.28", "--dump", clip});
  const auto counters = CountersOf(clip);
  ASSERT_EQ(counters.size(), 32U);
  for (std::uint32_t i = 0; i < counters.size(); ++i) EXPECT_EQ(counters[i], i);
}

TEST(FrameCounterTest, APictureWithoutOneHasNone) {
  const std::vector<std::uint8_t> grey(640 * 8, 20);
  EXPECT_FALSE(camera_sim::ReadFrameCounter(grey.data(), 640, 640));
  const std::vector<std::uint8_t> white(640 * 8, 235);
  EXPECT_FALSE(camera_sim::ReadFrameCounter(white.data(), 640, 640));
}

}  // namespace
}  // namespace millrace::test
