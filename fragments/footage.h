// Stretches of a video stream's footage that are deleted, or held.
//
// A range is of one of a fragment's two clocks, and half open: [start, end). A fragment lies in it when a
// part of it does; so what is deleted may begin before the range and end behind it, by less than a fragment
// each.
//
// Threads: plain values and pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "fragments/fragment.h"
#include "storage/record_log.h"

namespace millrace {

enum class FootageClock : std::uint8_t { kProducer, kServer };
std::optional<FootageClock> FootageClockFromString(std::string_view name);  // "producer", "server"

struct FootageRange {
  Timestamp start;
  Timestamp end;  // exclusive; after the start
  FootageClock clock = FootageClock::kProducer;

  bool Touches(const FragmentFacts& facts) const {
    const Timestamp from = clock == FootageClock::kProducer ? facts.start : facts.server_start;
    return from < end && from + facts.duration > start;
  }
};

// [start, end) of the producer's clock.
struct FootageSpan {
  Timestamp start;
  Timestamp end;
  friend bool operator==(const FootageSpan&, const FootageSpan&) = default;
};

struct DeletedFootage {
  std::uint64_t fragments = 0;
  std::uint64_t bytes = 0;
  // Where they were, in order, apart from each other; at most kDeletedSpansMax, the last of which may have
  // holes.
  std::vector<FootageSpan> spans;
};
inline constexpr std::size_t kDeletedSpansMax = 100;

// Footage that is kept whatever its age: by the producer's clock. A fragment of which a part is held is held.
struct FootageHold {
  static constexpr Timestamp kOpenEnd{INT64_MAX};

  std::string id;  // [a-zA-Z0-9_.-]{1,128}
  Timestamp start;
  Timestamp end = kOpenEnd;  // exclusive; may lie in the future
  std::string reason;        // for people; at most kHoldReasonBytesMax
  std::string placed_by;     // may be empty; likewise
  Timestamp placed;          // given by the store

  bool Keeps(const FragmentFacts& facts) const { return facts.start < end && facts.end_time() > start; }
  friend bool operator==(const FootageHold&, const FootageHold&) = default;
};
inline constexpr std::size_t kHoldReasonBytesMax = 1024;

// Errors: kInvalidArgument.
Result<void> CheckFootageHold(const FootageHold& hold);
storage::Hold ToLogHold(const FootageHold& hold);
// Errors: kCorruption, kUnsupported (a newer version).
Result<FootageHold> FromLogHold(const storage::Hold& hold);

}  // namespace millrace
