// The embedded engine: a commit log of segment files and an index of them in RocksDB, in one directory of
// this machine. docs/storage-format.md says what lies on the disk and why.
//
// Threads inside: a writer (one group commit after another), a notifier (callbacks of puts that are refused
// at once, and
//   first checks of NotifyReadable), a sweeper (retention), and RocksDB's two.
// Opening: recovers what an unclean stop left (a torn tail is cut and logged). Closing (the destructor)
// commits what was
//   put before, runs every callback, and may take as long as the disk does.
// Callbacks of refused puts (queue full, bad argument) come on the notifier's thread, never inside Put.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "storage/disk_budget.h"
#include "storage/file_system.h"
#include "storage/master_keys.h"
#include "storage/record_log.h"
#include "storage/task_thread.h"

namespace millrace::storage {

class ReadWaiters;
class Reopener;

inline constexpr std::uint64_t kDataKeyRecordsMax = std::uint64_t{1} << 30;

struct EmbeddedLogOptions {
  std::string path;                            // of the data directory; made when it is not there
  FileSystem* files = &PosixFileSystem();      // outlives the log
  const Clock* clock = &SystemClock();         // outlives the log
  std::uint64_t queue_bytes_max = 256u << 20;  // data waiting for its commit; a put above it is refused
  std::uint64_t group_bytes_max = 8u << 20;    // of one group; a larger record is a group of its own
  Duration group_wait{0};                      // an idle writer waits this long for company of the first put
  std::uint64_t segment_bytes = 256u << 20;    // a segment takes no further group above this size
  std::uint64_t control_bytes = 4u << 20;      // a control segment is replaced by a snapshot above this size
  std::uint64_t reserve_bytes =
      64u << 20;        // room for deleting, mostly a file of that size: puts get kNoSpace
  DiskBudget budget{};  // beyond it the oldest records go; the default: no limit
  std::uint64_t metadata_bytes_max = 256u << 20;       // keys and values of all metadata, held in memory
  Duration sweep_interval = std::chrono::seconds(10);  // of real time, between two looks for what has expired
  Duration budget_interval = std::chrono::seconds(1);  // likewise, between two looks at the disk
  // A log that has stopped taking writes is opened again after this, and then at longer and longer intervals,
  // up to 30 s. None: not before somebody opens it.
  std::optional<Duration> reopen_after{};
  // For encryption at rest. None: a log that holds encrypted records does not open, and nothing is encrypted.
  std::shared_ptr<const MasterKeys> master_keys{};
  // Whether a stream of this name is encrypted from its beginning. Null: none is.
  std::function<bool(const std::string& name)> encrypt_new_stream{};
  std::optional<Duration> data_key_age_max{};  // a stream gets a new data key after this; none: not by age
  std::uint64_t data_key_records_max = kDataKeyRecordsMax;  // and after so many records; tests have fewer
  // For tools that mend: opens without the keys of what is encrypted, which can then be neither read nor put.
  bool without_keys = false;
  std::size_t index_write_buffer_bytes = 16u << 20;
  std::size_t index_cache_bytes = 64u << 20;
};

class EmbeddedLog final : public RecordLog {
 public:
  // Errors: kFailedPrecondition (another process uses the directory, names its pid; foreign
  // directory; a master key is missing), kPermissionDenied (a master key is not the one that the log was
  // encrypted with; it is as it was), kUnsupported (newer format), kCorruption (damage of acknowledged data;
  // `millrace check` says more), kIo, kNoSpace, kInvalidArgument (options).
  static Result<std::unique_ptr<EmbeddedLog>> Open(EmbeddedLogOptions options);
  ~EmbeddedLog() override;

  Result<StreamDescription> CreateStream(const std::string& name, std::uint32_t shard_count,
                                         Duration retention) override;
  Result<void> DeleteStream(const std::string& name) override;
  Result<StreamDescription> DescribeStream(const std::string& name) override;
  Result<Timestamp> StreamCreated(const std::string& name) override;
  std::vector<std::string> ListStreams() override;
  Result<void> SetRetention(const std::string& stream, Duration retention) override;
  Result<void> SetPartitionRetention(const std::string& stream, const std::string& partition_key,
                                     std::optional<Duration> retention) override;
  Result<void> SetStreamEncryption(const std::string& stream, std::optional<std::string> key_name) override;
  std::vector<std::string> MasterKeyIds() override;
  Result<std::vector<ShardDescription>> SplitShard(const std::string& stream, ShardId shard,
                                                   HashKey new_starting_hash_key) override;
  Result<ShardDescription> MergeShards(const std::string& stream, ShardId shard, ShardId adjacent) override;

  void Put(const std::string& stream, PutRecord record, PutCallback done) override;
  void PutMany(const std::string& stream, std::vector<PutRecord> records, PutManyCallback done) override;

  Result<ShardPosition> Seek(const std::string& stream, ShardId shard, const IteratorStart& start) override;
  Result<ReadBatch> Read(const std::string& stream, const ShardPosition& position,
                         const ReadLimits& limits) override;
  Subscription NotifyReadable(const std::string& stream, const ShardPosition& position,
                              std::function<void()> ready) override;

  Result<std::vector<RecordInfo>> Find(const std::string& stream, const std::string& partition_key,
                                       const AttributeQuery& query) override;
  Result<SharedBytes> Fetch(const std::string& stream, ShardId shard,
                            const SequenceNumber& sequence_number) override;
  // Counts what has expired but has not been swept yet.
  Result<PartitionDescription> DescribePartition(const std::string& stream,
                                                 const std::string& partition_key) override;
  Result<void> DeletePartition(const std::string& stream, const std::string& partition_key) override;
  Result<RemovedRecords> DeleteRecords(const std::string& stream, const std::string& partition_key,
                                       const std::vector<AttributeRange>& ranges) override;
  Result<void> TrimPartition(const std::string& stream, const std::string& partition_key,
                             Timestamp before) override;
  Result<Hold> PlaceHold(const std::string& stream, const std::string& partition_key, Hold hold) override;
  Result<std::vector<Hold>> ListHolds(const std::string& stream, const std::string& partition_key) override;
  Result<void> ReleaseHold(const std::string& stream, const std::string& partition_key,
                           const std::string& id) override;

  Result<MetadataEntry> GetMetadata(const std::string& key) override;
  Result<std::vector<MetadataEntry>> ListMetadata(const std::string& key_prefix) override;
  Result<std::uint64_t> PutMetadata(const std::string& key, Bytes value,
                                    std::optional<std::uint64_t> expected_version = std::nullopt) override;
  Result<void> DeleteMetadata(const std::string& key) override;
  Result<CommitReceipt> Commit(CommitBatch batch) override;
  StorageStatus Status() override;

  // The metadata of this moment, as storage/backup.h says.
  Result<Bytes> Backup();

  // Looks for what has expired now rather than at the next interval, and gives its space back before
  // returning.
  Result<void> Sweep();

 private:
  EmbeddedLog(std::shared_ptr<ReadWaiters> waiters, std::unique_ptr<Reopener> reopener);

  const std::shared_ptr<ReadWaiters> waiters_;
  TaskThread refusals_;  // of puts while the log is not open
  const std::unique_ptr<Reopener> reopener_;
};

}  // namespace millrace::storage
