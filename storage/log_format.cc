#include "storage/log_format.h"

#include <algorithm>
#include <cassert>

#include "storage/coding.h"
#include "storage/crc32c.h"

namespace millrace::storage {
namespace {

constexpr std::array<std::uint8_t, 8> kSegmentMagic = {'M', 'R', 's', 'e', 'g', 'm', 'n', 't'};
constexpr std::uint8_t kEntrySealed = 1;  // flag of an entry

std::uint32_t PlaceCrc(const LogPlace& place) {
  Bytes bytes;
  bytes.reserve(20);
  AppendBigEndian(bytes, place.store);
  AppendBigEndian(bytes, place.segment);
  AppendBigEndian(bytes, place.offset);
  return Crc32c(bytes);
}

void WriteAt(Bytes& out, std::size_t at, std::uint32_t value) {
  for (std::size_t i = 0; i < 4; ++i) out[at + i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
}

}  // namespace

void AppendSegmentHeader(Bytes& out, const SegmentHeader& header) {
  std::size_t start = out.size();
  AppendRaw(out, kSegmentMagic);
  AppendBigEndian(out, header.version);
  AppendBigEndian(out, header.store);
  AppendBigEndian(out, header.segment);
  out.push_back(static_cast<std::uint8_t>(header.kind));
  out.push_back(header.retention_class);
  AppendBigEndian(out, std::uint16_t{0});
  AppendBigEndian(out, static_cast<std::uint64_t>(header.created.ns));
  out.resize(start + kSegmentHeaderBytes - 4);
  AppendBigEndian(out, Crc32c(ByteSpan(out).subspan(start)));
}

Result<SegmentHeader> ParseSegmentHeader(ByteSpan bytes, const std::string& path) {
  if (bytes.size() < kSegmentHeaderBytes ||
      !std::equal(kSegmentMagic.begin(), kSegmentMagic.end(), bytes.begin())) {
    return Error{ErrorCode::kCorruption, path + " does not begin with a segment header"};
  }
  ByteReader reader(bytes.subspan(8));
  auto version = reader.Integer<std::uint32_t>();
  if (version > kFormatVersion) {
    return Error{ErrorCode::kUnsupported, path + " has format version " + std::to_string(version) +
                                              "; this program reads up to " + std::to_string(kFormatVersion)};
  }
  if (ReadBigEndian<std::uint32_t>(bytes.subspan(kSegmentHeaderBytes - 4)) !=
      Crc32c(bytes.first(kSegmentHeaderBytes - 4))) {
    return Error{ErrorCode::kCorruption, path + ": the segment header does not match its checksum"};
  }
  SegmentHeader header;
  header.version = version;
  header.store = reader.Integer<std::uint64_t>();
  header.segment = reader.Integer<std::uint32_t>();
  header.kind = static_cast<SegmentKind>(reader.Integer<std::uint8_t>());
  header.retention_class = reader.Integer<std::uint8_t>();
  reader.Integer<std::uint16_t>();
  header.created.ns = static_cast<std::int64_t>(reader.Integer<std::uint64_t>());
  return header;
}

void AppendGroupHeader(Bytes& out, const LogPlace& place, const GroupHeader& header) {
  std::size_t start = out.size();
  AppendRaw(out, kGroupMagic);
  AppendBigEndian(out, std::uint32_t{0});
  AppendBigEndian(out, header.body_bytes);
  AppendBigEndian(out, header.first_counter);
  AppendBigEndian(out, header.durable_counter);
  AppendBigEndian(out, header.entries);
  AppendBigEndian(out, header.flags);
  WriteAt(out, start + 4, Crc32c(ByteSpan(out).subspan(start + 8), PlaceCrc(place)));
}

std::optional<GroupHeader> ParseGroupHeader(ByteSpan bytes, const LogPlace& place) {
  assert(bytes.size() >= kGroupHeaderBytes);
  bytes = bytes.first(kGroupHeaderBytes);
  if (!std::equal(kGroupMagic.begin(), kGroupMagic.end(), bytes.begin())) return std::nullopt;
  if (ReadBigEndian<std::uint32_t>(bytes.subspan(4)) != Crc32c(bytes.subspan(8), PlaceCrc(place)))
    return std::nullopt;
  ByteReader reader(bytes.subspan(8));
  GroupHeader header;
  header.body_bytes = reader.Integer<std::uint64_t>();
  header.first_counter = reader.Integer<std::uint64_t>();
  header.durable_counter = reader.Integer<std::uint64_t>();
  header.entries = reader.Integer<std::uint32_t>();
  header.flags = reader.Integer<std::uint32_t>();
  return header;
}

void AppendEntryHead(Bytes& out, const LogPlace& place, const EntryHeader& header, ByteSpan partition_key,
                     ByteSpan attributes, ByteSpan seal) {
  assert(header.key_bytes == partition_key.size() && header.attribute_bytes == attributes.size());
  assert(seal.size() == (header.sealed ? kSealBytes : 0));
  std::size_t start = out.size();
  AppendBigEndian(out, std::uint32_t{0});
  AppendBigEndian(out, header.data_crc);
  out.push_back(static_cast<std::uint8_t>(header.kind));
  out.push_back(header.sealed ? kEntrySealed : 0);
  AppendBigEndian(out, header.key_bytes);
  AppendBigEndian(out, header.attribute_bytes);
  AppendBigEndian(out, header.data_bytes);
  AppendBigEndian(out, header.stream);
  AppendBigEndian(out, header.shard.index);
  AppendBigEndian(out, header.counter);
  AppendBigEndian(out, static_cast<std::uint64_t>(header.arrival.ns));
  AppendBigEndian(out, static_cast<std::uint64_t>(header.shard_created_s));
  AppendRaw(out, partition_key);
  AppendRaw(out, attributes);
  AppendRaw(out, seal);
  WriteAt(out, start, Crc32c(ByteSpan(out).subspan(start + 4), PlaceCrc(place)));
}

EntryHeader PeekEntryHeader(ByteSpan bytes) {
  assert(bytes.size() >= kEntryHeaderBytes);
  ByteReader reader(bytes.subspan(4));
  EntryHeader header;
  header.data_crc = reader.Integer<std::uint32_t>();
  header.kind = static_cast<EntryKind>(reader.Integer<std::uint8_t>());
  header.sealed = (reader.Integer<std::uint8_t>() & kEntrySealed) != 0;
  header.key_bytes = reader.Integer<std::uint16_t>();
  header.attribute_bytes = reader.Integer<std::uint32_t>();
  header.data_bytes = reader.Integer<std::uint64_t>();
  header.stream = reader.Integer<std::uint32_t>();
  header.shard.index = reader.Integer<std::uint32_t>();
  header.counter = reader.Integer<std::uint64_t>();
  header.arrival.ns = static_cast<std::int64_t>(reader.Integer<std::uint64_t>());
  header.shard_created_s = static_cast<std::int64_t>(reader.Integer<std::uint64_t>());
  return header;
}

bool EntryHeadIsValid(ByteSpan head, const LogPlace& place) {
  return head.size() >= kEntryHeaderBytes &&
         ReadBigEndian<std::uint32_t>(head) == Crc32c(head.subspan(4), PlaceCrc(place));
}

void AppendAttributes(Bytes& out, const std::vector<Attribute>& attributes) {
  for (const Attribute& attribute : attributes) {
    out.push_back(attribute.id);
    AppendBigEndian(out, static_cast<std::uint16_t>(attribute.value.size()));
    AppendRaw(out, attribute.value);
  }
}

Result<std::vector<Attribute>> ParseAttributes(ByteSpan bytes) {
  ByteReader reader(bytes);
  std::vector<Attribute> attributes;
  while (!reader.AtEnd()) {
    auto id = reader.Integer<std::uint8_t>();
    ByteSpan value = reader.Raw(reader.Integer<std::uint16_t>());
    if (!reader.ok()) return Error{ErrorCode::kCorruption, "malformed attributes"};
    attributes.push_back({id, Bytes(value.begin(), value.end())});
  }
  return attributes;
}

void AppendSeal(Bytes& out, const RecordSeal& seal) {
  AppendBigEndian(out, seal.data_key);
  AppendRaw(out, seal.salt);
  AppendRaw(out, seal.tag);
}

RecordSeal ParseSeal(ByteSpan bytes) {
  assert(bytes.size() >= kSealBytes);
  RecordSeal seal;
  ByteReader reader(bytes);
  seal.data_key = reader.Integer<std::uint32_t>();
  std::ranges::copy(reader.Raw(seal.salt.size()), seal.salt.begin());
  std::ranges::copy(reader.Raw(seal.tag.size()), seal.tag.begin());
  return seal;
}

SequenceNumber MakeSequenceNumber(std::int64_t shard_created_s, ShardId shard, std::uint64_t counter) {
  return SequenceNumber::FromFields(
      {shard_created_s, counter, static_cast<std::int64_t>(counter / 1'000'000'000), shard});
}

}  // namespace millrace::storage
