// Opening the log: what an unclean stop left is put in order, and the index is brought up to the log.
//
// A group is written only after the one before it in its file is durable. So only the last group of a file
// can be torn, and a valid group behind a damaged one proves that the damaged one was whole once: then it is
// damage, and reported, never cut. Steps: docs/storage-format.md, "Recovery".
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "storage/commit_writer.h"
#include "storage/engine.h"
#include "storage/segment_walker.h"

namespace millrace::storage {

// Fills the engine (state, index, segments) from the disk.
Result<WriterStart> Recover(Engine& engine);

// Walks the groups of a segment from `from`, and decides what a damaged end is: a torn tail, or damage
// (kCorruption). The data of the last group is checked, but for the entries that are dead: theirs may have
// been given back. A last group of batches above `committed_batches` was never committed, and is a torn tail
// however whole it is.
struct TailScan {
  std::uint64_t end = 0;
  std::uint64_t groups = 0;      // whole ones from `from` on
  std::uint64_t last_group = 0;  // where the last whole one begins; 0: there is none, or it is proven durable
  std::uint64_t last_counter = 0;
  std::uint64_t durable_counter = 0;
  bool sealed = false;
  std::string torn;
  std::optional<std::uint64_t> torn_first_counter;  // where its group header is whole
};
Result<TailScan> ScanGroups(File& file, const std::string& path, StoreId store, SegmentId segment,
                            std::uint64_t from, std::uint64_t size, std::uint64_t committed_batches,
                            const std::function<bool(const WalkedEntry&)>& is_dead,
                            const std::function<Result<void>(const WalkedGroup&)>& visit);

// The segment's header. Errors: kCorruption (damaged, or of another data directory or place), kUnsupported.
Result<SegmentHeader> CheckHeader(File& file, const std::string& path, StoreId store,
                                  const SegmentFile& expected);

// kCorruption, with advice.
Error Damaged(const std::string& path, const std::string& what);

// How a record's entry looks to the index.
IndexedRecord ToIndexed(const WalkedEntry& entry, SegmentId segment);

}  // namespace millrace::storage
