// Whole fragments out of a stream that is still coming: what ParseFragment gives of a fragment in memory, for
// the decoder and the writer.
//
//   FragmentGatherer gatherer([&](const ParsedFragment& fragment) -> Result<void> {
//     MILLRACE_ASSIGN_OR_RETURN(auto report, decoder.Decode(fragment, show));
//     return {};
//   });
//   MILLRACE_RETURN_IF_ERROR(ReadFragments(source, gatherer));
//
// A fragment whose end does not come, because the stream is cut or begins anew, is dropped.
//
// Memory:  the frames of one fragment, bounded by the parser's cluster_bytes_max and by frames_max.
// Errors:  kResourceExhausted: more than frames_max; the sink's.
// Threads: those of the reader that calls it.
#pragma once

#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "parser/fragment_visitor.h"
#include "parser/parse_fragment.h"

namespace millrace {

class FragmentGatherer final : public FragmentHandler {
 public:
  // `bytes` of what comes are the frames alone, end to end.
  using Sink = std::function<Result<void>(const ParsedFragment&)>;

  explicit FragmentGatherer(Sink sink, const ParserLimits& limits = {})
      : sink_(std::move(sink)), frames_max_(limits.frames_max) {}

  Result<void> OnFragmentStart(const MkvFragment& fragment) override;
  Result<void> OnFrame(const MkvFragment& fragment, const MkvFrame& frame) override;
  Result<void> OnFragmentEnd(const MkvFragment& fragment) override;
  // kUnavailable, with what the service says.
  Result<void> OnServiceError(const ServiceTags& service) override;

 private:
  const Sink sink_;
  const std::size_t frames_max_;
  Bytes bytes_;                      // of the open fragment
  std::vector<ParsedFrame> frames_;  // whose spans are set when all bytes are there
  std::vector<std::size_t> sizes_;
};

}  // namespace millrace
