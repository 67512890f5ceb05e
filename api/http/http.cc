#include "api/http/http.h"

#include <algorithm>
#include <cassert>
#include <cstdio>
#include <ctime>

#include "base/text.h"

namespace millrace::api {

void Headers::Set(std::string name, std::string value) {
  std::erase_if(fields_, [&](const Field& field) { return EqualsIgnoreCase(field.first, name); });
  Add(std::move(name), std::move(value));
}

std::optional<std::string_view> Headers::Find(std::string_view name) const {
  for (const Field& field : fields_) {
    if (EqualsIgnoreCase(field.first, name)) return field.second;
  }
  return std::nullopt;
}

std::size_t Headers::Count(std::string_view name) const {
  return static_cast<std::size_t>(std::count_if(fields_.begin(), fields_.end(), [&](const Field& field) {
    return EqualsIgnoreCase(field.first, name);
  }));
}

const std::string& Request::Parameter(std::string_view name) const {
  for (const auto& [key, value] : path_parameters) {
    if (key == name) return value;
  }
  assert(false && "the route's pattern does not have this parameter");
  static const std::string none;
  return none;
}

net::awaitable<Result<std::string>> ReadBody(Request& request, std::size_t bytes_max, Duration within) {
  Error too_large{ErrorCode::kResourceExhausted, "the body is larger than " + std::to_string(bytes_max) +
                                                     " bytes, which is all this request may have"};
  if (request.content_length.value_or(0) > bytes_max) co_return too_large;
  auto until = std::chrono::steady_clock::now() +
               std::chrono::duration_cast<std::chrono::steady_clock::duration>(within);
  std::string body;
  for (;;) {
    Result<Bytes> piece = co_await request.body->Read(until);
    if (!piece) co_return std::move(piece).error();
    if (piece->empty()) co_return body;
    if (body.size() + piece->size() > bytes_max) co_return too_large;
    body.append(AsText(*piece));
  }
}

net::awaitable<void> RespondText(ResponseWriter& writer, int status, std::string content_type,
                                 std::string body) {
  ResponseHead head{status, {}};
  head.headers.Add("Content-Type", std::move(content_type));
  Bytes bytes(body.begin(), body.end());
  SharedBytes shared(std::move(bytes));
  (void)co_await writer.Respond(std::move(head), std::move(shared));
}

net::awaitable<void> RespondJson(ResponseWriter& writer, int status, std::string json) {
  json.push_back('\n');
  ResponseHead head{status, {}};
  head.headers.Add("Content-Type", "application/json");
  head.headers.Add("Cache-Control", "no-store");
  Bytes bytes(json.begin(), json.end());
  SharedBytes shared(std::move(bytes));
  (void)co_await writer.Respond(std::move(head), std::move(shared));
}

net::awaitable<void> RespondEmpty(ResponseWriter& writer, int status) {
  ResponseHead head{status, {}};
  SharedBytes none;
  (void)co_await writer.Respond(std::move(head), std::move(none));
}

std::string_view ReasonPhrase(int status) {
  switch (status) {
    case 101:
      return "Switching Protocols";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 426:
      return "Upgrade Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 499:
      return "Client Closed Request";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 507:
      return "Insufficient Storage";
    default:
      return "Unknown";
  }
}

std::string HttpDate() {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[64];
  std::snprintf(text, sizeof(text), "%s, %02d %s %04d %02d:%02d:%02d GMT", kDays[utc.tm_wday], utc.tm_mday,
                kMonths[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
  return text;
}

}  // namespace millrace::api
