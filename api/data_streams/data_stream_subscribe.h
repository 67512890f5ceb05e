// SubscribeToShard: pushes a shard's records to a registered consumer as they become readable, as an event
// stream. Internal to the data stream files.
//
// An event is sent for each batch of records, and without records where nothing came for a while: clients
// take silence for a broken connection, and each event says how far the shard was read. The subscription ends
// cleanly after its lifetime and at the shard's end, and with an exception in the stream where it cannot go
// on.
//
// A slow reader holds the one batch that it is taking; its bytes count against the budget of all answers. An
// idle one holds its coroutine and a registration with the log: nothing is polled.
//
// Threads: on the request's strand; reading runs on the worker pool.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "api/aws/byte_budget.h"
#include "api/aws/token_bucket.h"
#include "api/data_streams/data_stream_operations.h"
#include "api/data_streams/shard_subscriptions.h"
#include "api/data_streams/stream_consumers.h"
#include "api/http/http.h"

namespace millrace::api {

class AsyncEvent;

class ShardPush {
 public:
  // Reads the request and begins the subscription; on the worker pool. Errors: those of the operation.
  static AwsResult<std::shared_ptr<ShardPush>> Open(const DataStreamServices& services,
                                                    const DataStreamRequest& request);

  // Answers. `services`, as Open got them, and `writer` outlive it.
  net::awaitable<void> Run(ResponseWriter& writer);

 private:
  using TimePoint = std::chrono::steady_clock::time_point;

  // One event of records, written.
  struct Event {
    SharedBytes message;
    std::uint64_t data_bytes = 0;
    std::size_t records = 0;
    Duration behind{0};                          // the age of the oldest record that is not in it
    storage::Subscription waiting;               // for more; none where there is more already
    std::optional<storage::ShardPosition> next;  // none: the shard's end
  };

  ShardPush(const DataStreamServices& services, AwsEncoding encoding, StreamConsumer consumer,
            const storage::ShardPosition& position, std::shared_ptr<ShardSubscription> subscription);

  // On the worker pool.
  AwsResult<Event> ReadEvent();
  SharedBytes EmptyEvent() const;
  void WriteContinuation(AwsOutput& output, const storage::ShardPosition& position) const;
  SharedBytes EventMessage(std::string type, ByteSpan payload) const;
  SharedBytes ExceptionMessage(const AwsError& error) const;

  // What follows say whether the subscription goes on.
  net::awaitable<bool> Begin(ResponseWriter& writer);
  net::awaitable<bool> SendWhatIsReadable(ResponseWriter& writer);
  net::awaitable<bool> AfterFailure(ResponseWriter& writer, AwsError error);
  net::awaitable<bool> SendException(ResponseWriter& writer, AwsError error);
  net::awaitable<bool> Send(ResponseWriter& writer, SharedBytes message);
  // Goes on behind the event: with what there is already, or once there is more.
  void Await(Event& event);
  // When there is something to do, unless woken before.
  TimePoint NextLook() const;

  const DataStreamServices& services_;
  const AwsEncoding encoding_;
  const StreamConsumer consumer_;
  const bool fragments_;  // of the fragment log
  const std::shared_ptr<ShardSubscription> subscription_;
  storage::ShardPosition position_;
  TokenBucket pace_;
  TimePoint ends_at_;
  TimePoint sent_at_;            // the last event
  TimePoint read_at_;            // not before this
  bool readable_ = true;         // as far as is known
  Duration behind_{0};           // of the last read
  std::function<void()> ready_;  // sets that there is something to read, and wakes
  storage::Subscription waiting_;
  bool over_ = false;  // the stream of events is complete
};

}  // namespace millrace::api
