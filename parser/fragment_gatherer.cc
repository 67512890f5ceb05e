#include "parser/fragment_gatherer.h"

#include <string>

namespace millrace {

Result<void> FragmentGatherer::OnFragmentStart(const MkvFragment& /*fragment*/) {
  bytes_.clear();
  frames_.clear();
  sizes_.clear();
  return {};
}

Result<void> FragmentGatherer::OnFrame(const MkvFragment& fragment, const MkvFrame& frame) {
  if (frames_.size() >= frames_max_) {
    return Error{ErrorCode::kResourceExhausted, "the fragment at offset " + std::to_string(fragment.offset) +
                                                    " has more than " + std::to_string(frames_max_) +
                                                    " frames"};
  }
  const ByteSpan data = frame.data.span();
  bytes_.insert(bytes_.end(), data.begin(), data.end());
  sizes_.push_back(data.size());
  frames_.push_back(
      {{}, frame.timestamp_ns, frame.duration, frame.track, frame.key_frame, frame.discardable});
  return {};
}

Result<void> FragmentGatherer::OnFragmentEnd(const MkvFragment& fragment) {
  ParsedFragment whole;
  whole.bytes = SharedBytes(std::exchange(bytes_, {}));
  whole.frames = std::exchange(frames_, {});
  std::size_t at = 0;
  for (std::size_t i = 0; i < whole.frames.size(); ++i) {
    whole.frames[i].data = whole.bytes.span().subspan(at, sizes_[i]);
    at += sizes_[i];
  }
  whole.document = *fragment.document;
  whole.timestamp_ns = fragment.timestamp_ns;
  whole.clusters = 1;
  whole.service = fragment.service;
  whole.tags = fragment.tags;
  return sink_(whole);
}

Result<void> FragmentGatherer::OnServiceError(const ServiceTags& service) { return ServiceError(service); }

}  // namespace millrace
