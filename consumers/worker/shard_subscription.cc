#include "consumers/worker/shard_subscription.h"

#include <utility>

#include "consumers/worker/record_batch.h"
#include "wire/answer_fields.h"
#include "wire/cbor.h"
#include "wire/service_client.h"

namespace millrace::consumer {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t kEventDepthMax = 32;
constexpr std::size_t kErrorBytesMax = 64 * 1024;

}  // namespace

ShardSubscription::ShardSubscription(wire::Http2Client& client, HeldShards& held, WorkerState& state,
                                     HeldLease lease, std::function<void()> over)
    : client_(client), held_(held), worker_(state), lease_(std::move(lease)), over_(std::move(over)) {
  state_.heard_at = steady_clock::now();
}

ShardSubscription::State ShardSubscription::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

ShardSubscription::State ShardSubscription::Stop() {
  const std::lock_guard lock(mutex_);
  State state = state_;
  state_.over = true;
  return state;
}

void ShardSubscription::OnHead(wire::Http2Client::RequestId request, const wire::HttpResponse& head) {
  answer_ = head;
  const std::lock_guard lock(mutex_);
  request_ = request;
  state_.heard_at = steady_clock::now();
}

void ShardSubscription::OnBody(wire::Http2Client::RequestId request, ByteSpan bytes) {
  {
    const std::lock_guard lock(mutex_);
    unconsumed_ += bytes.size();
    state_.heard_at = steady_clock::now();
    if (state_.over) return;
  }
  if (answer_.status != 200) {
    if (answer_.body.size() + bytes.size() <= kErrorBytesMax) answer_.body.append(AsText(bytes));
  } else if (auto taken = TakeEvents(bytes); !taken) {
    return Fail(request, std::move(taken).error());
  }
  Consume();
}

void ShardSubscription::Consume() {
  if (!held_.HasRoom(lease_.shard, lease_.counter)) {
    {
      const std::lock_guard lock(mutex_);
      state_.stalled = true;
    }
    // Room that came before this was said has resumed nothing.
    if (!held_.HasRoom(lease_.shard, lease_.counter)) return;
  }
  std::size_t bytes = 0;
  wire::Http2Client::RequestId request = 0;
  {
    const std::lock_guard lock(mutex_);
    state_.stalled = false;
    bytes = std::exchange(unconsumed_, 0);
    request = request_;
  }
  if (bytes > 0) client_.Consume(request, bytes);
}

void ShardSubscription::Resume() {
  {
    const std::lock_guard lock(mutex_);
    if (!state_.stalled || state_.over) return;
    state_.heard_at = steady_clock::now();  // it was not the server that was silent
  }
  Consume();
}

Result<void> ShardSubscription::TakeEvents(ByteSpan bytes) {
  MILLRACE_ASSIGN_OR_RETURN(const auto messages, decoder_.Append(bytes));
  for (const wire::EventMessage& message : messages) MILLRACE_RETURN_IF_ERROR(TakeEvent(message));
  return {};
}

Result<void> ShardSubscription::TakeEvent(const wire::EventMessage& message) {
  const std::string_view kind = message.Text(":message-type");
  if (kind != "event") {
    const std::string_view type = message.Text(kind == "exception" ? ":exception-type" : ":error-code");
    return wire::ErrorOf({400,
                          {{"Content-Type", std::string(message.Text(":content-type"))},
                           {"x-amzn-ErrorType", std::string(type)}},
                          std::string(AsText(message.payload))});
  }
  if (message.Text(":event-type") != "SubscribeToShardEvent") return {};
  auto document = wire::DecodeCbor(message.payload, kEventDepthMax);
  if (!document || !document->is_object())
    return Error{ErrorCode::kInternal, "an event of a subscription is not a CBOR map"};
  auto& event = document->get_object();
  MILLRACE_ASSIGN_OR_RETURN(FetchedBatch batch, ReadBatch(lease_.shard, event));
  const std::string continuation = wire::TextOf(event, "ContinuationSequenceNumber");
  // The end of a shard is told by its children, and by there being nowhere to go on.
  batch.end = continuation.empty();
  if (batch.end && wire::ListOf(event, "ChildShards") == nullptr)
    return Error{ErrorCode::kInternal, "an event of a subscription has nowhere to go on"};
  const bool end = batch.end;
  ++worker_.counters.events;
  // As one: whoever goes on behind the continuation gets none of these again.
  const std::lock_guard lock(mutex_);
  if (state_.over || !held_.Put(lease_.shard, lease_.counter, std::move(batch)))
    return Error{ErrorCode::kCancelled, "the lease is lost"};
  if (!end) state_.continuation = continuation;
  state_.at_end = end;
  return {};
}

void ShardSubscription::Fail(wire::Http2Client::RequestId request, Error error) {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(state_.over, true)) return;
    state_.error = std::move(error);
  }
  client_.Cancel(request);
  over_();
}

void ShardSubscription::OnEnd(wire::Http2Client::RequestId, const Result<void>& outcome) {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(state_.over, true)) return;
    if (!outcome) {
      state_.error = outcome.error();
    } else if (answer_.status != 200) {
      state_.error = wire::ErrorOf(answer_);
    }
  }
  over_();
}

}  // namespace millrace::consumer
