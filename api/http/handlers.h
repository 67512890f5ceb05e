// What most handlers do: gather a body, run something that may block on the pool, answer with JSON or an
// error.
#pragma once

#include <string>

#include "api/http/error_response.h"
#include "api/http/http.h"
#include "api/http/worker_pool.h"

namespace millrace::api {

// Runs `work` (Result<std::string>() giving JSON text) on the pool and answers with it.
template <typename Work>
net::awaitable<void> RespondWith(WorkerPool& pool, ResponseWriter& writer, Work& work, int status = 200) {
  Result<std::string> json = co_await pool.Run(work);
  if (json) {
    co_await RespondJson(writer, status, std::move(*json));
  } else {
    co_await RespondError(writer, std::move(json).error());
  }
}

// Answers why a body could not be gathered: 413 over the limit, 408 too slow, 400 malformed.
inline net::awaitable<void> RespondBodyError(ResponseWriter& writer, Error error) {
  int status = error.code == ErrorCode::kResourceExhausted  ? 413
               : error.code == ErrorCode::kDeadlineExceeded ? 408
                                                            : 0;
  co_await RespondError(writer, std::move(error), status);
}

}  // namespace millrace::api
