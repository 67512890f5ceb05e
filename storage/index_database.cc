#include "storage/index_database.h"

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/merge_operator.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <cstdio>
#include <utility>

#include "base/log.h"
#include "storage/index_rows.h"
#include "storage/rocks_file_system.h"

namespace millrace::storage {
namespace {

// What opening the database anew and flushing it takes besides the rows.
constexpr std::uint64_t kReopenBytes = 64 * 1024;
constexpr std::uint64_t kNotWritten = ~std::uint64_t{0};
constexpr auto kReadersLeaveWithin = std::chrono::seconds(5);

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

Error FromStatus(const rocksdb::Status& status, std::string_view doing) {
  ErrorCode code = ErrorCode::kIo;
  if (status.IsNoSpace()) code = ErrorCode::kNoSpace;
  if (status.IsCorruption()) code = ErrorCode::kCorruption;
  return Error{code, "index: " + std::string(doing) + ": " + status.ToString()};
}

rocksdb::WriteOptions WithoutLog() {
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  return options;
}

}  // namespace

// The one place where our code touches memory that RocksDB's threads have written: what orders the two is
// inside RocksDB, where the thread sanitizer does not see it (cmake/tsan_suppressions.txt names this
// function).
[[gnu::noinline]] void CopyFromRocks(const rocksdb::Slice& from, std::string& to) {
  to.assign(from.data(), from.size());
}

class IndexDatabase::FlushListener final : public rocksdb::EventListener {
 public:
  explicit FlushListener(IndexDatabase& database) : database_(database) {}
  void OnFlushCompleted(rocksdb::DB* /*db*/, const rocksdb::FlushJobInfo& flushed) override {
    database_.Forget(flushed.largest_seqno);
  }
  // After an error the database is opened anew; RocksDB's own ways back can wait for ever.
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason /*reason*/, rocksdb::Status /*error*/,
                            bool* auto_recovery) override {
    *auto_recovery = false;
  }

 private:
  IndexDatabase& database_;
};

class IndexDatabase::Reading {
 public:
  explicit Reading(IndexDatabase& database) : database_(database) {
    std::lock_guard lock(database_.readers_mutex_);
    ++database_.readers_;
    db_ = database_.db_.get();
  }
  ~Reading() {
    std::lock_guard lock(database_.readers_mutex_);
    if (--database_.readers_ == 0) database_.readers_gone_.notify_all();
  }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

  rocksdb::DB* db() const { return db_; }
  static Error Closed() {
    return Error{ErrorCode::kNoSpace, "index: there is no space to open it again after the disk was full"};
  }

 private:
  IndexDatabase& database_;
  rocksdb::DB* db_ = nullptr;
};

IndexDatabase::IndexDatabase() = default;

IndexDatabase::~IndexDatabase() { CloseRocks(); }

Result<std::unique_ptr<IndexDatabase>> IndexDatabase::Open(FileSystem& files, const std::string& path,
                                                           const Options& options) {
  std::unique_ptr<IndexDatabase> database(new IndexDatabase);
  database->files_ = &files;
  database->path_ = path;
  database->options_ = options;
  database->rocks_ = std::make_unique<rocksdb::Options>();
  rocksdb::Options& rocks = *database->rocks_;
  if (&files != &PosixFileSystem()) {
    database->env_ = MakeRocksEnv(files);
    rocks.env = database->env_.get();
  }
  rocks.create_if_missing = !options.read_only;
  rocks.merge_operator = std::make_shared<AddCounts>();
  rocks.listeners.push_back(std::make_shared<FlushListener>(*database));
  rocks.info_log = std::make_shared<IndexLogger>();
  rocks.write_buffer_size = options.write_buffer_bytes;
  rocks.max_open_files = 256;
  rocks.avoid_flush_during_shutdown = true;  // Flush is asked for where it is wanted
  rocks.max_background_jobs = 2;
  rocks.max_subcompactions = 1;
  rocks.compression = rocksdb::kNoCompression;
  for (auto type : rocksdb::GetSupportedCompressions()) {
    if (type == rocksdb::kLZ4Compression) rocks.compression = type;
  }
  // Flushes follow the log's segments, not the write buffer: their files are small and many.
  rocks.level0_file_num_compaction_trigger = 8;
  rocks.bytes_per_sync = 1 << 20;
  rocks.max_successive_merges = 64;  // so that reading a count never adds up many steps
  rocks.stats_dump_period_sec = 0;
  rocks.stats_persist_period_sec = 0;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(options.block_cache_bytes);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.format_version = 5;
  rocks.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));

  MILLRACE_RETURN_IF_ERROR(database->OpenRocks());
  MILLRACE_ASSIGN_OR_RETURN(auto written, database->Get(WrittenKey()));
  if (written) {
    auto number = ParseWritten(*written);
    if (!number) return Error{ErrorCode::kCorruption, "index: malformed number of the newest batch"};
    database->written_ = *number;
  }
  return database;
}

Result<void> IndexDatabase::OpenRocks() {
  rocksdb::DB* db = nullptr;
  rocksdb::Status status = options_.read_only ? rocksdb::DB::OpenForReadOnly(*rocks_, path_, &db)
                                              : rocksdb::DB::Open(*rocks_, path_, &db);
  if (!status.ok()) return FromStatus(status, "opening " + path_);
  db_.reset(db);
  return {};
}

void IndexDatabase::CloseRocks() {
  if (!db_) return;
  rocksdb::CancelAllBackgroundWork(db_.get(), true);
  db_->Close().PermitUncheckedError();
  db_.reset();
}

Result<void> IndexDatabase::Write(rocksdb::WriteBatch& batch) {
  std::lock_guard lock(write_mutex_);
  MILLRACE_RETURN_IF_ERROR(Ready());
  batch.Put(WrittenKey(), WrittenValue(written_ + 1));
  rocksdb::Status status = db_->Write(WithoutLog(), &batch);
  if (status.IsNoSpace()) {
    // It may be what a flush or a compaction met while the disk was full, and told only now that it is not.
    Break(FromStatus(status, "writing"));
    MILLRACE_RETURN_IF_ERROR(Ready());
    status = db_->Write(WithoutLog(), &batch);
  }
  if (!status.ok()) return Break(FromStatus(status, "writing"));
  ++written_;
  std::lock_guard unflushed_lock(unflushed_mutex_);
  unflushed_.push_back({written_, db_->GetLatestSequenceNumber(), batch.Data()});
  unflushed_bytes_ += batch.GetDataSize();
  return {};
}

Result<void> IndexDatabase::Flush() {
  auto flushed = TryFlush();
  // As in Write: what went wrong may be over.
  if (!flushed && flushed.error().code == ErrorCode::kNoSpace) flushed = TryFlush();
  return flushed;
}

Result<void> IndexDatabase::TryFlush() {
  {
    std::lock_guard lock(write_mutex_);
    MILLRACE_RETURN_IF_ERROR(Ready());
  }
  {
    std::lock_guard lock(unflushed_mutex_);
    if (unflushed_.empty()) return {};
  }
  rocksdb::Status status;
  {
    Reading reading(*this);
    if (reading.db() == nullptr) return Reading::Closed();
    status = reading.db()->Flush({});
  }
  if (status.ok()) return {};
  std::lock_guard lock(write_mutex_);
  return Break(FromStatus(status, "flushing"));
}

Result<void> IndexDatabase::CheckWritable() {
  std::lock_guard lock(write_mutex_);
  return Ready();
}

Result<void> IndexDatabase::Ready() {
  if (!broken_) return {};
  if (broken_->code != ErrorCode::kNoSpace) return *broken_;
  if (auto reopened = Reopen(); !reopened) {
    broken_ = reopened.error();
    return *broken_;
  }
  broken_.reset();
  return {};
}

Error IndexDatabase::Break(Error error) {
  broken_ = error;
  return error;
}

Result<void> IndexDatabase::Reopen() {
  std::uint64_t needed = kReopenBytes;
  {
    std::lock_guard lock(unflushed_mutex_);
    needed += 2 * unflushed_bytes_;
  }
  MILLRACE_ASSIGN_OR_RETURN(auto space, files_->Space(path_));
  // Readers keep what they have until there is space: once it is closed, opening it needs some.
  if (space.free_bytes < needed) return *broken_;
  std::unique_lock lock(readers_mutex_);
  if (!readers_gone_.wait_for(lock, kReadersLeaveWithin, [this] { return readers_ == 0; })) return *broken_;
  CloseRocks();
  if (auto opened = OpenRocks(); !opened) return opened;
  std::string value;
  std::uint64_t kept = 0;  // the newest batch that had been flushed
  rocksdb::Status status = db_->Get({}, WrittenKey(), &value);
  if (status.ok()) kept = ParseWritten(value).value_or(0);
  if (!status.ok() && !status.IsNotFound()) return FromStatus(status, "reading");
  std::deque<Unflushed> lost;
  {
    std::lock_guard unflushed_lock(unflushed_mutex_);
    lost = std::exchange(unflushed_, {});
    unflushed_bytes_ = 0;
  }
  const std::size_t batches = lost.size();
  while (!lost.empty() && lost.front().number <= kept) lost.pop_front();
  status = rocksdb::Status::OK();
  for (Unflushed& batch : lost) {
    rocksdb::WriteBatch again(batch.batch);
    if (status.ok()) status = db_->Write(WithoutLog(), &again);
    batch.rocks_sequence = status.ok() ? db_->GetLatestSequenceNumber() : kNotWritten;
    std::lock_guard unflushed_lock(unflushed_mutex_);
    unflushed_bytes_ += batch.batch.size();
    unflushed_.push_back(std::move(batch));
  }
  if (!status.ok()) return FromStatus(status, "writing again");
  Log(LogLevel::kInfo, "opened the index anew after the disk was full", {{"batches", batches}});
  return {};
}

void IndexDatabase::Forget(std::uint64_t rocks_sequence) {
  std::lock_guard lock(unflushed_mutex_);
  while (!unflushed_.empty() && unflushed_.front().rocks_sequence <= rocks_sequence) {
    unflushed_bytes_ -= unflushed_.front().batch.size();
    unflushed_.pop_front();
  }
}

Result<std::optional<std::string>> IndexDatabase::Get(const std::string& key) {
  Reading reading(*this);
  if (reading.db() == nullptr) return Reading::Closed();
  std::string value;
  rocksdb::Status status = reading.db()->Get({}, key, &value);
  if (status.IsNotFound()) return std::optional<std::string>{};
  if (!status.ok()) return FromStatus(status, "reading");
  return std::optional<std::string>(std::move(value));
}

Result<void> IndexDatabase::Scan(const std::string& from, const std::string& to, bool descending,
                                 const Visit& visit) {
  Reading reading(*this);
  if (reading.db() == nullptr) return Reading::Closed();
  rocksdb::ReadOptions options;
  rocksdb::Slice upper(to);
  rocksdb::Slice lower(from);
  options.iterate_upper_bound = &upper;
  options.iterate_lower_bound = &lower;
  std::unique_ptr<rocksdb::Iterator> it(reading.db()->NewIterator(options));
  std::string key;
  std::string value;
  for (descending ? it->SeekToLast() : it->SeekToFirst(); it->Valid(); descending ? it->Prev() : it->Next()) {
    CopyFromRocks(it->key(), key);
    CopyFromRocks(it->value(), value);
    auto go_on = visit(std::string_view(key), std::string_view(value));
    if (!go_on) return std::move(go_on).error();
    if (!*go_on) return {};
  }
  if (!it->status().ok()) return FromStatus(it->status(), "reading");
  return {};
}

}  // namespace millrace::storage
