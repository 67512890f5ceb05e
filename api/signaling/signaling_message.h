// The messages of the signaling WebSocket, as JSON text: what a client sends, and what it is sent.
//
// Members of a client's message may begin with a capital or not: the public clients do it both ways.
//
// Errors:  kInvalidArgument, with a text that names the member.
// Threads: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace::api {

inline constexpr std::size_t kSignalPayloadMax = 10'000;  // characters of base64

struct ClientSignal {
  std::string action;     // SDP_OFFER, SDP_ANSWER, ICE_CANDIDATE
  std::string recipient;  // a viewer's client id; "" for the master
  std::string payload;    // base64 of JSON: passed on as it is
  std::string correlation_id{};
};

// What is wrong with a message, and what its sender calls it.
struct BadSignal {
  Error error;
  std::string correlation_id{};
};
struct ParsedSignal {
  std::optional<ClientSignal> signal;  // none: `bad` says why
  BadSignal bad{Error{ErrorCode::kInvalidArgument, ""}};
};
ParsedSignal ParseSignal(std::string_view text);

// One of the other end's, for the receiver. `sender`: the viewer's client id; "" for the master.
std::string ServerSignal(const ClientSignal& signal, std::string_view sender);
// That a message was not passed on: "InvalidArgumentException", 400.
std::string StatusSignal(std::string_view correlation_id, std::string_view error_type, int status,
                         std::string_view description);
// The server stops: connect anew.
std::string GoAwaySignal();

}  // namespace millrace::api
