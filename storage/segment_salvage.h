// What can be saved of a damaged data segment. Internal to storage; for repair.
//
// Threads: none inside.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "storage/control_state.h"
#include "storage/data_directory.h"
#include "storage/file_system.h"
#include "storage/segment_walker.h"

namespace millrace::storage {

struct SegmentSalvage {
  std::vector<WalkedGroup> groups;  // with the entries that are whole, and live
  std::vector<std::string> lost;    // in words; empty: nothing but perhaps a torn tail
  std::string torn;                 // what is wrong at the end, where nothing valid follows
  bool header_valid = false;
  std::uint32_t version = kFormatVersion;  // of the format, as the header says it; else the newest
  bool sealed = false;
};

// Reads the segment from the beginning; damaged places are left out. `is_dead`: records whose data may have
// been given back. Errors: those of reading.
Result<SegmentSalvage> SalvageSegment(File& file, const std::string& path, StoreId store, SegmentId segment,
                                      const std::function<bool(const WalkedEntry&)>& is_dead);

// Writes what was saved to a new file, sealed where `seal` says so. Errors: those of reading and writing.
Result<void> WriteSalvage(FileSystem& files, File& from, const SegmentSalvage& salvage, StoreId store,
                          SegmentId segment, const SegmentRow& row, bool seal, const std::string& path);

}  // namespace millrace::storage
