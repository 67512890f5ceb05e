// Writes an answer from a thread of a pool, where a library makes it: each call hands its bytes to the
// request's strand, and waits until the peer has taken them.
//
// The head goes out with the first bytes, so that what fails before them can still be answered with an error.
//
// Threads: made on the strand; Begin and Write on one thread of a pool, while the strand waits for that work.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <cstdint>
#include <future>
#include <optional>
#include <utility>

#include "api/http/http.h"

namespace millrace::api {

class PoolAnswer {
 public:
  // `strand`: the request's. `writer` outlives this.
  PoolAnswer(net::any_io_executor strand, ResponseWriter& writer, ResponseHead head)
      : strand_(std::move(strand)), writer_(writer), head_(std::move(head)) {}

  // The length of the whole answer, where it is known. REQUIRES: nothing is written yet.
  void SetLength(std::uint64_t bytes) { length_ = bytes; }

  // Errors: as ResponseWriter's.
  Result<void> Write(ByteSpan bytes) {
    SharedBytes copy(Bytes(bytes.begin(), bytes.end()));
    return net::co_spawn(strand_, Send(std::move(copy)), net::use_future).get();
  }

 private:
  net::awaitable<Result<void>> Send(SharedBytes bytes) {
    if (!writer_.head_written()) {
      auto begun = co_await writer_.WriteHead(std::move(head_), length_);
      if (!begun) co_return std::move(begun).error();
    }
    co_return co_await writer_.Write(std::move(bytes));
  }

  const net::any_io_executor strand_;
  ResponseWriter& writer_;
  ResponseHead head_;
  std::optional<std::uint64_t> length_;
};

}  // namespace millrace::api
