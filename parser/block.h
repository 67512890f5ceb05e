// What stands in a SimpleBlock or Block (RFC 9559 section 10): track, relative timestamp, flags, and one or
// more frames.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "parser/ebml.h"

namespace millrace {

enum class Lacing : std::uint8_t { kNone = 0, kXiph = 1, kFixed = 2, kEbml = 3 };

struct Block {
  std::uint64_t track = 0;              // TrackNumber
  std::int16_t relative_timestamp = 0;  // to the Cluster's, in ticks of TimestampScale
  bool key_frame = false;               // in a SimpleBlock
  bool discardable = false;             // in a SimpleBlock
  Lacing lacing = Lacing::kNone;
  ByteSpan body;  // the frame, or the lacing's sizes and the frames; borrowed from the payload
};

// nullopt: too short, or a malformed track number.
inline std::optional<Block> DecodeBlock(ByteSpan payload) {
  const DecodedVint track = DecodeVint(payload);
  if (track.length <= 0 || track.value == 0 || track.value == kUnknownSize) return std::nullopt;
  const auto at = static_cast<std::size_t>(track.length);
  if (payload.size() < at + 3) return std::nullopt;
  const std::uint8_t flags = payload[at + 2];
  return Block{.track = track.value,
               .relative_timestamp = static_cast<std::int16_t>((payload[at] << 8) | payload[at + 1]),
               .key_frame = (flags & 0x80) != 0,
               .discardable = (flags & 0x01) != 0,
               .lacing = static_cast<Lacing>((flags >> 1) & 3),
               .body = payload.subspan(at + 3)};
}

// The frames of a laced block: 1 to 256, in order, borrowed from its body; they replace what `frames` held.
// Errors: kCorruption: sizes that do not add up.
Result<void> SplitLacing(const Block& block, std::vector<ByteSpan>& frames);

// Cluster Timestamp x TimestampScale; nullopt where the Cluster's frames would not fit into 64 bits.
inline std::optional<std::int64_t> ClusterTimestampNs(std::uint64_t ticks, std::int64_t timestamp_scale_ns) {
  const auto max = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max() / timestamp_scale_ns);
  if (max < 32768 || ticks > max - 32768) return std::nullopt;
  return static_cast<std::int64_t>(ticks) * timestamp_scale_ns;
}

}  // namespace millrace
