// Frames one by one, asked for instead of told: the pull form of FragmentReader.
//
//   FrameReader reader(source);
//   for (;;) {
//     MILLRACE_ASSIGN_OR_RETURN(const std::optional<MediaFrame> frame, reader.Next());
//     if (!frame) break;
//     Show(frame->timestamp_ns, frame->data.span());
//   }
//
// Memory:  what FragmentReader holds, and the frames of one read of 64 KiB.
// Errors:  FragmentReader's and the source's, once all frames before them were given; then the same again.
//          kUnavailable where the service says in the body why it stops: its code and text.
// Threads: one owner at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "parser/byte_source.h"
#include "parser/fragment_visitor.h"
#include "parser/pull_queue.h"

namespace millrace {

// A frame to keep.
struct MediaFrame {
  // Which it is of, as it was known when it began: all but `frames`, `tags` and what follows the Cluster.
  std::shared_ptr<const MkvFragment> fragment;
  std::uint32_t track = 0;        // MkvTrack::number
  std::int64_t timestamp_ns = 0;  // presentation time: Cluster + block; CodecDelay is not taken off
  Duration duration{0};           // zero where the file does not say
  bool key_frame = false;         // of audio: always
  bool discardable = false;
  SharedBytes data;  // a slice of what was read
};

class FrameReader : private FragmentHandler {
 public:
  // `source` outlives the reader.
  explicit FrameReader(ByteSource& source, const ParserLimits& limits = {})
      : source_(source), reader_(*this, limits) {}

  // None: the end.
  Result<std::optional<MediaFrame>> Next() { return ahead_.Next(source_, reader_); }

 private:
  Result<void> OnFragmentStart(const MkvFragment& fragment) override;
  Result<void> OnFrame(const MkvFragment& fragment, const MkvFrame& frame) override;
  Result<void> OnServiceError(const ServiceTags& service) override;

  ByteSource& source_;
  FragmentReader reader_;
  std::shared_ptr<const MkvFragment> fragment_;
  PullQueue<MediaFrame> ahead_;
};

}  // namespace millrace
