#include "storage/repair.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "base/log.h"
#include "storage/commit_writer.h"
#include "storage/control_recovery.h"
#include "storage/embedded_log.h"
#include "storage/engine.h"
#include "storage/index.h"
#include "storage/recovery.h"
#include "storage/segment_salvage.h"

namespace millrace::storage {
namespace {

constexpr std::size_t kLostTextsMax = 1000;

bool Mentions(const CheckReport& report, const std::string& path) {
  return std::any_of(report.problems.begin(), report.problems.end(),
                     [&](const std::string& problem) { return problem.find(path) != std::string::npos; });
}

// The store's id, from the headers of its segments. Errors: kCorruption where they do not tell.
Result<StoreId> StoreOfSegments(FileSystem& files, const DataDirectory& directory) {
  MILLRACE_ASSIGN_OR_RETURN(const auto segments, ListSegments(files, directory));
  std::map<StoreId, std::size_t> seen;
  for (const SegmentFile& segment : segments) {
    const std::string path = directory.SegmentPath(segment.segment, segment.kind);
    MILLRACE_ASSIGN_OR_RETURN(auto file, files.Open(path, OpenMode::kRead));
    Bytes bytes(kSegmentHeaderBytes);
    MILLRACE_ASSIGN_OR_RETURN(const auto got, file->ReadAt(0, bytes));
    bytes.resize(got);
    auto header = ParseSegmentHeader(bytes, path);
    if (header) ++seen[header->store];
  }
  if (seen.size() == 1) return seen.begin()->first;
  return Error{ErrorCode::kCorruption, directory.path + ": the marker is damaged, and the segments " +
                                           (seen.empty() ? "do not say" : "do not agree") +
                                           " whose they are"};
}

// Of a segment that is written anew, until it takes the old one's place.
constexpr std::string_view kFreshSuffix = ".new";

class Repairer {
 public:
  Repairer(FileSystem& files, const Clock& clock, const std::string& path, RepairReport& report)
      : files_(files), clock_(clock), path_(path), report_(report) {}

  Result<void> Run() {
    {
      MILLRACE_ASSIGN_OR_RETURN(auto directory, OpenDirectory());
      EmbeddedLogOptions options;
      options.path = path_;
      options.files = &files_;
      options.clock = &clock_;
      Engine engine(options, std::move(directory));
      MILLRACE_RETURN_IF_ERROR(MendLog(engine));
      MILLRACE_RETURN_IF_ERROR(Index::Remove(files_, engine.directory.IndexPath()));
      report_.mended.push_back("the index is made again from the log");
    }
    EmbeddedLogOptions options;
    options.path = path_;
    options.files = &files_;
    options.clock = &clock_;
    options.without_keys = true;
    auto opened = EmbeddedLog::Open(options);
    if (!opened) return std::move(opened).error();
    return {};
  }

 private:
  void Lost(std::string text) {
    if (report_.lost.size() < kLostTextsMax) report_.lost.push_back(std::move(text));
  }

  Result<DataDirectory> OpenDirectory() {
    auto directory = DataDirectory::OpenForLooking(files_, path_);
    if (directory || directory.error().code != ErrorCode::kCorruption) return directory;
    DataDirectory unmarked;
    unmarked.path = path_;
    MILLRACE_ASSIGN_OR_RETURN(unmarked.lock, files_.Lock(path_ + "/LOCK"));
    MILLRACE_ASSIGN_OR_RETURN(unmarked.store, StoreOfSegments(files_, unmarked));
    // Which format it had is not known: the one that no older program misreads.
    unmarked.format = kFormatVersion;
    MILLRACE_RETURN_IF_ERROR(unmarked.WriteMarker(files_, unmarked.format));
    report_.mended.push_back("the marker file is made again from the segments");
    return unmarked;
  }

  // Out of the way, and still there for who wants to look.
  Result<void> SetAside(const Engine& engine, const std::string& file) {
    const std::string aside = path_ + "/damaged";
    if (auto made = files_.CreateDirectory(aside); !made && made.error().code != ErrorCode::kAlreadyExists) {
      return made;
    }
    std::string name = aside + file.substr(file.rfind('/'));
    for (int n = 1;; ++n) {
      MILLRACE_ASSIGN_OR_RETURN(const bool there, files_.Exists(name));
      if (!there) break;
      name = aside + file.substr(file.rfind('/')) + "." + std::to_string(n);
    }
    MILLRACE_RETURN_IF_ERROR(files_.Rename(file, name));
    MILLRACE_RETURN_IF_ERROR(files_.SyncDirectory(aside));
    MILLRACE_RETURN_IF_ERROR(files_.SyncDirectory(path_));
    return files_.SyncDirectory(engine.directory.LogPath());
  }

  // A repair that was stopped had set segments aside, and the new ones had not taken their places: whole, and
  // durable. Before anything is taken for missing.
  Result<void> FinishReplacing(const Engine& engine) {
    MILLRACE_ASSIGN_OR_RETURN(const auto entries, files_.List(engine.directory.LogPath()));
    for (const DirectoryEntry& entry : entries) {
      if (!entry.name.ends_with(".log" + std::string(kFreshSuffix))) continue;
      const std::string fresh = engine.directory.LogPath() + "/" + entry.name;
      const std::string path = fresh.substr(0, fresh.size() - kFreshSuffix.size());
      MILLRACE_ASSIGN_OR_RETURN(const bool there, files_.Exists(path));
      if (there) continue;
      MILLRACE_RETURN_IF_ERROR(files_.Rename(fresh, path));
      MILLRACE_RETURN_IF_ERROR(files_.SyncDirectory(engine.directory.LogPath()));
      report_.mended.push_back(path + " is what a repair that was stopped has saved of it");
    }
    return {};
  }

  Result<void> MendLog(Engine& engine) {
    MILLRACE_RETURN_IF_ERROR(FinishReplacing(engine));
    MILLRACE_ASSIGN_OR_RETURN(const auto segments, ListSegments(files_, engine.directory));
    std::string damaged_control;
    std::uint64_t counter = 0;
    auto control = FindControl(files_, engine.directory, segments, OpenMode::kRead, engine.state);
    bool rewrite = false;
    if (control) {
      counter = control->scan.last_counter;
    } else {
      if (control.error().code != ErrorCode::kCorruption) return std::move(control).error();
      engine.state = ControlState{};
      MILLRACE_ASSIGN_OR_RETURN(damaged_control, SalvageControl(engine, segments, counter));
      rewrite = true;
    }
    for (const SegmentFile& file : segments) {
      if (file.kind != SegmentKind::kData || engine.state.segments().contains(file.segment)) continue;
      MILLRACE_ASSIGN_OR_RETURN(const bool adopted, Adopt(engine, file, rewrite));
      rewrite = rewrite || adopted;
    }
    std::vector<SegmentId> missing;
    for (const auto& [id, row] : engine.state.segments()) {
      const bool there = std::any_of(segments.begin(), segments.end(), [id = id](const SegmentFile& file) {
        return file.segment == id && file.kind == SegmentKind::kData;
      });
      if (!there) missing.push_back(id);
    }
    for (SegmentId id : missing) {
      MILLRACE_RETURN_IF_ERROR(engine.state.Apply({SegmentRemovedRow(id)}));
      const std::string path = engine.directory.SegmentPath(id, SegmentKind::kData);
      Lost("all records of " + path + ", which is missing");
      report_.mended.push_back(path + " is taken off the list");
      rewrite = true;
    }
    std::map<std::uint8_t, SegmentId> newest_of_class;
    for (const auto& [id, row] : engine.state.segments()) newest_of_class[row.retention_class] = id;
    for (const auto& [id, row] : engine.state.segments()) {
      MILLRACE_RETURN_IF_ERROR(
          MendSegment(engine, id, row, newest_of_class[row.retention_class] == id, counter));
    }
    if (!rewrite) return {};
    // The newest whole snapshot counts, so the old segment may go only afterwards.
    if (auto whole = engine.state.Check(); !whole) {
      return WithContext(std::move(whole).error(), "what is left of the control segment cannot be used");
    }
    for (const SegmentFile& file : segments) {
      MILLRACE_RETURN_IF_ERROR(engine.state.Apply({NextIdsRow(engine.state.next_stream, file.segment + 1)}));
    }
    auto made = MakeControlSegment(engine, counter + 1, 0, clock_.Now());
    if (!made) return std::move(made).error();
    report_.mended.push_back("the control segment is written anew");
    if (!damaged_control.empty()) MILLRACE_RETURN_IF_ERROR(SetAside(engine, damaged_control));
    return {};
  }

  // Applies what can be read of the newest control segment with a whole snapshot; gives its path.
  Result<std::string> SalvageControl(Engine& engine, const std::vector<SegmentFile>& segments,
                                     std::uint64_t& counter) {
    for (auto it = segments.rbegin(); it != segments.rend(); ++it) {
      if (it->kind != SegmentKind::kControl) continue;
      const std::string path = engine.directory.SegmentPath(it->segment, it->kind);
      MILLRACE_ASSIGN_OR_RETURN(auto file, files_.Open(path, OpenMode::kRead));
      MILLRACE_ASSIGN_OR_RETURN(const auto size, file->Size());
      bool snapshot = false;
      for (std::uint64_t from = kSegmentHeaderBytes; from < size;) {
        SegmentWalker walker(*file, engine.directory.store, it->segment, from, size);
        MILLRACE_ASSIGN_OR_RETURN(auto outcome, walker.Next());
        while (outcome == WalkOutcome::kGroup) {
          snapshot = snapshot || (walker.group().header.flags & kGroupSnapshot) != 0;
          if (!snapshot) break;
          MILLRACE_RETURN_IF_ERROR(ApplyGroup(engine.state, *file, path, walker.group(), counter));
          MILLRACE_ASSIGN_OR_RETURN(outcome, walker.Next());
        }
        if (!snapshot || outcome == WalkOutcome::kEnd) break;
        MILLRACE_ASSIGN_OR_RETURN(const auto beyond, FindGroup(*file, engine.directory.store, it->segment,
                                                               walker.position() + 1, size));
        Lost("changes of streams, rules or metadata: " + path + " at offset " +
             std::to_string(walker.position()) + " (" + walker.problem() + ")");
        if (!beyond) break;
        from = *beyond;
      }
      if (snapshot) return path;
    }
    return Error{ErrorCode::kCorruption,
                 "no control segment has a whole snapshot: the streams are lost. Make a new data directory "
                 "from a backup of the metadata (millrace restore)"};
  }

  Result<void> ApplyGroup(ControlState& state, File& file, const std::string& path, const WalkedGroup& group,
                          std::uint64_t& counter) {
    for (const WalkedEntry& entry : group.entries) {
      counter = std::max(counter, entry.header.counter);
      MILLRACE_ASSIGN_OR_RETURN(const bool valid, DataIsValid(file, entry));
      Bytes bytes(static_cast<std::size_t>(entry.header.data_bytes));
      MILLRACE_ASSIGN_OR_RETURN(const auto got, file.ReadAt(entry.data_offset(), bytes));
      auto change =
          valid && got == bytes.size()
              ? DecodeChange(bytes)
              : Result<ControlChange>(Error{ErrorCode::kCorruption, "it does not match its checksum"});
      Result<void> applied;
      if (change) applied = state.Apply(*change);
      if (!change || !applied) {
        Lost("a change of streams, rules or metadata: " + path + " at offset " +
             std::to_string(entry.offset) + " (" +
             (change ? applied.error().message : change.error().message) + ")");
      }
    }
    return {};
  }

  // A segment that holds records and that the list has lost. True: it is entered again.
  Result<bool> Adopt(Engine& engine, const SegmentFile& segment, bool list_damaged) {
    if (segment.segment < engine.state.next_segment && !list_damaged) return false;  // it was removed
    const std::string path = engine.directory.SegmentPath(segment.segment, segment.kind);
    MILLRACE_ASSIGN_OR_RETURN(auto file, files_.Open(path, OpenMode::kRead));
    MILLRACE_ASSIGN_OR_RETURN(const auto size, file->Size());
    const auto header = CheckHeader(*file, path, engine.directory.store, segment);
    MILLRACE_ASSIGN_OR_RETURN(const auto group, FindGroup(*file, engine.directory.store, segment.segment,
                                                          kSegmentHeaderBytes, size));
    if (!group) return false;
    if (!header) {
      Lost("all records of " + path + ": it is in no list, and its header is damaged");
      MILLRACE_RETURN_IF_ERROR(SetAside(engine, path));
      return false;
    }
    MILLRACE_RETURN_IF_ERROR(
        engine.state.Apply({SegmentAddedRow(segment.segment, {header->retention_class, header->created}),
                            NextIdsRow(engine.state.next_stream, segment.segment + 1)}));
    report_.mended.push_back(path + " is entered into the list again");
    return true;
  }

  Result<void> MendSegment(Engine& engine, SegmentId id, const SegmentRow& row, bool newest,
                           std::uint64_t& counter) {
    const std::string path = engine.directory.SegmentPath(id, SegmentKind::kData);
    MILLRACE_ASSIGN_OR_RETURN(auto file, files_.Open(path, OpenMode::kRead));
    const Timestamp now = clock_.Now();
    auto is_dead = [&](const WalkedEntry& entry) {
      const StreamState* stream = std::as_const(engine.state).FindStream(entry.header.stream);
      const bool uncommitted =
          entry.header.kind == EntryKind::kBatch && entry.header.counter > engine.state.committed_batches;
      return uncommitted || stream == nullptr || stream->IsDead(FactsOf(entry), now);
    };
    MILLRACE_ASSIGN_OR_RETURN(auto salvage, SalvageSegment(*file, path, engine.directory.store, id, is_dead));
    for (const WalkedGroup& group : salvage.groups) {
      for (const WalkedEntry& entry : group.entries) counter = std::max(counter, entry.header.counter);
    }
    // A torn tail that nobody complained about is the next opening's, as ever.
    const bool torn = !salvage.torn.empty() && Mentions(report_.before, path);
    const bool unsealed = !newest && !salvage.sealed;
    if (salvage.header_valid && salvage.lost.empty() && !torn && !unsealed) return {};
    for (std::string& text : salvage.lost) Lost(std::move(text));
    if (torn || unsealed) {
      Lost("records that were at the end of " + path + (torn ? " (" + salvage.torn + ")" : ""));
    }
    const std::string fresh = path + std::string(kFreshSuffix);
    if (auto left = files_.Remove(fresh); !left && left.error().code != ErrorCode::kNotFound) return left;
    MILLRACE_RETURN_IF_ERROR(WriteSalvage(files_, *file, salvage, engine.directory.store, id, row,
                                          salvage.sealed || unsealed, fresh));
    file.reset();
    // From here on the records are in the new file alone: it is found there if this is stopped.
    MILLRACE_RETURN_IF_ERROR(files_.SyncDirectory(engine.directory.LogPath()));
    MILLRACE_RETURN_IF_ERROR(SetAside(engine, path));
    MILLRACE_RETURN_IF_ERROR(files_.Rename(fresh, path));
    MILLRACE_RETURN_IF_ERROR(files_.SyncDirectory(engine.directory.LogPath()));
    report_.mended.push_back(path + " is written anew with what is whole of it; the old one is in damaged/");
    return {};
  }

  FileSystem& files_;
  const Clock& clock_;
  const std::string path_;
  RepairReport& report_;
};

}  // namespace

std::string RepairReport::ToString() const {
  std::string text = before.ToString();
  for (const std::string& what : mended) text += "mended: " + what + "\n";
  for (const std::string& what : lost) text += "lost: " + what + "\n";
  if (failed) text += "given up: " + failed->message + "\n";
  if (!mended.empty() || failed) text += after.ToString();
  return text;
}

RepairReport RepairDataDirectory(const std::string& path, FileSystem& files, const Clock& clock,
                                 std::shared_ptr<const MasterKeys> master_keys) {
  RepairReport report;
  report.before = CheckDataDirectory(path, files, clock, master_keys);
  report.after = report.before;
  report.failed = report.before.refused;  // what is in use, or not ours, is left alone
  if (report.failed || report.before.ok()) return report;
  auto mended = Repairer(files, clock, path, report).Run();
  if (!mended) report.failed = mended.error();
  report.after = CheckDataDirectory(path, files, clock, std::move(master_keys));
  return report;
}

}  // namespace millrace::storage
