// Seals a record's data, and opens it: AES-256-GCM by record.
//
// Nonces never repeat under a key. The key is the record key of this opening of the log (data_keys.h): its
// salt, 96 random bits, is drawn when the log is opened and never used again, so no other process, no copy of
// the directory, no restored snapshot or backup, and no counter that a torn group gave back can meet the same
// key. Within one opening the nonce is the record's counter, and the writer, which alone seals, gives each
// counter once, whether or not the group is written in the end. (A machine that is suspended and resumed
// twice from one image has the same salt twice; only its clock, in nanoseconds, keeps the counters apart
// then.)
//
// The tag also covers who the record is: stream incarnation, shard, counter, the second of its shard,
// arrival, length, partition key and attributes. A record that is moved, swapped or relabelled does not open.
//
// Not hidden: partition keys, attributes, lengths and times (docs/decisions/0011 says why, and against whom
// this helps).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "storage/aes_gcm.h"
#include "storage/data_keys.h"
#include "storage/log_format.h"

namespace millrace::storage {

// Who a record is. Borrowed: key and attributes outlive it.
struct RecordIdentity {
  StreamId stream = 0;
  ShardId shard;
  std::int64_t shard_created_s = 0;
  std::uint64_t counter = 0;
  Timestamp arrival;
  ByteSpan partition_key;
  ByteSpan attributes;  // as AppendAttributes writes them
};

// The writer's. Threads: one.
class RecordSealer {
 public:
  // `keys` outlives this.
  explicit RecordSealer(const DataKeys& keys) : keys_(keys) {}

  // Into new memory; `data` is not needed afterwards. Errors: kNotFound (no such data key is loaded),
  // kUnavailable (no random numbers), kInternal.
  struct Sealed {
    RecordSeal seal;
    SharedBytes data;
  };
  Result<Sealed> Seal(const RecordIdentity& identity, DataKeyId key, const SharedBytes& data);

  // How many records and bytes were sealed under the record key of this data key.
  struct Usage {
    std::uint64_t records = 0;
    std::uint64_t bytes = 0;
  };
  Usage UsageOf(StreamId stream, DataKeyId key) const;

 private:
  using Place = std::pair<StreamId, DataKeyId>;

  const DataKeys& keys_;
  std::optional<SealSalt> salt_;  // none: nothing was sealed yet
  AesGcm cipher_;
  std::optional<Place> keyed_;  // whose key the cipher has: keys_ never has another one there
  std::map<Place, Usage> usage_;
};

// A reader's, for some records one after another: those of one run share the key. Threads: one.
class RecordOpener {
 public:
  explicit RecordOpener(const DataKeys& keys) : keys_(keys) {}

  // In place. Errors: kCorruption (changed, moved, or another's; the data is overwritten), kNotFound (no such
  // data key is loaded), kInternal.
  Result<void> Open(const RecordIdentity& identity, const RecordSeal& seal, std::span<std::uint8_t> data);

 private:
  struct Keyed {
    StreamId stream;
    DataKeyId key;
    SealSalt salt;
    friend bool operator==(const Keyed&, const Keyed&) = default;
  };

  const DataKeys& keys_;
  AesGcm cipher_;
  std::optional<Keyed> keyed_;
};

}  // namespace millrace::storage
