#include "api/data_streams/data_stream_subscribe.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/this_coro.hpp>

#include "api/aws/async_event.h"
#include "api/aws/aws_body.h"
#include "api/aws/aws_http.h"
#include "api/aws/aws_input.h"
#include "api/data_streams/data_stream_catalog.h"
#include "api/data_streams/data_stream_consumers.h"
#include "api/data_streams/stream_throughput.h"
#include "base/log.h"
#include "base/metrics.h"
#include "wire/event_stream.h"

namespace millrace::api {
namespace {

using SteadyClock = std::chrono::steady_clock;

// So many, with the longest partition keys and each character escaped, are an event within bounds.
constexpr std::size_t kEventRecordsMax = 2'000;
constexpr std::uint64_t kEventDataMax = 1 << 20;  // one record comes whole, however large
// After a read that found no room, or the log closed for a moment.
constexpr auto kRetryPause = std::chrono::milliseconds(100);
// Whether the peer is gone, or the server stops, is looked at so often.
constexpr auto kLookEvery = std::chrono::seconds(1);

constexpr std::array<std::string_view, 5> kStartTypes{"AFTER_SEQUENCE_NUMBER", "LATEST", "AT_TIMESTAMP",
                                                      "AT_SEQUENCE_NUMBER", "TRIM_HORIZON"};
// The exceptions that the event stream has shapes for.
constexpr std::array<std::string_view, 8> kExceptions{
    "ResourceNotFoundException", "ResourceInUseException", "KMSDisabledException", "KMSInvalidStateException",
    "KMSAccessDeniedException",  "KMSNotFoundException",   "KMSOptInRequired",     "KMSThrottlingException"};

AwsError InUse(const DataStreamServices& services, const StreamConsumer& consumer, storage::ShardId shard) {
  return {"ResourceInUseException",
          "Another active subscription exists for this consumer: " + services.identity.account + ":" +
              consumer.stream + ":" + shard.ToString() + ":" + consumer.name};
}

void CountEvent(std::size_t records, std::uint64_t bytes) {
  static auto& events = GetCounter("millrace_data_streams_subscribe_events_total",
                                   "Events sent by SubscribeToShard, those without records included");
  static auto& records_total =
      GetCounter("millrace_data_streams_subscribe_records_total", "Records sent by SubscribeToShard");
  static auto& bytes_total =
      GetCounter("millrace_data_streams_subscribe_bytes_total", "Data of records sent by SubscribeToShard");
  events.Increment();
  records_total.Increment(static_cast<double>(records));
  bytes_total.Increment(static_cast<double>(bytes));
}

TokenBucket Pace(const DataStreamServices& services, const std::string& stream) {
  const std::uint64_t rate = services.throughput->LimitsOf(stream).consumer_bytes;
  return {rate, rate, SteadyClock::now()};
}

// Counts itself among the subscriptions while it lives.
class CountedSubscription {
 public:
  CountedSubscription() { Gauge().Increment(); }
  ~CountedSubscription() { Gauge().Decrement(); }
  CountedSubscription(const CountedSubscription&) = delete;
  CountedSubscription& operator=(const CountedSubscription&) = delete;

 private:
  static prometheus::Gauge& Gauge() {
    static auto& gauge =
        GetGauge("millrace_data_streams_subscriptions", "Subscriptions by SubscribeToShard now");
    return gauge;
  }
};

}  // namespace

AwsResult<std::shared_ptr<ShardPush>> ShardPush::Open(const DataStreamServices& services,
                                                      const DataStreamRequest& request) {
  AwsInput input(request.members);
  const auto arn = input.String("ConsumerARN",
                                {.required = true, .min = 1, .max = 2048, .pattern = kAwsConsumerArnPattern});
  IteratorRequest asked;
  asked.shard_text =
      input.String("ShardId", {.required = true, .min = 1, .max = 128, .pattern = kAwsNamePattern})
          .value_or("");
  if (auto start = input.Structure("StartingPosition", true)) {
    asked.type = start->String("Type", {.required = true, .values = kStartTypes}).value_or("");
    asked.number = start->String("SequenceNumber", {.pattern = kAwsSequenceNumberPattern});
    asked.time = start->Time("Timestamp");
  }
  if (auto bad = input.Finish()) return *bad;
  MILLRACE_ASSIGN_OR_RETURN(StreamConsumer consumer, FindConsumer(services, *ParseDataResourceArn(*arn)));
  asked.stream = consumer.stream;
  const auto stream = services.catalog.Describe(consumer.stream);
  MILLRACE_ASSIGN_OR_RETURN(const storage::ShardPosition position, SeekShard(services, stream, asked));
  auto subscription = services.subscriptions->Begin(consumer, position.shard, SteadyClock::now());
  if (!subscription) return InUse(services, consumer, position.shard);
  return std::shared_ptr<ShardPush>(
      new ShardPush(services, request.encoding, std::move(consumer), position, std::move(*subscription)));
}

ShardPush::ShardPush(const DataStreamServices& services, AwsEncoding encoding, StreamConsumer consumer,
                     const storage::ShardPosition& position, std::shared_ptr<ShardSubscription> subscription)
    : services_(services),
      encoding_(encoding),
      consumer_(std::move(consumer)),
      fragments_(services.catalog.IsInternal(consumer_.stream)),
      subscription_(std::move(subscription)),
      position_(position),
      pace_(Pace(services, consumer_.stream)) {}

void ShardPush::WriteContinuation(AwsOutput& output, const storage::ShardPosition& position) const {
  // It goes on with time where no record comes: the number of the last record, of now. Whoever reads behind
  // it misses nothing, as the next record's counter is higher.
  auto fields = position.after.fields();
  fields.time_s = std::max(fields.time_s, services_.clock.Now().seconds());
  output.Key("ContinuationSequenceNumber").String(storage::SequenceNumber::FromFields(fields).ToString());
}

SharedBytes ShardPush::EventMessage(std::string type, ByteSpan payload) const {
  const std::string content_type = encoding_ == AwsEncoding::kCbor ? kCbor11 : kJson11;
  const std::vector<wire::EventHeader> headers{{":message-type", std::string("event")},
                                               {":event-type", std::move(type)},
                                               {":content-type", content_type}};
  return SharedBytes(wire::EncodeEventMessage(headers, payload));
}

SharedBytes ShardPush::ExceptionMessage(const AwsError& error) const {
  AwsOutput output(encoding_);
  output.BeginObject().Key("message").String(error.message).EndObject();
  const std::string payload = std::move(output).Take();
  const std::string content_type = encoding_ == AwsEncoding::kCbor ? kCbor11 : kJson11;
  const std::vector<wire::EventHeader> headers{{":message-type", std::string("exception")},
                                               {":exception-type", error.type},
                                               {":content-type", content_type}};
  return SharedBytes(wire::EncodeEventMessage(headers, AsBytes(payload)));
}

SharedBytes ShardPush::EmptyEvent() const {
  AwsOutput output(encoding_);
  output.BeginObject().Key("Records").BeginArray().EndArray();
  WriteContinuation(output, position_);
  output.Key("MillisBehindLatest").Integer(behind_ / std::chrono::milliseconds(1)).EndObject();
  const std::string payload = std::move(output).Take();
  return EventMessage("SubscribeToShardEvent", AsBytes(payload));
}

AwsResult<ShardPush::Event> ShardPush::ReadEvent() {
  const auto limits = LimitsOfRead(fragments_, kEventRecordsMax, kEventDataMax);
  auto batch = services_.catalog.log().Read(consumer_.stream, position_, limits);
  // Its stream may have been deleted and made again: then the consumer went first.
  const auto consumer =
      services_.catalog.consumers().Find(consumer_.stream, consumer_.stream_created, consumer_.name);
  if (!consumer || consumer->created != consumer_.created) {
    return NoConsumer(services_, ConsumerArn(services_.identity, consumer_));
  }
  if (!batch) return OfDataStream(services_, consumer_.stream, std::move(batch).error());
  Event event;
  event.next = batch->next;
  event.behind = batch->behind;
  if (event.next && event.behind == Duration{0}) {
    event.waiting = services_.catalog.log().NotifyReadable(consumer_.stream, *event.next, ready_);
  }
  event.records = batch->records.size();
  if (event.records == 0 && event.next) return event;
  for (const storage::Record& record : batch->records) event.data_bytes += record.data.size();
  AwsOutput output(encoding_, SizeOfRecords(fragments_, batch->records));
  output.BeginObject();
  if (auto bad = WriteRecords(output, services_, fragments_, std::move(batch->records))) return *bad;
  // The end of a shard is told by its children, and by there being nowhere to go on.
  if (batch->next) WriteContinuation(output, *batch->next);
  output.Key("MillisBehindLatest").Integer(batch->behind / std::chrono::milliseconds(1));
  if (!batch->next) WriteChildren(output, batch->children);
  output.EndObject();
  const std::string payload = std::move(output).Take();
  if (payload.size() > wire::kEventPayloadBytesMax) {
    return AwsError(Error{ErrorCode::kInternal, "an event of a subscription is larger than events may be"});
  }
  event.message = EventMessage("SubscribeToShardEvent", AsBytes(payload));
  return event;
}

net::awaitable<bool> ShardPush::Send(ResponseWriter& writer, SharedBytes message) {
  const auto sent = co_await writer.Write(std::move(message));
  sent_at_ = SteadyClock::now();
  co_return sent.has_value();
}

net::awaitable<bool> ShardPush::SendException(ResponseWriter& writer, AwsError error) {
  error = ToAws(std::move(error), AwsService::kDataStreams);
  const bool modelled = std::find(kExceptions.begin(), kExceptions.end(), error.type) != kExceptions.end();
  if (!modelled) error = AwsError("InternalFailureException", "Internal Service Failure");
  over_ = co_await Send(writer, ExceptionMessage(error));
  co_return false;
}

net::awaitable<bool> ShardPush::AfterFailure(ResponseWriter& writer, AwsError error) {
  // The pool is full, or the log is being opened again: that passes.
  if (error.code == ErrorCode::kResourceExhausted || error.code == ErrorCode::kUnavailable) {
    read_at_ = SteadyClock::now() + kRetryPause;
    co_return true;
  }
  if (error.type.empty()) {
    const Error inner{*error.code, error.message};
    Log(LogLevel::kError, "a subscription's shard cannot be read",
        {{"stream", consumer_.stream}, {"shard", position_.shard.ToString()}, {"error", inner.ToString()}});
  }
  co_return co_await SendException(writer, std::move(error));
}

net::awaitable<bool> ShardPush::SendWhatIsReadable(ResponseWriter& writer) {
  auto read = [this] { return ReadEvent(); };
  AwsResult<Event> event = co_await services_.pool.Run(read);
  if (!event) co_return co_await AfterFailure(writer, std::move(event).error());
  if (event->message.empty()) {
    position_ = *event->next;
    Await(*event);
    co_return true;
  }
  ByteBudget::Share share;
  if (event->message.size() > kAnswerUncountedMax) {
    auto taken = services_.budget.Take(event->message.size());
    if (!taken) {  // read again once others have taken theirs
      read_at_ = SteadyClock::now() + kRetryPause;
      co_return true;
    }
    share = std::move(*taken);
  }
  SharedBytes message = std::move(event->message);
  if (!co_await Send(writer, std::move(message))) co_return false;
  CountEvent(event->records, event->data_bytes);
  if (!event->next) {
    over_ = true;
    co_return false;
  }
  position_ = *event->next;
  Await(*event);
  pace_.Take(event->data_bytes, sent_at_);
  read_at_ = sent_at_ + pace_.Owes(sent_at_);
  co_return true;
}

void ShardPush::Await(Event& event) {
  behind_ = event.behind;
  waiting_ = std::move(event.waiting);
  readable_ = waiting_ == nullptr;
}

ShardPush::TimePoint ShardPush::NextLook() const {
  TimePoint look = std::min(
      {ends_at_, sent_at_ + services_.subscriptions->times().silence, SteadyClock::now() + kLookEvery});
  if (readable_) look = std::min(look, read_at_);
  return look;
}

net::awaitable<bool> ShardPush::Begin(ResponseWriter& writer) {
  ResponseHead head{200, {{"Content-Type", "application/vnd.amazon.eventstream"}}};
  AddRequestIds(head.headers, AwsService::kDataStreams);
  const auto begun = co_await writer.WriteHead(std::move(head));
  if (!begun) co_return false;
  static constexpr std::string_view kEmptyJson = "{}";
  static constexpr std::array<std::uint8_t, 1> kEmptyCbor{0xA0};
  const ByteSpan empty = encoding_ == AwsEncoding::kCbor ? ByteSpan(kEmptyCbor) : AsBytes(kEmptyJson);
  co_return co_await Send(writer, EventMessage("initial-response", empty));
}

net::awaitable<void> ShardPush::Run(ResponseWriter& writer) {
  const CountedSubscription counted;
  AsyncEvent woken(co_await net::this_coro::executor);
  subscription_->OnEnd(woken.Setter());
  ends_at_ = SteadyClock::now() + services_.subscriptions->times().lifetime;
  // Set on the log's thread.
  const auto fired = std::make_shared<std::atomic<bool>>(false);
  ready_ = [fired, set = woken.Setter()] {
    *fired = true;
    set();
  };
  bool going_on = co_await Begin(writer);
  while (going_on) {
    const auto end = subscription_->end();
    if (end != ShardSubscription::End::kNone) {
      AwsError why = end == ShardSubscription::End::kTakenOver
                         ? InUse(services_, consumer_, position_.shard)
                         : NoConsumer(services_, ConsumerArn(services_.identity, consumer_));
      going_on = co_await SendException(writer, std::move(why));
      continue;
    }
    const TimePoint now = SteadyClock::now();
    if (now >= ends_at_ || writer.ShouldEnd()) {
      over_ = true;
      break;
    }
    if (fired->exchange(false)) readable_ = true;
    if (readable_ && now >= read_at_) {
      going_on = co_await SendWhatIsReadable(writer);
      continue;
    }
    if (now - sent_at_ >= services_.subscriptions->times().silence) {
      CountEvent(0, 0);
      going_on = co_await Send(writer, EmptyEvent());
      continue;
    }
    (void)co_await woken.Wait(NextLook());
  }
  if (over_) (void)co_await writer.Finish();
}

}  // namespace millrace::api
