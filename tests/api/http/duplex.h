// A handler that answers each piece of the body as it comes: reading and writing at once.
#pragma once

#include <utility>

#include "api/http/http.h"

namespace millrace::api::testing {

inline net::awaitable<void> Duplex(Request& request, ResponseWriter& writer) {
  ResponseHead head{200, {}};
  auto written = co_await writer.WriteHead(std::move(head));
  while (written) {
    auto piece = co_await request.body->Read();
    if (!piece) co_return;
    if (piece->empty()) break;
    SharedBytes shared(std::move(*piece));
    written = co_await writer.Write(std::move(shared));
  }
  if (written) (void)co_await writer.Finish();
}

}  // namespace millrace::api::testing
