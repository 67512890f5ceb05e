// The data keys of an open log, unwrapped: one for each stream and rotation. Wrapped, they are rows of the
// control state (control_state.h); in the clear they are only here, and only in memory.
//
// Records are not sealed with a data key itself but with a *record key* that is derived of it and of a salt:
// the salt is random and new with each opening of the log, and stands in the seal of every record. So a
// record key belongs to one run of one process, whatever became of the disk meanwhile (record_cipher.h says
// why).
//
// Within one opening of the log, a stream and an id name one key for good: whoever has derived a record key
// of it may keep that, whatever became of the row.
//
// Threads: any.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <shared_mutex>
#include <utility>

#include "base/result.h"
#include "storage/control_state.h"
#include "storage/log_format.h"
#include "storage/master_keys.h"
#include "storage/secret_key.h"

namespace millrace::storage {

class DataKeys {
 public:
  // `masters` null: no key can be made or opened.
  DataKeys(std::shared_ptr<const MasterKeys> masters, StoreId store)
      : masters_(std::move(masters)), store_(store) {}

  // Unwraps what the state has, but for streams that are being deleted, and for keys that ended before the
  // oldest segment began: they open nothing. Before anything is made. Errors, naming the stream:
  // kFailedPrecondition (a master key is missing), kPermissionDenied (it is another one). Nothing is changed.
  Result<void> Load(const ControlState& state);

  // A new one, known here from now on; its row is the caller's to make durable before anything is sealed.
  // `newest` is the id of the stream's newest row (0: it has none). The new id is above that, and above every
  // one that this stream had since the log was opened; what was made beyond `newest` has no row (it was not
  // written, or is gone again), and is forgotten. Errors: kFailedPrecondition (there is no master key),
  // kUnavailable (no random numbers), kResourceExhausted (no more ids).
  struct Made {
    DataKeyId id = 0;
    WrappedKey wrapped;
  };
  Result<Made> Make(StreamId stream, DataKeyId newest);
  // A known one, wrapped with the current master key. Errors: kNotFound, those of Make.
  Result<WrappedKey> Rewrap(StreamId stream, DataKeyId id);
  bool Has(StreamId stream, DataKeyId id) const;
  void Forget(StreamId stream);  // it is gone

  // HMAC-SHA256(data key, "millrace record key 1", salt), which is HKDF's Expand step (RFC 5869 section 2.3)
  // but for its counter byte. Errors: kNotFound (not loaded).
  Result<SecretKey> RecordKey(StreamId stream, DataKeyId id, const SealSalt& salt) const;

  const MasterKeys* masters() const { return masters_.get(); }

 private:
  using Place = std::pair<StreamId, DataKeyId>;
  // What a wrapped key is bound to: no other stream's, and no other store's.
  Bytes ContextOf(const Place& place) const;

  const std::shared_ptr<const MasterKeys> masters_;
  const StoreId store_;
  mutable std::shared_mutex mutex_;
  std::map<Place, SecretKey> keys_;         // GUARDED_BY(mutex_)
  std::map<StreamId, DataKeyId> last_ids_;  // that were known here; GUARDED_BY(mutex_)
};

}  // namespace millrace::storage
