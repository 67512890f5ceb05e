#include "parser/parse_fragment.h"

#include <iterator>
#include <utility>

#include "parser/fragment_visitor.h"

namespace millrace {
namespace {

class Collector final : public FragmentHandler {
 public:
  Collector(ParsedFragment& out, const ParserLimits& limits) : out_(out), limits_(limits) {}

  Result<void> OnFragmentStart(const MkvFragment& fragment) override {
    if (out_.clusters++ == 0) {
      out_.document = *fragment.document;
      out_.timestamp_ns = fragment.timestamp_ns;
    }
    return {};
  }
  Result<void> OnFrame(const MkvFragment& /*fragment*/, const MkvFrame& frame) override {
    if (out_.frames.size() >= limits_.frames_max) {
      return Error{ErrorCode::kResourceExhausted,
                   "more than " + std::to_string(limits_.frames_max) + " frames"};
    }
    out_.frames.push_back({.data = frame.data.span(),
                           .timestamp_ns = frame.timestamp_ns,
                           .duration = frame.duration,
                           .track = frame.track,
                           .key_frame = frame.key_frame,
                           .discardable = frame.discardable});
    return {};
  }
  Result<void> OnFragmentEnd(const MkvFragment& fragment) override {
    out_.service = fragment.service;
    out_.tags.insert(out_.tags.end(), fragment.tags.begin(), fragment.tags.end());
    return {};
  }

 private:
  ParsedFragment& out_;
  const ParserLimits& limits_;
};

}  // namespace

Result<ParsedFragment> ParseFragment(SharedBytes mkv, const ParserLimits& limits) {
  ParsedFragment fragment;
  Collector collector(fragment, limits);
  FragmentReader reader(collector, limits);
  MILLRACE_RETURN_IF_ERROR(reader.Push(mkv));
  MILLRACE_RETURN_IF_ERROR(reader.Finish());
  fragment.bytes = std::move(mkv);
  return fragment;
}

}  // namespace millrace
