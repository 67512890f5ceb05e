// Coverage without holes: what is recorded, and of the rest why it is not.
//
// Merges where footage exists (from the index) with the gaps that were noted (from the ledger). Footage has
// the producer's clock and gaps the server's, and a fragment begins and ends a little beside the event that
// caused it; so a short rest beside a gap counts to it.
//
// Threads: a pure function, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "fragments/fragment_store.h"
#include "fragments/gap.h"

namespace millrace {

// A rest of a hole up to this long, and this near to a gap, is explained by it: the producer's clock may be
// ten seconds off, and a fragment's edge some seconds from the event.
inline constexpr Duration kGapSlack = std::chrono::seconds(15);

// What came in so long ago may be in a fragment that is not stored yet.
inline constexpr Duration kPendingMax = std::chrono::seconds(30);

enum class CoverageState : std::uint8_t {
  kRecorded,
  kPending,  // frames come in; their fragment is not closed or not durable yet
  kGap,
};
// "recorded", "pending", "gap"; static storage.
std::string_view ToString(CoverageState state);

struct CoverageSpan {
  Timestamp start;
  Timestamp end;  // exclusive
  CoverageState state = CoverageState::kGap;
  GapCause cause = GapCause::kUnknown;  // of a gap
  std::string detail;                   // of a gap; may be empty
  friend bool operator==(const CoverageSpan&, const CoverageSpan&) = default;
};

struct CoverageFacts {
  std::vector<CoverageInterval> recorded;     // in order, apart from each other
  std::vector<Gap> gaps;                      // in any order; may overlap
  Timestamp created;                          // of the stream
  Timestamp kept_since;                       // what is older has been given up to retention
  std::optional<Timestamp> evicted_before{};  // what was stored earlier went for the disk budget
  std::optional<Timestamp> recording_since;   // none: nothing comes in
  Timestamp now;
};

// [start, end) in order and without an overlap, up to `now` without a hole; neighbours differ. Footage that
// lies ahead of `now` (a camera's clock may) is shown, and nothing is said of the time around it. Where gaps
// overlap, the server being down wins, then a refusing disk, then what began last.
std::vector<CoverageSpan> MergeCoverage(const CoverageFacts& facts, Timestamp start, Timestamp end);

}  // namespace millrace
