// Appends groups to one segment file: collect entries, write them at once, sync, and only then go on.
//
//   AddEntry* -> Write -> Sync        the group is durable, and end() is behind it
//   AddEntry* -> Write fails, or DropPending    -> Rollback: the file ends where it ended before
//
// Data is written from where it lies (no copy). After a failed Sync or Rollback the object is finished: what
// is on the disk is only known after recovery. Threads: one at a time (the writer).
#pragma once

#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "storage/file_system.h"
#include "storage/log_format.h"

namespace millrace::storage {

class SegmentAppender {
 public:
  // `end`: where the last group ends (for a new file: behind the segment header).
  SegmentAppender(std::unique_ptr<File> file, StoreId store, SegmentId segment, std::uint64_t end);

  // The offset of the entry in the file. header's key_bytes, attribute_bytes, data_bytes and sealed are
  // filled in here; data_crc is the caller's.
  // `seal`: of a sealed record, kSealBytes; else empty.
  std::uint64_t AddEntry(EntryHeader header, ByteSpan partition_key, ByteSpan attributes, SharedBytes data,
                         ByteSpan seal = {});

  // Writes the pending group, also an empty one. `newest_counter` stands in an empty group's header.
  Result<void> Write(std::uint64_t durable_counter, std::uint64_t newest_counter, std::uint32_t flags);
  Result<void> Sync();
  // Forgets the pending group and cuts off what was written of it, durably.
  Result<void> Rollback();

  // Cuts the last synced group off again, durably. REQUIRES: nothing pending, and no other TakeBack since
  // that Sync.
  Result<void> TakeBack();

  bool pending() const { return entries_ > 0; }
  std::uint64_t pending_bytes() const { return body_bytes_ + kGroupHeaderBytes; }
  std::uint64_t end() const { return end_; }                    // of the last durable group
  std::uint64_t last_counter() const { return last_counter_; }  // of the last entry added
  SegmentId segment() const { return segment_; }

 private:
  struct Piece {
    std::size_t head_offset = 0;  // in heads_
    std::size_t head_bytes = 0;
    SharedBytes data;
  };
  void Clear();

  const std::unique_ptr<File> file_;
  const StoreId store_;
  const SegmentId segment_;
  std::uint64_t end_;
  std::uint64_t end_before_;  // of the group before the last
  bool written_ = false;      // bytes behind end_ may have been written

  Bytes heads_;
  std::vector<Piece> pieces_;
  std::uint64_t body_bytes_ = 0;
  std::uint64_t first_counter_ = 0;
  std::uint64_t last_counter_ = 0;
  std::uint32_t entries_ = 0;
};

}  // namespace millrace::storage
