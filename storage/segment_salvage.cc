#include "storage/segment_salvage.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "storage/recovery.h"
#include "storage/segment_appender.h"

namespace millrace::storage {
namespace {

std::string At(const std::string& path, std::uint64_t offset) {
  return path + " at offset " + std::to_string(offset);
}

// The whole entries at the beginning of a group that is damaged further on.
Result<WalkedGroup> SalvageGroup(File& file, StoreId store, SegmentId segment, std::uint64_t offset,
                                 std::uint64_t limit) {
  WalkedGroup group;
  group.offset = offset;
  Bytes bytes(kGroupHeaderBytes);
  MILLRACE_ASSIGN_OR_RETURN(auto got, file.ReadAt(offset, bytes));
  if (got < bytes.size()) return group;
  const auto header = ParseGroupHeader(bytes, {store, segment, offset});
  if (!header) return group;
  group.header = *header;
  std::uint64_t at = offset + kGroupHeaderBytes;
  for (std::uint32_t i = 0; i < header->entries; ++i) {
    Bytes head(kEntryHeaderBytes);
    MILLRACE_ASSIGN_OR_RETURN(got, file.ReadAt(at, head));
    if (got < head.size()) break;
    WalkedEntry entry;
    entry.offset = at;
    entry.header = PeekEntryHeader(head);
    const EntryHeader& h = entry.header;
    if (h.attribute_bytes > kAttributesBytesMax || h.HeadBytes() > limit - at ||
        h.data_bytes > limit - at - h.HeadBytes()) {
      break;
    }
    head.resize(static_cast<std::size_t>(h.HeadBytes()));
    MILLRACE_ASSIGN_OR_RETURN(got, file.ReadAt(at, head));
    if (got < head.size() || !EntryHeadIsValid(head, {store, segment, at})) break;
    entry.TakeText(head);
    at += h.TotalBytes();
    group.entries.push_back(std::move(entry));
  }
  return group;
}

}  // namespace

Result<SegmentSalvage> SalvageSegment(File& file, const std::string& path, StoreId store, SegmentId segment,
                                      const std::function<bool(const WalkedEntry&)>& is_dead) {
  SegmentSalvage salvage;
  MILLRACE_ASSIGN_OR_RETURN(const auto size, file.Size());
  const auto header = CheckHeader(file, path, store, {segment, SegmentKind::kData});
  if (!header && header.error().code == ErrorCode::kUnsupported) return header.error();
  salvage.header_valid = header.has_value();
  if (header) salvage.version = header->version;
  // The entries that are live and have their data.
  auto keep = [&](WalkedGroup group) -> Result<void> {
    std::vector<WalkedEntry> whole;
    for (WalkedEntry& entry : group.entries) {
      if (is_dead(entry)) continue;
      MILLRACE_ASSIGN_OR_RETURN(const bool valid, DataIsValid(file, entry));
      if (valid) {
        whole.push_back(std::move(entry));
      } else {
        salvage.lost.push_back("a record of partition key '" + entry.partition_key + "', counter " +
                               std::to_string(entry.header.counter) + ": " + At(path, entry.offset));
      }
    }
    group.entries = std::move(whole);
    salvage.groups.push_back(std::move(group));
    return {};
  };
  std::uint64_t from = kSegmentHeaderBytes;
  while (from < size) {
    SegmentWalker walker(file, store, segment, from, size);
    MILLRACE_ASSIGN_OR_RETURN(auto outcome, walker.Next());
    while (outcome == WalkOutcome::kGroup) {
      salvage.sealed = (walker.group().header.flags & kGroupSeals) != 0;
      MILLRACE_RETURN_IF_ERROR(keep(walker.group()));
      MILLRACE_ASSIGN_OR_RETURN(outcome, walker.Next());
    }
    if (outcome == WalkOutcome::kEnd) break;
    const std::uint64_t damaged = walker.position();
    MILLRACE_ASSIGN_OR_RETURN(const auto beyond, FindGroup(file, store, segment, damaged + 1, size));
    if (!beyond) {
      salvage.torn = walker.problem();
      break;
    }
    MILLRACE_ASSIGN_OR_RETURN(auto group, SalvageGroup(file, store, segment, damaged, *beyond));
    const std::uint64_t missing = group.header.entries - group.entries.size();
    salvage.lost.push_back((missing > 0 ? std::to_string(missing) + " records" : "records") + ": " +
                           std::to_string(*beyond - damaged) + " bytes of " + At(path, damaged) + " (" +
                           walker.problem() + ")");
    MILLRACE_RETURN_IF_ERROR(keep(std::move(group)));
    from = *beyond;
  }
  return salvage;
}

Result<void> WriteSalvage(FileSystem& files, File& from, const SegmentSalvage& salvage, StoreId store,
                          SegmentId segment, const SegmentRow& row, bool seal, const std::string& path) {
  MILLRACE_ASSIGN_OR_RETURN(auto file, files.Open(path, OpenMode::kCreate));
  Bytes head;
  AppendSegmentHeader(
      head, {salvage.version, store, segment, SegmentKind::kData, row.retention_class, row.created});
  ByteSpan part(head);
  MILLRACE_RETURN_IF_ERROR(file->WriteAt(0, std::span(&part, 1)));
  SegmentAppender appender(std::move(file), store, segment, std::uint64_t{kSegmentHeaderBytes});
  std::uint64_t durable_counter = 0;
  std::uint64_t last_counter = 0;
  for (const WalkedGroup& group : salvage.groups) {
    durable_counter = std::max(durable_counter, group.header.durable_counter);
    last_counter = std::max(last_counter, group.header.first_counter);
    if (group.entries.empty()) continue;
    for (const WalkedEntry& entry : group.entries) {
      auto owner =
          std::make_shared_for_overwrite<std::uint8_t[]>(static_cast<std::size_t>(entry.header.data_bytes));
      const std::span<std::uint8_t> bytes(owner.get(), static_cast<std::size_t>(entry.header.data_bytes));
      MILLRACE_ASSIGN_OR_RETURN(const auto got, from.ReadAt(entry.data_offset(), bytes));
      if (got != bytes.size()) return Error{ErrorCode::kIo, path + ": the damaged segment changed meanwhile"};
      last_counter = std::max(last_counter, entry.header.counter);
      appender.AddEntry(entry.header, AsBytes(entry.partition_key), entry.attributes,
                        SharedBytes(std::move(owner), bytes), entry.seal);
    }
    MILLRACE_RETURN_IF_ERROR(appender.Write(group.header.durable_counter, last_counter, 0));
    MILLRACE_RETURN_IF_ERROR(appender.Sync());
  }
  if (!seal) return {};
  MILLRACE_RETURN_IF_ERROR(appender.Write(durable_counter, last_counter, kGroupSeals));
  return appender.Sync();
}

}  // namespace millrace::storage
