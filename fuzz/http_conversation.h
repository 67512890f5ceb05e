// A client's side of a real connection over a socket pair: what is sent, in which pieces, and what comes
// back. Time limits of the connection do not pass: it has no more to do when it waits for the client alone.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "api/http/connection.h"
#include "api/http/dispatcher.h"
#include "api/http/router.h"

namespace millrace::fuzz {

struct Conversation {
  std::string received;
  bool ended = false;  // by the connection itself; else it was aborted when nothing more was to be sent
};

// Sends `input` in pieces of at most `piece_bytes`, then the end of what is sent, and takes what comes back.
// Fails where the connection is not over at the end.
Conversation Converse(const api::Dispatcher& dispatcher, const api::ConnectionLimits& limits,
                      std::string_view input, std::size_t piece_bytes);

// What the targets have in common: short limits, and a handler that leaves the body where it is.
api::ConnectionLimits FuzzedLimits();
api::net::awaitable<void> Ignore(api::Request& request, api::ResponseWriter& writer);

}  // namespace millrace::fuzz
