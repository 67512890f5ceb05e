#include "api/http/http2_request.h"

#include <charconv>

#include "base/text.h"

namespace millrace::api {

void Http2RequestHead::Add(std::string_view name, std::string_view value) {
  if (too_large()) return;
  bytes_ += name.size() + value.size() + 32;
  if (too_large()) return;
  if (name == ":method") {
    method_ = value;
  } else if (name == ":path") {
    path_ = value;
  } else if (name == ":authority") {
    authority_ = value;
  } else if (name == "cookie") {
    if (!cookies_.empty()) cookies_ += "; ";
    cookies_ += value;
  } else if (!name.starts_with(':')) {
    headers_.Add(std::string(name), std::string(value));
  }
}

std::optional<Refusal> Http2RequestHead::Finish(Request& request) {
  request.version = HttpVersion::kHttp2;
  request.method = std::move(method_);
  if (too_large()) return path_.empty() ? TargetTooLong(limits_) : HeadersTooLarge(limits_);
  request.headers = std::move(headers_);
  request.authority = std::move(authority_);
  if (!cookies_.empty()) request.headers.Add("cookie", std::move(cookies_));
  if (!request.authority.empty()) {
    if (auto host = request.headers.Find("host")) {
      if (!EqualsIgnoreCase(*host, request.authority)) return Malformed("Host and :authority differ");
    } else {
      request.headers.Add("host", request.authority);
    }
  }
  if (request.headers.Count("content-length") > 1) return Malformed("content-length is given more than once");
  if (auto length = request.headers.Find("content-length")) {
    std::uint64_t bytes = 0;
    auto [end, ec] = std::from_chars(length->data(), length->data() + length->size(), bytes);
    if (ec != std::errc() || end != length->data() + length->size())
      return Malformed("content-length is not a number");
    request.content_length = bytes;
  }
  return TakeTarget(path_, limits_, request);
}

}  // namespace millrace::api
