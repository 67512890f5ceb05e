#include "storage/record_cipher.h"

#include <openssl/rand.h>

#include <algorithm>
#include <memory>

#include "storage/coding.h"

namespace millrace::storage {
namespace {

GcmNonce NonceOf(std::uint64_t counter) {
  GcmNonce nonce{};  // four zeros, then the counter
  for (std::size_t i = 0; i < 8; ++i) nonce[4 + i] = static_cast<std::uint8_t>(counter >> (56 - 8 * i));
  return nonce;
}

// What the tag covers besides the data. The lengths stand before what has them, so that nothing can be read
// in two ways.
class Bound {
 public:
  Bound(const RecordIdentity& identity, std::size_t data_bytes) {
    std::uint8_t* at = head_.data();
    auto append = [&](auto value) {
      for (int shift = static_cast<int>(sizeof(value)) * 8 - 8; shift >= 0; shift -= 8) {
        *at++ = static_cast<std::uint8_t>(value >> shift);
      }
    };
    append(identity.stream);
    append(identity.shard.index);
    append(static_cast<std::uint64_t>(identity.shard_created_s));
    append(identity.counter);
    append(static_cast<std::uint64_t>(identity.arrival.ns));
    append(static_cast<std::uint64_t>(data_bytes));
    append(static_cast<std::uint32_t>(identity.partition_key.size()));
    append(static_cast<std::uint32_t>(identity.attributes.size()));
    parts_ = {ByteSpan(head_), identity.partition_key, identity.attributes};
  }
  Bound(const Bound&) = delete;
  Bound& operator=(const Bound&) = delete;
  std::span<const ByteSpan> parts() const { return parts_; }

 private:
  std::array<std::uint8_t, 4 + 4 + 8 + 8 + 8 + 8 + 4 + 4> head_{};
  std::array<ByteSpan, 3> parts_;
};

}  // namespace

Result<RecordSealer::Sealed> RecordSealer::Seal(const RecordIdentity& identity, DataKeyId key,
                                                const SharedBytes& data) {
  if (!salt_) {
    SealSalt salt{};
    if (RAND_bytes(salt.data(), static_cast<int>(salt.size())) != 1) {
      return Error{ErrorCode::kUnavailable, "the system has no random numbers for a salt"};
    }
    salt_ = salt;
  }
  const Place place(identity.stream, key);
  if (keyed_ != place) {
    keyed_.reset();
    MILLRACE_ASSIGN_OR_RETURN(const SecretKey record_key, keys_.RecordKey(identity.stream, key, *salt_));
    MILLRACE_RETURN_IF_ERROR(cipher_.SetKey(record_key));
    keyed_ = place;
  }
  auto owner = std::make_shared_for_overwrite<std::uint8_t[]>(data.size());
  const Bound bound(identity, data.size());
  MILLRACE_ASSIGN_OR_RETURN(const GcmTag tag,
                            cipher_.Seal(NonceOf(identity.counter), bound.parts(), data.span(), owner.get()));
  Usage& usage = usage_[place];
  ++usage.records;
  usage.bytes += data.size();
  const ByteSpan bytes(owner.get(), data.size());
  return Sealed{{key, *salt_, tag}, SharedBytes(std::move(owner), bytes)};
}

RecordSealer::Usage RecordSealer::UsageOf(StreamId stream, DataKeyId key) const {
  auto found = usage_.find({stream, key});
  return found == usage_.end() ? Usage() : found->second;
}

Result<void> RecordOpener::Open(const RecordIdentity& identity, const RecordSeal& seal,
                                std::span<std::uint8_t> data) {
  const Keyed wanted{identity.stream, seal.data_key, seal.salt};
  if (keyed_ != wanted) {
    keyed_.reset();
    MILLRACE_ASSIGN_OR_RETURN(const SecretKey record_key,
                              keys_.RecordKey(identity.stream, seal.data_key, seal.salt));
    MILLRACE_RETURN_IF_ERROR(cipher_.SetKey(record_key));
    keyed_ = wanted;
  }
  const Bound bound(identity, data.size());
  MILLRACE_ASSIGN_OR_RETURN(
      const bool right, cipher_.Open(NonceOf(identity.counter), bound.parts(), data, seal.tag, data.data()));
  if (right) return {};
  return Error{ErrorCode::kCorruption,
               "its data does not open with its data key: it was changed, or is another record's"};
}

}  // namespace millrace::storage
