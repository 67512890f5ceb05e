#include "storage/data_directory.h"

#include <algorithm>
#include <charconv>
#include <random>
#include <utility>

namespace millrace::storage {
namespace {

constexpr std::string_view kMarkerName = "MILLRACE";
constexpr std::string_view kMarkerTitle = "millrace data directory";

std::string MarkerText(StoreId store, std::uint32_t format) {
  std::string hex;
  for (int shift = 60; shift >= 0; shift -= 4) hex.push_back("0123456789abcdef"[(store >> shift) & 15]);
  return std::string(kMarkerTitle) + "\nformat " + std::to_string(format) + "\nstore " + hex + "\n";
}

struct Marker {
  StoreId store = 0;
  std::uint32_t format = 0;
};

Result<Marker> ParseMarker(std::string_view text, const std::string& path) {
  auto damaged = [&] {
    return Error{ErrorCode::kCorruption, path + "/" + std::string(kMarkerName) +
                                             " is damaged: it does not say a format and a store id"};
  };
  auto take = [&](std::string_view label) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    return line.substr(0, label.size()) == label ? line.substr(label.size()) : std::string_view();
  };
  if (text.substr(0, kMarkerTitle.size()) != kMarkerTitle) return damaged();
  take("");
  std::string_view number = take("format ");
  std::uint32_t format = 0;
  if (std::from_chars(number.data(), number.data() + number.size(), format).ec != std::errc{})
    return damaged();
  if (format > kFormatVersion) {
    return Error{ErrorCode::kUnsupported, path + " has format version " + std::to_string(format) +
                                              "; this program reads up to " + std::to_string(kFormatVersion) +
                                              ". Use a newer millrace"};
  }
  std::string_view hex = take("store ");
  StoreId store = 0;
  auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), store, 16);
  if (hex.size() != 16 || error != std::errc{} || end != hex.data() + hex.size()) return damaged();
  return Marker{store, format};
}

Result<void> MakeDirectory(FileSystem& files, const std::string& path) {
  auto made = files.CreateDirectory(path);
  if (!made && made.error().code != ErrorCode::kAlreadyExists) return made;
  return {};
}

Result<Marker> ReadMarker(FileSystem& files, const std::string& path) {
  MILLRACE_ASSIGN_OR_RETURN(auto text, ReadWholeFile(files, path + "/" + std::string(kMarkerName), 4096));
  return ParseMarker(AsText(text), path);
}

}  // namespace

std::string DataDirectory::SegmentPath(SegmentId segment, SegmentKind kind) const {
  std::string digits = std::to_string(segment);
  return LogPath() + "/" + std::string(digits.size() < 8 ? 8 - digits.size() : 0, '0') + digits +
         (kind == SegmentKind::kData ? ".log" : ".control");
}

Result<DataDirectory> DataDirectory::Open(FileSystem& files, const std::string& path) {
  DataDirectory directory;
  directory.path = path;
  MILLRACE_ASSIGN_OR_RETURN(bool there, files.Exists(path));
  if (!there) {
    MILLRACE_RETURN_IF_ERROR(MakeDirectory(files, path));
    auto slash = path.rfind('/');
    std::string parent = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
    MILLRACE_RETURN_IF_ERROR(files.SyncDirectory(parent));
  }
  // Before anything is made in it: a directory that holds something else is left as it is.
  MILLRACE_ASSIGN_OR_RETURN(auto entries, files.List(path));
  auto is_ours = [](const DirectoryEntry& entry) { return entry.name == kMarkerName; };
  bool marked = std::any_of(entries.begin(), entries.end(), is_ours);
  for (const DirectoryEntry& entry : entries) {
    if (marked || entry.name == "LOCK" || entry.name == "lost+found" || entry.name == "MILLRACE.new")
      continue;
    return Error{ErrorCode::kFailedPrecondition,
                 path + " is not a millrace data directory, and not empty (it holds '" + entry.name +
                     "'): name another directory"};
  }
  MILLRACE_ASSIGN_OR_RETURN(directory.lock, files.Lock(path + "/LOCK"));
  MILLRACE_ASSIGN_OR_RETURN(marked, files.Exists(path + "/" + std::string(kMarkerName)));
  if (marked) {
    MILLRACE_ASSIGN_OR_RETURN(const Marker marker, ReadMarker(files, path));
    directory.store = marker.store;
    directory.format = marker.format;
  } else {
    std::random_device random;
    directory.store = (std::uint64_t{random()} << 32) | random();
    MILLRACE_RETURN_IF_ERROR(directory.WriteMarker(files, directory.format));
  }
  MILLRACE_RETURN_IF_ERROR(MakeDirectory(files, directory.LogPath()));
  MILLRACE_RETURN_IF_ERROR(MakeDirectory(files, directory.IndexPath()));
  MILLRACE_RETURN_IF_ERROR(files.SyncDirectory(path));
  return directory;
}

Result<void> DataDirectory::WriteMarker(FileSystem& files, std::uint32_t as_format) const {
  return ReplaceFile(files, path, std::string(kMarkerName), AsBytes(MarkerText(store, as_format)));
}

Result<DataDirectory> DataDirectory::OpenForLooking(FileSystem& files, const std::string& path) {
  DataDirectory directory;
  directory.path = path;
  MILLRACE_ASSIGN_OR_RETURN(bool there, files.Exists(path + "/" + std::string(kMarkerName)));
  if (!there) return Error{ErrorCode::kNotFound, path + " is not a millrace data directory"};
  MILLRACE_ASSIGN_OR_RETURN(directory.lock, files.Lock(path + "/LOCK"));
  MILLRACE_ASSIGN_OR_RETURN(const Marker marker, ReadMarker(files, path));
  directory.store = marker.store;
  directory.format = marker.format;
  return directory;
}

Result<std::vector<SegmentFile>> ListSegments(FileSystem& files, const DataDirectory& directory,
                                              std::vector<std::string>* strangers) {
  MILLRACE_ASSIGN_OR_RETURN(auto entries, files.List(directory.LogPath()));
  std::vector<SegmentFile> segments;
  for (const DirectoryEntry& entry : entries) {
    SegmentFile file;
    auto [end, error] =
        std::from_chars(entry.name.data(), entry.name.data() + entry.name.size(), file.segment);
    std::string_view suffix(end, static_cast<std::size_t>(entry.name.data() + entry.name.size() - end));
    file.kind = suffix == ".control" ? SegmentKind::kControl : SegmentKind::kData;
    if (error != std::errc{} || (suffix != ".log" && suffix != ".control")) {
      if (strangers != nullptr) strangers->push_back(entry.name);
      continue;
    }
    segments.push_back(file);
  }
  std::sort(segments.begin(), segments.end(),
            [](const auto& a, const auto& b) { return a.segment < b.segment; });
  return segments;
}

}  // namespace millrace::storage
