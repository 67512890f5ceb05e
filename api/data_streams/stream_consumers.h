// The registered consumers of data streams (enhanced fan-out): who may subscribe to a stream's shards. Kept
// in the log's metadata under "api/stream-consumers/<stream>/<name>".
//
// A consumer belongs to one stream of one creation time: one whose stream was deleted is not seen by the next
// stream of that name. Its own creation time, in whole seconds, is a part of its ARN; one that is registered
// again under its name has a later one.
//
// Errors:  those of the log besides what is said.
// Threads: any. Register, Change, Deregister and RemoveAll wait for the disk; the others do not.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "storage/record_log.h"

namespace millrace::api {

inline constexpr std::size_t kStreamConsumersMax = 20;
inline constexpr std::size_t kStreamConsumersAdvantageMax = 50;  // with the account's on-demand advantage

struct StreamConsumer {
  std::string stream;
  Timestamp stream_created;
  std::string name;
  Timestamp created;  // in whole seconds
  std::map<std::string, std::string> tags;
  std::string policy;  // who may use it, as JSON text; empty: none

  friend bool operator==(const StreamConsumer&, const StreamConsumer&) = default;
};

class StreamConsumers {
 public:
  // Drops those whose stream is gone. `log` outlives it. Errors: kCorruption, kUnsupported (a newer version).
  static Result<std::unique_ptr<StreamConsumers>> Open(storage::RecordLog& log);

  // `consumer` without its creation time, which it gets: `now`, or later. Errors: kAlreadyExists;
  // kResourceExhausted: the stream has `count_max` of them.
  Result<StreamConsumer> Register(StreamConsumer consumer, Timestamp now, std::size_t count_max);
  // Changes its tags or policy; nothing else. Errors: kNotFound.
  Result<StreamConsumer> Change(const StreamConsumer& consumer,
                                const std::function<void(StreamConsumer&)>& change);
  // Errors: kNotFound.
  Result<void> Deregister(const StreamConsumer& consumer);
  // Gives those that it removed. What a failure leaves is not seen once the stream is deleted.
  Result<std::vector<StreamConsumer>> RemoveAll(const std::string& stream, Timestamp stream_created);

  std::optional<StreamConsumer> Find(const std::string& stream, Timestamp stream_created,
                                     const std::string& name) const;
  // In name order.
  std::vector<StreamConsumer> List(const std::string& stream, Timestamp stream_created) const;
  std::size_t Count(const std::string& stream, Timestamp stream_created) const;

 private:
  using Key = std::pair<std::string, std::string>;  // stream, name

  explicit StreamConsumers(storage::RecordLog& log) : log_(log) {}
  Result<void> Save(const StreamConsumer& consumer);

  storage::RecordLog& log_;
  std::mutex control_mutex_;                 // one change at a time; taken before mutex_
  std::map<Key, std::int64_t> removed_s_;    // GUARDED_BY(control_mutex_): creation times not to be had again
  mutable std::mutex mutex_;                 // never held while the disk is waited for
  std::map<Key, StreamConsumer> consumers_;  // GUARDED_BY(mutex_)
};

// Errors of Decode: kCorruption, kUnsupported.
std::string EncodeStreamConsumer(const StreamConsumer& consumer);
Result<StreamConsumer> DecodeStreamConsumer(std::string_view json);

}  // namespace millrace::api
