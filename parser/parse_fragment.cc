#include "parser/parse_fragment.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "parser/cluster_walker.h"
#include "parser/fragment_visitor.h"
#include "parser/mkv_parser.h"

namespace millrace {
namespace {

// Collects what stands outside of Clusters.
class OutsideCollector final : public MkvVisitor {
 public:
  OutsideCollector(ParsedFragment& out, const ParserLimits& limits)
      : out_(out), limits_(limits), builder_(limits) {}

  Result<void> OnStartMaster(const ElementHeader& element) override {
    if (element.id == ElementId::kEbml && std::exchange(has_document_, true)) {
      return Error{ErrorCode::kCorruption,
                   "EBML at byte " + std::to_string(element.offset) + " begins a second document"};
    }
    if (in_clusters_ && element.id != ElementId::kTags) header_recurs_ = true;
    return builder_.StartMaster(element);
  }
  Result<void> OnEndMaster(const ElementHeader& element, std::uint64_t /*end_offset*/) override {
    if (element.id == ElementId::kTags) return EndTags(element);
    return builder_.EndMaster(element);
  }
  Result<void> OnData(const ElementHeader& element, const ElementData& data) override {
    short_sizes_ = short_sizes_ || (element.id == ElementId::kEbmlMaxSizeLength &&
                                    DecodeUnsigned(data.span()).value_or(8) < 8);
    return builder_.Data(element, data.span());
  }

  void StartClusters() {
    if (std::exchange(in_clusters_, true)) return;
    out_.document = builder_.document();
    tags_kept_ = 0;
    tag_bytes_kept_ = 0;
  }
  void Finish() {
    if (!in_clusters_) out_.document = builder_.TakeDocument();
  }
  // Whether the document is of the usual form, which ClusterWalker takes.
  bool usual() const { return !short_sizes_ && !header_recurs_; }

 private:
  Result<void> EndTags(const ElementHeader& element) {
    for (MkvTag& tag : builder_.TakeTags()) {
      if (out_.service.Take(tag)) continue;
      ++tags_kept_;
      tag_bytes_kept_ += tag.name.size() + tag.value.size();
      if (tags_kept_ > limits_.tags_max || tag_bytes_kept_ > limits_.tag_bytes_max) {
        return Error{ErrorCode::kResourceExhausted,
                     "Tags at byte " + std::to_string(element.offset) + " holds more than the tags allowed"};
      }
      if (in_clusters_) {
        out_.tags.push_back(std::move(tag));
      } else {
        builder_.AddTag(std::move(tag));
      }
    }
    return {};
  }

  ParsedFragment& out_;
  const ParserLimits& limits_;
  DocumentBuilder builder_;
  bool has_document_ = false;
  bool in_clusters_ = false;
  bool short_sizes_ = false;
  bool header_recurs_ = false;
  std::size_t tags_kept_ = 0;
  std::uint64_t tag_bytes_kept_ = 0;
};

class FrameCollector final : public FragmentHandler {
 public:
  FrameCollector(ParsedFragment& out, const ParserLimits& limits) : out_(out), limits_(limits) {}

  Result<void> OnFragmentStart(const MkvFragment& fragment) override {
    if (out_.clusters++ == 0) out_.timestamp_ns = fragment.timestamp_ns;
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

 private:
  ParsedFragment& out_;
  const ParserLimits& limits_;
};

// Everything, event by event: gives the error where there is one.
class CarefulVisitor final : public MkvVisitor {
 public:
  CarefulVisitor(ParsedFragment& out, const ParserLimits& limits)
      : outside_(out, limits), frames_(out, limits), fragments_(frames_, limits) {}

  Result<void> OnStartMaster(const ElementHeader& element) override {
    if (element.id == ElementId::kCluster) {
      in_cluster_ = true;
      outside_.StartClusters();
    }
    if (!in_cluster_) MILLRACE_RETURN_IF_ERROR(outside_.OnStartMaster(element));
    return fragments_.OnStartMaster(element);
  }
  Result<void> OnEndMaster(const ElementHeader& element, std::uint64_t end_offset) override {
    if (!in_cluster_) MILLRACE_RETURN_IF_ERROR(outside_.OnEndMaster(element, end_offset));
    if (element.id == ElementId::kCluster) in_cluster_ = false;
    return fragments_.OnEndMaster(element, end_offset);
  }
  Result<void> OnData(const ElementHeader& element, const ElementData& data) override {
    if (!in_cluster_) MILLRACE_RETURN_IF_ERROR(outside_.OnData(element, data));
    return fragments_.OnData(element, data);
  }
  void Finish() { outside_.Finish(); }

 private:
  OutsideCollector outside_;
  FrameCollector frames_;
  FragmentVisitor fragments_;
  bool in_cluster_ = false;
};

Result<ParsedFragment> ParseCarefully(const SharedBytes& mkv, const ParserLimits& limits) {
  ParsedFragment fragment;
  CarefulVisitor visitor(fragment, limits);
  MkvParser parser(visitor, limits);
  MILLRACE_RETURN_IF_ERROR(parser.Push(mkv));
  MILLRACE_RETURN_IF_ERROR(parser.Finish());
  visitor.Finish();
  return fragment;
}

// A few allocations for a usual fragment, and no more than the smallest frames could need.
std::size_t ExpectedFrames(std::size_t bytes) { return std::min<std::size_t>(bytes / 1024 + 32, 4096); }

// nullopt: the walker gave up.
std::optional<ParsedFragment> ParseFast(ByteSpan all, const ParserLimits& limits) {
  constexpr std::size_t kDepthOfBlocks = 3;  // Segment, Cluster, BlockGroup
  if (limits.depth_max < kDepthOfBlocks) return std::nullopt;
  ParsedFragment fragment;
  OutsideCollector outside(fragment, limits);
  MkvParser parser(outside, limits);
  std::optional<ClusterWalker> walker;
  for (std::size_t position = 0;;) {
    const Result<std::size_t> taken = parser.PushUntilCluster(all.subspan(position));
    if (!taken || !outside.usual()) return std::nullopt;
    position += *taken;
    if (position == all.size()) break;
    outside.StartClusters();
    if (!walker) {
      fragment.frames.reserve(ExpectedFrames(all.size()));
      walker.emplace(all, fragment.document, limits, fragment.frames);
    }
    const std::size_t end = walker->Walk(position, parser.enclosing_end());
    if (end == 0) return std::nullopt;
    if (fragment.clusters++ == 0) fragment.timestamp_ns = walker->cluster_timestamp_ns();
    parser.Pass(end - position);
    position = end;
  }
  if (!parser.Finish()) return std::nullopt;
  outside.Finish();
  return fragment;
}

}  // namespace

Result<ParsedFragment> ParseFragment(SharedBytes mkv, const ParserLimits& limits) {
  if (std::optional<ParsedFragment> fragment = ParseFast(mkv.span(), limits)) {
    fragment->bytes = std::move(mkv);
    return std::move(*fragment);
  }
  MILLRACE_ASSIGN_OR_RETURN(ParsedFragment fragment, ParseCarefully(mkv, limits));
  fragment.bytes = std::move(mkv);
  return fragment;
}

}  // namespace millrace
