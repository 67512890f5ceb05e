// Keys and values of the index's rows (docs/storage-format.md, "Index"). The key's order is the order of
// reading.
//
//   'f'                                                         format version, store id
//   'k' segment                                                 marker
//   'l' segment                                                 count of live records and bytes
//   'r' stream shard counter                                    a record
//   'a' stream key-length key attribute value shard counter     a record has this attribute value (empty
//   value) 'u' stream key                                              count of a partition key's records and
//   bytes
#pragma once

#include <optional>
#include <string>

#include "storage/coding.h"
#include "storage/index.h"

namespace millrace::storage {

// Stands in the attribute's place for a record without an indexed attribute, so that every record of a
// partition key is found under 'a'.
inline constexpr std::uint8_t kNoAttribute = 0xff;

std::string FormatKey();
std::string WrittenKey();  // of the number of the newest batch
std::string MarkerKey(SegmentId segment);
std::string SegmentCountKey(SegmentId segment);
std::string RecordKey(StreamId stream, ShardId shard, std::uint64_t counter);
std::string UsageKey(StreamId stream, const std::string& partition_key);
std::string StreamPrefix(char kind, StreamId stream);
std::string PartitionPrefix(StreamId stream, const std::string& partition_key);
std::string AttributePrefix(StreamId stream, const std::string& partition_key, std::uint8_t attribute);
// Values are written so that byte order is kept whatever follows: 00 as 00 ff, and 00 00 at the end.
void AppendOrdered(std::string& out, ByteSpan value);
void AppendPlace(std::string& out, ShardId shard, std::uint64_t counter);
// The first key behind all that begin with `prefix`.
std::string AfterPrefix(std::string prefix);

std::string WrittenValue(std::uint64_t number);
std::optional<std::uint64_t> ParseWritten(std::string_view value);
std::string MarkerValue(const SegmentMarker& marker);
std::optional<SegmentMarker> ParseMarker(std::string_view value);
std::string CountValue(const RecordCount& count);
std::optional<RecordCount> ParseCount(std::string_view value);
std::string RecordValue(const IndexedRecord& record);
// Shard and counter come from the key. None: malformed.
std::optional<IndexedRecord> ParseRecord(std::string_view key, std::string_view value);
// The last twelve bytes of a record's or an attribute's key. REQUIRES: key.size() >= 12.
std::pair<ShardId, std::uint64_t> ParsePlace(std::string_view key);

}  // namespace millrace::storage
