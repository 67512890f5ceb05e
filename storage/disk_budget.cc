#include "storage/disk_budget.h"

#include <algorithm>

namespace millrace::storage {
namespace {

constexpr std::uint64_t kSegmentsInBudget = 32;
constexpr std::uint64_t kSegmentBytesMin = 1 << 20;

std::uint64_t Minus(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; }

}  // namespace

std::uint64_t AllowedBytes(const DiskBudget& budget, const DiskSpace& space, std::uint64_t used_bytes,
                           std::uint64_t free_bytes_least) {
  const std::uint64_t reachable = used_bytes + space.free_bytes;  // if nobody else took more
  const std::uint64_t percent = std::min<std::uint64_t>(budget.free_percent_min, 100);
  const std::uint64_t keep =
      std::max({budget.free_bytes_min, space.total_bytes / 100 * percent, free_bytes_least});
  const std::uint64_t floor = std::min(kBudgetFloorBytes, Minus(reachable, free_bytes_least));
  const std::uint64_t by_disk = std::max(Minus(reachable, keep), floor);
  return std::min(budget.used_bytes_max.value_or(by_disk), by_disk);
}

std::uint64_t SegmentBytesFor(std::uint64_t allowed_bytes, std::uint64_t segment_bytes) {
  return std::min(segment_bytes, std::max(allowed_bytes / kSegmentsInBudget, kSegmentBytesMin));
}

}  // namespace millrace::storage
