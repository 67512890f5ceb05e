// RTSP 1.0 requests (RFC 2326), as far as a camera needs them, and digest authentication (RFC 2069, MD5).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace::camera_sim {

struct RtspRequest {
  std::string method;
  std::string uri;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string Header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

// Takes the next request off the front of `buffer`; interleaved packets before it are dropped.
// Empty: more bytes are needed. Errors: kInvalidArgument: this is not RTSP, or larger than a camera takes.
Result<std::optional<RtspRequest>> TakeRequest(std::string& buffer);

// Checks the Authorization header of `request`. `nonce` is the one that the client was given.
bool DigestIsRight(const RtspRequest& request, std::string_view user, std::string_view password,
                   std::string_view realm, std::string_view nonce);

std::string Base64(std::string_view bytes);

}  // namespace millrace::camera_sim
