// Which worker of an application reads which shard, and how far it is: leases and checkpoints, kept by the
// server.
//
// A lease has an owner and a counter, which goes up whenever the lease changes hands, and runs out when it is
// not renewed in time, by the server's clock. The counter is the fence: a commit names the one that its
// worker was given, so a worker that has lost its lease changes nothing any more, however late it comes back.
//
//   metadata "applications/<app>/<stream>"          which incarnation of the stream the application reads
//            "applications/<app>/<stream>/<shard>"  owner, counter, length of the lease, checkpoint
//
// Renewals are kept in memory alone: after a restart of the server every lease runs for its length once more.
//
// Threads: any; all calls but Renew may wait for the disk.
// Errors:  kInvalidArgument, kNotFound (application, stream, shard), kFailedPrecondition (the lease is
// another's;
//          the stream was made again), and those of the log.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "storage/record_log.h"

namespace millrace::api {

// Attributes of records that a commit puts: all are searched by.
inline constexpr storage::AttributeId kResultTimeAttribute = 1;  // ns since 1970, 8 bytes
inline constexpr storage::AttributeId kResultKeyAttribute = 2;   // SHA-256 of the key, 32 bytes
// The time once more, of the few records with events, and with a thumbnail: so that they are found among all.
inline constexpr storage::AttributeId kResultEventAttribute = 3;
inline constexpr storage::AttributeId kResultThumbnailAttribute = 4;

struct ShardLease {
  std::string stream;
  storage::ShardId shard;
  std::string owner;  // empty: nobody
  std::uint64_t counter = 0;
  std::optional<Timestamp> expires;                   // of an owned one
  bool expired = false;                               // an owned one that anybody may take
  std::optional<storage::SequenceNumber> checkpoint;  // all up to it is done; none: nothing is
  // Of the record at the checkpoint, which is aggregated, only the user records up to this one are done.
  std::optional<std::uint64_t> sub_sequence;
  bool ended = false;    // the shard is closed and all of it is done
  bool suspect = false;  // as Take gives it: the owner before did not release it, or an attempt was noted
  bool ready = false;    // to be read now: not ended, and its parents have ended
};

struct ApplicationRecord {
  std::string stream;
  storage::PutRecord record;  // without these attributes
  std::string key;            // of the result; empty: none. A record whose key is there already is left out
  std::optional<Timestamp> time;
};

struct ApplicationCommit {
  std::string stream;
  storage::ShardId shard;
  std::string owner;
  std::uint64_t counter = 0;
  std::optional<storage::SequenceNumber> checkpoint;  // none: the shard's end
  std::optional<std::uint64_t> sub_sequence;          // of the last user record done; none: all of the record
  std::vector<ApplicationRecord> records;
};

class ApplicationLeases {
 public:
  // Both outlive this.
  ApplicationLeases(storage::RecordLog& log, const Clock& clock)
      : log_(log), clock_(clock), opened_(clock.SteadyNow()) {}

  // The application's leases of the stream, by shard. Where it has none yet they are made, all at once, at
  // `start`: LATEST and a time skip the shards that were closed before. A stream that was made again under
  // its name is begun at its beginning, whatever `start` says.
  Result<std::vector<ShardLease>> Begin(const std::string& application, const std::string& stream,
                                        const storage::IteratorStart& start);
  // Of all streams that the application has begun and that are there. kNotFound: it has begun none.
  Result<std::vector<ShardLease>> List(const std::string& application);
  std::vector<std::string> Applications();
  // Forgets its leases and checkpoints; its workers have lost their leases.
  Result<void> Delete(const std::string& application);

  // A lease that nobody holds, or that has run out, or the owner's own one; `steal_counter`: or this one,
  // whoever holds it, if it still has that counter.
  Result<ShardLease> Take(const std::string& application, const std::string& stream, storage::ShardId shard,
                          const std::string& owner, Duration length,
                          std::optional<std::uint64_t> steal_counter);
  struct Held {
    std::string stream;
    storage::ShardId shard;
    std::uint64_t counter = 0;
  };
  // Those that are still the owner's run on; gives those that are not.
  std::vector<Held> Renew(const std::string& application, const std::string& owner,
                          const std::vector<Held>& leases);
  // Says nothing when the lease is another's already.
  Result<void> Release(const std::string& application, const std::string& stream, storage::ShardId shard,
                       const std::string& owner, std::uint64_t counter);

  // Notes durably that the worker is about to do `what` (a record's name) for the next record; gives how
  // often that was noted since the checkpoint moved, this time included. So what kills its workers is found
  // out.
  Result<std::uint64_t> Attempt(const std::string& application, const std::string& stream,
                                storage::ShardId shard, const std::string& owner, std::uint64_t counter,
                                const std::string& what);

  struct Committed {
    bool repeated = false;    // the checkpoint is there already: nothing was written
    std::size_t records = 0;  // that were written
  };
  // Checkpoint and records as one, if the lease is still the owner's; renews it too. A checkpoint equal to
  // the one that is there is a commit said again; a lower one is refused.
  Result<Committed> Commit(const std::string& application, ApplicationCommit commit);

 private:
  struct Row;
  struct Stored {
    storage::MetadataEntry entry;
    bool there = false;
  };
  struct Deadline {
    std::uint64_t counter = 0;
    std::chrono::steady_clock::time_point at;
  };

  // That the application has begun with the stream that was created then.
  Result<void> CheckBegun(const std::string& application, const std::string& stream, Timestamp created);
  Result<storage::StreamDescription> DescribeBegun(const std::string& application, const std::string& stream);
  Result<Row> ReadRow(const std::string& application, const std::string& stream, storage::ShardId shard);
  Result<std::vector<ShardLease>> Describe(const std::string& application,
                                           const storage::StreamDescription& stream);
  void SetDeadline(const std::string& key, const Row& row);
  // How long the lease still runs; negative: it has run out.
  Duration Left(const std::string& key, const Row& row);
  ShardLease ToLease(const std::string& stream, storage::ShardId shard, const std::string& key,
                     const Row& row);
  Result<bool> KeyIsThere(const ApplicationRecord& record);
  Result<Committed> TryCommit(const std::string& application, const ApplicationCommit& commit);

  storage::RecordLog& log_;
  const Clock& clock_;
  const std::chrono::steady_clock::time_point opened_;
  std::mutex mutex_;
  std::map<std::string, Deadline> deadlines_;  // GUARDED_BY(mutex_), by the row's key
};

inline constexpr Duration kLeaseLengthMin = std::chrono::seconds(1);
inline constexpr Duration kLeaseLengthMax = std::chrono::minutes(10);

}  // namespace millrace::api
