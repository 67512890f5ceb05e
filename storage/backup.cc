#include "storage/backup.h"

#include <algorithm>
#include <utility>

#include "storage/coding.h"
#include "storage/commit_writer.h"
#include "storage/crc32c.h"
#include "storage/embedded_log.h"
#include "storage/engine.h"

namespace millrace::storage {
namespace {

constexpr std::string_view kMagic = "MRbackup";
constexpr std::uint32_t kBackupVersion = 3;  // the newest; 2 without holds, 1 without encryption as well
constexpr std::size_t kHeaderBytes = 8 + 4 + 8 + 8 + 8 + 8 + 4 + 4;

struct Opened {
  BackupSummary summary;
  ControlState state;
};

Error Damaged(const std::string& what) {
  return Error{ErrorCode::kCorruption, "the backup is damaged: " + what};
}

Result<Opened> Open(ByteSpan backup) {
  if (backup.size() < kHeaderBytes || AsText(backup.first(kMagic.size())) != kMagic) {
    return Error{ErrorCode::kCorruption, "this is no backup of millrace's metadata"};
  }
  ByteReader in(backup.subspan(kMagic.size()));
  const auto version = in.Integer<std::uint32_t>();
  Opened opened;
  opened.summary.store = in.Integer<std::uint64_t>();
  opened.summary.created = Timestamp{static_cast<std::int64_t>(in.Integer<std::uint64_t>())};
  opened.summary.last_counter = in.Integer<std::uint64_t>();
  const auto length = in.Integer<std::uint64_t>();
  const auto rows_crc = in.Integer<std::uint32_t>();
  const auto header_crc = in.Integer<std::uint32_t>();
  if (header_crc != Crc32c(backup.first(kHeaderBytes - 4))) return Damaged("its beginning");
  if (version > kBackupVersion) {
    return Error{ErrorCode::kUnsupported, "the backup has format version " + std::to_string(version) +
                                              "; this program reads up to " + std::to_string(kBackupVersion) +
                                              ". Use a newer millrace"};
  }
  const ByteSpan rows = in.rest();
  if (rows.size() != length) {
    return Damaged("it has " + std::to_string(rows.size()) + " bytes of rows, not " + std::to_string(length));
  }
  if (Crc32c(rows) != rows_crc) return Damaged("its rows do not match their checksum");
  MILLRACE_ASSIGN_OR_RETURN(const auto change, DecodeChange(rows));
  MILLRACE_RETURN_IF_ERROR(opened.state.Apply(change));
  MILLRACE_RETURN_IF_ERROR(opened.state.Check());
  opened.summary.streams = opened.state.streams_by_name().size();
  opened.summary.metadata = opened.state.metadata().size();
  return opened;
}

}  // namespace

Bytes EncodeBackup(const ControlState& state, StoreId store, Timestamp created, std::uint64_t last_counter) {
  // Without what speaks of records: where they lie, and what of them is gone; and without what is local.
  const std::string local = MetadataRemovedRow(std::string(kNotBackedUp)).key;
  ControlChange change = state.Snapshot();
  std::erase_if(change, [&](const ControlRow& row) {
    const auto id = StreamOfRow(row);
    const StreamState* stream = id ? state.FindStream(*id) : nullptr;
    return SpeaksOfRecords(row) || row.key.starts_with(local) || (stream != nullptr && stream->deleting);
  });
  const Bytes rows = EncodeChange(change);
  Bytes backup;
  AppendRaw(backup, AsBytes(kMagic));
  const bool encrypted = std::any_of(state.streams().begin(), state.streams().end(), [](const auto& stream) {
    return stream.second->encryption && !stream.second->deleting;
  });
  AppendBigEndian(backup, state.has_holds() ? kBackupVersion : encrypted ? 2u : 1u);
  AppendBigEndian(backup, store);
  AppendBigEndian(backup, static_cast<std::uint64_t>(created.ns));
  AppendBigEndian(backup, last_counter);
  AppendBigEndian(backup, static_cast<std::uint64_t>(rows.size()));
  AppendBigEndian(backup, Crc32c(rows));
  AppendBigEndian(backup, Crc32c(backup));
  AppendRaw(backup, rows);
  return backup;
}

Result<BackupSummary> ReadBackup(ByteSpan backup) {
  auto opened = Open(backup);
  if (!opened) return std::move(opened).error();
  return opened->summary;
}

Result<BackupSummary> RestoreBackup(ByteSpan backup, const std::string& path, FileSystem& files,
                                    const Clock& clock) {
  MILLRACE_ASSIGN_OR_RETURN(auto opened, Open(backup));
  MILLRACE_ASSIGN_OR_RETURN(auto directory, DataDirectory::Open(files, path));
  MILLRACE_ASSIGN_OR_RETURN(const auto segments, ListSegments(files, directory));
  if (!segments.empty()) {
    return Error{ErrorCode::kAlreadyExists,
                 path + " is a data directory already: a backup is restored into a new one"};
  }
  EmbeddedLogOptions options;
  options.path = path;
  options.files = &files;
  options.clock = &clock;
  Engine engine(options, std::move(directory));
  engine.state = std::move(opened.state);
  const Timestamp now = clock.Now();
  const auto now_counter = static_cast<std::uint64_t>(std::max<std::int64_t>(now.ns, 0));
  auto made = MakeControlSegment(engine, std::max(opened.summary.last_counter + 1, now_counter), 0, now);
  if (!made) return std::move(made).error();
  return opened.summary;
}

}  // namespace millrace::storage
