// Frames and tracks for tests, without a codec behind them; and a sink that keeps what a builder makes.
#pragma once

#include <map>

#include "fragments/fragment_builder.h"

namespace millrace::test {

inline constexpr std::int64_t kStartMs = 1'763'690'820'000;  // 2025-11-21T02:07:00Z

inline TrackInfo VideoTrack() {
  // An avcC without a VUI, so that the depth of reordering is open: High, 64x64.
  return {.number = 1,
          .codec = Codec::kH264,
          .codec_private = {1,    100,  0,    10,   0xFF, 0xE1, 0, 9, 0x67, 100,  0,    10,
                            0xAC, 0xD9, 0x44, 0x26, 0xC0, 1,    0, 4, 0x68, 0xEB, 0xE3, 0xCB},
          .width = 64,
          .height = 64};
}
// Baseline: frames are never reordered.
inline TrackInfo BaselineTrack() {
  TrackInfo track = VideoTrack();
  track.codec_private = {1,    66,   0xC0, 10,   0xFF, 0xE1, 0, 23, 0x67, 66,   0xC0, 10,   0xD9,
                         0x04, 0x26, 0xC0, 0x44, 0,    0,    3, 0,  4,    0,    0,    3,    0,
                         0xC8, 0x3C, 0x48, 0x99, 0x20, 1,    0, 5,  0x68, 0xCB, 0x83, 0xCB, 0x20};
  return track;
}
inline TrackInfo AudioTrack() {
  return {
      .number = 2, .codec = Codec::kAac, .codec_private = {0x11, 0x90}, .sample_rate = 48'000, .channels = 2};
}

// A length-prefixed NAL unit: an IDR slice, or another one.
inline Frame VideoFrame(double ms, bool key, std::size_t bytes = 200) {
  Bytes data(std::max<std::size_t>(bytes, 6), 0x55);
  const auto length = static_cast<std::uint32_t>(data.size() - 4);
  for (std::size_t i = 0; i < 4; ++i) data[i] = static_cast<std::uint8_t>(length >> (24 - 8 * i));
  data[4] = key ? 0x65 : 0x41;
  return {.track = 1,
          .pts = Timestamp{static_cast<std::int64_t>((static_cast<double>(kStartMs) + ms) * 1e3) * 1000},
          .arrival = Timestamp::FromMillis(kStartMs),
          .key_frame = key,
          .data = SharedBytes(std::move(data))};
}
inline Frame AudioFrame(double ms, std::size_t bytes = 50) {
  Frame frame = VideoFrame(ms, true, bytes);
  frame.track = 2;
  return frame;
}
// The n-th AAC packet's exact time.
inline Frame AudioPacket(std::int64_t n, std::uint32_t rate = 48'000) {
  Frame frame = AudioFrame(0);
  frame.pts = Timestamp{Timestamp::FromMillis(kStartMs).ns + n * 1024 * 1'000'000'000 / rate};
  return frame;
}

class KeepingSink final : public FragmentSink {
 public:
  Result<std::uint64_t> OpenRun() override {
    if (fail) return Error{ErrorCode::kNotFound, "made to fail"};
    return ++runs;
  }
  Result<FragmentNumber> OpenFragment(std::uint64_t, bool, const std::vector<TrackInfo>&) override {
    if (fail) return Error{ErrorCode::kNotFound, "made to fail"};
    return FragmentNumber{
        .counter = ++opened, .server_ms = static_cast<std::uint64_t>(kStartMs), .random = 1};
  }
  void AddFrame(const FragmentNumber& number, const Frame& frame) override {
    added[number.counter].push_back(frame);
  }
  void CloseFragment(Fragment fragment, std::vector<Frame> kept) override {
    fragments.push_back(std::move(fragment));
    frames.push_back(std::move(kept));
  }

  bool fail = false;
  std::uint64_t runs = 0;
  std::uint64_t opened = 0;
  std::map<std::uint64_t, std::vector<Frame>> added;  // as the live feed sees them
  std::vector<Fragment> fragments;
  std::vector<std::vector<Frame>> frames;  // of each fragment
};

inline std::vector<Timestamp> PtsOf(const std::vector<Frame>& frames, std::uint32_t track) {
  std::vector<Timestamp> pts;
  for (const Frame& frame : frames) {
    if (frame.track == track) pts.push_back(frame.pts);
  }
  return pts;
}

// "" or what is wrong: every fragment's facts agree with its frames, decode times strictly increase over a
// run and never lie after presentation, fragments and audio follow each other without overlap.
std::string CheckRuns(const KeepingSink& sink);

}  // namespace millrace::test
