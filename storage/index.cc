#include "storage/index.h"

#include <rocksdb/write_batch.h>

#include <map>
#include <utility>

#include "storage/index_rows.h"

namespace millrace::storage {
namespace {

constexpr std::uint32_t kIndexFormat = 2;

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

Index::Index() = default;
Index::~Index() = default;

Result<std::unique_ptr<Index>> Index::Open(FileSystem& files, const std::string& path, StoreId store,
                                           const Options& options) {
  std::unique_ptr<Index> index(new Index);
  MILLRACE_ASSIGN_OR_RETURN(index->database_, IndexDatabase::Open(files, path, options));
  Bytes format;
  AppendBigEndian(format, kIndexFormat);
  AppendBigEndian(format, store);
  MILLRACE_ASSIGN_OR_RETURN(auto stored, index->database_->Get(FormatKey()));
  if (!stored) {
    if (options.read_only) return index;
    rocksdb::WriteBatch batch;
    batch.Put(FormatKey(), rocksdb::Slice(AsText(format).data(), format.size()));
    MILLRACE_RETURN_IF_ERROR(index->database_->Write(batch));
  } else if (*stored != AsText(format)) {
    return Error{ErrorCode::kFailedPrecondition,
                 "index: " + path + " belongs to another data directory or format"};
  }
  return index;
}

Result<void> Index::Remove(FileSystem& files, const std::string& path) {
  // RocksDB's entrance first: without it what is left is no database.
  auto removed = files.Remove(path + "/CURRENT");
  if (!removed && removed.error().code != ErrorCode::kNotFound) return removed;
  MILLRACE_RETURN_IF_ERROR(files.SyncDirectory(path));
  MILLRACE_ASSIGN_OR_RETURN(auto entries, files.List(path));
  for (const DirectoryEntry& entry : entries) {
    if (!entry.directory) MILLRACE_RETURN_IF_ERROR(files.Remove(path + "/" + entry.name));
  }
  return files.SyncDirectory(path);
}

Result<void> Index::Write(IndexBatch& batch) { return database_->Write(batch.impl_->Finish()); }
Result<void> Index::Flush() { return database_->Flush(); }
Result<void> Index::CheckWritable() { return database_->CheckWritable(); }

Result<RecordCount> Index::Count(const std::string& key) {
  MILLRACE_ASSIGN_OR_RETURN(auto value, database_->Get(key));
  if (!value) return RecordCount{};
  auto count = ParseCount(*value);
  if (!count) return Malformed("count");
  return *count;
}

Result<std::optional<IndexedRecord>> Index::Get(StreamId stream, ShardId shard, std::uint64_t counter) {
  std::string key = RecordKey(stream, shard, counter);
  MILLRACE_ASSIGN_OR_RETURN(auto value, database_->Get(key));
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
  MILLRACE_RETURN_IF_ERROR(database_->Scan(RecordKey(stream, shard, 0), end, true, visit));
  return tip;
}

Result<RecordCount> Index::Usage(StreamId stream, const std::string& partition_key) {
  return Count(UsageKey(stream, partition_key));
}

Result<RecordCount> Index::SegmentCount(SegmentId segment) { return Count(SegmentCountKey(segment)); }

Result<SegmentMarker> Index::Marker(SegmentId segment) {
  MILLRACE_ASSIGN_OR_RETURN(auto value, database_->Get(MarkerKey(segment)));
  if (!value) return SegmentMarker{};
  auto marker = ParseMarker(*value);
  if (!marker) return Malformed("marker");
  return *marker;
}

Result<void> Index::ForEachSegment(
    const std::function<void(SegmentId, const SegmentMarker&, const RecordCount&)>& visit) {
  return database_->Scan("k", "l", false, [&](std::string_view key, std::string_view value) -> Result<bool> {
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
  return database_->Scan("u", "v", false, [&](std::string_view key, std::string_view value) -> Result<bool> {
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
  return database_->Scan(
      RecordKey(stream, shard, after + 1), end, false,
      [&](std::string_view key, std::string_view value) { return VisitRecord(key, value, visit); });
}

Result<void> Index::ScanStream(StreamId stream, ShardId shard, std::uint64_t after,
                               const std::function<bool(const IndexedRecord&)>& visit) {
  return database_->Scan(
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
  return database_->Scan(first, last, descending,
                         [&](std::string_view key, std::string_view) -> Result<bool> {
                           if (key.size() < prefix.size() + 14) return Malformed("attribute row");
                           auto [shard, counter] = ParsePlace(key);
                           MILLRACE_ASSIGN_OR_RETURN(auto record, Get(stream, shard, counter));
                           return !record || visit(*record);  // none: removed since the scan began
                         });
}

Result<void> Index::ScanPartition(StreamId stream, const std::string& partition_key,
                                  const std::function<bool(const IndexedRecord&)>& visit) {
  std::string prefix = PartitionPrefix(stream, partition_key);
  return database_->Scan(prefix, AfterPrefix(prefix), false,
                         [&](std::string_view key, std::string_view) -> Result<bool> {
                           if (key.size() < prefix.size() + 15) return Malformed("attribute row");
                           auto [shard, counter] = ParsePlace(key);
                           MILLRACE_ASSIGN_OR_RETURN(auto record, Get(stream, shard, counter));
                           return !record || visit(*record);
                         });
}

Result<void> Index::ForEachRecord(const std::function<bool(StreamId, const IndexedRecord&)>& visit) {
  return database_->Scan("r", "s", false, [&](std::string_view key, std::string_view value) -> Result<bool> {
    if (key.size() != 17) return Malformed("record row");
    auto stream = ReadBigEndian<std::uint32_t>(AsBytes(key).subspan(1));
    return VisitRecord(key, value, [&](const IndexedRecord& record) { return visit(stream, record); });
  });
}

Result<void> Index::ForEachAttributeRow(const std::function<bool(const AttributeRow&)>& visit) {
  return database_->Scan("a", "b", false, [&](std::string_view key, std::string_view) -> Result<bool> {
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
    MILLRACE_ASSIGN_OR_RETURN(auto value, database_->Get(key));
    if (!value) return false;
  }
  return true;
}

}  // namespace millrace::storage
