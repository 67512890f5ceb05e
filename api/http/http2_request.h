// Makes a Request of the header fields of an HTTP/2 stream (RFC 9113 section 8.3.1).
//
// Names, values, the pseudo header fields and those that HTTP/2 forbids (connection, transfer-encoding, …)
// were checked by nghttp2 before; here are the bounds and what the checks leave open.
//
// Threads: one owner at a time.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/http/connection.h"
#include "api/http/http.h"
#include "api/http/request_refusal.h"

namespace millrace::api {

class Http2RequestHead {
 public:
  explicit Http2RequestHead(const ConnectionLimits& limits) : limits_(limits) {}

  // Takes one field. Above the limit (counted as SETTINGS_MAX_HEADER_LIST_SIZE is, 32 bytes for each field
  // included) fields are dropped, and the request is refused.
  void Add(std::string_view name, std::string_view value);
  // All fields are there: makes the request, or says why not. `request` has its method in any case.
  std::optional<Refusal> Finish(Request& request);

  bool too_large() const { return bytes_ > limits_.header_bytes_max; }

 private:
  const ConnectionLimits& limits_;
  std::size_t bytes_ = 0;
  std::string method_, path_, authority_;
  Headers headers_;
  std::string cookies_;  // clients may cut them into several fields (section 8.2.3)
};

}  // namespace millrace::api
