// What tests give to sources and fleets: events and sinks that keep what they got, a store in memory, and
// waiting.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ingest/camera_store.h"
#include "ingest/frame_sink.h"
#include "ingest/rtsp_source.h"
#include "tests/wait.h"

namespace millrace::test {

// What one camera sent.
struct Received {
  struct Run {
    std::vector<TrackInfo> tracks;
    ClockSource clock = ClockSource::kArrival;
    std::vector<Frame> frames;
    std::vector<Frame> Of(std::uint32_t track) const {
      std::vector<Frame> out;
      for (const Frame& frame : frames) {
        if (frame.track == track) out.push_back(frame);
      }
      return out;
    }
  };
  std::vector<Run> runs;
  int runs_ended = 0;
  std::optional<Error> ended;
  std::uint64_t corrected = 0;
  std::uint64_t jumps = 0;
  std::uint64_t lost = 0;  // packets; of sinks: times that a loss was told
  std::size_t frames() const {
    std::size_t count = 0;
    for (const Run& run : runs) count += run.frames.size();
    return count;
  }
};

// Shared by its writer and the test. Threads: any.
class Inbox {
 public:
  template <typename Change>
  void Update(Change change) {
    {
      const std::lock_guard lock(mutex_);
      change(received_);
    }
    changed_.notify_all();
  }
  // False when it did not come true in time.
  bool Wait(const std::function<bool(const Received&)>& condition,
            std::chrono::milliseconds patience = kPatience) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [&] { return condition(received_); });
  }
  Received Get() const {
    const std::lock_guard lock(mutex_);
    return received_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Received received_;
};

class CollectingEvents final : public RtspSourceEvents {
 public:
  Inbox inbox;
  void OnRun(const std::vector<TrackInfo>& tracks, ClockSource clock) override {
    inbox.Update([&](Received& r) { r.runs.push_back({tracks, clock, {}}); });
  }
  void OnFrame(Frame frame) override {
    inbox.Update([&](Received& r) { r.runs.back().frames.push_back(std::move(frame)); });
  }
  void OnLoss(TrackKind, std::uint64_t packets) override {
    inbox.Update([&](Received& r) { r.lost += packets; });
  }
  void OnClock(ClockSource clock) override {
    inbox.Update([&](Received& r) { r.runs.back().clock = clock; });
  }
  void OnTimeTrouble(std::uint64_t corrected, std::uint64_t jumps) override {
    inbox.Update([&](Received& r) {
      r.corrected += corrected;
      r.jumps += jumps;
    });
  }
  void OnEnded(Error error) override {
    inbox.Update([&](Received& r) { r.ended = std::move(error); });
  }
};

// Sinks that write to the inbox of their camera, which is made at the first use and stays.
class SinkSet {
 public:
  Inbox& Of(const std::string& camera) {
    const std::lock_guard lock(mutex_);
    std::unique_ptr<Inbox>& inbox = inboxes_[camera];
    if (inbox == nullptr) inbox = std::make_unique<Inbox>();
    return *inbox;
  }
  FrameSinkFactory Factory() {
    return [this](const CameraSettings& settings) -> Result<std::unique_ptr<FrameSink>> {
      return std::unique_ptr<FrameSink>(std::make_unique<Sink>(Of(settings.name)));
    };
  }

 private:
  class Sink final : public FrameSink {
   public:
    explicit Sink(Inbox& inbox) : inbox_(inbox) {}
    Result<void> StartRun(const std::vector<TrackInfo>& tracks, ClockSource clock) override {
      inbox_.Update([&](Received& r) { r.runs.push_back({tracks, clock, {}}); });
      return {};
    }
    Result<void> Push(Frame frame) override {
      inbox_.Update([&](Received& r) { r.runs.back().frames.push_back(std::move(frame)); });
      return {};
    }
    void MarkLoss(TrackKind) override {
      inbox_.Update([](Received& r) { ++r.lost; });
    }
    void EndRun() override {
      inbox_.Update([](Received& r) { ++r.runs_ended; });
    }

   private:
    Inbox& inbox_;
  };
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Inbox>> inboxes_;
};

class MemoryStore final : public CameraStore {
 public:
  Result<std::vector<StoredCamera>> Load() override {
    const std::lock_guard lock(mutex_);
    std::vector<StoredCamera> all;
    for (const auto& [name, camera] : cameras_) all.push_back(camera);
    return all;
  }
  Result<void> Save(const StoredCamera& camera) override {
    const std::lock_guard lock(mutex_);
    if (refuse) return Error{ErrorCode::kIo, "the store refuses"};
    cameras_[camera.settings.name] = camera;
    return {};
  }
  Result<void> Remove(const std::string& name) override {
    const std::lock_guard lock(mutex_);
    if (refuse) return Error{ErrorCode::kIo, "the store refuses"};
    cameras_.erase(name);
    return {};
  }
  bool refuse = false;

 private:
  std::mutex mutex_;
  std::map<std::string, StoredCamera> cameras_;
};

}  // namespace millrace::test
