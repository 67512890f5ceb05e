// One subscription to a shard, from SubscribeToShard to its end: takes the events apart and puts their
// records into HeldShards.
//
// Flow control: what came for a shard without room is not consumed, so that the server stops sending.
// Threads: receives on the HTTP/2 client's; Resume and state from any.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "consumers/worker/held_shards.h"
#include "consumers/worker/worker_state.h"
#include "wire/event_stream.h"
#include "wire/http2_client.h"

namespace millrace::consumer {

class ShardSubscription final : public wire::Http2Client::Receiver {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // How it stands.
  struct State {
    std::string continuation;  // the number to go on behind; empty: no event came
    TimePoint heard_at;        // when anything came
    bool stalled = false;      // waits for room
    bool at_end = false;       // the shard's end was reached: everything is in HeldShards
    bool over = false;
    std::optional<Error> error;  // why it is over; none: the server ended it in its time
  };

  // All outlive this. `over`: called once, on the client's thread.
  ShardSubscription(wire::Http2Client& client, HeldShards& held, WorkerState& state, HeldLease lease,
                    std::function<void()> over);

  // There is room again.
  void Resume();
  State state() const;
  // Nothing is taken from it afterwards; how it stood.
  State Stop();

  void OnHead(wire::Http2Client::RequestId request, const wire::HttpResponse& head) override;
  void OnBody(wire::Http2Client::RequestId request, ByteSpan bytes) override;
  void OnEnd(wire::Http2Client::RequestId request, const Result<void>& outcome) override;

 private:
  Result<void> TakeEvents(ByteSpan bytes);
  Result<void> TakeEvent(const wire::EventMessage& message);
  void Consume();
  // Ends it from this side.
  void Fail(wire::Http2Client::RequestId request, Error error);

  wire::Http2Client& client_;
  HeldShards& held_;
  WorkerState& worker_;
  const HeldLease lease_;
  const std::function<void()> over_;

  // Of the client's thread.
  wire::EventStreamDecoder decoder_;
  wire::HttpResponse answer_;  // one that is none of events: its body is gathered

  mutable std::mutex mutex_;
  State state_;                               // GUARDED_BY(mutex_)
  wire::Http2Client::RequestId request_ = 0;  // GUARDED_BY(mutex_); 0: no head came
  std::size_t unconsumed_ = 0;                // GUARDED_BY(mutex_)
};

}  // namespace millrace::consumer
