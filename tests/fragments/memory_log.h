// A RecordLog in memory, of what fragments/ uses, with switches for what a disk does to us: puts that fail,
// puts whose acknowledgement is held back. Threads: any.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "storage/record_log.h"

namespace millrace::test {

class MemoryLog final : public storage::RecordLog {
 public:
  // From now on puts fail with `error`; none: they succeed.
  void FailPuts(std::optional<Error> error) {
    const std::lock_guard lock(mutex_);
    put_error_ = std::move(error);
  }
  // The next puts are stored, and answered with `error` all the same: the log could not tell.
  void FailAnswers(std::optional<Error> error) {
    const std::lock_guard lock(mutex_);
    answer_error_ = std::move(error);
  }
  // From now on no stream can be described; none: they can.
  void FailDescriptions(std::optional<Error> error) {
    const std::lock_guard lock(mutex_);
    describe_error_ = std::move(error);
  }
  std::size_t puts() {
    const std::lock_guard lock(mutex_);
    return puts_;
  }
  // From now on DeleteRecords fails with `error`; none: it succeeds.
  void FailDeletions(std::optional<Error> error) {
    const std::lock_guard lock(mutex_);
    delete_error_ = std::move(error);
  }
  // Runs within DeleteRecords once it is done.
  void AfterDeletion(std::function<void()> after) {
    const std::lock_guard lock(mutex_);
    after_deletion_ = std::move(after);
  }
  // Runs once, before the next listing of metadata.
  void BeforeListing(std::function<void()> before) {
    const std::lock_guard lock(mutex_);
    before_listing_ = std::move(before);
  }
  void FailMetadata(bool fail) {
    const std::lock_guard lock(mutex_);
    fail_metadata_ = fail;
  }
  // Holds acknowledgements back until ReleasePuts.
  void HoldPuts() {
    const std::lock_guard lock(mutex_);
    hold_ = true;
  }
  std::size_t held() {
    const std::lock_guard lock(mutex_);
    return held_.size();
  }
  void ReleasePuts() {
    std::vector<std::function<void()>> held;
    {
      const std::lock_guard lock(mutex_);
      hold_ = false;
      held.swap(held_);
    }
    for (const auto& done : held) done();
  }
  std::optional<Duration> RetentionOf(const std::string& partition_key) {
    const std::lock_guard lock(mutex_);
    const auto at = retention_.find(partition_key);
    return at == retention_.end() ? std::nullopt : at->second;
  }
  std::size_t RecordCount() {
    const std::lock_guard lock(mutex_);
    return records_.size();
  }
  std::size_t FindCount() {
    const std::lock_guard lock(mutex_);
    return finds_;
  }

  Result<storage::StreamDescription> CreateStream(const std::string& name, std::uint32_t,
                                                  Duration retention) override {
    const std::lock_guard lock(mutex_);
    storage::StreamDescription description;
    description.name = name;
    description.retention = retention;
    streams_[name] = description;
    return description;
  }
  Result<void> DeleteStream(const std::string&) override { return Unused(); }
  Result<storage::StreamDescription> DescribeStream(const std::string& name) override {
    const std::lock_guard lock(mutex_);
    if (describe_error_) return *describe_error_;
    const auto at = streams_.find(name);
    if (at == streams_.end()) return Error{ErrorCode::kNotFound, "no stream"};
    return at->second;
  }
  std::vector<std::string> ListStreams() override { return {}; }
  Result<void> SetRetention(const std::string&, Duration) override { return Unused(); }
  Result<void> SetPartitionRetention(const std::string&, const std::string& key,
                                     std::optional<Duration> retention) override {
    const std::lock_guard lock(mutex_);
    retention_[key] = retention;
    return {};
  }
  Result<std::vector<storage::ShardDescription>> SplitShard(const std::string&, storage::ShardId,
                                                            storage::HashKey) override {
    return Unused();
  }
  Result<storage::ShardDescription> MergeShards(const std::string&, storage::ShardId,
                                                storage::ShardId) override {
    return Unused();
  }

  void Put(const std::string& stream, storage::PutRecord record, PutCallback done) override {
    Result<storage::PutReceipt> result = storage::PutReceipt{};
    {
      const std::lock_guard lock(mutex_);
      ++puts_;
      if (!streams_.contains(stream)) {
        result = Error{ErrorCode::kNotFound, "no stream"};
      } else if (put_error_) {
        result = *put_error_;
      } else {
        storage::Record stored;
        stored.info.sequence_number = storage::SequenceNumber::FromFields(
            {.shard_created_s = 0, .counter = ++sequence_, .time_s = 0, .shard = {}});
        stored.info.partition_key = record.partition_key;
        stored.info.attributes = record.attributes;
        stored.info.data_bytes = record.data.size();
        stored.data = record.data;
        result =
            storage::PutReceipt{.shard = {}, .sequence_number = stored.info.sequence_number, .arrival = {}};
        records_.push_back(std::move(stored));
        if (answer_error_) result = *answer_error_;
      }
      if (hold_) {
        held_.push_back([done = std::move(done), result] { done(result); });
        return;
      }
    }
    done(std::move(result));
  }
  void PutMany(const std::string&, std::vector<storage::PutRecord>, PutManyCallback) override {}

  Result<storage::ShardPosition> Seek(const std::string&, storage::ShardId,
                                      const storage::IteratorStart&) override {
    return Unused();
  }
  Result<storage::ReadBatch> Read(const std::string&, const storage::ShardPosition&,
                                  const storage::ReadLimits&) override {
    return Unused();
  }
  storage::Subscription NotifyReadable(const std::string&, const storage::ShardPosition&,
                                       std::function<void()>) override {
    return nullptr;
  }

  Result<std::vector<storage::RecordInfo>> Find(const std::string&, const std::string& key,
                                                const storage::AttributeQuery& query) override {
    const std::lock_guard lock(mutex_);
    ++finds_;
    std::vector<storage::RecordInfo> found;
    for (const storage::Record& record : records_) {
      const ByteSpan value = record.info.Find(query.attribute);
      const auto less = [](ByteSpan a, ByteSpan b) {
        return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
      };
      if (record.info.partition_key != key || value.empty()) continue;
      if ((query.from && less(value, *query.from)) || (query.to && less(*query.to, value))) continue;
      found.push_back(record.info);
    }
    std::stable_sort(found.begin(), found.end(), [&](const auto& a, const auto& b) {
      const ByteSpan x = a.Find(query.attribute);
      const ByteSpan y = b.Find(query.attribute);
      return std::lexicographical_compare(x.begin(), x.end(), y.begin(), y.end());
    });
    if (query.descending) std::reverse(found.begin(), found.end());
    if (found.size() > query.limit) found.resize(query.limit);
    return found;
  }
  Result<SharedBytes> Fetch(const std::string&, storage::ShardId,
                            const storage::SequenceNumber& sequence_number) override {
    const std::lock_guard lock(mutex_);
    for (const storage::Record& record : records_) {
      if (record.info.sequence_number == sequence_number) return record.data;
    }
    return Error{ErrorCode::kNotFound, "no record"};
  }
  Result<storage::PartitionDescription> DescribePartition(const std::string&,
                                                          const std::string& key) override {
    const std::lock_guard lock(mutex_);
    storage::PartitionDescription usage;
    usage.partition_key = key;
    for (const storage::Record& record : records_) {
      if (record.info.partition_key != key) continue;
      ++usage.records;
      usage.data_bytes += record.info.data_bytes;
    }
    return usage;
  }
  Result<void> DeletePartition(const std::string&, const std::string& key) override {
    const std::lock_guard lock(mutex_);
    if (fail_metadata_) return Error{ErrorCode::kIo, "made to fail"};
    std::erase_if(records_, [&](const storage::Record& record) { return record.info.partition_key == key; });
    return {};
  }

  Result<storage::RemovedRecords> DeleteRecords(const std::string&, const std::string& key,
                                                const std::vector<storage::AttributeRange>& ranges) override {
    storage::RemovedRecords removed;
    std::function<void()> after;
    {
      const std::lock_guard lock(mutex_);
      if (delete_error_) return *delete_error_;
      std::erase_if(records_, [&](const storage::Record& record) {
        const bool in_one = std::ranges::any_of(ranges, [&](const storage::AttributeRange& range) {
          const ByteSpan value = record.info.Find(range.attribute);
          const auto less = [](ByteSpan a, ByteSpan b) { return std::ranges::lexicographical_compare(a, b); };
          return (!range.from || !less(value, *range.from)) && (!range.to || !less(*range.to, value));
        });
        if (record.info.partition_key != key || !in_one) return false;
        ++removed.records;
        removed.data_bytes += record.info.data_bytes;
        return true;
      });
      after = after_deletion_;
    }
    if (after) after();
    return removed;
  }
  Result<storage::Hold> PlaceHold(const std::string&, const std::string&, storage::Hold hold) override {
    const std::lock_guard lock(mutex_);
    holds_.push_back(hold);
    return hold;
  }
  Result<std::vector<storage::Hold>> ListHolds(const std::string&, const std::string&) override {
    const std::lock_guard lock(mutex_);
    return holds_;
  }

  Result<storage::MetadataEntry> GetMetadata(const std::string& key) override {
    const std::lock_guard lock(mutex_);
    const auto at = metadata_.find(key);
    if (at == metadata_.end()) return Error{ErrorCode::kNotFound, "no metadata"};
    return at->second;
  }
  Result<std::vector<storage::MetadataEntry>> ListMetadata(const std::string& prefix) override {
    std::function<void()> before;
    {
      const std::lock_guard lock(mutex_);
      before = std::exchange(before_listing_, nullptr);
    }
    if (before) before();
    const std::lock_guard lock(mutex_);
    std::vector<storage::MetadataEntry> entries;
    for (const auto& [key, entry] : metadata_) {
      if (key.starts_with(prefix)) entries.push_back(entry);
    }
    return entries;
  }
  Result<std::uint64_t> PutMetadata(const std::string& key, Bytes value,
                                    std::optional<std::uint64_t>) override {
    const std::lock_guard lock(mutex_);
    if (fail_metadata_) return Error{ErrorCode::kIo, "made to fail"};
    storage::MetadataEntry& entry = metadata_[key];
    entry.key = key;
    entry.value = std::move(value);
    return ++entry.version;
  }
  Result<void> DeleteMetadata(const std::string& key) override {
    const std::lock_guard lock(mutex_);
    metadata_.erase(key);
    return {};
  }
  Result<storage::CommitReceipt> Commit(storage::CommitBatch) override { return Unused(); }

 private:
  static Error Unused() { return {ErrorCode::kUnsupported, "not of this log"}; }

  std::mutex mutex_;
  std::map<std::string, storage::StreamDescription> streams_;
  std::map<std::string, std::optional<Duration>> retention_;
  std::map<std::string, storage::MetadataEntry> metadata_;
  std::vector<storage::Record> records_;
  std::vector<std::function<void()>> held_;
  std::optional<Error> put_error_;
  std::optional<Error> answer_error_;
  std::optional<Error> describe_error_;
  std::optional<Error> delete_error_;
  std::function<void()> after_deletion_;
  std::function<void()> before_listing_;
  std::vector<storage::Hold> holds_;  // of all partition keys; they hold nothing here
  std::size_t puts_ = 0;
  bool fail_metadata_ = false;
  bool hold_ = false;
  std::uint64_t sequence_ = 0;
  std::size_t finds_ = 0;
};

}  // namespace millrace::test
