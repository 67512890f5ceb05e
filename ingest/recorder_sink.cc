#include "ingest/recorder_sink.h"

#include <utility>

namespace millrace {

FrameSinkFactory MakeRecorderSinks(FragmentStore& store, RecorderOptions options) {
  return [&store, options](const CameraSettings& settings) -> Result<std::unique_ptr<FrameSink>> {
    // A stream that is there has a retention of its own, which may have been changed since the camera was
    // put.
    auto stream = store.GetStream(settings.stream);
    if (!stream && stream.error().code == ErrorCode::kNotFound) {
      stream = store.CreateStream(settings.stream, settings.retention);
    }
    if (!stream) return std::move(stream).error();
    auto recorder = std::make_unique<StreamRecorder>(store, *stream, options);
    return std::unique_ptr<FrameSink>(std::make_unique<RecorderSink>(std::move(recorder)));
  };
}

}  // namespace millrace
