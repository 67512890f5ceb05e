#include "storage/control_recovery.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "storage/segment_walker.h"

namespace millrace::storage {
namespace {

// scan.groups is 0 when there is no whole snapshot; then `state` is as it was.
Result<TailScan> ReadControlSegment(File& file, const std::string& path, StoreId store, SegmentId segment,
                                    std::uint64_t size, ControlState& state) {
  bool first = true;
  auto visit = [&](const WalkedGroup& group) -> Result<void> {
    if (first != ((group.header.flags & kGroupSnapshot) != 0)) {
      return Damaged(path, "no snapshot where one has to be, at offset " + std::to_string(group.offset));
    }
    first = false;
    for (const WalkedEntry& entry : group.entries) {
      MILLRACE_ASSIGN_OR_RETURN(bool valid, DataIsValid(file, entry));
      if (!valid)
        return Damaged(path, "a control entry is damaged at offset " + std::to_string(entry.offset));
      Bytes bytes(static_cast<std::size_t>(entry.header.data_bytes));
      MILLRACE_ASSIGN_OR_RETURN(auto got, file.ReadAt(entry.data_offset(), bytes));
      bytes.resize(got);
      MILLRACE_ASSIGN_OR_RETURN(auto change, DecodeChange(bytes));
      MILLRACE_RETURN_IF_ERROR(state.Apply(change));
    }
    return {};
  };
  return ScanGroups(
      file, path, store, segment, kSegmentHeaderBytes, size, 0, [](const WalkedEntry&) { return false; },
      visit);
}

}  // namespace

Result<FoundControl> FindControl(FileSystem& files, const DataDirectory& directory,
                                 const std::vector<SegmentFile>& segments, OpenMode mode,
                                 ControlState& state) {
  FoundControl found;
  bool any_data = false;
  std::optional<SegmentId> oldest;
  for (const SegmentFile& segment : segments) {
    if (segment.kind == SegmentKind::kData) any_data = true;
    if (segment.kind == SegmentKind::kControl && !oldest) oldest = segment.segment;
  }
  for (auto it = segments.rbegin(); it != segments.rend(); ++it) {
    if (it->kind != SegmentKind::kControl) continue;
    std::string path = directory.SegmentPath(it->segment, it->kind);
    if (found.file) {
      found.replaced.push_back({it->segment, std::move(path), {}});
      continue;
    }
    MILLRACE_ASSIGN_OR_RETURN(auto file, files.Open(path, mode));
    MILLRACE_ASSIGN_OR_RETURN(auto size, file->Size());
    auto header = CheckHeader(*file, path, directory.store, *it);
    if (!header && header.error().code == ErrorCode::kUnsupported) return std::move(header).error();
    TailScan scan;
    if (header) {
      MILLRACE_ASSIGN_OR_RETURN(scan,
                                ReadControlSegment(*file, path, directory.store, it->segment, size, state));
    }
    if (scan.groups != 0) {
      if (auto whole = state.Check(); !whole) return Damaged(path, whole.error().message);
      found.file = std::move(file);
      found.segment = it->segment;
      found.path = std::move(path);
      found.scan = std::move(scan);
      continue;
    }
    // A snapshot that was never finished; the one before it is still there, or the directory is new.
    std::string why = header ? (scan.torn.empty() ? "it is empty" : scan.torn) : header.error().message;
    if (it->segment == oldest && any_data) return Damaged(path, why);
    found.unfinished.push_back({it->segment, std::move(path), std::move(why)});
  }
  if (!found.file && any_data) {
    return Damaged(directory.LogPath(),
                   "there are data segments but no control segment: streams and metadata are lost");
  }
  return found;
}

Result<void> CheckControlMarkers(const FoundControl& control, Index& index) {
  auto behind = [&](SegmentId segment, const std::string& path, std::uint64_t end) -> Result<void> {
    MILLRACE_ASSIGN_OR_RETURN(auto marker, index.Marker(segment));
    if (end >= marker.end) return {};
    return Damaged(path, "it ends at offset " + std::to_string(end) + ", but held changes up to " +
                             std::to_string(marker.end));
  };
  for (const FoundControl::LeftOver& file : control.unfinished) {
    MILLRACE_RETURN_IF_ERROR(behind(file.segment, file.path, 0));
  }
  if (!control.file) return {};
  return behind(control.segment, control.path, control.scan.end);
}

Result<void> CheckUnlisted(FileSystem& files, const DataDirectory& directory, const SegmentFile& segment,
                           const ControlState& state) {
  if (segment.segment < state.next_segment) return {};
  std::string path = directory.SegmentPath(segment.segment, segment.kind);
  MILLRACE_ASSIGN_OR_RETURN(auto file, files.Open(path, OpenMode::kRead));
  MILLRACE_ASSIGN_OR_RETURN(auto size, file->Size());
  MILLRACE_ASSIGN_OR_RETURN(auto group,
                            FindGroup(*file, directory.store, segment.segment, kSegmentHeaderBytes, size));
  if (group) return Damaged(path, "it holds records, and the control segment does not know it");
  return {};
}

}  // namespace millrace::storage
