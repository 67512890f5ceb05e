#include "storage/data_keys.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <limits>
#include <mutex>
#include <string>

#include "storage/coding.h"

namespace millrace::storage {
namespace {

constexpr std::string_view kRecordPurpose = "millrace record key 1";

Error NoMasterKey() {
  return {ErrorCode::kFailedPrecondition, "no master key is configured, so nothing can be encrypted"};
}

Error NoDataKey(StreamId stream, DataKeyId id) {
  return {ErrorCode::kNotFound,
          "data key " + std::to_string(id) + " of stream #" + std::to_string(stream) + " is not known"};
}

// The master key that opens the stream's newest data key, in words.
std::string MasterOf(const StreamState& stream) {
  if (stream.data_keys.empty()) return "it";
  return "the key '" + stream.data_keys.rbegin()->second.wrapped.master_id + "'";
}

}  // namespace

Bytes DataKeys::ContextOf(const Place& place) const {
  Bytes context;
  AppendBigEndian(context, store_);
  AppendBigEndian(context, place.first);
  AppendBigEndian(context, place.second);
  return context;
}

Result<void> DataKeys::Load(const ControlState& state) {
  std::map<Place, SecretKey> keys;
  std::map<StreamId, DataKeyId> last_ids;
  Timestamp oldest{std::numeric_limits<std::int64_t>::max()};
  for (const auto& [id, segment] : state.segments()) oldest = std::min(oldest, segment.created);
  // A segment's records have counters from its creation on.
  const auto beginning = static_cast<std::uint64_t>(std::max<std::int64_t>(oldest.ns, 0));
  for (const auto& [id, stream] : state.streams()) {
    if (stream->deleting) continue;
    const std::string whose = "stream '" + stream->name + "' is encrypted";
    auto masterless = [&, &stream = stream] {  // named, as Clang 14 cannot capture a structured binding
      return Error{ErrorCode::kFailedPrecondition,
                   whose +
                       ", and no master key is configured: set encryption.master_key_file to the file that "
                       "holds " +
                       MasterOf(*stream) + "; without it, the records can neither be read nor written"};
    };
    if (!masters_ && stream->encryption) return masterless();
    for (const auto& [key, row] : stream->data_keys) {
      last_ids[id] = key;  // they come in their order
      if (row.through < beginning) continue;
      if (!masters_) return masterless();
      auto opened = masters_->Unwrap(row.wrapped, ContextOf({id, key}));
      if (!opened) return WithContext(std::move(opened).error(), whose);
      keys[{id, key}] = *opened;
    }
  }
  const std::unique_lock lock(mutex_);
  keys_ = std::move(keys);
  last_ids_ = std::move(last_ids);
  return {};
}

Result<DataKeys::Made> DataKeys::Make(StreamId stream, DataKeyId newest) {
  if (!masters_) return NoMasterKey();
  MILLRACE_ASSIGN_OR_RETURN(const SecretKey key, SecretKey::Random());
  Made made;
  {
    const std::unique_lock lock(mutex_);
    DataKeyId& last = last_ids_[stream];
    last = std::max(last, newest);
    if (last == std::numeric_limits<DataKeyId>::max()) {
      return Error{ErrorCode::kResourceExhausted,
                   "stream #" + std::to_string(stream) + " has used up its data keys' ids"};
    }
    made.id = ++last;
    keys_.erase(keys_.upper_bound({stream, newest}), keys_.lower_bound({stream + 1, 0}));
    keys_.emplace(Place(stream, made.id), key);
  }
  MILLRACE_ASSIGN_OR_RETURN(made.wrapped, masters_->Wrap(key, ContextOf({stream, made.id})));
  return made;
}

Result<WrappedKey> DataKeys::Rewrap(StreamId stream, DataKeyId id) {
  if (!masters_) return NoMasterKey();
  SecretKey key;
  {
    const std::shared_lock lock(mutex_);
    auto found = keys_.find({stream, id});
    if (found == keys_.end()) return NoDataKey(stream, id);
    key = found->second;
  }
  return masters_->Wrap(key, ContextOf({stream, id}));
}

bool DataKeys::Has(StreamId stream, DataKeyId id) const {
  const std::shared_lock lock(mutex_);
  return keys_.contains({stream, id});
}

void DataKeys::Forget(StreamId stream) {
  const std::unique_lock lock(mutex_);
  keys_.erase(keys_.lower_bound({stream, 0}), keys_.lower_bound({stream + 1, 0}));
  last_ids_.erase(stream);
}

Result<SecretKey> DataKeys::RecordKey(StreamId stream, DataKeyId id, const SealSalt& salt) const {
  Bytes input(AsBytes(kRecordPurpose).begin(), AsBytes(kRecordPurpose).end());
  AppendRaw(input, salt);
  std::array<std::uint8_t, SecretKey::kBytes> derived{};
  unsigned size = 0;
  {
    const std::shared_lock lock(mutex_);
    auto found = keys_.find({stream, id});
    if (found == keys_.end()) return NoDataKey(stream, id);
    const ByteSpan key = found->second.span();
    if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), input.data(), input.size(),
             derived.data(), &size) == nullptr) {
      return Error{ErrorCode::kInternal, "HMAC-SHA256 is not to be had of the crypto library"};
    }
  }
  SecretKey record_key(derived);
  OPENSSL_cleanse(derived.data(), derived.size());
  return record_key;
}

}  // namespace millrace::storage
