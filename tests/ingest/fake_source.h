// An RtspSource without a network, for tests of what lies above it: does what its script says, on the
// caller's thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "ingest/rtsp_source.h"

namespace millrace::test {

class FakeSource final : public RtspSource {
 public:
  using OnStart = std::function<void(const RtspSourceOptions&, RtspSourceEvents&)>;
  FakeSource(RtspSourceOptions options, RtspSourceEvents& events, OnStart on_start, std::atomic<int>& alive)
      : options_(std::move(options)), events_(events), on_start_(std::move(on_start)), alive_(alive) {
    ++alive_;
  }
  ~FakeSource() override { --alive_; }
  Result<void> Start() override {
    on_start_(options_, events_);
    return {};
  }
  void Stop() override {}

 private:
  RtspSourceOptions options_;
  RtspSourceEvents& events_;
  OnStart on_start_;
  std::atomic<int>& alive_;
};

// Makes FakeSources and remembers what they were made with. Threads: any.
class FakeSources {
 public:
  explicit FakeSources(FakeSource::OnStart on_start) : on_start_(std::move(on_start)) {}
  RtspSourceFactory Factory() {
    return [this](const RtspSourceOptions& options, RtspSourceEvents& events) -> std::unique_ptr<RtspSource> {
      {
        const std::lock_guard lock(mutex_);
        made_.push_back(options);
      }
      return std::make_unique<FakeSource>(options, events, on_start_, alive_);
    };
  }
  std::vector<RtspSourceOptions> made() const {
    const std::lock_guard lock(mutex_);
    return made_;
  }
  int alive() const { return alive_; }

 private:
  FakeSource::OnStart on_start_;
  mutable std::mutex mutex_;
  std::vector<RtspSourceOptions> made_;
  std::atomic<int> alive_{0};
};

inline TrackInfo VideoTrack(std::uint32_t width = 320) {
  TrackInfo info;
  info.number = 1;
  info.codec = Codec::kH264;
  info.codec_private = {1, 2, 3};
  info.width = width;
  info.height = 240;
  return info;
}

inline TrackInfo AudioTrack() {
  TrackInfo info;
  info.number = 2;
  info.codec = Codec::kAac;
  info.codec_private = {0x11, 0x90};
  info.sample_rate = 48000;
  info.channels = 2;
  return info;
}

inline Frame MakeFrame(std::uint32_t track, bool key) {
  Frame frame;
  frame.track = track;
  frame.key_frame = key;
  frame.arrival = SystemClock().Now();
  frame.pts = frame.arrival;
  frame.data = SharedBytes(Bytes{0, 0, 0, 1, 0x65});
  return frame;
}

}  // namespace millrace::test
