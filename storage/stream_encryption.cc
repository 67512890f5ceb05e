#include "storage/stream_encryption.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <utility>

#include "base/log.h"
#include "storage/commit_writer.h"
#include "storage/engine.h"

namespace millrace::storage {
namespace {

// Ends the key in use, where there is one, and adds the next.
Result<void> AddKeyChange(Engine& engine, const StreamState& stream, std::uint64_t last_counter,
                          Timestamp now, ControlChange& change) {
  DataKeyId newest = 0;
  if (!stream.data_keys.empty()) {
    const auto& [id, row] = *stream.data_keys.rbegin();
    newest = id;
    if (row.through == DataKeyRow::kInUse) {
      DataKeyRow ended = row;
      ended.through = last_counter;
      change.push_back(DataKeySetRow(stream.id, newest, ended));
    }
  }
  MILLRACE_ASSIGN_OR_RETURN(DataKeys::Made made, engine.keys.Make(stream.id, newest));
  DataKeyRow row;
  row.wrapped = std::move(made.wrapped);
  row.created = now;
  row.after = last_counter;
  change.push_back(DataKeySetRow(stream.id, made.id, row));
  return {};
}

}  // namespace

Result<ControlChange> PlanEncryption(Engine& engine, const StreamState& stream,
                                     const std::optional<std::string>& key_name, std::uint64_t last_counter,
                                     Timestamp now) {
  ControlChange change;
  if (!key_name) {
    if (!stream.encryption) return change;
    if (const auto* current = stream.CurrentKey()) {
      DataKeyRow ended = current->second;
      ended.through = last_counter;
      change.push_back(DataKeySetRow(stream.id, current->first, ended));
    }
    change.push_back(EncryptionRow(stream.id, std::nullopt));
    return change;
  }
  const auto today = static_cast<std::size_t>(
      std::count_if(stream.data_keys.begin(), stream.data_keys.end(),
                    [&](const auto& key) { return key.second.created > now - std::chrono::hours(24); }));
  if (today >= kDataKeysPerDayMax) {
    return Error{ErrorCode::kResourceExhausted, "stream '" + stream.name + "' had " + std::to_string(today) +
                                                    " new keys in 24 hours, which is the limit"};
  }
  MILLRACE_RETURN_IF_ERROR(AddKeyChange(engine, stream, last_counter, now, change));
  change.push_back(EncryptionRow(stream.id, key_name));
  return change;
}

Result<ControlChange> PlanNextDataKey(Engine& engine, const StreamState& stream, std::uint64_t last_counter,
                                      Timestamp now) {
  ControlChange change;
  MILLRACE_RETURN_IF_ERROR(AddKeyChange(engine, stream, last_counter, now, change));
  return change;
}

Result<void> RewrapDataKeys(Engine& engine, CommitWriter& writer) {
  if (engine.keys.masters() == nullptr) return {};
  const std::string& current = engine.keys.masters()->current();
  std::size_t rewrapped = 0;
  bool superseded = false;
  auto plan = [&](const CommitWriter::PlanContext& context) -> Result<ControlChange> {
    ControlChange change;
    for (const auto& [id, stream] : context.state.streams()) {
      if (stream->deleting) continue;
      for (const auto& [key, row] : stream->data_keys) {
        // What opens nothing any more was not opened either.
        if (row.wrapped.master_id == current || !engine.keys.Has(id, key)) continue;
        DataKeyRow fresh = row;
        MILLRACE_ASSIGN_OR_RETURN(fresh.wrapped, engine.keys.Rewrap(id, key));
        change.push_back(DataKeySetRow(id, key, fresh));
      }
    }
    rewrapped = change.size();
    // Also those of an opening that was stopped before it wrote the control segment anew.
    superseded = rewrapped > 0 || context.state.has_superseded_keys();
    return change;
  };
  MILLRACE_RETURN_IF_ERROR(writer.Change(plan));
  if (!superseded) return {};
  MILLRACE_RETURN_IF_ERROR(writer.RenewControl());
  Log(LogLevel::kInfo,
      "wrapped the data keys with the current master key; older ones are not needed any more",
      {{"master_key", current}, {"data_keys", rewrapped}});
  return {};
}

}  // namespace millrace::storage
