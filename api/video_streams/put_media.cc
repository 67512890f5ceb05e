// POST /putMedia: a producer's media in, acknowledgements out, both at once on one connection.
//
// Two coroutines share the connection's strand: one reads the body and hands it to the session, and does not
// read while too much waits for the disk or for memory; the other writes the acknowledgements, each as a
// piece of its own, because producers read them piece by piece.
#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <deque>

#include "api/aws/async_event.h"
#include "api/aws/aws_http.h"
#include "api/aws/byte_budget.h"
#include "api/video_streams/put_media_request.h"
#include "api/video_streams/services.h"
#include "api/video_streams/video_stream_access.h"
#include "base/log.h"
#include "base/metrics.h"
#include "ingest/put_session.h"
#include "wire/json_writer.h"

namespace millrace::api {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr auto kPeerLookEvery = std::chrono::seconds(1);  // whether the server stops
constexpr auto kPutPause = std::chrono::milliseconds(50);
constexpr auto kPutRoomWaitMax = std::chrono::seconds(30);  // for memory, while others hold it
// How long an error waits for the fragments before it to become durable.
constexpr auto kErrorWaitMax = std::chrono::seconds(10);
constexpr std::size_t kShareBytes = std::size_t{1} << 20;  // memory is taken from the budget in these steps
constexpr std::size_t kWaitingBytesMax = std::size_t{64} << 20;  // of one producer, that are not durable yet

prometheus::Gauge& ProducersGauge() {
  static auto& gauge = GetGauge("millrace_put_media_connections", "Producers that put media now");
  return gauge;
}
prometheus::Counter& ErrorsCounter(RefusalId id) {
  return GetCounter("millrace_put_media_errors_total", "Error acknowledgements sent",
                    {{"code", std::string(RefusalCode(id))}});
}

std::string_view TypeOf(PutAck::Kind kind) {
  switch (kind) {
    case PutAck::Kind::kBuffering:
      return "BUFFERING";
    case PutAck::Kind::kReceived:
      return "RECEIVED";
    case PutAck::Kind::kPersisted:
      return "PERSISTED";
  }
  return "PERSISTED";
}

SharedBytes Line(std::string json) {
  json.push_back('\n');
  return SharedBytes(Bytes(json.begin(), json.end()));
}

SharedBytes AckLine(const PutAck& ack) {
  wire::JsonWriter json;
  json.BeginObject();
  json.Key("EventType").String(TypeOf(ack.kind));
  json.Key("FragmentTimecode").Unsigned(ack.timecode);
  json.Key("FragmentNumber").String(ack.number.ToString());
  json.EndObject();
  return Line(std::move(json).Take());
}

// Extra members are no trouble to producers: they skip what they do not know.
SharedBytes ErrorLine(const PutError& error) {
  wire::JsonWriter json;
  json.BeginObject();
  json.Key("EventType").String("ERROR");
  if (error.refusal.timecode && error.number) {
    json.Key("FragmentTimecode").Unsigned(*error.refusal.timecode);
    json.Key("FragmentNumber").String(error.number->ToString());
  }
  json.Key("ErrorId").Integer(static_cast<int>(error.refusal.id));
  json.Key("ErrorCode").String(RefusalCode(error.refusal.id));
  json.Key("ErrorMessage").String(error.refusal.message.substr(0, 400));
  json.EndObject();
  return Line(std::move(json).Take());
}

class PutMediaConnection {
 public:
  PutMediaConnection(const PutMediaServices& services, const PutMediaRequest& asked, Request& request,
                     ResponseWriter& writer, net::any_io_executor executor)
      : services_(services),
        asked_(asked),
        body_(*request.body),
        writer_(writer),
        acks_ready_(executor),
        room_(executor),
        pause_(executor) {}

  net::awaitable<void> Run() {
    auto open = [this, acks = acks_ready_.Setter(), room = room_.Setter()]() -> Result<void> {
      auto changed = [acks, room] {
        acks();
        room();
      };
      session_ =
          std::make_unique<PutSession>(services_.streams, asked_.stream, asked_.options, std::move(changed));
      return {};
    };
    co_await OnPool(open);
    if (!session_) co_return;
    last_heard_ = SteadyClock::now();
    auto reading = Receive();
    auto acknowledging = Acknowledge();
    using namespace net::experimental::awaitable_operators;
    co_await (std::move(reading) && std::move(acknowledging));
    session_.reset();
  }

 private:
  // The body, to its end.
  net::awaitable<void> Receive() {
    PutEnd end = PutEnd::kComplete;
    while (!over_ && !session_->error()) {
      auto piece = co_await body_.Read();
      if (!piece) {
        end = piece.error().code == ErrorCode::kDeadlineExceeded ? PutEnd::kIdle : PutEnd::kBroken;
        break;
      }
      if (piece->empty()) break;
      last_heard_ = SteadyClock::now();
      const ByteSpan bytes = *piece;
      const bool room = co_await Take(bytes);
      if (!room) {
        no_room_ = true;
        end = PutEnd::kBroken;
        break;
      }
    }
    if (over_ && !session_->error()) end = PutEnd::kBroken;
    auto finish = [this, end]() -> Result<void> {
      session_->End(end);
      return {};
    };
    co_await OnPool(finish);
    received_ = true;
    acks_ready_.Setter()();
  }

  // Hands the piece to the session, in slices after each of which memory is asked for. False: there is none
  // for too long.
  net::awaitable<bool> Take(ByteSpan piece) {
    while (!piece.empty() && !over_ && !session_->error()) {
      const ByteSpan slice = piece.first(std::min(piece.size(), session_->push_bytes_max()));
      piece = piece.subspan(slice.size());
      if (!session_->Push(slice)) {
        auto resume = [this]() -> Result<void> {
          session_->Resume();
          return {};
        };
        co_await OnPool(resume);
      }
      const bool room = co_await WaitForRoom();
      if (!room) co_return false;
    }
    co_return true;
  }

  // Runs `work` on the pool, however long it takes until there is a place.
  template <typename Work>
  net::awaitable<void> OnPool(Work& work) {
    for (;;) {
      const Result<void> done = co_await services_.pool.Run(work);
      if (done || done.error().code != ErrorCode::kResourceExhausted) {
        if (!done) Log(LogLevel::kError, "putting media failed", {{"error", done.error().ToString()}});
        co_return;
      }
      pause_.expires_after(kPutPause);
      co_await pause_.async_wait(net::as_tuple(net::use_awaitable));
    }
  }

  // Until little enough of this producer waits for the disk, and there is memory for what it has here. False:
  // there is none for too long.
  net::awaitable<bool> WaitForRoom() {
    while (session_->waiting_bytes() > kWaitingBytesMax && !over_ && !session_->error()) {
      (void)co_await room_.Wait(SteadyClock::now() + kPeerLookEvery);
    }
    const auto until = SteadyClock::now() + kPutRoomWaitMax;
    while (!TakeShares()) {
      if (over_ || SteadyClock::now() >= until) co_return false;
      (void)co_await room_.Wait(SteadyClock::now() + kPutPause);
    }
    co_return true;
  }

  bool TakeShares() {
    const std::size_t wanted = (session_->bytes() + kShareBytes - 1) / kShareBytes;
    while (shares_.size() > wanted) shares_.pop_back();
    while (shares_.size() < wanted) {
      auto share = services_.memory.Take(kShareBytes);
      if (!share) return false;
      shares_.push_back(std::move(*share));
    }
    return true;
  }

  // Acknowledgements, until there will be no more or nobody hears them.
  net::awaitable<void> Acknowledge() {
    auto last_said = SteadyClock::now();
    std::optional<SteadyClock::time_point> error_due;
    for (;;) {
      // Looked at before the acknowledgements are taken: then none is left behind them.
      const bool complete = received_ && session_->settled();
      const bool settled = session_->settled();
      const std::optional<PutError> error = session_->error();
      for (const PutAck& ack : session_->TakeAcks()) {
        if (!asked_.acknowledge) continue;
        SharedBytes line = AckLine(ack);
        const bool heard = co_await Say(std::move(line));
        if (!heard) co_return;
        last_said = SteadyClock::now();
      }
      const auto now = SteadyClock::now();
      std::optional<FragmentRefusal> ending;
      if (error) {
        if (!error_due) error_due = now + kErrorWaitMax;
        if (settled || now >= *error_due) co_return co_await SayError(*error);
      } else if (no_room_) {
        ending = {RefusalId::kInternal, "too many producers hold memory", {}};
      } else if (complete) {
        over_ = true;
        (void)co_await writer_.Finish();
        co_return;
      } else if (!received_ && writer_.ShouldEnd()) {
        ending = {RefusalId::kConnectionDuration, "the server stops", {}};
      }
      if (ending) {
        const PutError last{std::move(*ending), {}};
        co_return co_await SayError(last);
      }
      if (now >= std::max(last_said, last_heard_) + services_.idle_every) {
        SharedBytes line = Line(R"({"EventType":"IDLE"})");
        const bool heard = co_await Say(std::move(line));
        if (!heard) co_return;
        last_said = SteadyClock::now();
      }
      const SteadyClock::time_point idle = std::max(last_said, last_heard_) + services_.idle_every;
      (void)co_await acks_ready_.Wait(std::min<SteadyClock::time_point>(now + kPeerLookEvery, idle));
    }
  }

  // False: the producer is gone.
  net::awaitable<bool> Say(SharedBytes line) {
    const auto written = co_await writer_.Write(std::move(line));
    over_ = over_ || !written;
    co_return written.has_value();
  }

  net::awaitable<void> SayError(PutError error) {
    ErrorsCounter(error.refusal.id).Increment();
    SharedBytes line = ErrorLine(error);
    const bool heard = co_await Say(std::move(line));
    over_ = true;
    if (heard) (void)co_await writer_.Finish();
  }

  const PutMediaServices& services_;
  const PutMediaRequest& asked_;
  BodySource& body_;
  ResponseWriter& writer_;
  AsyncEvent acks_ready_;
  AsyncEvent room_;
  net::steady_timer pause_;
  std::unique_ptr<PutSession> session_;
  std::deque<ByteBudget::Share> shares_;
  SteadyClock::time_point last_heard_;
  bool received_ = false;  // the body is over, and what it ended is done
  bool no_room_ = false;
  bool over_ = false;  // nothing more is answered
};

net::awaitable<void> PutMedia(const PutMediaServices& services, Request& request, ResponseWriter& writer) {
  auto work = [&]() -> AwsResult<PutMediaRequest> {
    MILLRACE_RETURN_IF_ERROR(AuthorizeVideoStream(request.caller.get(), services.store, services.identity,
                                                  request.headers.Find("x-amzn-stream-name").value_or(""),
                                                  request.headers.Find("x-amzn-stream-arn").value_or("")));
    return ReadPutMediaRequest(services, request);
  };
  auto asked = co_await services.pool.Run(work);
  auto place = services.connections.Take(1);
  if (!asked || !place) {
    AwsError refused = asked ? AwsError("ConnectionLimitExceededException", "Too many producers put media.")
                             : std::move(asked).error();
    co_await RespondAws(writer, AwsService::kVideoStreams, std::move(refused));
    co_return;
  }
  auto told = co_await request.body->GoAhead();
  if (!told) co_return;
  ResponseHead head{200, {}};
  AddRequestIds(head.headers, AwsService::kVideoStreams);
  head.headers.Add("Content-Type", "application/json");
  head.headers.Add("X-Content-Type-Options", "nosniff");
  auto begun = co_await writer.WriteHead(std::move(head));
  if (!begun) co_return;
  ProducersGauge().Increment();
  PutMediaConnection connection(services, *asked, request, writer, co_await net::this_coro::executor);
  co_await connection.Run();
  ProducersGauge().Decrement();
}

}  // namespace

void AddPutMediaRoutes(Router& router, PutMediaServices services) {
  router.Add("POST", "/putMedia",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               co_await PutMedia(services, request, writer);
             });
}

}  // namespace millrace::api
