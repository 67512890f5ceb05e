#include "api/video_streams/media_sender.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include "base/metrics.h"

namespace millrace::api {
namespace {

using SteadyClock = std::chrono::steady_clock;

// How often the time is looked at. Each slice is a write of its own, and wakes the reader: a quarter of this
// size costs a fifth more CPU.
constexpr std::size_t kSliceBytes = 256 * 1024;
// Small fragments are fetched together: handing over to the pool and back costs more than reading them.
constexpr std::uint64_t kTogetherBytesMax = 2 * 1024 * 1024;
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

MediaSender::Batch MediaSender::Fetch(std::span<const Item> items) const {
  Batch batch;
  std::uint64_t bytes = 0;
  for (const Item& item : items) {
    std::uint64_t wanted = item.bytes.value_or(0);
    if (!item.bytes) {
      auto facts = services_.store.Get(stream_.name, item.number);
      if (!facts) {
        batch.error = std::move(facts).error();
        break;
      }
      wanted = facts->bytes;
    }
    if (filter_.any()) wanted *= 2;  // what passes a filter is a copy
    bytes += wanted;
    if (!batch.fetched.empty() && bytes > kTogetherBytesMax) break;
    auto share = services_.media_budget.Take(wanted);
    if (!share) break;
    auto fragment = services_.store.Read(stream_.name, item.number);
    auto pieces = fragment ? MakeChunk(*fragment, filter_, item.place) : std::move(fragment).error();
    if (!pieces) {
      batch.error = std::move(pieces).error();
      break;
    }
    batch.fetched.push_back({std::move(*share), std::move(*pieces)});
  }
  return batch;
}

net::awaitable<MediaSender::Sent> MediaSender::Send(std::span<const Item> items) {
  auto fetch = [&]() -> Result<Batch> { return Fetch(items); };
  net::steady_timer pause(co_await net::this_coro::executor);
  const auto until = SteadyClock::now() + kRoomWaitMax;
  for (;;) {
    auto batch = co_await services_.pool.Run(fetch);
    const bool busy = !batch && batch.error().code == ErrorCode::kResourceExhausted;
    if (!batch && !busy) co_return Sent{1, std::move(batch).error()};
    if (!busy && (batch->error || !batch->fetched.empty())) {
      Sent sent;
      for (Fetched& one : batch->fetched) {
        FragmentsCounter().Increment();
        sent.last = co_await Write(one.pieces);
        ++sent.items;
        if (!sent.last) co_return sent;
        const Fetched done = std::move(one);  // its share goes back
      }
      if (batch->error) {
        sent.last = *std::move(batch->error);
        ++sent.items;
      }
      co_return sent;
    }
    if (SteadyClock::now() >= until) co_return Sent{1, CutOff("too many readers are slow")};
    pause.expires_after(kRoomPause);
    co_await pause.async_wait(net::as_tuple(net::use_awaitable));
  }
}

net::awaitable<Result<void>> MediaSender::SendError(std::string number, int code, std::string text) {
  const MediaPieces pieces = MakeErrorChunk(number, code, text);
  co_return co_await Write(pieces);
}

net::awaitable<Result<void>> MediaSender::SendKeepAlive() {
  const MediaPieces pieces{MediaKeepAlive()};
  co_return co_await Write(pieces);
}

net::awaitable<Result<void>> MediaSender::Write(const MediaPieces& pieces) {
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
