#include "storage/segment_walker.h"

#include <algorithm>
#include <utility>

#include "storage/crc32c.h"

namespace millrace::storage {
namespace {

constexpr std::size_t kBufferBytes = 64 * 1024;
constexpr std::size_t kDataPieceBytes = 1024 * 1024;

}  // namespace

SegmentWalker::SegmentWalker(File& file, StoreId store, SegmentId segment, std::uint64_t from,
                             std::uint64_t size)
    : file_(file), store_(store), segment_(segment), size_(size), position_(from) {}

Result<ByteSpan> SegmentWalker::View(std::uint64_t offset, std::size_t length) {
  if (offset < buffer_offset_ || offset + length > buffer_offset_ + buffer_.size()) {
    // A head after large data is read with little behind it; small entries are read many at a time.
    std::size_t want = std::max(length, group_.entries.size() > 4 ? kBufferBytes : std::size_t{4096});
    want = static_cast<std::size_t>(std::min<std::uint64_t>(want, size_ > offset ? size_ - offset : 0));
    buffer_.resize(want);
    buffer_offset_ = offset;
    MILLRACE_ASSIGN_OR_RETURN(auto got, file_.ReadAt(offset, buffer_));
    buffer_.resize(got);
  }
  std::size_t start = static_cast<std::size_t>(offset - buffer_offset_);
  return ByteSpan(buffer_).subspan(start, std::min(length, buffer_.size() - start));
}

void WalkedEntry::TakeText(ByteSpan head) {
  partition_key = std::string(AsText(head.subspan(kEntryHeaderBytes, header.key_bytes)));
  const ByteSpan behind_key = head.subspan(kEntryHeaderBytes + header.key_bytes);
  const ByteSpan of_seal = behind_key.subspan(header.attribute_bytes);
  attributes.assign(behind_key.begin(), behind_key.end() - static_cast<std::ptrdiff_t>(of_seal.size()));
  seal.assign(of_seal.begin(), of_seal.end());
}

WalkOutcome SegmentWalker::Damaged(std::uint64_t offset, std::string what) {
  problem_ = std::move(what) + " at offset " + std::to_string(offset);
  return WalkOutcome::kDamaged;
}

Result<WalkOutcome> SegmentWalker::Next() {
  group_.entries.clear();
  if (position_ == size_) return WalkOutcome::kEnd;
  MILLRACE_ASSIGN_OR_RETURN(auto bytes, View(position_, kGroupHeaderBytes));
  if (bytes.size() < kGroupHeaderBytes) return Damaged(position_, "a cut-off group header");
  auto header = ParseGroupHeader(bytes, {store_, segment_, position_});
  if (!header) return Damaged(position_, "no valid group header");
  group_.offset = position_;
  group_.header = *header;
  std::uint64_t at = position_ + kGroupHeaderBytes;
  if (header->body_bytes > size_ - at)
    return Damaged(position_, "a group that goes on behind the end of the file");
  std::uint64_t end = at + header->body_bytes;
  for (std::uint32_t i = 0; i < header->entries; ++i) {
    MILLRACE_ASSIGN_OR_RETURN(auto fixed, View(at, kEntryHeaderBytes));
    if (fixed.size() < kEntryHeaderBytes) return Damaged(at, "a cut-off entry");
    WalkedEntry entry;
    entry.offset = at;
    entry.header = PeekEntryHeader(fixed);
    const EntryHeader& h = entry.header;
    if (h.attribute_bytes > kAttributesBytesMax || h.HeadBytes() > end - at ||
        h.data_bytes > end - at - h.HeadBytes()) {
      return Damaged(at, "an entry that goes on behind its group's end");
    }
    MILLRACE_ASSIGN_OR_RETURN(auto head, View(at, static_cast<std::size_t>(h.HeadBytes())));
    if (head.size() < h.HeadBytes() || !EntryHeadIsValid(head, {store_, segment_, at})) {
      return Damaged(at, "an entry head that does not match its checksum");
    }
    entry.TakeText(head);
    at += h.TotalBytes();
    group_.entries.push_back(std::move(entry));
  }
  if (at != end) return Damaged(position_, "a group whose entries do not fill it");
  position_ = end;
  return WalkOutcome::kGroup;
}

Result<bool> DataIsValid(File& file, const WalkedEntry& entry) {
  Bytes piece(static_cast<std::size_t>(std::min<std::uint64_t>(entry.header.data_bytes, kDataPieceBytes)));
  std::uint32_t crc = 0;
  for (std::uint64_t done = 0; done < entry.header.data_bytes;) {
    auto length =
        static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), entry.header.data_bytes - done));
    MILLRACE_ASSIGN_OR_RETURN(auto got,
                              file.ReadAt(entry.data_offset() + done, std::span(piece).first(length)));
    if (got < length) return false;
    crc = Crc32c(ByteSpan(piece).first(length), crc);
    done += length;
  }
  return crc == entry.header.data_crc;
}

Result<bool> DataIsPunched(File& file, const WalkedEntry& entry) {
  BlockRange range = WholeBlocks(entry.data_offset(), entry.header.data_bytes);
  if (range.length == 0) return false;
  Bytes piece(static_cast<std::size_t>(std::min<std::uint64_t>(range.length, kDataPieceBytes)));
  for (std::uint64_t done = 0; done < range.length;) {
    auto length = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), range.length - done));
    MILLRACE_ASSIGN_OR_RETURN(auto got, file.ReadAt(range.offset + done, std::span(piece).first(length)));
    if (got < length) return false;
    if (std::any_of(piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(length),
                    [](std::uint8_t byte) { return byte != 0; })) {
      return false;
    }
    done += length;
  }
  return true;
}

BlockRange WholeBlocks(std::uint64_t data_offset, std::uint64_t data_bytes) {
  std::uint64_t first = (data_offset + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
  std::uint64_t last = (data_offset + data_bytes) / kBlockBytes * kBlockBytes;
  return last > first ? BlockRange{first, last - first} : BlockRange{first, 0};
}

Result<std::optional<std::uint64_t>> FindGroup(File& file, StoreId store, SegmentId segment,
                                               std::uint64_t from, std::uint64_t size) {
  Bytes piece(kDataPieceBytes + kGroupHeaderBytes);
  for (std::uint64_t at = from; at + kGroupHeaderBytes <= size; at += kDataPieceBytes) {
    auto length = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), size - at));
    MILLRACE_ASSIGN_OR_RETURN(auto got, file.ReadAt(at, std::span(piece).first(length)));
    ByteSpan bytes = ByteSpan(piece).first(got);
    for (std::size_t i = 0; i + kGroupHeaderBytes <= bytes.size() && i < kDataPieceBytes; ++i) {
      if (bytes[i] == kGroupMagic[0] && ParseGroupHeader(bytes.subspan(i), {store, segment, at + i})) {
        return std::optional<std::uint64_t>(at + i);
      }
    }
  }
  return std::optional<std::uint64_t>{};
}

}  // namespace millrace::storage
