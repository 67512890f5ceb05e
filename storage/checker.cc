#include "storage/checker.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "storage/control_recovery.h"
#include "storage/control_state.h"
#include "storage/data_directory.h"
#include "storage/data_keys.h"
#include "storage/index.h"
#include "storage/record_cipher.h"
#include "storage/recovery.h"
#include "storage/segment_walker.h"

namespace millrace::storage {
namespace {

class Checker {
 public:
  Checker(FileSystem& files, DataDirectory directory, Timestamp now,
          std::shared_ptr<const MasterKeys> master_keys, CheckReport& report)
      : files_(files),
        directory_(std::move(directory)),
        now_(now),
        with_keys_(master_keys != nullptr),
        keys_(std::move(master_keys), directory_.store),
        report_(report) {}

  void Run() {
    auto segments = ListSegments(files_, directory_, &strangers_);
    if (!segments) return Problem(segments.error().message);
    for (const std::string& name : strangers_) Note("log/" + name + " is not a segment");
    if (!ReadControl(*segments)) return;
    if (with_keys_) {
      if (auto loaded = keys_.Load(state_); loaded) {
        report_.opened = true;
      } else {
        report_.refused = std::move(loaded).error();
        return;
      }
    }
    OpenIndex();
    if (index_) {
      if (auto marked = CheckControlMarkers(control_, *index_); !marked) Problem(marked.error().message);
    }
    for (const SegmentFile& file : *segments) {
      if (file.kind == SegmentKind::kData && !state_.segments().contains(file.segment)) {
        if (auto empty = CheckUnlisted(files_, directory_, file, state_); !empty) {
          Problem(empty.error().message);
          continue;
        }
        Note(PathOf(file.segment) + " is in no list: it was made or removed in the moment of a stop");
      }
    }
    for (const auto& [id, row] : state_.segments()) CheckSegment(id, row, *segments);
    JudgeTornTails();
    if (report_.encrypted_records > 0 && !with_keys_) {
      Note(std::to_string(report_.encrypted_records) +
           " records are encrypted: without the master key only their checksums were checked");
    }
    if (index_) CheckIndex();
  }

 private:
  void Problem(std::string text) {
    ++report_.problem_count;
    if (report_.problems.size() < CheckReport::kTextsMax) report_.problems.push_back(std::move(text));
  }
  void Note(std::string text) {
    if (report_.notes.size() < CheckReport::kTextsMax) report_.notes.push_back(std::move(text));
  }
  std::string PathOf(SegmentId segment) const { return directory_.SegmentPath(segment, SegmentKind::kData); }

  std::string Words(StreamId stream, const IndexedRecord& record) const {
    const StreamState* state = state_.FindStream(stream);
    std::string words = "record of stream '" + (state ? state->name : "#" + std::to_string(stream)) + "', " +
                        record.shard.ToString();
    const ShardState* shard = state ? state->Find(record.shard) : nullptr;
    if (shard == nullptr) return words + ", counter " + std::to_string(record.counter);
    std::int64_t created_s = shard->description.starting_sequence_number.fields().shard_created_s;
    return words + ", sequence number " +
           MakeSequenceNumber(created_s, record.shard, record.counter).ToString() + ", partition key '" +
           record.partition_key + "'";
  }

  bool ReadControl(const std::vector<SegmentFile>& segments) {
    auto control = FindControl(files_, directory_, segments, OpenMode::kRead, state_);
    if (!control) {
      Problem(control.error().message);
      return false;
    }
    control_ = std::move(*control);
    for (const auto& file : control_.unfinished) Note(file.path + " was never finished (" + file.why + ")");
    for (const auto& file : control_.replaced) Note(file.path + " was replaced and not removed in time");
    if (control_.file) TornTail(control_.path, control_.scan);
    durable_counter_ = control_.scan.durable_counter;
    return true;
  }

  // Whether it is damage is known when everything that may prove it durable was seen.
  void TornTail(const std::string& path, const TailScan& scan) {
    if (!scan.torn.empty()) torn_.push_back({path, scan.torn, scan.torn_first_counter});
  }

  void JudgeTornTails() {
    for (const Torn& tail : torn_) {
      if (tail.first_counter && *tail.first_counter <= durable_counter_) {
        Problem(tail.path + ": " + tail.what + ", in what was acknowledged");
      } else {
        Note(tail.path + ": a torn tail (" + tail.what + "): it is cut when the log is opened");
      }
    }
  }

  void OpenIndex() {
    auto entries = files_.List(directory_.IndexPath());
    if (!entries || entries->empty()) {
      if (!state_.segments().empty())
        Note("the index is missing: it is made again from the log when the log is opened");
      return;
    }
    Index::Options options;
    options.read_only = true;
    options.block_cache_bytes = 8 << 20;
    auto index = Index::Open(files_, directory_.IndexPath(), directory_.store, options);
    if (!index && index.error().code == ErrorCode::kCorruption) {
      return Note(index.error().message + ". It is made again from the log when the log is opened");
    }
    if (!index) return Problem(index.error().message);
    index_ = std::move(*index);
  }

  void CheckSegment(SegmentId id, const SegmentRow& row, const std::vector<SegmentFile>& segments) {
    std::string path = PathOf(id);
    bool there = std::any_of(segments.begin(), segments.end(), [&](const SegmentFile& file) {
      return file.segment == id && file.kind == SegmentKind::kData;
    });
    if (!there) return Problem(path + " is missing: its records are lost");
    ++report_.segments;
    auto checked = CheckSegmentFile(id, row, path);
    if (!checked) Problem(checked.error().message);
  }

  Result<void> CheckSegmentFile(SegmentId id, const SegmentRow& row, const std::string& path) {
    MILLRACE_ASSIGN_OR_RETURN(auto file, files_.Open(path, OpenMode::kRead));
    MILLRACE_ASSIGN_OR_RETURN(auto size, file->Size());
    Bytes bytes(kSegmentHeaderBytes);
    MILLRACE_ASSIGN_OR_RETURN(auto got, file->ReadAt(0, bytes));
    bytes.resize(got);
    MILLRACE_ASSIGN_OR_RETURN(auto header, ParseSegmentHeader(bytes, path));
    if (header.store != directory_.store || header.segment != id ||
        header.retention_class != row.retention_class) {
      return Error{ErrorCode::kCorruption, path + " belongs to another data directory or place"};
    }
    SegmentMarker marker;
    if (index_) {
      MILLRACE_ASSIGN_OR_RETURN(marker, index_->Marker(id));
    }
    if (size < marker.end) {
      Problem(path + ": it ends at offset " + std::to_string(size) + ", but held records up to " +
              std::to_string(marker.end));
    }
    RecordCount counted;
    std::uint64_t newest = 0;
    bool sealed = false;
    auto visit = [&](const WalkedGroup& group) -> Result<void> {
      sealed = (group.header.flags & kGroupSeals) != 0;
      for (const WalkedEntry& entry : group.entries) {
        if (entry.header.counter <= newest) {
          Problem(path + ": counter " + std::to_string(entry.header.counter) + " at offset " +
                  std::to_string(entry.offset) + " does not increase");
        }
        newest = std::max(newest, entry.header.counter);
        if (!entry.header.IsRecord()) continue;
        MILLRACE_RETURN_IF_ERROR(CheckEntry(*file, path, id, entry, group.end() <= marker.end, counted));
      }
      return {};
    };
    auto scan = ScanGroups(
        *file, path, directory_.store, id, kSegmentHeaderBytes, size, state_.committed_batches,
        [&](const WalkedEntry& entry) { return IsDead(entry); }, visit);
    if (!scan) return std::move(scan).error();
    if (!scan->torn.empty()) {
      if (scan->end < marker.end) {
        Problem(path + ": " + scan->torn + ", in what was acknowledged");
      } else {
        TornTail(path, *scan);
      }
    } else if (scan->end > std::max<std::uint64_t>(marker.end, kSegmentHeaderBytes) && index_) {
      Note(path + ": the index ends at offset " + std::to_string(marker.end) +
           "; the rest is indexed when the log is opened");
    }
    durable_counter_ = std::max({durable_counter_, scan->durable_counter, marker.last_counter});
    auto newer =
        std::any_of(state_.segments().upper_bound(id), state_.segments().end(),
                    [&](const auto& other) { return other.second.retention_class == row.retention_class; });
    if ((marker.sealed || newer) && !sealed) Problem(path + ": the segment has lost its end");
    if (index_) {
      MILLRACE_ASSIGN_OR_RETURN(auto count, index_->SegmentCount(id));
      if (count != counted) {
        Problem(path + ": the index counts " + std::to_string(count.records) + " records with " +
                std::to_string(count.data_bytes) + " bytes, and has rows of " +
                std::to_string(counted.records) + " with " + std::to_string(counted.data_bytes));
      }
      rows_matched_ += static_cast<std::uint64_t>(counted.records);
    }
    return {};
  }

  bool IsDead(const WalkedEntry& entry) const {
    const StreamState* stream = state_.FindStream(entry.header.stream);
    return stream == nullptr || stream->IsDead(FactsOf(entry), now_);
  }

  Result<void> CheckEntry(File& file, const std::string& path, SegmentId id, const WalkedEntry& entry,
                          bool indexed, RecordCount& counted) {
    IndexedRecord expected = ToIndexed(entry, id);
    auto at = [&] {
      return path + ": " + Words(entry.header.stream, expected) + " at offset " +
             std::to_string(entry.offset);
    };
    bool dead = IsDead(entry);
    std::optional<IndexedRecord> row;
    if (index_) {
      MILLRACE_ASSIGN_OR_RETURN(row,
                                index_->Get(entry.header.stream, entry.header.shard, entry.header.counter));
    }
    if (dead && !row) {
      ++report_.gone_records;
      return {};
    }
    const StreamState* stream = state_.FindStream(entry.header.stream);
    if (!dead && stream->Find(entry.header.shard) == nullptr) Problem(at() + ": its shard is not known");
    // A dead record's row may have come back with a power loss, when its data had been given back; the next
    // sweep removes it.
    bool valid = dead;
    if (!dead) {
      MILLRACE_ASSIGN_OR_RETURN(valid, DataIsValid(file, entry));
    }
    if (!valid) {
      MILLRACE_ASSIGN_OR_RETURN(bool zeros, DataIsPunched(file, entry));
      Problem(at() + (zeros ? ": its data is gone" : ": its data does not match its checksum"));
    }
    if (!dead && valid) MILLRACE_RETURN_IF_ERROR(CheckSeal(file, entry, *stream, at()));
    if (!dead) {
      if (entry.header.sealed) ++report_.encrypted_records;
      ++report_.records;
      report_.data_bytes += entry.header.data_bytes;
    }
    if (!index_ || (!row && !indexed)) return {};
    if (!row) {
      Problem(at() + ": the index does not have it");
    } else if (*row != expected) {
      Problem(at() + ": the index says something else of it");
    } else {
      ++counted.records;
      counted.data_bytes += static_cast<std::int64_t>(row->data_bytes);
      MILLRACE_ASSIGN_OR_RETURN(bool whole, index_->HasAttributeRows(entry.header.stream, expected));
      if (!whole) Problem(at() + ": the index does not find it by all its attributes");
    }
    return {};
  }

  // Whether the record is sealed as its counter says, and, with the keys, whether it opens. Memory: its data.
  Result<void> CheckSeal(File& file, const WalkedEntry& entry, const StreamState& stream,
                         const std::string& at) {
    const EntryHeader& header = entry.header;
    const auto key = std::find_if(stream.data_keys.begin(), stream.data_keys.end(),
                                  [&](const auto& one) { return one.second.Covers(header.counter); });
    if (!header.sealed) {
      if (key != stream.data_keys.end()) Problem(at + ": it is not encrypted, and its stream was");
      return {};
    }
    const RecordSeal seal = ParseSeal(entry.seal);
    if (key == stream.data_keys.end() || key->first != seal.data_key) {
      Problem(at + ": it is sealed with data key " + std::to_string(seal.data_key) +
              ", which is not the one of this record");
      return {};
    }
    if (!report_.opened) return {};
    Bytes data(static_cast<std::size_t>(header.data_bytes));
    MILLRACE_ASSIGN_OR_RETURN(auto got, file.ReadAt(entry.data_offset(), data));
    data.resize(got);
    const RecordIdentity identity{header.stream,   header.shard,   header.shard_created_s,
                                  header.counter,  header.arrival, AsBytes(entry.partition_key),
                                  entry.attributes};
    if (auto opened = opener_.Open(identity, seal, data); !opened) {
      Problem(at + ": " + opened.error().message);
    }
    OPENSSL_cleanse(data.data(), data.size());
    return {};
  }

  void CheckIndex() {
    std::uint64_t rows = 0;
    std::uint64_t evicted = 0;  // their segment has gone before them
    auto scanned = index_->ForEachRecord([&](StreamId, const IndexedRecord& row) {
      ++(IsLeftOfEviction(row) ? evicted : rows);
      return true;
    });
    if (!scanned) return Problem(scanned.error().message);
    if (evicted > 0)
      Note("the index has " + std::to_string(evicted) +
           " rows of evicted records: they go with the next sweep");
    if (rows != rows_matched_) NameOrphans();

    // Attribute rows come by partition key, so each key's count is complete when the next one begins.
    std::uint64_t keys_with_records = 0;
    std::optional<std::pair<StreamId, std::string>> current;
    RecordCount sum;
    auto finish = [&] {
      if (!current || sum == RecordCount{}) return;
      ++keys_with_records;
      auto usage = index_->Usage(current->first, current->second);
      if (!usage) return Problem(usage.error().message);
      if (*usage != sum) {
        Problem("index: partition key '" + current->second + "' is counted with " +
                std::to_string(usage->records) + " records and " + std::to_string(usage->data_bytes) +
                " bytes, and has " + std::to_string(sum.records) + " and " + std::to_string(sum.data_bytes));
      }
    };
    scanned = index_->ForEachAttributeRow([&](const Index::AttributeRow& row) {
      std::pair<StreamId, std::string> key(row.stream, row.partition_key);
      if (current != key) {
        finish();
        current = key;
        sum = {};
      }
      if (!row.matches) {
        Problem("index: an attribute row of partition key '" + row.partition_key + "' names counter " +
                std::to_string(row.counter) + " of " + row.shard.ToString() +
                ", which has no such attribute");
      } else if (row.first) {
        ++sum.records;
        sum.data_bytes += static_cast<std::int64_t>(row.data_bytes);
      }
      return true;
    });
    if (!scanned) return Problem(scanned.error().message);
    finish();
    std::uint64_t counted_keys = 0;
    scanned = index_->ForEachUsage([&](StreamId, const std::string&, const RecordCount&) { ++counted_keys; });
    if (!scanned) return Problem(scanned.error().message);
    if (counted_keys != keys_with_records) {
      Problem("index: " + std::to_string(counted_keys) + " partition keys are counted, and " +
              std::to_string(keys_with_records) + " have records");
    }
  }

  bool IsLeftOfEviction(const IndexedRecord& row) const {
    return !state_.eviction.swept && row.counter <= state_.eviction.through &&
           !state_.segments().contains(row.segment);
  }

  void NameOrphans() {
    auto scanned = index_->ForEachRecord([&](StreamId stream, const IndexedRecord& row) {
      if (IsLeftOfEviction(row)) return true;
      auto found = [&]() -> Result<bool> {
        if (!state_.segments().contains(row.segment)) return false;
        MILLRACE_ASSIGN_OR_RETURN(auto file, files_.Open(PathOf(row.segment), OpenMode::kRead));
        Bytes head(static_cast<std::size_t>(row.data_offset() - row.entry_offset));
        MILLRACE_ASSIGN_OR_RETURN(auto got, file->ReadAt(row.entry_offset, head));
        head.resize(got);
        return EntryHeadIsValid(head, {directory_.store, row.segment, row.entry_offset}) &&
               PeekEntryHeader(head).counter == row.counter && PeekEntryHeader(head).stream == stream;
      };
      auto is_there = found();
      if (!is_there || !*is_there) {
        Problem("index: " + Words(stream, row) + " is not in " + PathOf(row.segment) + " at offset " +
                std::to_string(row.entry_offset));
      }
      return true;
    });
    if (!scanned) Problem(scanned.error().message);
  }

  struct Torn {
    std::string path;
    std::string what;
    std::optional<std::uint64_t> first_counter;
  };

  FileSystem& files_;
  const DataDirectory directory_;
  const Timestamp now_;
  const bool with_keys_;
  DataKeys keys_;
  RecordOpener opener_{keys_};
  CheckReport& report_;
  ControlState state_;
  FoundControl control_;
  std::vector<Torn> torn_;
  std::uint64_t durable_counter_ = 0;
  std::unique_ptr<Index> index_;
  std::vector<std::string> strangers_;
  std::uint64_t rows_matched_ = 0;
};

}  // namespace

std::string CheckReport::ToString() const {
  if (refused) return "not checked: " + refused->message + "\n";
  std::string text;
  for (const std::string& problem : problems) text += "damaged: " + problem + "\n";
  if (problem_count > problems.size()) {
    text += "damaged: and " + std::to_string(problem_count - problems.size()) + " more\n";
  }
  for (const std::string& note : notes) text += "note: " + note + "\n";
  text += std::to_string(segments) + " segments, " + std::to_string(records) + " records with " +
          std::to_string(data_bytes) + " bytes; " + std::to_string(gone_records) +
          " expired or deleted ones\n";
  if (encrypted_records > 0) {
    text += std::to_string(encrypted_records) + " of the records are encrypted" +
            (opened ? ", and were opened" : "") + "\n";
  }
  text += ok() ? "no damage found\n" : std::to_string(problem_count) + " problems found\n";
  return text;
}

CheckReport CheckDataDirectory(const std::string& path, FileSystem& files, const Clock& clock,
                               std::shared_ptr<const MasterKeys> master_keys) {
  CheckReport report;
  auto directory = DataDirectory::OpenForLooking(files, path);
  if (!directory) {
    if (directory.error().code != ErrorCode::kCorruption) {
      report.refused = std::move(directory).error();
      return report;
    }
    report.problem_count = 1;
    report.problems.push_back(directory.error().message);
    return report;
  }
  Checker(files, std::move(*directory), clock.Now(), std::move(master_keys), report).Run();
  return report;
}

}  // namespace millrace::storage
