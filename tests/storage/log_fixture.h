// What the tests of the log share: a temporary directory, a clock that is set, and short ways to put and
// read.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "storage/embedded_log.h"

namespace millrace::storage {

// Removed with everything in it at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = testing::TempDir() + "/millrace-storage-XXXXXX";
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline constexpr Duration kDay = std::chrono::hours(24);
inline constexpr Timestamp kTestStart = Timestamp::FromSeconds(1'750'000'000);

template <typename T>
T Get(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << result.error().ToString();
    std::abort();  // what follows would use a value that is not there
  }
  return std::move(*result);
}

template <typename T>
ErrorCode CodeOf(const Result<T>& result) {
  return result ? ErrorCode::kInternal : result.error().code;
}

#define EXPECT_OK(expression)                                                 \
  do {                                                                        \
    auto millrace_ok_ = (expression);                                         \
    EXPECT_TRUE(millrace_ok_.has_value()) << millrace_ok_.error().ToString(); \
  } while (false)

// `size` bytes that depend on `seed` and compress badly.
inline Bytes MakeData(std::size_t size, std::uint64_t seed) {
  Bytes data(size);
  std::uint64_t state = seed * 0x9E3779B97F4A7C15u + 1;
  for (std::uint8_t& byte : data) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    byte = static_cast<std::uint8_t>(state >> 32);
  }
  return data;
}

inline PutRecord MakeRecord(std::string key, Bytes data, std::vector<Attribute> attributes = {}) {
  PutRecord record;
  record.partition_key = std::move(key);
  record.data = SharedBytes(std::move(data));
  record.attributes = std::move(attributes);
  return record;
}

inline Bytes Number(std::uint64_t value) {
  Bytes bytes;
  AppendBigEndian(bytes, value);
  return bytes;
}

// The master keys of these ids, the first one current; each is made of the last digit of its id.
inline std::shared_ptr<const MasterKeys> MakeMasterKeys(const std::vector<std::string>& ids) {
  std::string text;
  for (const std::string& id : ids) {
    text += id + " ";
    for (int i = 0; i < 32; ++i) text += std::to_string(id.back()).substr(0, 2);
    text += "\n";
  }
  return std::make_shared<const MasterKeys>(Get(MasterKeys::Parse(text, "the key file")));
}

inline std::vector<Result<PutReceipt>> PutManyAndWait(RecordLog& log, const std::string& stream,
                                                      std::vector<PutRecord> records) {
  std::promise<std::vector<Result<PutReceipt>>> done;
  log.PutMany(stream, std::move(records),
              [&](std::vector<Result<PutReceipt>> results) { done.set_value(std::move(results)); });
  return done.get_future().get();
}

// Every record of a shard from the trim horizon on, in small batches.
inline std::vector<Record> ReadAll(RecordLog& log, const std::string& stream, ShardId shard,
                                   IteratorStart start = {}) {
  std::vector<Record> records;
  auto position = log.Seek(stream, shard, start);
  if (!position) {
    ADD_FAILURE() << position.error().ToString();
    return records;
  }
  ReadLimits limits;
  limits.records_max = 7;
  std::optional<ShardPosition> next = *position;
  while (next) {
    auto batch = log.Read(stream, *next, limits);
    if (!batch) {
      ADD_FAILURE() << batch.error().ToString();
      return records;
    }
    if (batch->records.empty()) break;
    for (Record& record : batch->records) records.push_back(std::move(record));
    next = batch->next;
  }
  return records;
}

class LogTest : public testing::Test {
 protected:
  EmbeddedLogOptions Options() {
    EmbeddedLogOptions options;
    options.path = directory_.path() + "/data";
    options.clock = &clock_;
    options.sweep_interval = std::chrono::hours(1);  // tests sweep by hand
    options.index_write_buffer_bytes = 1 << 20;
    options.index_cache_bytes = 1 << 20;
    options.reserve_bytes = 0;
    return options;
  }
  void Open() { Open(Options()); }
  void Open(const EmbeddedLogOptions& options) { log_ = Get(EmbeddedLog::Open(options)); }
  void Reopen() {
    log_.reset();
    Open();
  }
  PutReceipt Put(const std::string& stream, const std::string& key, Bytes data,
                 std::vector<Attribute> attributes = {}) {
    return Get(PutAndWait(*log_, stream, MakeRecord(key, std::move(data), std::move(attributes))));
  }

  TemporaryDirectory directory_;
  ManualClock clock_{kTestStart};
  std::unique_ptr<EmbeddedLog> log_;
};

}  // namespace millrace::storage
