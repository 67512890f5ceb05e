#include "api/v1/application_leases.h"

#include <openssl/sha.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <set>
#include <utility>

namespace millrace::api {
namespace {

using storage::IteratorType;
using storage::SequenceNumber;
using storage::ShardDescription;
using storage::ShardId;

constexpr int kCommitTries = 4;

// Whether one place in a record, whose user records up to it are done, lies before another.
bool LiesBefore(std::optional<std::uint64_t> a, std::optional<std::uint64_t> b) {
  return a && (!b || *a < *b);  // none: all of them
}

std::string StreamPrefix(const std::string& application, const std::string& stream) {
  return "applications/" + application + "/" + stream;
}
std::string RowKey(const std::string& application, const std::string& stream, ShardId shard) {
  return StreamPrefix(application, stream) + "/" + shard.ToString();
}

Bytes ToBytes(const boost::json::object& object) {
  std::string text = boost::json::serialize(object);
  return Bytes(text.begin(), text.end());
}
Error Malformed(const std::string& key) {
  return {ErrorCode::kCorruption, "metadata '" + key + "' is not what was put there"};
}

Result<std::int64_t> ParseMarker(const storage::MetadataEntry& entry) {
  boost::system::error_code ec;
  auto value = boost::json::parse({AsText(entry.value).data(), entry.value.size()}, ec);
  if (ec || !value.is_object()) return Malformed(entry.key);
  const auto* created = value.get_object().if_contains("stream_created_ns");
  if (created == nullptr || !created->is_int64()) return Malformed(entry.key);
  return created->get_int64();
}

Error Lost(const std::string& stream, ShardId shard) {
  return {ErrorCode::kFailedPrecondition, "the lease of " + shard.ToString() + " of stream '" + stream +
                                              "' is not this worker's, or not under this counter"};
}

}  // namespace

// One shard's row, as it is stored.
struct ApplicationLeases::Row {
  std::string owner;
  std::uint64_t counter = 0;
  Duration length{0};
  std::optional<SequenceNumber> checkpoint;
  std::optional<std::uint64_t> sub_sequence;
  bool ended = false;
  std::string attempt;  // at what; empty: nothing was noted since the checkpoint moved
  std::uint64_t attempts = 0;
  std::uint64_t version = 0;  // 0: there is no row yet

  Bytes Encode() const {
    boost::json::object object;
    object["owner"] = owner;
    object["counter"] = counter;
    object["lease_ms"] = length / std::chrono::milliseconds(1);
    if (checkpoint) object["checkpoint"] = checkpoint->ToString();
    if (sub_sequence) object["sub_sequence"] = *sub_sequence;
    if (ended) object["ended"] = true;
    if (!attempt.empty()) {
      object["attempt"] = attempt;
      object["attempts"] = attempts;
    }
    return ToBytes(object);
  }
  static Result<Row> Decode(const storage::MetadataEntry& entry) {
    boost::system::error_code ec;
    auto value = boost::json::parse({AsText(entry.value).data(), entry.value.size()}, ec);
    if (ec || !value.is_object()) return Malformed(entry.key);
    const auto& object = value.get_object();
    const auto* owner = object.if_contains("owner");
    const auto* counter = object.if_contains("counter");
    const auto* length = object.if_contains("lease_ms");
    if (owner == nullptr || !owner->is_string() || counter == nullptr || !counter->is_int64() ||
        length == nullptr || !length->is_int64()) {
      return Malformed(entry.key);
    }
    Row row;
    row.owner = std::string(owner->get_string());
    row.counter = static_cast<std::uint64_t>(counter->get_int64());
    row.length = std::chrono::milliseconds(length->get_int64());
    row.ended = object.contains("ended");
    row.version = entry.version;
    if (const auto* attempt = object.if_contains("attempt")) {
      const auto* attempts = object.if_contains("attempts");
      if (!attempt->is_string() || attempts == nullptr || !attempts->is_int64()) return Malformed(entry.key);
      row.attempt = std::string(attempt->get_string());
      row.attempts = static_cast<std::uint64_t>(attempts->get_int64());
    }
    if (const auto* sub_sequence = object.if_contains("sub_sequence")) {
      if (!sub_sequence->is_int64() || sub_sequence->get_int64() < 0) return Malformed(entry.key);
      row.sub_sequence = static_cast<std::uint64_t>(sub_sequence->get_int64());
    }
    if (const auto* checkpoint = object.if_contains("checkpoint")) {
      if (!checkpoint->is_string()) return Malformed(entry.key);
      MILLRACE_ASSIGN_OR_RETURN(row.checkpoint,
                                SequenceNumber::Parse(std::string_view(checkpoint->get_string())));
    }
    return row;
  }
};

// ---- deadlines

void ApplicationLeases::SetDeadline(const std::string& key, const Row& row) {
  std::lock_guard lock(mutex_);
  deadlines_[key] = {
      row.counter,
      clock_.SteadyNow() + std::chrono::duration_cast<std::chrono::steady_clock::duration>(row.length)};
}

Duration ApplicationLeases::Left(const std::string& key, const Row& row) {
  auto now = clock_.SteadyNow();
  std::lock_guard lock(mutex_);
  Deadline& deadline = deadlines_[key];
  if (deadline.counter != row.counter) {  // as it was before the restart
    deadline = {row.counter,
                opened_ + std::chrono::duration_cast<std::chrono::steady_clock::duration>(row.length)};
  }
  return deadline.at - now;
}

ShardLease ApplicationLeases::ToLease(const std::string& stream, ShardId shard, const std::string& key,
                                      const Row& row) {
  ShardLease lease;
  lease.stream = stream;
  lease.shard = shard;
  lease.owner = row.owner;
  lease.counter = row.counter;
  if (!row.owner.empty()) {
    Duration left = Left(key, row);
    lease.expires = clock_.Now() + left;
    lease.expired = left <= Duration{0};
  }
  lease.checkpoint = row.checkpoint;
  lease.sub_sequence = row.sub_sequence;
  lease.ended = row.ended;
  return lease;
}

// ---- rows

Result<void> ApplicationLeases::CheckBegun(const std::string& application, const std::string& stream,
                                           Timestamp created) {
  auto marker = log_.GetMetadata(StreamPrefix(application, stream));
  if (!marker && marker.error().code == ErrorCode::kNotFound) {
    return Error{ErrorCode::kNotFound,
                 "application '" + application + "' has not begun with stream '" + stream + "'"};
  }
  if (!marker) return std::move(marker).error();
  MILLRACE_ASSIGN_OR_RETURN(auto begun, ParseMarker(*marker));
  if (begun == created.ns) return {};
  return Error{ErrorCode::kFailedPrecondition,
               "stream '" + stream + "' was deleted and made again: begin with it anew"};
}

Result<storage::StreamDescription> ApplicationLeases::DescribeBegun(const std::string& application,
                                                                    const std::string& stream) {
  MILLRACE_ASSIGN_OR_RETURN(auto description, log_.DescribeStream(stream));
  MILLRACE_RETURN_IF_ERROR(CheckBegun(application, stream, description.created));
  return description;
}

Result<ApplicationLeases::Row> ApplicationLeases::ReadRow(const std::string& application,
                                                          const std::string& stream, ShardId shard) {
  auto entry = log_.GetMetadata(RowKey(application, stream, shard));
  if (!entry && entry.error().code == ErrorCode::kNotFound) return Row();
  if (!entry) return std::move(entry).error();
  return Row::Decode(*entry);
}

Result<std::vector<ShardLease>> ApplicationLeases::Describe(const std::string& application,
                                                            const storage::StreamDescription& stream) {
  MILLRACE_ASSIGN_OR_RETURN(auto entries, log_.ListMetadata(StreamPrefix(application, stream.name) + "/"));
  std::map<std::string, Row> rows;
  for (const storage::MetadataEntry& entry : entries) {
    MILLRACE_ASSIGN_OR_RETURN(rows[entry.key], Row::Decode(entry));
  }
  std::set<ShardId> unfinished;
  for (const ShardDescription& shard : stream.shards) {
    auto row = rows.find(RowKey(application, stream.name, shard.id));
    if (row == rows.end() || !row->second.ended) unfinished.insert(shard.id);
  }
  std::vector<ShardLease> leases;
  for (const ShardDescription& shard : stream.shards) {
    std::string key = RowKey(application, stream.name, shard.id);
    leases.push_back(ToLease(stream.name, shard.id, key, rows[key]));
    // A parent that is no longer kept has nothing left to be read.
    auto done = [&](const std::optional<ShardId>& parent) {
      return !parent || !unfinished.contains(*parent);
    };
    leases.back().ready = unfinished.contains(shard.id) && done(shard.parent) && done(shard.adjacent_parent);
  }
  return leases;
}

Result<std::vector<ShardLease>> ApplicationLeases::Begin(const std::string& application,
                                                         const std::string& stream,
                                                         const storage::IteratorStart& start) {
  for (int i = 0;; ++i) {
    auto begun = DescribeBegun(application, stream);
    if (begun) return Describe(application, *begun);
    bool again = begun.error().code == ErrorCode::kFailedPrecondition;
    MILLRACE_ASSIGN_OR_RETURN(auto description, log_.DescribeStream(stream));
    auto marker = log_.GetMetadata(StreamPrefix(application, stream));
    boost::json::object value;
    value["stream_created_ns"] = description.created.ns;
    storage::CommitBatch batch;
    batch.metadata.push_back(
        {StreamPrefix(application, stream), ToBytes(value), marker ? marker->version : 0});
    for (const ShardDescription& shard : description.shards) {
      Row row;
      bool skipped =
          start.type == IteratorType::kLatest
              ? shard.closed.has_value()
              : start.type == IteratorType::kAtTimestamp && shard.closed && *shard.closed < start.timestamp;
      row.ended = skipped && !again;
      if (!row.ended && !again && start.type != IteratorType::kTrimHorizon) {
        MILLRACE_ASSIGN_OR_RETURN(auto position, log_.Seek(stream, shard.id, start));
        row.checkpoint = position.after;
      }
      // A counter that was given for the stream's forerunner is never valid again.
      if (again) {
        MILLRACE_ASSIGN_OR_RETURN(Row old, ReadRow(application, stream, shard.id));
        row.counter = old.counter + 1;
      }
      batch.metadata.push_back({RowKey(application, stream, shard.id), row.Encode(), std::nullopt});
    }
    if (again) {
      MILLRACE_ASSIGN_OR_RETURN(auto old, log_.ListMetadata(StreamPrefix(application, stream) + "/"));
      for (const storage::MetadataEntry& entry : old) {
        bool kept = std::any_of(batch.metadata.begin(), batch.metadata.end(),
                                [&](const auto& change) { return change.key == entry.key; });
        if (!kept) batch.metadata.push_back({entry.key, std::nullopt, std::nullopt});
      }
    }
    auto made = log_.Commit(std::move(batch));
    // Another worker was faster: what it made counts.
    bool raced = !made && made.error().code == ErrorCode::kFailedPrecondition && i < kCommitTries;
    if (!made && !raced) return std::move(made).error();
  }
}

Result<std::vector<ShardLease>> ApplicationLeases::List(const std::string& application) {
  const std::string prefix = "applications/" + application + "/";
  MILLRACE_ASSIGN_OR_RETURN(auto entries, log_.ListMetadata(prefix));
  if (entries.empty()) {
    return Error{ErrorCode::kNotFound, "application '" + application + "' does not exist"};
  }
  std::vector<ShardLease> leases;
  for (const storage::MetadataEntry& entry : entries) {
    std::string stream = entry.key.substr(prefix.size());
    if (stream.find('/') != std::string::npos) continue;
    auto description = DescribeBegun(application, stream);
    if (!description) continue;  // the stream is gone, or another one
    MILLRACE_ASSIGN_OR_RETURN(auto of_stream, Describe(application, *description));
    leases.insert(leases.end(), of_stream.begin(), of_stream.end());
  }
  return leases;
}

std::vector<std::string> ApplicationLeases::Applications() {
  const std::string prefix = "applications/";
  std::vector<std::string> names;
  auto entries = log_.ListMetadata(prefix);
  if (!entries) return names;
  for (const storage::MetadataEntry& entry : *entries) {
    std::string name = entry.key.substr(prefix.size(), entry.key.find('/', prefix.size()) - prefix.size());
    if (names.empty() || names.back() != name) names.push_back(std::move(name));
  }
  return names;
}

Result<void> ApplicationLeases::Delete(const std::string& application) {
  MILLRACE_ASSIGN_OR_RETURN(auto entries, log_.ListMetadata("applications/" + application + "/"));
  if (entries.empty()) {
    return Error{ErrorCode::kNotFound, "application '" + application + "' does not exist"};
  }
  storage::CommitBatch batch;
  for (storage::MetadataEntry& entry : entries) {
    batch.metadata.push_back({std::move(entry.key), std::nullopt, std::nullopt});
  }
  MILLRACE_RETURN_IF_ERROR(log_.Commit(std::move(batch)));
  std::lock_guard lock(mutex_);
  std::erase_if(deadlines_, [&](const auto& deadline) {
    return deadline.first.starts_with("applications/" + application + "/");
  });
  return {};
}

// ---- leases

Result<ShardLease> ApplicationLeases::Take(const std::string& application, const std::string& stream,
                                           ShardId shard, const std::string& owner, Duration length,
                                           std::optional<std::uint64_t> steal_counter) {
  MILLRACE_ASSIGN_OR_RETURN(auto description, DescribeBegun(application, stream));
  bool known = std::any_of(description.shards.begin(), description.shards.end(),
                           [&](const ShardDescription& other) { return other.id == shard; });
  if (!known) return Error{ErrorCode::kNotFound, "stream '" + stream + "' has no " + shard.ToString()};
  const std::string key = RowKey(application, stream, shard);
  MILLRACE_ASSIGN_OR_RETURN(Row row, ReadRow(application, stream, shard));
  bool free = row.owner.empty() || row.owner == owner || Left(key, row) <= Duration{0} ||
              steal_counter == row.counter;
  if (!free) {
    return Error{ErrorCode::kFailedPrecondition, "the lease of " + shard.ToString() + " of stream '" +
                                                     stream + "' is held by '" + row.owner + "'"};
  }
  std::uint64_t version = row.version;
  bool suspect = !row.owner.empty() || !row.attempt.empty();
  row.owner = owner;
  row.length = length;
  ++row.counter;
  MILLRACE_RETURN_IF_ERROR(log_.PutMetadata(key, row.Encode(), version));
  SetDeadline(key, row);
  ShardLease lease = ToLease(stream, shard, key, row);
  lease.ready = !row.ended;
  lease.suspect = suspect;
  return lease;
}

std::vector<ApplicationLeases::Held> ApplicationLeases::Renew(const std::string& application,
                                                              const std::string& owner,
                                                              const std::vector<Held>& leases) {
  std::vector<Held> lost;
  for (const Held& held : leases) {
    auto row = ReadRow(application, held.stream, held.shard);
    if (row && row->owner == owner && row->counter == held.counter) {
      SetDeadline(RowKey(application, held.stream, held.shard), *row);
    } else {
      lost.push_back(held);
    }
  }
  return lost;
}

Result<void> ApplicationLeases::Release(const std::string& application, const std::string& stream,
                                        ShardId shard, const std::string& owner, std::uint64_t counter) {
  for (int i = 0;; ++i) {
    MILLRACE_ASSIGN_OR_RETURN(Row row, ReadRow(application, stream, shard));
    if (row.owner != owner || row.counter != counter) return {};
    std::uint64_t version = row.version;
    row.owner.clear();
    ++row.counter;
    auto put = log_.PutMetadata(RowKey(application, stream, shard), row.Encode(), version);
    if (put) return {};
    if (put.error().code != ErrorCode::kFailedPrecondition || i >= kCommitTries)
      return std::move(put).error();
  }
}

Result<std::uint64_t> ApplicationLeases::Attempt(const std::string& application, const std::string& stream,
                                                 ShardId shard, const std::string& owner,
                                                 std::uint64_t counter, const std::string& what) {
  for (int i = 0;; ++i) {
    MILLRACE_ASSIGN_OR_RETURN(Row row, ReadRow(application, stream, shard));
    if (row.owner != owner || row.counter != counter || row.version == 0) return Lost(stream, shard);
    std::uint64_t version = row.version;
    row.attempts = row.attempt == what ? row.attempts + 1 : 1;
    row.attempt = what;
    auto put = log_.PutMetadata(RowKey(application, stream, shard), row.Encode(), version);
    if (put) return row.attempts;
    if (put.error().code != ErrorCode::kFailedPrecondition || i >= kCommitTries)
      return std::move(put).error();
  }
}

// ---- commits

namespace {

constexpr std::string_view kEventsMember = R"("Events":[{)";
constexpr std::string_view kThumbnailMember = R"("Thumbnail":{)";

// Whether JSON text has the member, with blanks or without. Within a string the quotes would be escaped; what
// has such a member further in is found for nothing, and passed over by who reads it.
bool Mentions(std::string_view data, std::string_view member) {
  const std::size_t name = member.find(':');
  for (std::size_t at = data.find(member.substr(0, name)); at != std::string_view::npos;
       at = data.find(member.substr(0, name), at + 1)) {
    std::size_t next = at + name;
    const bool is_there =
        std::all_of(member.begin() + static_cast<std::ptrdiff_t>(name), member.end(), [&](char c) {
          next = data.find_first_not_of(" \t\r\n", next);
          return next != std::string_view::npos && data[next++] == c;
        });
    if (is_there) return true;
  }
  return false;
}

}  // namespace

Result<bool> ApplicationLeases::KeyIsThere(const ApplicationRecord& record) {
  storage::AttributeQuery query;
  query.attribute = kResultKeyAttribute;
  Bytes digest(SHA256_DIGEST_LENGTH);
  SHA256(AsBytes(record.key).data(), record.key.size(), digest.data());
  query.from = digest;
  query.to = digest;
  query.limit = 1;
  MILLRACE_ASSIGN_OR_RETURN(auto found, log_.Find(record.stream, record.record.partition_key, query));
  return !found.empty();
}

Result<ApplicationLeases::Committed> ApplicationLeases::TryCommit(const std::string& application,
                                                                  const ApplicationCommit& commit) {
  MILLRACE_ASSIGN_OR_RETURN(Row row, ReadRow(application, commit.stream, commit.shard));
  if (row.owner != commit.owner || row.counter != commit.counter || row.version == 0) {
    return Lost(commit.stream, commit.shard);
  }
  const bool same_record = commit.checkpoint && row.checkpoint == commit.checkpoint;
  bool repeated =
      commit.checkpoint ? same_record && row.sub_sequence == commit.sub_sequence && !row.ended : row.ended;
  Committed committed;
  if (repeated) {
    SetDeadline(RowKey(application, commit.stream, commit.shard), row);
    committed.repeated = true;
    return committed;
  }
  if (row.ended || (commit.checkpoint && row.checkpoint && *commit.checkpoint < *row.checkpoint) ||
      (same_record && LiesBefore(commit.sub_sequence, row.sub_sequence))) {
    return Error{ErrorCode::kInvalidArgument, "the checkpoint lies before the one that is there"};
  }
  std::uint64_t version = row.version;
  row.checkpoint = commit.checkpoint ? commit.checkpoint : row.checkpoint;
  row.sub_sequence = commit.sub_sequence;
  row.ended = !commit.checkpoint;
  row.attempt.clear();
  row.attempts = 0;
  storage::CommitBatch batch;
  batch.metadata.push_back({RowKey(application, commit.stream, commit.shard), row.Encode(), version});
  std::set<std::string> keys;
  for (const ApplicationRecord& record : commit.records) {
    storage::StreamRecord put{record.stream, record.record};
    if (record.time) {
      Bytes time;
      AppendBigEndian(time, static_cast<std::uint64_t>(std::max<std::int64_t>(record.time->ns, 0)));
      const std::string_view data = AsText(put.record.data.span());
      if (Mentions(data, kEventsMember)) put.record.attributes.push_back({kResultEventAttribute, time});
      if (Mentions(data, kThumbnailMember))
        put.record.attributes.push_back({kResultThumbnailAttribute, time});
      put.record.attributes.push_back({kResultTimeAttribute, std::move(time)});
    }
    if (!record.key.empty()) {
      MILLRACE_ASSIGN_OR_RETURN(bool there, KeyIsThere(record));
      if (there ||
          !keys.insert(record.stream + '/' + record.record.partition_key + '/' + record.key).second) {
        continue;
      }
      Bytes digest(SHA256_DIGEST_LENGTH);
      SHA256(AsBytes(record.key).data(), record.key.size(), digest.data());
      put.record.attributes.push_back({kResultKeyAttribute, std::move(digest)});
    }
    batch.records.push_back(std::move(put));
  }
  committed.records = batch.records.size();
  MILLRACE_RETURN_IF_ERROR(log_.Commit(std::move(batch)));
  SetDeadline(RowKey(application, commit.stream, commit.shard), row);
  return committed;
}

Result<ApplicationLeases::Committed> ApplicationLeases::Commit(const std::string& application,
                                                               ApplicationCommit commit) {
  // Of a stream that was made again, records can be read before its leases are begun anew.
  if (const auto created = log_.StreamCreated(commit.stream)) {
    auto begun = CheckBegun(application, commit.stream, *created);
    if (!begun && begun.error().code == ErrorCode::kFailedPrecondition) return std::move(begun).error();
  }
  if (commit.checkpoint) {
    // That it is of this shard, and of this incarnation of its stream.
    MILLRACE_RETURN_IF_ERROR(
        log_.Seek(commit.stream, commit.shard, {IteratorType::kAfterSequenceNumber, *commit.checkpoint, {}}));
  }
  for (int i = 0;; ++i) {
    auto committed = TryCommit(application, commit);
    // The row has changed between looking and writing: whether the lease is lost shows at the next look.
    bool raced = !committed && committed.error().code == ErrorCode::kFailedPrecondition && i < kCommitTries;
    if (!raced) return committed;
  }
}

}  // namespace millrace::api
