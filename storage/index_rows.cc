#include "storage/index_rows.h"

namespace millrace::storage {
namespace {

// Above the segment's number in a record's row: older rows, which have none, stay what they are.
constexpr std::uint64_t kSealedBit = std::uint64_t{1} << 32;

template <typename T>
void Append(std::string& out, T value) {
  for (int shift = static_cast<int>(sizeof(T)) * 8 - 8; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> shift));
  }
}

std::string TakeText(const Bytes& bytes) { return std::string(AsText(bytes)); }

}  // namespace

std::string FormatKey() { return "f"; }
std::string WrittenKey() { return "w"; }

std::string MarkerKey(SegmentId segment) {
  std::string key = "k";
  Append(key, segment);
  return key;
}

std::string SegmentCountKey(SegmentId segment) {
  std::string key = "l";
  Append(key, segment);
  return key;
}

std::string StreamPrefix(char kind, StreamId stream) {
  std::string key(1, kind);
  Append(key, stream);
  return key;
}

std::string RecordKey(StreamId stream, ShardId shard, std::uint64_t counter) {
  std::string key = StreamPrefix('r', stream);
  AppendPlace(key, shard, counter);
  return key;
}

std::string UsageKey(StreamId stream, const std::string& partition_key) {
  return StreamPrefix('u', stream) + partition_key;
}

std::string PartitionPrefix(StreamId stream, const std::string& partition_key) {
  std::string key = StreamPrefix('a', stream);
  Append(key, static_cast<std::uint16_t>(partition_key.size()));
  return key + partition_key;
}

std::string AttributePrefix(StreamId stream, const std::string& partition_key, std::uint8_t attribute) {
  std::string key = PartitionPrefix(stream, partition_key);
  key.push_back(static_cast<char>(attribute));
  return key;
}

void AppendOrdered(std::string& out, ByteSpan value) {
  for (std::uint8_t byte : value) {
    out.push_back(static_cast<char>(byte));
    if (byte == 0) out.push_back('\xff');
  }
  out.append(2, '\0');
}

void AppendPlace(std::string& out, ShardId shard, std::uint64_t counter) {
  Append(out, shard.index);
  Append(out, counter);
}

std::string AfterPrefix(std::string prefix) {
  while (!prefix.empty()) {
    auto last = static_cast<unsigned char>(prefix.back());
    if (last != 0xff) {
      prefix.back() = static_cast<char>(last + 1);
      return prefix;
    }
    prefix.pop_back();
  }
  return prefix;
}

std::string WrittenValue(std::uint64_t number) {
  std::string value;
  Append(value, number);
  return value;
}

std::optional<std::uint64_t> ParseWritten(std::string_view value) {
  if (value.size() != 8) return std::nullopt;
  return ReadBigEndian<std::uint64_t>(AsBytes(value));
}

std::string MarkerValue(const SegmentMarker& marker) {
  Bytes out;
  AppendVarint(out, marker.end);
  AppendVarint(out, marker.last_counter);
  out.push_back(marker.sealed ? 1 : 0);
  return TakeText(out);
}

std::optional<SegmentMarker> ParseMarker(std::string_view value) {
  ByteReader in(AsBytes(value));
  SegmentMarker marker;
  marker.end = in.Varint();
  marker.last_counter = in.Varint();
  marker.sealed = in.Integer<std::uint8_t>() != 0;
  if (!in.AtEnd()) return std::nullopt;
  return marker;
}

std::string CountValue(const RecordCount& count) {
  Bytes out;
  AppendVarint(out, ZigZag(count.records));
  AppendVarint(out, ZigZag(count.data_bytes));
  return TakeText(out);
}

std::optional<RecordCount> ParseCount(std::string_view value) {
  ByteReader in(AsBytes(value));
  RecordCount count;
  count.records = UnZigZag(in.Varint());
  count.data_bytes = UnZigZag(in.Varint());
  if (!in.AtEnd()) return std::nullopt;
  return count;
}

std::string RecordValue(const IndexedRecord& record) {
  Bytes out;
  AppendVarint(out, record.segment | (record.sealed ? kSealedBit : 0));
  AppendVarint(out, record.entry_offset);
  AppendVarint(out, record.data_bytes);
  AppendBigEndian(out, record.data_crc);
  // Counter and arrival are the same number but for a clock that stepped or a group with several records.
  AppendVarint(out, ZigZag(static_cast<std::int64_t>(record.counter) - record.arrival.ns));
  AppendSized(out, record.partition_key);
  AppendRaw(out, record.attributes);
  return TakeText(out);
}

std::optional<IndexedRecord> ParseRecord(std::string_view key, std::string_view value) {
  if (key.size() < 12) return std::nullopt;
  IndexedRecord record;
  std::tie(record.shard, record.counter) = ParsePlace(key);
  ByteReader in(AsBytes(value));
  const std::uint64_t segment = in.Varint();
  record.segment = static_cast<SegmentId>(segment);
  record.sealed = (segment & kSealedBit) != 0;
  record.entry_offset = in.Varint();
  record.data_bytes = in.Varint();
  record.data_crc = in.Integer<std::uint32_t>();
  record.arrival.ns = static_cast<std::int64_t>(record.counter) - UnZigZag(in.Varint());
  record.partition_key = in.Text();
  ByteSpan rest = in.rest();
  record.attributes.assign(rest.begin(), rest.end());
  if (!in.ok()) return std::nullopt;
  return record;
}

std::pair<ShardId, std::uint64_t> ParsePlace(std::string_view key) {
  ByteSpan place = AsBytes(key).last(12);
  return {ShardId{ReadBigEndian<std::uint32_t>(place)}, ReadBigEndian<std::uint64_t>(place.subspan(4))};
}

}  // namespace millrace::storage
