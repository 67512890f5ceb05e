#include "storage/recovery.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "storage/control_recovery.h"
#include "storage/segment_walker.h"

namespace millrace::storage {
namespace {

// Counters skip this far ahead at every opening (a millisecond of them), so that none is given twice even
// where the clock has stepped back and the last group was lost.
constexpr std::uint64_t kCounterSkip = 1 << 20;

Result<Bytes> ReadBytes(File& file, std::uint64_t offset, std::size_t length) {
  Bytes bytes(length);
  MILLRACE_ASSIGN_OR_RETURN(auto got, file.ReadAt(offset, bytes));
  bytes.resize(got);
  return bytes;
}

// Bytes that nothing proves durable may be in the page cache alone, marked clean by a sync that failed:
// written once more and synced before anything is built on them.
Result<void> WriteAgain(File& file, std::uint64_t from, std::uint64_t to) {
  constexpr std::size_t kPiece = 1 << 20;
  for (std::uint64_t at = from; at < to; at += kPiece) {
    MILLRACE_ASSIGN_OR_RETURN(
        auto bytes, ReadBytes(file, at, static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, to - at))));
    ByteSpan part(bytes);
    MILLRACE_RETURN_IF_ERROR(file.WriteAt(at, std::span(&part, 1)));
  }
  return file.Sync();
}

Result<void> FinishTail(File& file, const std::string& path, const TailScan& scan,
                        std::uint64_t durable_counter) {
  if (!scan.torn.empty()) {
    Log(LogLevel::kWarning, "cut a torn tail that was never acknowledged",
        {{"file", path}, {"end", scan.end}, {"found", scan.torn}});
    MILLRACE_RETURN_IF_ERROR(file.Truncate(scan.end));
    MILLRACE_RETURN_IF_ERROR(file.Sync());
  }
  // A seal holds no record, so no counter tells whether it is durable.
  if (scan.last_group != 0 && (scan.sealed || scan.last_counter > durable_counter)) {
    MILLRACE_RETURN_IF_ERROR(WriteAgain(file, scan.last_group, scan.end));
  }
  return {};
}

// One that RocksDB cannot open (a power loss tears its manifest) is made again from the log.
Result<std::unique_ptr<Index>> OpenIndex(Engine& engine) {
  const std::string path = engine.directory.IndexPath();
  Index::Options options;
  options.write_buffer_bytes = engine.options.index_write_buffer_bytes;
  options.block_cache_bytes = engine.options.index_cache_bytes;
  auto index = Index::Open(engine.files(), path, engine.directory.store, options);
  if (index || index.error().code != ErrorCode::kCorruption) return index;
  Log(LogLevel::kWarning, "the index is damaged and is made again from the log",
      {{"error", index.error().message}});
  MILLRACE_RETURN_IF_ERROR(Index::Remove(engine.files(), path));
  return Index::Open(engine.files(), path, engine.directory.store, options);
}

struct OpenSegment {
  SegmentId segment = 0;
  std::unique_ptr<File> file;
  std::string path;
  TailScan scan;  // end is 0: nothing had to be scanned
  // of data segments
  SegmentMarker marker;
  std::uint8_t retention_class = 0;
  Timestamp created;
};

// A data segment that is not in the list has been removed from it, or was made and never entered; then it
// holds nothing.
Result<void> RemoveUnlisted(Engine& engine, const SegmentFile& segment) {
  MILLRACE_RETURN_IF_ERROR(CheckUnlisted(engine.files(), engine.directory, segment, engine.state));
  return engine.files().Remove(engine.directory.SegmentPath(segment.segment, segment.kind));
}

// The groups behind the segment's marker into the index; gives how many records that were.
Result<std::uint64_t> Replay(Engine& engine, const OpenSegment& segment,
                             const std::function<bool(const WalkedEntry&)>& is_dead,
                             const std::function<bool(const WalkedEntry&)>& is_to_be_erased) {
  std::uint64_t records = 0;
  SegmentMarker reached = segment.marker;
  IndexBatch batch;
  auto visit = [&](const WalkedGroup& group) -> Result<void> {
    for (const WalkedEntry& entry : group.entries) {
      reached.last_counter = std::max(reached.last_counter, entry.header.counter);
      // What a deletion has still to erase it finds by its row.
      if (!entry.header.IsRecord() || (is_dead(entry) && !is_to_be_erased(entry))) continue;
      batch.AddRecord(entry.header.stream, ToIndexed(entry, segment.segment));
      ++records;
    }
    reached.end = group.end();
    reached.sealed = (group.header.flags & kGroupSeals) != 0;
    batch.SetMarker(segment.segment, reached);
    MILLRACE_RETURN_IF_ERROR(engine.index->Write(batch));
    batch.Clear();
    return {};
  };
  std::uint64_t from = std::max<std::uint64_t>(segment.marker.end, kSegmentHeaderBytes);
  auto scan = ScanGroups(*segment.file, segment.path, engine.directory.store, segment.segment, from,
                         segment.scan.end, engine.state.committed_batches, is_dead, visit);
  if (!scan) return std::move(scan).error();
  return records;
}

// Of all streams and partition keys: the latest moment before which something is gone, and the shortest time
// that something is kept.
struct Rules {
  Timestamp horizon = kBeginningOfTime;
  Duration shortest = Duration::max();
};
Rules RulesOf(const ControlState& state, Timestamp now) {
  Rules rules;
  auto add = [&](const StreamState& stream, const PartitionRule* rule) {
    rules.horizon = std::max(rules.horizon, stream.HorizonOf(rule, now));
    rules.shortest = std::min(rules.shortest, stream.RetentionOf(rule));
  };
  for (const auto& [id, stream] : state.streams()) {
    add(*stream, nullptr);
    for (const auto& [key, rule] : stream->partitions) add(*stream, &rule);
  }
  return rules;
}

// When something in the segment expires at the earliest. Its class says how long its records were to be kept
// when they were put; a retention may have become shorter since, and the sweep that it asked for was lost
// with the stop.
Timestamp SweepDueOf(const SegmentRow& segment, const Rules& rules) {
  if (segment.created < rules.horizon) return Timestamp{0};
  return segment.created + std::min(RetentionMin(segment.retention_class), rules.shortest);
}

}  // namespace

Error Damaged(const std::string& path, const std::string& what) {
  return Error{ErrorCode::kCorruption,
               path + ": " + what + ". Acknowledged data is damaged; `millrace check` says what is affected"};
}

Result<SegmentHeader> CheckHeader(File& file, const std::string& path, StoreId store,
                                  const SegmentFile& expected) {
  MILLRACE_ASSIGN_OR_RETURN(auto bytes, ReadBytes(file, 0, kSegmentHeaderBytes));
  MILLRACE_ASSIGN_OR_RETURN(auto header, ParseSegmentHeader(bytes, path));
  if (header.store != store || header.segment != expected.segment || header.kind != expected.kind) {
    return Error{ErrorCode::kCorruption, path + " belongs to another data directory or place"};
  }
  return header;
}

IndexedRecord ToIndexed(const WalkedEntry& entry, SegmentId segment) {
  IndexedRecord record;
  record.shard = entry.header.shard;
  record.counter = entry.header.counter;
  record.segment = segment;
  record.entry_offset = entry.offset;
  record.data_bytes = entry.header.data_bytes;
  record.data_crc = entry.header.data_crc;
  record.arrival = entry.header.arrival;
  record.partition_key = entry.partition_key;
  record.attributes = entry.attributes;
  record.sealed = entry.header.sealed;
  return record;
}

Result<TailScan> ScanGroups(File& file, const std::string& path, StoreId store, SegmentId segment,
                            std::uint64_t from, std::uint64_t size, std::uint64_t committed_batches,
                            const std::function<bool(const WalkedEntry&)>& is_dead,
                            const std::function<Result<void>(const WalkedGroup&)>& visit) {
  auto uncommitted = [&](const WalkedGroup& group) {
    return std::any_of(group.entries.begin(), group.entries.end(), [&](const WalkedEntry& entry) {
      return entry.header.kind == EntryKind::kBatch && entry.header.counter > committed_batches;
    });
  };
  auto visit_older = [&](const WalkedGroup& group) -> Result<void> {
    if (!uncommitted(group)) return visit(group);
    return Damaged(path, "a batch that was never committed has groups behind it, at offset " +
                             std::to_string(group.offset));
  };
  SegmentWalker walker(file, store, segment, from, size);
  TailScan scan;
  scan.end = from;
  std::optional<WalkedGroup> held;  // the newest group: only it can lack data
  while (true) {
    MILLRACE_ASSIGN_OR_RETURN(auto outcome, walker.Next());
    if (outcome == WalkOutcome::kGroup) {
      if (scan.sealed)
        return Damaged(path, "a group follows the segment's seal at offset " + std::to_string(scan.end));
      if (held) MILLRACE_RETURN_IF_ERROR(visit_older(*held));
      held = walker.group();
      ++scan.groups;
      scan.last_group = held->offset;
      scan.end = held->end();
      scan.sealed = (held->header.flags & kGroupSeals) != 0;
      scan.durable_counter = std::max(scan.durable_counter, held->header.durable_counter);
      scan.last_counter = std::max(scan.last_counter, held->header.first_counter);
      for (const WalkedEntry& entry : held->entries) {
        scan.last_counter = std::max(scan.last_counter, entry.header.counter);
      }
      continue;
    }
    bool damaged = outcome == WalkOutcome::kDamaged;
    if (damaged) {
      MILLRACE_ASSIGN_OR_RETURN(auto beyond, FindGroup(file, store, segment, walker.position() + 1, size));
      if (beyond) return Damaged(path, walker.problem());
      scan.torn = walker.problem();
      MILLRACE_ASSIGN_OR_RETURN(auto bytes, ReadBytes(file, walker.position(), kGroupHeaderBytes));
      if (bytes.size() == kGroupHeaderBytes) {
        if (auto header = ParseGroupHeader(bytes, {store, segment, walker.position()})) {
          scan.torn_first_counter = header->first_counter;
        }
      }
    }
    if (!held) return scan;
    std::string what;  // is wrong with the last group
    if (uncommitted(*held)) what = "a batch that was never committed";
    for (const WalkedEntry& entry : held->entries) {
      if (!what.empty()) break;
      if (is_dead(entry)) continue;
      MILLRACE_ASSIGN_OR_RETURN(bool valid, DataIsValid(file, entry));
      if (!valid) {
        what = "data that does not match its checksum at offset " + std::to_string(entry.data_offset());
      }
    }
    if (what.empty()) {
      MILLRACE_RETURN_IF_ERROR(visit(*held));
      return scan;
    }
    if (damaged) return Damaged(path, what);  // something was written behind it, so it was durable
    scan.torn = what;
    // Of an uncommitted batch it proves nothing: its commit, which calls it durable, may itself be torn.
    if (!uncommitted(*held)) scan.torn_first_counter = held->header.first_counter;
    scan.end = held->offset;
    --scan.groups;
    scan.last_group = 0;  // the one before was durable when this one was written
    scan.sealed = false;
    return scan;
  }
}

Result<WriterStart> Recover(Engine& engine) {
  FileSystem& files = engine.files();
  const StoreId store = engine.directory.store;
  std::vector<std::string> strangers;
  MILLRACE_ASSIGN_OR_RETURN(auto segments, ListSegments(files, engine.directory, &strangers));
  for (const std::string& name : strangers) {
    Log(LogLevel::kWarning, "a file that is not ours lies in the log's directory", {{"file", name}});
  }
  MILLRACE_ASSIGN_OR_RETURN(
      auto found, FindControl(files, engine.directory, segments, OpenMode::kReadWrite, engine.state));
  // Before anything is changed.
  if (!engine.options.without_keys) MILLRACE_RETURN_IF_ERROR(engine.keys.Load(engine.state));
  MILLRACE_ASSIGN_OR_RETURN(engine.index, OpenIndex(engine));
  MILLRACE_RETURN_IF_ERROR(CheckControlMarkers(found, *engine.index));
  for (const FoundControl::LeftOver& file : found.unfinished)
    MILLRACE_RETURN_IF_ERROR(files.Remove(file.path));
  for (const FoundControl::LeftOver& file : found.replaced) MILLRACE_RETURN_IF_ERROR(files.Remove(file.path));
  std::optional<OpenSegment> control;
  if (found.file) {
    control = OpenSegment{
        found.segment, std::move(found.file), std::move(found.path), std::move(found.scan), {}, 0, {}};
  }

  // Files that were made but never entered into the list hold nothing.
  std::map<SegmentId, bool> on_disk;
  for (const SegmentFile& file : segments) {
    if (file.kind != SegmentKind::kData) continue;
    if (engine.state.segments().contains(file.segment)) {
      on_disk[file.segment] = true;
    } else {
      MILLRACE_RETURN_IF_ERROR(RemoveUnlisted(engine, file));
    }
  }

  Timestamp now = engine.Now();
  WriterStart start;
  std::uint64_t durable_counter = control ? control->scan.durable_counter : 0;
  start.last_counter = control ? control->scan.last_counter : 0;
  std::map<std::uint8_t, SegmentId> newest_of_class;
  for (const auto& [id, row] : engine.state.segments()) newest_of_class[row.retention_class] = id;

  // By the state alone, not by the clock: it may be wrong now, and what is left out here never comes back.
  // The bytes of all that is not gone by the state are there: the sweeper says so first.
  auto is_dead = [&](const WalkedEntry& entry) {
    const StreamState* stream = engine.state.FindStream(entry.header.stream);
    return stream == nullptr || stream->IsGone(FactsOf(entry));
  };
  auto is_to_be_erased = [&](const WalkedEntry& entry) {
    const StreamState* stream = engine.state.FindStream(entry.header.stream);
    const RecordMarks* marks = stream == nullptr ? nullptr : stream->MarksOf(entry.partition_key);
    return marks != nullptr && marks->IsToBeErased(FactsOf(entry));
  };
  const Rules rules = RulesOf(engine.state, now);
  std::vector<OpenSegment> open;
  for (const auto& [id, row] : engine.state.segments()) {
    OpenSegment segment;
    segment.segment = id;
    segment.path = engine.directory.SegmentPath(id, SegmentKind::kData);
    if (!on_disk.contains(id)) return Damaged(segment.path, "the segment is missing");
    MILLRACE_ASSIGN_OR_RETURN(auto marker, engine.index->Marker(id));
    MILLRACE_ASSIGN_OR_RETURN(segment.file, files.Open(segment.path, OpenMode::kReadWrite));
    MILLRACE_ASSIGN_OR_RETURN(auto size, segment.file->Size());
    if (size < marker.end) {
      return Damaged(segment.path, "it ends at offset " + std::to_string(size) + ", but held records up to " +
                                       std::to_string(marker.end));
    }
    start.last_counter = std::max(start.last_counter, marker.last_counter);
    // What the index knows was durable when it got to know it.
    durable_counter = std::max(durable_counter, marker.last_counter);
    segment.marker = marker;
    segment.retention_class = row.retention_class;
    segment.created = row.created;
    segment.scan.sealed = true;
    if (!marker.sealed || marker.end != size) {
      MILLRACE_RETURN_IF_ERROR(CheckHeader(*segment.file, segment.path, store, {id, SegmentKind::kData}));
      std::uint64_t from = std::max<std::uint64_t>(marker.end, kSegmentHeaderBytes);
      MILLRACE_ASSIGN_OR_RETURN(
          segment.scan,
          ScanGroups(*segment.file, segment.path, store, id, from, size, engine.state.committed_batches,
                     is_dead, [](const WalkedGroup&) -> Result<void> { return {}; }));
      segment.scan.sealed = segment.scan.sealed || (marker.sealed && segment.scan.groups == 0);
      if (!segment.scan.sealed && newest_of_class[row.retention_class] != id) {
        return Damaged(segment.path, "the segment has lost its end");
      }
      start.last_counter = std::max(start.last_counter, segment.scan.last_counter);
      durable_counter = std::max(durable_counter, segment.scan.durable_counter);
    }
    engine.segments.Add({id, row.retention_class, row.created, segment.scan.sealed, SweepDueOf(row, rules), 0,
                         std::max(marker.last_counter, segment.scan.last_counter)});
    if (segment.scan.end > 0) open.push_back(std::move(segment));
  }

  if (control) open.push_back(std::move(*control));
  for (OpenSegment& segment : open) {
    const TailScan& scan = segment.scan;
    if (!scan.torn.empty() && scan.torn_first_counter && *scan.torn_first_counter <= durable_counter) {
      return Damaged(segment.path, scan.torn);
    }
    MILLRACE_RETURN_IF_ERROR(FinishTail(*segment.file, segment.path, scan, durable_counter));
  }
  if (control) {
    start.control = std::make_unique<SegmentAppender>(std::move(open.back().file), store, open.back().segment,
                                                      open.back().scan.end);
    open.pop_back();
  }

  std::uint64_t replayed_records = 0;
  for (OpenSegment& segment : open) {
    MILLRACE_ASSIGN_OR_RETURN(auto records, Replay(engine, segment, is_dead, is_to_be_erased));
    replayed_records += records;
  }
  if (replayed_records > 0) {
    Log(LogLevel::kInfo, "brought the index up to the log", {{"records", replayed_records}});
  }

  // Left-overs of segments that were removed.
  IndexBatch cleanup;
  MILLRACE_RETURN_IF_ERROR(
      engine.index->ForEachSegment([&](SegmentId id, const SegmentMarker&, const RecordCount&) {
        const bool is_control = start.control != nullptr && start.control->segment() == id;
        if (!is_control && !engine.state.segments().contains(id)) cleanup.RemoveSegment(id);
      }));
  if (cleanup.changes() > 0) MILLRACE_RETURN_IF_ERROR(engine.index->Write(cleanup));

  for (const auto& [id, stream] : engine.state.streams()) {
    for (ShardState& shard : stream->shards) {
      MILLRACE_ASSIGN_OR_RETURN(shard.tip, engine.index->Tip(id, shard.description.id));
      start.last_counter = std::max(start.last_counter, shard.tip);
    }
  }
  start.last_counter += kCounterSkip;

  if (!control) {
    start.last_counter =
        std::max(start.last_counter, static_cast<std::uint64_t>(std::max<std::int64_t>(now.ns, 0)));
    MILLRACE_ASSIGN_OR_RETURN(start.control, MakeControlSegment(engine, ++start.last_counter, 0, now));
  }
  for (OpenSegment& segment : open) {
    if (segment.scan.sealed) continue;
    start.lanes[segment.retention_class] = {
        std::make_unique<SegmentAppender>(std::move(segment.file), store, segment.segment, segment.scan.end),
        segment.created, std::max(segment.marker.last_counter, segment.scan.last_counter)};
  }
  return start;
}

}  // namespace millrace::storage
