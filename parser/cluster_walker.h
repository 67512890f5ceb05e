// Internal to parse_fragment.cc: reads Clusters that are in memory as a whole, in one tight pass.
//
// It knows only what is right. Where anything is out of the ordinary (malformed, over a limit, misplaced) it
// gives up without saying why, and the caller reads the input again through MkvParser and FragmentVisitor,
// which decide. So there is one place for each rule and each message, and what the walker takes is what they
// take.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "parser/block.h"
#include "parser/limits.h"
#include "parser/parse_fragment.h"

namespace millrace {

class ClusterWalker {
 public:
  // `all` is the whole input; `document` has all its tracks. Both, `limits` and `frames` outlive the walker.
  ClusterWalker(ByteSpan all, const MkvDocument& document, const ParserLimits& limits,
                std::vector<ParsedFrame>& frames);

  // Reads the Cluster at `position`, whose Segment ends at `segment_end` (or with the input), and appends its
  // frames. Returns the position after it; 0 where the walker gives up.
  std::size_t Walk(std::size_t position, std::uint64_t segment_end);

  std::int64_t cluster_timestamp_ns() const { return cluster_ns_; }  // of the Cluster that was read last

 private:
  // An element's header in memory.
  struct Header {
    std::uint32_t id = 0;  // 0: none that can be read here
    std::size_t payload = 0;
    std::uint64_t size = 0;
  };
  // What its BlockGroup says about a Block.
  struct GroupFacts {
    std::int64_t duration_ns = 0;
    bool key_frame = true;
  };

  Header ReadHeader(std::size_t position, std::size_t end) const;
  bool WalkGroup(std::size_t position, std::size_t end);
  bool TakeTimestamp(ByteSpan payload);
  bool TakeBlock(ByteSpan payload, const GroupFacts* group);
  bool TakeLace(const Block& block, ParsedFrame frame);

  enum TrackClass : std::uint8_t { kUndeclared, kAudio, kOther };

  const ByteSpan all_;
  const MkvDocument& document_;
  const ParserLimits& limits_;
  std::vector<ParsedFrame>& frames_;
  const std::int64_t scale_ns_;
  std::array<TrackClass, 128> track_classes_{};  // by number, for the numbers that fit into one byte
  bool has_timestamp_ = false;                   // the open Cluster
  std::int64_t cluster_ns_ = 0;
  std::vector<ByteSpan> laced_;
};

}  // namespace millrace
