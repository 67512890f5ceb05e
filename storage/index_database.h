// The RocksDB database under the index. It has no write-ahead log: the commit log is one. What a crash loses
// of it, recovery replays from there; what an error of RocksDB itself would lose (it stops for good after a
// full disk), this class holds in memory and gives back to a database that it opens anew.
//
// Threads: any may call.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "storage/file_system.h"

namespace rocksdb {
class DB;
class Env;
struct Options;
class WriteBatch;
}  // namespace rocksdb

namespace millrace::storage {

class IndexDatabase {
 public:
  struct Options {
    std::size_t write_buffer_bytes = 16 * 1024 * 1024;  // unflushed rows are held twice, each up to this
    std::size_t block_cache_bytes = 64 * 1024 * 1024;
    bool read_only = false;
  };

  // Makes an empty one where there is none. `files` outlives it. Errors: kCorruption, kIo, kNoSpace.
  static Result<std::unique_ptr<IndexDatabase>> Open(FileSystem& files, const std::string& path,
                                                     const Options& options);
  ~IndexDatabase();  // does not flush

  // All of the batch, or nothing. Readers see it when this returns; it is durable after a Flush.
  Result<void> Write(rocksdb::WriteBatch& batch);
  // Everything written so far survives a power loss. Writes go on meanwhile.
  Result<void> Flush();
  // After an error of Write or Flush all three give it again; after kNoSpace, until there is space. This
  // gives it without writing.
  Result<void> CheckWritable();

  Result<std::optional<std::string>> Get(const std::string& key);
  // Calls `visit` with key and value of each row from `from` up to, not including, `to`, until it gives
  // false or an error. It may call Get and Scan, and must not write.
  using Visit = std::function<Result<bool>(std::string_view, std::string_view)>;
  Result<void> Scan(const std::string& from, const std::string& to, bool descending, const Visit& visit);

 private:
  class FlushListener;
  class Reading;
  struct Unflushed {
    std::uint64_t number = 0;          // in the order of writing, kept in the database with the batch
    std::uint64_t rocks_sequence = 0;  // RocksDB's newest when it was written
    std::string batch;
  };

  IndexDatabase();
  Result<void> OpenRocks();
  Result<void> TryFlush();
  void CloseRocks();
  Result<void> Ready();                       // REQUIRES: write_mutex_
  Result<void> Reopen();                      // REQUIRES: write_mutex_
  Error Break(Error error);                   // REQUIRES: write_mutex_
  void Forget(std::uint64_t rocks_sequence);  // what is flushed

  FileSystem* files_ = nullptr;
  std::string path_;
  Options options_;
  std::unique_ptr<rocksdb::Env> env_;  // over `files_`; null: RocksDB's own. Outlives db_
  std::unique_ptr<rocksdb::Options> rocks_;

  std::mutex write_mutex_;
  std::optional<Error> broken_;  // GUARDED_BY(write_mutex_)
  std::uint64_t written_ = 0;    // GUARDED_BY(write_mutex_); number of the newest batch

  std::mutex unflushed_mutex_;
  std::deque<Unflushed> unflushed_;    // GUARDED_BY(unflushed_mutex_)
  std::uint64_t unflushed_bytes_ = 0;  // GUARDED_BY(unflushed_mutex_)

  // Readers hold the database open. They come before the one who closes it, so that a reader may begin
  // another reading inside its own.
  std::mutex readers_mutex_;
  std::condition_variable readers_gone_;
  int readers_ = 0;  // GUARDED_BY(readers_mutex_)
  std::unique_ptr<rocksdb::DB>
      db_;  // changed under readers_mutex_ with no readers; null: could not be opened
};

}  // namespace millrace::storage
