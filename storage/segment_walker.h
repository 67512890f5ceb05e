// Walks a segment file group by group: what recovery, the rebuilding of the index, retention and the checker
// read with.
//
// A group is valid when its header and the heads of all its entries are; the data is checked only when asked
// for, because it may have been given back to the disk (a hole) for what is deleted or expired. Memory: one
// group's heads and a buffer of 64 KiB, whatever the file says.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "storage/file_system.h"
#include "storage/log_format.h"
#include "storage/record_marks.h"

namespace millrace::storage {

struct WalkedEntry {
  std::uint64_t offset = 0;
  EntryHeader header;
  std::string partition_key;
  Bytes attributes;  // as they lie in the file
  Bytes seal;        // of a sealed record; else empty

  // Partition key, attributes and seal, of a whole head. REQUIRES: head.size() == header.HeadBytes().
  void TakeText(ByteSpan head);
  std::uint64_t data_offset() const { return offset + header.HeadBytes(); }
};

// What the rules about records look at, of this one.
inline RecordFacts FactsOf(const WalkedEntry& entry) {
  return {entry.partition_key, entry.header.counter, entry.header.arrival, entry.attributes};
}

struct WalkedGroup {
  std::uint64_t offset = 0;
  GroupHeader header;
  std::vector<WalkedEntry> entries;

  std::uint64_t end() const { return offset + kGroupHeaderBytes + header.body_bytes; }
};

enum class WalkOutcome {
  kGroup,    // group() is the next one
  kEnd,      // the file ends exactly here
  kDamaged,  // no valid group at position(); problem() says what is wrong
};

class SegmentWalker {
 public:
  // `file` outlives this; `from` is where a group begins.
  SegmentWalker(File& file, StoreId store, SegmentId segment, std::uint64_t from, std::uint64_t size);

  // Errors: those of reading.
  Result<WalkOutcome> Next();

  const WalkedGroup& group() const { return group_; }
  std::uint64_t position() const { return position_; }
  const std::string& problem() const { return problem_; }

 private:
  // `length` bytes at `offset`, fewer at the end of the file; valid until the next call.
  Result<ByteSpan> View(std::uint64_t offset, std::size_t length);
  WalkOutcome Damaged(std::uint64_t offset, std::string what);

  File& file_;
  const StoreId store_;
  const SegmentId segment_;
  const std::uint64_t size_;
  std::uint64_t position_;
  WalkedGroup group_;
  std::string problem_;
  Bytes buffer_;
  std::uint64_t buffer_offset_ = 0;
};

// True if the entry's data matches its checksum. Reads it in pieces of 1 MiB at most.
Result<bool> DataIsValid(File& file, const WalkedEntry& entry);

// True if there are whole blocks inside the entry's data and they read as zeros: a hole was punched.
Result<bool> DataIsPunched(File& file, const WalkedEntry& entry);

// The whole blocks inside the data of an entry, which a hole may take: {offset, length}, length 0 when there
// are none.
struct BlockRange {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};
BlockRange WholeBlocks(std::uint64_t data_offset, std::uint64_t data_bytes);

// The first valid group header at or behind `from`. None: there is none.
Result<std::optional<std::uint64_t>> FindGroup(File& file, StoreId store, SegmentId segment,
                                               std::uint64_t from, std::uint64_t size);

}  // namespace millrace::storage
