// Changes of a stream's encryption, planned for the writer: on, off, a new data key, data keys wrapped anew.
// Internal to storage.
//
// A data key covers a range of counters: it begins behind the newest counter there is when it is made, and
// ends with the newest one when the next is made or encryption ends. All of that is one change of the control
// state, on the writer's thread between two groups: no record falls between two keys, or into both.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "storage/control_state.h"

namespace millrace::storage {

struct Engine;
class CommitWriter;

// So much is sealed with one record key at most, and kDataKeyRecordsMax records: far below 2^32 messages and
// 2^64 blocks, where GCM's bounds lie (NIST SP 800-38D section 8.3).
inline constexpr std::uint64_t kDataKeyBytesMax = std::uint64_t{1} << 44;

// `key_name` none: off. A new data key otherwise. Errors: those of DataKeys::Make, kResourceExhausted (more
// than kDataKeysPerDayMax in a day).
Result<ControlChange> PlanEncryption(Engine& engine, const StreamState& stream,
                                     const std::optional<std::string>& key_name, std::uint64_t last_counter,
                                     Timestamp now);
// The next data key of a stream that is encrypted.
Result<ControlChange> PlanNextDataKey(Engine& engine, const StreamState& stream, std::uint64_t last_counter,
                                      Timestamp now);

// Wraps what an older master key wraps with the current one, durably, and writes the control segment anew, so
// that nothing in the directory needs the older one. So does the next opening where one was stopped between
// the two. Errors: those of writing; the older key opens then what it opened before.
Result<void> RewrapDataKeys(Engine& engine, CommitWriter& writer);

}  // namespace millrace::storage
