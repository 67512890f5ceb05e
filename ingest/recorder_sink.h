// A camera's frames into a video stream.
#pragma once

#include <memory>
#include <vector>

#include "fragments/stream_recorder.h"
#include "ingest/frame_sink.h"

namespace millrace {

class RecorderSink final : public FrameSink {
 public:
  explicit RecorderSink(std::unique_ptr<StreamRecorder> recorder) : recorder_(std::move(recorder)) {}
  // A run is a stretch without a jump, so one that is still open is ended even when the tracks are the same.
  Result<void> StartRun(const std::vector<TrackInfo>& tracks, ClockSource clock) override {
    recorder_->EndRun();
    return recorder_->StartRun(tracks, clock);
  }
  Result<void> Push(Frame frame) override { return recorder_->Push(std::move(frame)); }
  void MarkLoss(TrackKind kind) override { recorder_->MarkLoss(kind); }
  void EndRun() override { recorder_->EndRun(); }

  StreamRecorder& recorder() { return *recorder_; }

 private:
  std::unique_ptr<StreamRecorder> recorder_;
};

// Sinks that record into `store`: the camera's stream is made where it does not exist, with the camera's
// retention. `store` outlives the factory and all sinks.
FrameSinkFactory MakeRecorderSinks(FragmentStore& store, RecorderOptions options);

}  // namespace millrace
