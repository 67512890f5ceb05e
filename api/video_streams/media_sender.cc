#include "api/video_streams/media_sender.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include "api/aws/byte_budget.h"
#include "base/metrics.h"

namespace millrace::api {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kSliceBytes = 64 * 1024;  // how often the time is looked at
constexpr auto kRoomPause = std::chrono::milliseconds(20);
constexpr auto kRoomWaitMax = std::chrono::seconds(60);
// The slowest line that is served: 32 KiB a second, and a minute for whatever may come in between.
constexpr auto kChunkTimeMin = std::chrono::seconds(60);
constexpr std::size_t kBytesPerSecondMin = 32 * 1024;

prometheus::Counter& FragmentsCounter() {
  static auto& counter = GetCounter("millrace_media_fragments_sent_total",
                                    "Fragments sent by GetMedia and GetMediaForFragmentList");
  return counter;
}

Error CutOff(std::string why) { return Error{ErrorCode::kCancelled, std::move(why)}; }

}  // namespace

net::awaitable<Result<void>> MediaSender::Send(const FragmentNumber& number,
                                               std::optional<MediaPlace> place) {
  struct Fetched {
    std::optional<ByteBudget::Share> share;  // none: there was no room
    MediaPieces pieces;
  };
  auto fetch = [&]() -> Result<Fetched> {
    MILLRACE_ASSIGN_OR_RETURN(const FragmentFacts facts, services_.store.Get(stream_.name, number));
    Fetched fetched;
    // What passes a filter is a copy.
    fetched.share = services_.media_budget.Take(filter_.any() ? 2 * facts.bytes : facts.bytes);
    if (!fetched.share) return fetched;
    MILLRACE_ASSIGN_OR_RETURN(const Fragment fragment, services_.store.Read(stream_.name, number));
    MILLRACE_ASSIGN_OR_RETURN(fetched.pieces, MakeChunk(fragment, filter_, place));
    return fetched;
  };
  net::steady_timer pause(co_await net::this_coro::executor);
  const auto until = SteadyClock::now() + kRoomWaitMax;
  for (;;) {
    auto fetched = co_await services_.pool.Run(fetch);
    const bool busy = !fetched && fetched.error().code == ErrorCode::kResourceExhausted;
    if (!fetched && !busy) co_return std::move(fetched).error();
    if (!busy && fetched->share) {
      FragmentsCounter().Increment();
      co_return co_await Write(std::move(fetched->pieces));
    }
    if (SteadyClock::now() >= until) co_return CutOff("too many readers are slow");
    pause.expires_after(kRoomPause);
    co_await pause.async_wait(net::as_tuple(net::use_awaitable));
  }
}

net::awaitable<Result<void>> MediaSender::SendError(std::string number, int code, std::string text) {
  MediaPieces pieces = MakeErrorChunk(number, code, text);
  co_return co_await Write(std::move(pieces));
}

net::awaitable<Result<void>> MediaSender::SendKeepAlive() {
  MediaPieces pieces{MediaKeepAlive()};
  co_return co_await Write(std::move(pieces));
}

net::awaitable<Result<void>> MediaSender::Write(MediaPieces pieces) {
  std::size_t bytes = 0;
  for (const SharedBytes& piece : pieces) bytes += piece.size();
  const auto until = SteadyClock::now() + kChunkTimeMin + std::chrono::seconds(bytes / kBytesPerSecondMin);
  for (const SharedBytes& piece : pieces) {
    for (std::size_t at = 0; at < piece.size(); at += kSliceBytes) {
      SharedBytes slice = piece.Slice(at, std::min(kSliceBytes, piece.size() - at));
      auto written = co_await writer_.Write(std::move(slice));
      if (!written) co_return CutOff(std::move(written).error().message);
      if (SteadyClock::now() > until) co_return CutOff("the reader is too slow");
    }
  }
  anything_sent_ = true;
  co_return Result<void>();
}

}  // namespace millrace::api
