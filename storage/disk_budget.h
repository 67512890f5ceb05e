// How much of the disk the store may take.
//
// Two limits, of which the tighter counts: a maximum of its own, and what is to stay free on the disk for
// everybody. The second shrinks what the store may take when others fill the disk; but not under
// kBudgetFloorBytes as long as the disk has that much, so that a disk that others have filled does not cost
// the last footage for a goal that deleting it cannot reach.
//
// Threads: pure functions, any thread.
#pragma once

#include <cstdint>
#include <optional>

#include "storage/file_system.h"

namespace millrace::storage {

struct DiskBudget {
  std::optional<std::uint64_t> used_bytes_max{};  // the store takes no more than this
  std::uint64_t free_bytes_min = 0;               // this much stays free; of these two the larger counts
  std::uint32_t free_percent_min = 0;             // this much of the disk stays free, 0 to 100

  bool limited() const { return used_bytes_max || free_bytes_min > 0 || free_percent_min > 0; }
};

inline constexpr std::uint64_t kBudgetFloorBytes = std::uint64_t{1} << 30;

// What the store may take now. `used_bytes`: what it takes; `free_bytes_least`: below this much free disk,
// puts would be refused.
std::uint64_t AllowedBytes(const DiskBudget& budget, const DiskSpace& space, std::uint64_t used_bytes,
                           std::uint64_t free_bytes_least);

// A segment is what goes at once: it holds a small part of what is allowed, and is not tiny.
std::uint64_t SegmentBytesFor(std::uint64_t allowed_bytes, std::uint64_t segment_bytes);

}  // namespace millrace::storage
