#include "storage/index.h"

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/merge_operator.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include "base/log.h"
#include "storage/index_rows.h"
#include "storage/rocks_file_system.h"

namespace millrace::storage {
namespace {

// Adds the counts: batches need not read what they add to, and the writer and the sweeper need no common
// lock.
class AddCounts final : public rocksdb::AssociativeMergeOperator {
 public:
  bool Merge(const rocksdb::Slice& /*key*/, const rocksdb::Slice* existing, const rocksdb::Slice& value,
             std::string* out, rocksdb::Logger* /*logger*/) const override {
    auto added = ParseCount(value.ToStringView());
    auto before = existing != nullptr ? ParseCount(existing->ToStringView()) : RecordCount{};
    if (!added || !before) return false;
    *out = CountValue({before->records + added->records, before->data_bytes + added->data_bytes});
    return true;
  }
  const char* Name() const override { return "millrace.AddCounts"; }
};

// RocksDB's own words go to our log when they are warnings or worse, and nowhere else.
class IndexLogger final : public rocksdb::Logger {
 public:
  IndexLogger() : Logger(rocksdb::WARN_LEVEL) {}
  using Logger::Logv;
  void Logv(const char* format, va_list arguments) override { Logv(rocksdb::WARN_LEVEL, format, arguments); }
  void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    if (level < rocksdb::WARN_LEVEL || level == rocksdb::HEADER_LEVEL) return;
    char text[512];
    std::vsnprintf(text, sizeof(text), format, arguments);
    Log(level == rocksdb::WARN_LEVEL ? LogLevel::kWarning : LogLevel::kError, "index", {{"rocksdb", text}});
  }
};

// When the disk was full, the writer says when to try again, not RocksDB's own five-second timer.
class RecoverOnRequest final : public rocksdb::EventListener {
 public:
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason /*reason*/, rocksdb::Status /*error*/,
                            bool* auto_recovery) override {
    *auto_recovery = false;
  }
};

Error FromStatus(const rocksdb::Status& status, std::string_view doing) {
  ErrorCode code = ErrorCode::kIo;
  if (status.IsNoSpace()) code = ErrorCode::kNoSpace;
  if (status.IsCorruption()) code = ErrorCode::kCorruption;
  return Error{code, "index: " + std::string(doing) + ": " + status.ToString()};
}

Error Malformed(std::string_view what) {
  return Error{ErrorCode::kCorruption, "index: malformed " + std::string(what)};
}

template <typename Visit>
void ForEachIndexed(const IndexedRecord& record, Visit visit) {
  auto attributes = ParseAttributes(record.attributes);
  bool any = false;
  if (attributes) {
    for (const Attribute& attribute : *attributes) {
      if (attribute.id >= kIndexedAttributesEnd) continue;
      any = true;
      visit(attribute.id, ByteSpan(attribute.value));
    }
  }
  if (!any) visit(kNoAttribute, ByteSpan());
}

std::string AttributeKey(StreamId stream, const IndexedRecord& record, std::uint8_t attribute,
                         ByteSpan value) {
  std::string key = AttributePrefix(stream, record.partition_key, attribute);
  AppendOrdered(key, value);
  AppendPlace(key, record.shard, record.counter);
  return key;
}

}  // namespace

// The one place where our code touches memory that RocksDB's threads have written: what orders the two is
// inside RocksDB, where the thread sanitizer does not see it (cmake/tsan_suppressions.txt names this
// function).
[[gnu::noinline]] void CopyFromRocks(const rocksdb::Slice& from, std::string& to) {
  to.assign(from.data(), from.size());
}

struct IndexBatch::Impl {
  rocksdb::WriteBatch batch;
  // One merge for each counted key and batch, whatever the number of its records.
  std::map<std::string, RecordCount> counts;

  void Count(const std::string& key, std::int64_t records, std::int64_t data_bytes) {
    RecordCount& count = counts[key];
    count.records += records;
    count.data_bytes += data_bytes;
  }
  rocksdb::WriteBatch& Finish() {
    for (const auto& [key, count] : counts) batch.Merge(key, CountValue(count));
    counts.clear();
    return batch;
  }
};

IndexBatch::IndexBatch() : impl_(std::make_unique<Impl>()) {}
IndexBatch::~IndexBatch() = default;
IndexBatch::IndexBatch(IndexBatch&&) noexcept = default;
IndexBatch& IndexBatch::operator=(IndexBatch&&) noexcept = default;

void IndexBatch::AddRecord(StreamId stream, const IndexedRecord& record) {
  auto& batch = impl_->batch;
  batch.Put(RecordKey(stream, record.shard, record.counter), RecordValue(record));
  ForEachIndexed(record, [&](std::uint8_t id, ByteSpan value) {
    batch.Put(AttributeKey(stream, record, id, value), rocksdb::Slice());
  });
  auto data_bytes = static_cast<std::int64_t>(record.data_bytes);
  impl_->Count(UsageKey(stream, record.partition_key), 1, data_bytes);
  impl_->Count(SegmentCountKey(record.segment), 1, data_bytes);
}

void IndexBatch::RemoveRecord(StreamId stream, const IndexedRecord& record, bool counted) {
  auto& batch = impl_->batch;
  batch.Delete(RecordKey(stream, record.shard, record.counter));
  ForEachIndexed(record, [&](std::uint8_t id, ByteSpan value) {
    batch.Delete(AttributeKey(stream, record, id, value));
  });
  auto data_bytes = static_cast<std::int64_t>(record.data_bytes);
  impl_->Count(UsageKey(stream, record.partition_key), -1, -data_bytes);
  if (counted) impl_->Count(SegmentCountKey(record.segment), -1, -data_bytes);
}

void IndexBatch::SetMarker(SegmentId segment, const SegmentMarker& marker) {
  impl_->batch.Put(MarkerKey(segment), MarkerValue(marker));
}

void IndexBatch::RemoveSegment(SegmentId segment) {
  impl_->batch.Delete(MarkerKey(segment));
  impl_->batch.Delete(SegmentCountKey(segment));
}

void IndexBatch::RemoveStreamUsage(StreamId stream) {
  std::string prefix = StreamPrefix('u', stream);
  impl_->batch.DeleteRange(prefix, AfterPrefix(prefix));
}

std::size_t IndexBatch::changes() const { return static_cast<std::size_t>(impl_->batch.Count()); }
void IndexBatch::Clear() {
  impl_->batch.Clear();
  impl_->counts.clear();
}

struct Index::Impl {
  std::unique_ptr<rocksdb::Env> env;  // over the injected file system; null: RocksDB's own. Outlives db.
  std::unique_ptr<rocksdb::DB> db;

  // RocksDB must not be asked to write or sync again behind an error of its write-ahead log (it asserts), so
  // both go through one door, which stays shut after an error. A full disk passes: then the door tries to
  // make a new log, and opens again.
  std::mutex write_mutex;
  std::optional<Error> broken;  // GUARDED_BY(write_mutex)

  // With write_mutex held.
  Result<void> Ready() {
    if (broken && broken->code == ErrorCode::kNoSpace && db->Resume().ok()) broken.reset();
    if (broken) return *broken;
    return {};
  }

  Error Break(Error error) {
    broken = error;
    return error;
  }

  // Calls `visit` with the iterator for each row from `from` up to, not including, `to`.
  template <typename Visit>
  Result<void> Scan(const std::string& from, const std::string& to, bool descending, Visit visit) {
    rocksdb::ReadOptions options;
    rocksdb::Slice upper(to);
    rocksdb::Slice lower(from);
    options.iterate_upper_bound = &upper;
    options.iterate_lower_bound = &lower;
    std::unique_ptr<rocksdb::Iterator> it(db->NewIterator(options));
    std::string key;
    std::string value;
    for (descending ? it->SeekToLast() : it->SeekToFirst(); it->Valid();
         descending ? it->Prev() : it->Next()) {
      CopyFromRocks(it->key(), key);
      CopyFromRocks(it->value(), value);
      auto go_on = visit(std::string_view(key), std::string_view(value));
      if (!go_on) return std::move(go_on).error();
      if (!*go_on) return {};
    }
    if (!it->status().ok()) return FromStatus(it->status(), "reading");
    return {};
  }

  Result<std::optional<std::string>> Get(const std::string& key) {
    std::string value;
    rocksdb::Status status = db->Get({}, key, &value);
    if (status.IsNotFound()) return std::optional<std::string>{};
    if (!status.ok()) return FromStatus(status, "reading");
    return std::optional<std::string>(std::move(value));
  }

  Result<RecordCount> GetCount(const std::string& key) {
    MILLRACE_ASSIGN_OR_RETURN(auto value, Get(key));
    if (!value) return RecordCount{};
    auto count = ParseCount(*value);
    if (!count) return Malformed("count");
    return *count;
  }
};

Index::Index() : impl_(std::make_unique<Impl>()) {}

Index::~Index() {
  if (impl_->db) {
    rocksdb::CancelAllBackgroundWork(impl_->db.get(), true);
    impl_->db->Close().PermitUncheckedError();
  }
}

Result<std::unique_ptr<Index>> Index::Open(FileSystem& files, const std::string& path, StoreId store,
                                           const Options& options) {
  std::unique_ptr<Index> index(new Index);
  rocksdb::Options rocks;
  if (&files != &PosixFileSystem()) {
    index->impl_->env = MakeRocksEnv(files);
    rocks.env = index->impl_->env.get();
  }
  rocks.create_if_missing = !options.read_only;
  rocks.merge_operator = std::make_shared<AddCounts>();
  rocks.listeners.push_back(std::make_shared<RecoverOnRequest>());
  rocks.info_log = std::make_shared<IndexLogger>();
  rocks.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  rocks.write_buffer_size = options.write_buffer_bytes;
  rocks.max_open_files = 256;
  rocks.max_background_jobs = 2;
  rocks.max_subcompactions = 1;
  rocks.compression = rocksdb::kNoCompression;
  for (auto type : rocksdb::GetSupportedCompressions()) {
    if (type == rocksdb::kLZ4Compression) rocks.compression = type;
  }
  rocks.bytes_per_sync = 1 << 20;
  rocks.wal_bytes_per_sync = 1 << 20;
  rocks.max_successive_merges = 64;  // so that reading a count never adds up many steps
  rocks.stats_dump_period_sec = 0;
  rocks.stats_persist_period_sec = 0;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(options.block_cache_bytes);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.format_version = 5;
  rocks.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));

  rocksdb::DB* db = nullptr;
  rocksdb::Status status = options.read_only ? rocksdb::DB::OpenForReadOnly(rocks, path, &db)
                                             : rocksdb::DB::Open(rocks, path, &db);
  if (!status.ok()) return FromStatus(status, "opening " + path);
  index->impl_->db.reset(db);

  Bytes format;
  AppendBigEndian(format, kFormatVersion);
  AppendBigEndian(format, store);
  MILLRACE_ASSIGN_OR_RETURN(auto stored, index->impl_->Get(FormatKey()));
  if (!stored) {
    if (options.read_only) return index;
    status = db->Put({}, FormatKey(), rocksdb::Slice(AsText(format).data(), format.size()));
    if (!status.ok()) return FromStatus(status, "writing the format");
  } else if (*stored != AsText(format)) {
    return Error{ErrorCode::kCorruption, "index: " + path + " belongs to another data directory or format"};
  }
  return index;
}

Result<void> Index::Write(IndexBatch& batch) {
  std::lock_guard lock(impl_->write_mutex);
  MILLRACE_RETURN_IF_ERROR(impl_->Ready());
  rocksdb::Status status = impl_->db->Write({}, &batch.impl_->Finish());
  if (status.IsNoSpace()) {
    // It may be what a flush or a compaction met while the disk was full, and told only now that it is not.
    impl_->Break(FromStatus(status, "writing"));
    MILLRACE_RETURN_IF_ERROR(impl_->Ready());
    status = impl_->db->Write({}, &batch.impl_->Finish());
  }
  if (!status.ok()) return impl_->Break(FromStatus(status, "writing"));
  return {};
}

Result<void> Index::Sync() {
  std::lock_guard lock(impl_->write_mutex);
  MILLRACE_RETURN_IF_ERROR(impl_->Ready());
  rocksdb::Status status = impl_->db->SyncWAL();
  if (!status.ok()) return impl_->Break(FromStatus(status, "syncing"));
  return {};
}

Result<void> Index::CheckWritable() {
  std::lock_guard lock(impl_->write_mutex);
  return impl_->Ready();
}

Result<std::optional<IndexedRecord>> Index::Get(StreamId stream, ShardId shard, std::uint64_t counter) {
  std::string key = RecordKey(stream, shard, counter);
  MILLRACE_ASSIGN_OR_RETURN(auto value, impl_->Get(key));
  if (!value) return std::optional<IndexedRecord>{};
  auto record = ParseRecord(key, *value);
  if (!record) return Malformed("record row");
  return record;
}

Result<std::uint64_t> Index::Tip(StreamId stream, ShardId shard) {
  std::uint64_t tip = 0;
  auto visit = [&](std::string_view key, std::string_view) -> Result<bool> {
    tip = ParsePlace(key).second;
    return false;
  };
  std::string end = RecordKey(stream, shard, ~std::uint64_t{0});
  MILLRACE_RETURN_IF_ERROR(impl_->Scan(RecordKey(stream, shard, 0), end, true, visit));
  return tip;
}

Result<RecordCount> Index::Usage(StreamId stream, const std::string& partition_key) {
  return impl_->GetCount(UsageKey(stream, partition_key));
}

Result<RecordCount> Index::SegmentCount(SegmentId segment) {
  return impl_->GetCount(SegmentCountKey(segment));
}

Result<SegmentMarker> Index::Marker(SegmentId segment) {
  MILLRACE_ASSIGN_OR_RETURN(auto value, impl_->Get(MarkerKey(segment)));
  if (!value) return SegmentMarker{};
  auto marker = ParseMarker(*value);
  if (!marker) return Malformed("marker");
  return *marker;
}

Result<void> Index::ForEachSegment(
    const std::function<void(SegmentId, const SegmentMarker&, const RecordCount&)>& visit) {
  return impl_->Scan("k", "l", false, [&](std::string_view key, std::string_view value) -> Result<bool> {
    auto marker = ParseMarker(value);
    if (key.size() != 5 || !marker) return Malformed("marker");
    auto segment = ReadBigEndian<std::uint32_t>(AsBytes(key).subspan(1));
    MILLRACE_ASSIGN_OR_RETURN(auto count, SegmentCount(segment));
    visit(segment, *marker, count);
    return true;
  });
}

Result<void> Index::ForEachUsage(
    const std::function<void(StreamId, const std::string&, const RecordCount&)>& visit) {
  return impl_->Scan("u", "v", false, [&](std::string_view key, std::string_view value) -> Result<bool> {
    auto count = ParseCount(value);
    if (key.size() < 5 || !count) return Malformed("usage row");
    if (*count != RecordCount{}) {
      visit(ReadBigEndian<std::uint32_t>(AsBytes(key).subspan(1)), std::string(key.substr(5)), *count);
    }
    return true;
  });
}

namespace {

Result<bool> VisitRecord(std::string_view key, std::string_view value,
                         const std::function<bool(const IndexedRecord&)>& visit) {
  auto record = ParseRecord(key, value);
  if (!record) return Malformed("record row");
  return visit(*record);
}

}  // namespace

Result<void> Index::ScanShard(StreamId stream, ShardId shard, std::uint64_t after,
                              const std::function<bool(const IndexedRecord&)>& visit) {
  std::string end = RecordKey(stream, shard, ~std::uint64_t{0});
  if (after == ~std::uint64_t{0}) return {};
  return impl_->Scan(
      RecordKey(stream, shard, after + 1), end, false,
      [&](std::string_view key, std::string_view value) { return VisitRecord(key, value, visit); });
}

Result<void> Index::ScanStream(StreamId stream, ShardId shard, std::uint64_t after,
                               const std::function<bool(const IndexedRecord&)>& visit) {
  return impl_->Scan(
      RecordKey(stream, shard, after + 1), AfterPrefix(StreamPrefix('r', stream)), false,
      [&](std::string_view key, std::string_view value) { return VisitRecord(key, value, visit); });
}

Result<void> Index::ScanAttribute(StreamId stream, const std::string& partition_key, AttributeId attribute,
                                  const std::optional<Bytes>& from, const std::optional<Bytes>& to,
                                  bool descending, const std::function<bool(const IndexedRecord&)>& visit) {
  std::string prefix = AttributePrefix(stream, partition_key, attribute);
  std::string first = prefix;
  if (from) AppendOrdered(first, *from);
  std::string last = prefix;
  if (to) AppendOrdered(last, *to);
  last = AfterPrefix(std::move(last));
  if (first >= last) return {};
  return impl_->Scan(first, last, descending, [&](std::string_view key, std::string_view) -> Result<bool> {
    if (key.size() < prefix.size() + 14) return Malformed("attribute row");
    auto [shard, counter] = ParsePlace(key);
    MILLRACE_ASSIGN_OR_RETURN(auto record, Get(stream, shard, counter));
    return !record || visit(*record);  // none: removed since the scan began
  });
}

Result<void> Index::ScanPartition(StreamId stream, const std::string& partition_key,
                                  const std::function<bool(const IndexedRecord&)>& visit) {
  std::string prefix = PartitionPrefix(stream, partition_key);
  return impl_->Scan(prefix, AfterPrefix(prefix), false,
                     [&](std::string_view key, std::string_view) -> Result<bool> {
                       if (key.size() < prefix.size() + 15) return Malformed("attribute row");
                       auto [shard, counter] = ParsePlace(key);
                       MILLRACE_ASSIGN_OR_RETURN(auto record, Get(stream, shard, counter));
                       return !record || visit(*record);
                     });
}

Result<void> Index::ForEachRecord(const std::function<bool(StreamId, const IndexedRecord&)>& visit) {
  return impl_->Scan("r", "s", false, [&](std::string_view key, std::string_view value) -> Result<bool> {
    if (key.size() != 17) return Malformed("record row");
    auto stream = ReadBigEndian<std::uint32_t>(AsBytes(key).subspan(1));
    return VisitRecord(key, value, [&](const IndexedRecord& record) { return visit(stream, record); });
  });
}

Result<void> Index::ForEachAttributeRow(const std::function<bool(const AttributeRow&)>& visit) {
  return impl_->Scan("a", "b", false, [&](std::string_view key, std::string_view) -> Result<bool> {
    ByteReader in(AsBytes(key).subspan(1));
    AttributeRow row;
    row.stream = in.Integer<std::uint32_t>();
    row.partition_key = std::string(AsText(in.Raw(in.Integer<std::uint16_t>())));
    if (!in.ok() || in.rest().size() < 1 + 2 + 12) return Malformed("attribute row");
    std::tie(row.shard, row.counter) = ParsePlace(key);
    MILLRACE_ASSIGN_OR_RETURN(auto record, Get(row.stream, row.shard, row.counter));
    if (record) {
      row.data_bytes = record->data_bytes;
      bool first = true;
      ForEachIndexed(*record, [&](std::uint8_t id, ByteSpan value) {
        if (AttributeKey(row.stream, *record, id, value) == key) {
          row.matches = true;
          row.first = first;
        }
        first = false;
      });
    }
    return visit(row);
  });
}

Result<bool> Index::HasAttributeRows(StreamId stream, const IndexedRecord& record) {
  std::vector<std::string> keys;
  ForEachIndexed(record, [&](std::uint8_t id, ByteSpan value) {
    keys.push_back(AttributeKey(stream, record, id, value));
  });
  for (const std::string& key : keys) {
    MILLRACE_ASSIGN_OR_RETURN(auto value, impl_->Get(key));
    if (!value) return false;
  }
  return true;
}

}  // namespace millrace::storage
