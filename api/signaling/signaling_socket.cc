// One end of a signaling channel: its WebSocket, between the client and the hub.
//
// Two coroutines share the connection's strand: one reads what the client sends and hands it to the hub, the
// other sends what the hub has for it.
#include "api/signaling/signaling_socket.h"

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/this_coro.hpp>
#include <string>
#include <utility>

#include "api/aws/async_event.h"
#include "api/aws/aws_http.h"
#include "api/aws/token_bucket.h"
#include "api/http/web_socket.h"
#include "api/signaling/signaling_names.h"
#include "base/metrics.h"

namespace millrace::api {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr auto kLookEvery = std::chrono::seconds(1);  // whether the server stops
constexpr std::uint64_t kSignalsPerSecond = 50;       // of one client, and as many as saved up:
constexpr std::uint64_t kSignalsAtOnce = 200;
constexpr int kSilentPingsMax = 3;  // pings without a sign of life in return

prometheus::Gauge& ConnectionsGauge() {
  static auto& gauge = GetGauge("millrace_signaling_connections", "WebSockets of signaling channels");
  return gauge;
}
prometheus::Counter& MessagesCounter(std::string_view outcome) {
  return GetCounter("millrace_signaling_messages_total", "Messages that clients sent",
                    {{"outcome", std::string(outcome)}});
}

class SignalingSocket {
 public:
  SignalingSocket(WebSocket& socket, ResponseWriter& writer, Duration ping_every, AsyncEvent& changed)
      : socket_(socket),
        writer_(writer),
        ping_every_(std::chrono::duration_cast<SteadyClock::duration>(ping_every)),
        changed_(changed),
        rate_(kSignalsPerSecond, kSignalsAtOnce, SteadyClock::now()) {}

  net::awaitable<void> Run(SignalingHub& hub, SignalingHub::MemberPtr member) {
    auto receiving = Receive(hub, *member);
    auto sending = Send(*member);
    using namespace net::experimental::awaitable_operators;
    co_await (std::move(receiving) && std::move(sending));
  }

 private:
  net::awaitable<void> Receive(SignalingHub& hub, SignalingHub::Member& member) {
    while (!over_) {
      auto text = co_await socket_.Read(SteadyClock::now() + kLookEvery);
      if (!text && text.error().code == ErrorCode::kDeadlineExceeded) continue;
      if (!text || !*text) break;
      Pass(hub, member, **text);
    }
    over_ = true;
    changed_.Setter()();
  }

  void Pass(SignalingHub& hub, SignalingHub::Member& member, const std::string& text) {
    if (text.empty()) return;  // some clients keep their connection alive so
    const auto now = SteadyClock::now();
    ParsedSignal parsed = ParseSignal(text);
    Result<void> passed;
    std::string correlation_id = parsed.signal ? parsed.signal->correlation_id : parsed.bad.correlation_id;
    if (!rate_.Has(1, now)) {
      passed = Error{ErrorCode::kResourceExhausted, "Too many messages a second."};
    } else if (!parsed.signal) {
      passed = parsed.bad.error;
    } else {
      rate_.Take(1, now);
      passed = hub.Send(member, *parsed.signal);
    }
    MessagesCounter(passed ? "passed on" : "refused").Increment();
    if (passed || correlation_id.empty()) return;
    const bool limit = passed.error().code == ErrorCode::kResourceExhausted;
    (void)socket_.Send(StatusSignal(correlation_id,
                                    limit ? "ClientLimitExceededException" : "InvalidArgumentException",
                                    limit ? 429 : 400, passed.error().message));
    changed_.Setter()();
  }

  net::awaitable<void> Send(SignalingHub::Member& member) {
    auto next_ping = SteadyClock::now() + ping_every_;
    while (!over_) {
      // Each by itself: what a peer takes at its pace is not too much for it.
      Result<void> queued;
      const auto taken = member.Take();
      for (const SignalingHub::Message& message : taken.messages) {
        queued = socket_.Send(ServerSignal(message.signal, message.sender));
        if (queued) queued = co_await socket_.Flush();
        if (!queued) break;
      }
      if (!queued) socket_.Close(WebSocket::CloseCode::kPolicy, "messages are not taken");
      if (member.ended())
        socket_.Close(WebSocket::CloseCode::kNormal, "another connection took this one's place");
      const bool stopping = writer_.ShouldEnd();
      if (stopping) {
        (void)socket_.Send(GoAwaySignal());
        socket_.Close(WebSocket::CloseCode::kGoingAway, "the server stops");
      }
      if (SteadyClock::now() >= next_ping) {
        next_ping = SteadyClock::now() + ping_every_;
        if (socket_.silent_pings() >= kSilentPingsMax) break;
        (void)socket_.Ping();
      }
      const auto sent = co_await socket_.Flush();
      if (!sent || !queued || stopping || member.ended()) break;
      (void)co_await changed_.Wait(
          std::min<SteadyClock::time_point>(next_ping, SteadyClock::now() + kLookEvery));
    }
    over_ = true;
  }

  WebSocket& socket_;
  ResponseWriter& writer_;
  const SteadyClock::duration ping_every_;
  AsyncEvent& changed_;
  TokenBucket rate_;
  bool over_ = false;
};

// Joins, and then makes sure that the channel is there: one that is deleted meanwhile would be made again by
// joining it.
AwsResult<SignalingHub::MemberPtr> Join(const SignalingServices& services, const SignalingChannel& channel,
                                        const std::string& client_id, std::function<void()> ready) {
  const SignalingHub::ChannelKey key{channel.name, channel.created};
  auto member =
      services.hub.Join(key, client_id, std::chrono::seconds(channel.message_ttl_s), std::move(ready));
  if (!member) return AwsError("ClientLimitExceededException", std::move(member).error().message);
  const auto now = services.channels.Get(channel.name, channel.created);
  if (now) return std::move(*member);
  if (now.error().code == ErrorCode::kNotFound) services.hub.EndChannel(key);
  return OfChannel(now.error());
}

}  // namespace

net::awaitable<void> ServeSignaling(const SignalingServices& services, const SignalingChannel& channel,
                                    const std::string& client_id, Request& request, ResponseWriter& writer) {
  const bool fits = co_await WebSocket::CheckHandshake(request, writer);
  if (!fits) co_return;
  AsyncEvent changed(co_await net::this_coro::executor);
  auto join = [&]() -> AwsResult<SignalingHub::MemberPtr> {
    return Join(services, channel, client_id, changed.Setter());
  };
  auto member = co_await services.video.pool.Run(join);
  if (!member) {
    co_await RespondAws(writer, AwsService::kVideoStreams, std::move(member).error());
    co_return;
  }
  const WebSocket::Limits limits{};
  auto socket = co_await WebSocket::Accept(request, writer, limits);
  if (!socket) co_return;
  SignalingSocket connection(*socket, writer, services.ping_every, changed);
  ConnectionsGauge().Increment();
  co_await connection.Run(services.hub, *member);
  ConnectionsGauge().Decrement();
  (void)co_await writer.Finish();
}

}  // namespace millrace::api
