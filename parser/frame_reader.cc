#include "parser/frame_reader.h"

namespace millrace {

Result<void> FrameReader::OnFragmentStart(const MkvFragment& fragment) {
  fragment_ = std::make_shared<const MkvFragment>(fragment);
  return {};
}

Result<void> FrameReader::OnFrame(const MkvFragment& /*fragment*/, const MkvFrame& frame) {
  ahead_.Add({fragment_, frame.track, frame.timestamp_ns, frame.duration, frame.key_frame, frame.discardable,
              frame.data.Share()});
  return {};
}

Result<void> FrameReader::OnServiceError(const ServiceTags& service) { return ServiceError(service); }

}  // namespace millrace
