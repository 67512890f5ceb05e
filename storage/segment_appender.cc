#include "storage/segment_appender.h"

#include <utility>

namespace millrace::storage {

SegmentAppender::SegmentAppender(std::unique_ptr<File> file, StoreId store, SegmentId segment,
                                 std::uint64_t end)
    : file_(std::move(file)), store_(store), segment_(segment), end_(end), end_before_(end) {}

std::uint64_t SegmentAppender::AddEntry(EntryHeader header, ByteSpan partition_key, ByteSpan attributes,
                                        SharedBytes data, ByteSpan seal) {
  header.key_bytes = static_cast<std::uint16_t>(partition_key.size());
  header.attribute_bytes = static_cast<std::uint32_t>(attributes.size());
  header.data_bytes = data.size();
  header.sealed = !seal.empty();
  std::uint64_t offset = end_ + kGroupHeaderBytes + body_bytes_;
  std::size_t start = heads_.size();
  AppendEntryHead(heads_, {store_, segment_, offset}, header, partition_key, attributes, seal);
  if (entries_ == 0) first_counter_ = header.counter;
  last_counter_ = header.counter;
  pieces_.push_back({start, heads_.size() - start, std::move(data)});
  body_bytes_ += header.TotalBytes();
  ++entries_;
  return offset;
}

Result<void> SegmentAppender::Write(std::uint64_t durable_counter, std::uint64_t newest_counter,
                                    std::uint32_t flags) {
  Bytes group_header;
  AppendGroupHeader(
      group_header, {store_, segment_, end_},
      {body_bytes_, entries_ == 0 ? newest_counter : first_counter_, durable_counter, entries_, flags});
  std::vector<ByteSpan> parts;
  parts.reserve(1 + pieces_.size() * 2);
  parts.emplace_back(group_header);
  for (const Piece& piece : pieces_) {
    ByteSpan head = ByteSpan(heads_).subspan(piece.head_offset, piece.head_bytes);
    // Heads of small entries whose data is empty lie next to each other: one part for the run.
    if (parts.size() > 1 && parts.back().data() + parts.back().size() == head.data()) {
      parts.back() = {parts.back().data(), parts.back().size() + head.size()};
    } else {
      parts.push_back(head);
    }
    if (!piece.data.empty()) parts.push_back(piece.data.span());
  }
  written_ = true;
  return file_->WriteAt(end_, parts);
}

Result<void> SegmentAppender::Sync() {
  MILLRACE_RETURN_IF_ERROR(file_->Sync());
  end_before_ = end_;
  end_ += kGroupHeaderBytes + body_bytes_;
  Clear();
  return {};
}

Result<void> SegmentAppender::Rollback() {
  bool cut = written_;
  Clear();
  if (!cut) return {};
  // Durably: the group could come back with a power loss, after its records were refused; and torn, with
  // counters that others have passed meanwhile, it would look like damage.
  MILLRACE_RETURN_IF_ERROR(file_->Truncate(end_));
  return file_->Sync();
}

Result<void> SegmentAppender::TakeBack() {
  end_ = end_before_;
  MILLRACE_RETURN_IF_ERROR(file_->Truncate(end_));
  return file_->Sync();
}

void SegmentAppender::Clear() {
  heads_.clear();
  pieces_.clear();
  body_bytes_ = 0;
  entries_ = 0;
  written_ = false;
}

}  // namespace millrace::storage
