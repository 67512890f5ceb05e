// The bytes of a segment file (docs/storage-format.md draws them):
//
//   segment = segment header, group*
//   group   = group header, entry*          written at once, durable at once, all of it or none
//   entry   = entry header, partition key, attributes, seal (of sealed records), data
//
// Integers are big-endian. Every checksum starts from the place (store, segment, offset), so that bytes which
// lay elsewhere before, in a recycled block for example, never pass for valid ones here.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "storage/ids.h"
#include "storage/record_log.h"

namespace millrace::storage {

inline constexpr std::uint32_t kFormatVersion = 3;  // the newest that this program knows
// What a directory has: 1 as it is made, 2 once a stream of it has been encrypted, 3 once records of it have
// been deleted by range or held.
inline constexpr std::uint32_t kFormatPlain = 1;
inline constexpr std::uint32_t kFormatSealed = 2;
inline constexpr std::uint32_t kFormatMarked = 3;
inline constexpr std::size_t kSegmentHeaderBytes = 64;
inline constexpr std::size_t kGroupHeaderBytes = 40;
inline constexpr std::size_t kEntryHeaderBytes = 56;  // without partition key and attributes

using StoreId = std::uint64_t;  // random, made with the directory
using SegmentId = std::uint32_t;
using StreamId =
    std::uint32_t;  // never reused, so that a re-created stream does not show its forerunner's records

enum class SegmentKind : std::uint8_t { kData = 1, kControl = 2 };

using DataKeyId = std::uint32_t;  // of a stream's data keys, counting up from 1

struct SegmentHeader {
  std::uint32_t version = kFormatPlain;
  StoreId store = 0;
  SegmentId segment = 0;
  SegmentKind kind = SegmentKind::kData;
  std::uint8_t retention_class = 0;
  Timestamp created;
};

// Where a group or an entry lies: part of its checksum.
struct LogPlace {
  StoreId store = 0;
  SegmentId segment = 0;
  std::uint64_t offset = 0;
};

inline constexpr std::uint32_t kGroupSeals = 1;  // the segment's last group
inline constexpr std::uint32_t kGroupSnapshot =
    2;  // of a control segment: the whole state, whatever came before

struct GroupHeader {
  std::uint64_t body_bytes = 0;     // of its entries
  std::uint64_t first_counter = 0;  // of its first entry; of an empty group: the newest counter there was
  std::uint64_t durable_counter =
      0;  // when this was written, everything up to it was durable, in all segments
  std::uint32_t entries = 0;
  std::uint32_t flags = 0;
};

enum class EntryKind : std::uint8_t {
  kRecord = 1,
  kControl = 2,  // data: rows of the control state (control_state.h)
  kBatch = 3,    // a record that counts only if the control state says that its batch was committed
};

// Beside the data of a record that is sealed (record_cipher.h).
using SealSalt = std::array<std::uint8_t, 12>;
struct RecordSeal {
  DataKeyId data_key = 0;
  SealSalt salt{};  // of the record key
  std::array<std::uint8_t, 16> tag{};
};
inline constexpr std::size_t kSealBytes = 32;

struct EntryHeader {
  EntryKind kind = EntryKind::kRecord;
  StreamId stream = 0;
  ShardId shard;
  std::uint64_t counter = 0;  // the sequence number's; of a control entry: its place in the order of commits
  Timestamp arrival;
  std::int64_t shard_created_s = 0;
  std::uint64_t data_bytes = 0;
  std::uint32_t data_crc = 0;  // CRC32C of the data alone, as it lies in the file
  bool sealed = false;         // the data is encrypted, and a seal stands before it
  std::uint16_t key_bytes = 0;
  std::uint32_t attribute_bytes = 0;

  bool IsRecord() const { return kind == EntryKind::kRecord || kind == EntryKind::kBatch; }
  std::uint64_t HeadBytes() const {
    return kEntryHeaderBytes + key_bytes + attribute_bytes + (sealed ? kSealBytes : 0);
  }
  std::uint64_t TotalBytes() const { return HeadBytes() + data_bytes; }
};

void AppendSegmentHeader(Bytes& out, const SegmentHeader& header);
// Errors: kCorruption, kUnsupported (a newer format); the text names `path`.
Result<SegmentHeader> ParseSegmentHeader(ByteSpan bytes, const std::string& path);

void AppendGroupHeader(Bytes& out, const LogPlace& place, const GroupHeader& header);
// None: not a valid group header of this place. REQUIRES: bytes.size() >= kGroupHeaderBytes.
std::optional<GroupHeader> ParseGroupHeader(ByteSpan bytes, const LogPlace& place);
inline constexpr std::array<std::uint8_t, 4> kGroupMagic = {'M', 'R', 'g', 'p'};

// Header, partition key, attributes and the seal of a sealed one (else empty); the data follows them in the
// file.
void AppendEntryHead(Bytes& out, const LogPlace& place, const EntryHeader& header, ByteSpan partition_key,
                     ByteSpan attributes, ByteSpan seal);
// The fixed part only, unchecked: to learn how long the head is. REQUIRES: bytes.size() >= kEntryHeaderBytes.
EntryHeader PeekEntryHeader(ByteSpan bytes);
// True if the head (header, key, attributes, seal: HeadBytes() of them) is valid at this place.
bool EntryHeadIsValid(ByteSpan head, const LogPlace& place);

// Attributes as they lie in an entry and in the index: id, length (2 bytes), value.
void AppendAttributes(Bytes& out, const std::vector<Attribute>& attributes);
Result<std::vector<Attribute>> ParseAttributes(ByteSpan bytes);

void AppendSeal(Bytes& out, const RecordSeal& seal);
// REQUIRES: bytes.size() >= kSealBytes.
RecordSeal ParseSeal(ByteSpan bytes);

// A shard's sequence numbers differ in the counter alone: the counter is the nanoseconds since 1970 at
// commit, or one more than the counter before where that is later (storage-format.md, "Sequence numbers").
SequenceNumber MakeSequenceNumber(std::int64_t shard_created_s, ShardId shard, std::uint64_t counter);

}  // namespace millrace::storage
