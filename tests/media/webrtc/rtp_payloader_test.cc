// Goal: frames become RTP packets whose times are the frames', and what WebRTC cannot carry is said so.
#include "media/webrtc/rtp_payloader.h"

#include <gst/app/gstappsink.h>
#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace millrace::test {
namespace {

TrackInfo Sound(Codec codec, std::uint32_t rate, std::uint32_t channels) {
  TrackInfo track;
  track.number = 2;
  track.codec = codec;
  track.sample_rate = rate;
  track.channels = channels;
  return track;
}

std::array<std::uint8_t, 12> Header(const RtpFrame& frame) {
  std::array<std::uint8_t, 12> header{};
  EXPECT_EQ(gst_buffer_extract(frame.packets.front().get(), 0, header.data(), header.size()), 12U);
  return header;
}

std::uint32_t Stamp(const std::array<std::uint8_t, 12>& header) {
  return ReadBigEndian<std::uint32_t>(ByteSpan(header).subspan(4, 4));
}

TEST(RtpPayloaderTest, OpusGoesAsItIsAtItsTime) {
  auto payloader = RtpPayloader::Make(Sound(Codec::kOpus, 48'000, 2));
  ASSERT_TRUE(payloader) << payloader.error().message;
  Frame frame;
  frame.track = 2;
  frame.key_frame = true;
  frame.duration = std::chrono::milliseconds(20);
  for (int i = 0; i < 3; ++i) {
    frame.data = SharedBytes(Bytes(100, static_cast<std::uint8_t>(i)));
    const auto made = (*payloader)->Payload(frame, std::chrono::seconds(1) + i * frame.duration);
    ASSERT_TRUE(made);
    ASSERT_NE(*made, nullptr);
    ASSERT_EQ((*made)->packets.size(), 1U);
    EXPECT_EQ(Stamp(Header(**made)), 48'000U + 960U * static_cast<unsigned>(i));
    EXPECT_EQ((*made)->bytes, 112U);
    EXPECT_EQ((*made)->kind, TrackKind::kAudio);
  }
}

TEST(RtpPayloaderTest, G711IsMadeOpus) {
  const TrackInfo track = Sound(Codec::kPcmAlaw, 8000, 1);
  EXPECT_EQ(WatchedCodec(track), Codec::kOpus);
  auto payloader = RtpPayloader::Make(track);
  ASSERT_TRUE(payloader) << payloader.error().message;
  Frame frame;
  frame.track = 2;
  frame.key_frame = true;
  frame.duration = std::chrono::milliseconds(100);
  std::size_t packets = 0;
  for (int i = 0; i < 10; ++i) {
    frame.data = SharedBytes(Bytes(800, 0xD5));
    const auto made = (*payloader)->Payload(frame, i * frame.duration);
    ASSERT_TRUE(made) << made.error().message;
    if (*made) packets += (*made)->packets.size();
  }
  EXPECT_GE(packets, 45U);  // of 20 ms, from a second
  EXPECT_LE(packets, 50U);
}

// A tone, as a camera sends it: the configuration, then packets of 1024 samples.
struct AacTone {
  Bytes config;
  std::vector<Bytes> packets;
};

Bytes BytesOf(GstBuffer* buffer) {
  const MappedGstBuffer mapped(buffer);
  return Bytes(mapped.data(), mapped.data() + mapped.size());
}

AacTone MakeAac() {
  InitGStreamer();
  const GstElementPtr pipeline(GST_ELEMENT(gst_object_ref_sink(gst_parse_launch(
      "audiotestsrc num-buffers=48 samplesperbuffer=1000 ! audio/x-raw,rate=48000,channels=1 ! avenc_aac ! "
      "aacparse ! audio/mpeg,stream-format=raw ! appsink name=sink sync=false",
      nullptr))));
  const GstElementPtr sink(gst_bin_get_by_name(GST_BIN(pipeline.get()), "sink"));
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  AacTone tone;
  for (;;) {
    const GstSamplePtr sample(gst_app_sink_try_pull_sample(GST_APP_SINK(sink.get()), 30 * GST_SECOND));
    if (sample == nullptr) break;
    const GValue* config =
        gst_structure_get_value(gst_caps_get_structure(gst_sample_get_caps(sample.get()), 0), "codec_data");
    if (config != nullptr) tone.config = BytesOf(gst_value_get_buffer(config));
    tone.packets.push_back(BytesOf(gst_sample_get_buffer(sample.get())));
  }
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  return tone;
}

TEST(RtpPayloaderTest, AacIsMadeOpus) {
  const AacTone tone = MakeAac();
  ASSERT_GT(tone.packets.size(), 40U);
  TrackInfo track = Sound(Codec::kAac, 48'000, 1);
  track.codec_private = tone.config;
  EXPECT_EQ(WatchedCodec(track), Codec::kOpus);
  auto payloader = RtpPayloader::Make(track);
  ASSERT_TRUE(payloader) << payloader.error().message;
  Frame frame;
  frame.track = 2;
  frame.key_frame = true;
  frame.duration = Duration{1024LL * 1'000'000'000 / 48'000};
  std::size_t packets = 0;
  for (std::size_t i = 0; i < tone.packets.size(); ++i) {
    frame.data = SharedBytes(tone.packets[i]);
    const auto made = (*payloader)->Payload(frame, static_cast<int>(i) * frame.duration);
    ASSERT_TRUE(made) << made.error().message;
    if (*made) packets += (*made)->packets.size();
  }
  EXPECT_GE(packets, 44U);  // of 20 ms, from a second
  EXPECT_LE(packets, 52U);
}

TEST(RtpPayloaderTest, WhatWebRtcDoesNotCarryIsRefused) {
  TrackInfo track;
  track.number = 1;
  track.codec = Codec::kH265;
  const auto payloader = RtpPayloader::Make(track);
  ASSERT_FALSE(payloader);
  EXPECT_EQ(payloader.error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace millrace::test
