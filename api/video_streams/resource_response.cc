#include "api/video_streams/resource_response.h"

namespace millrace::api {
namespace {

// Whether a list of entity tags (If-None-Match) names this one. "W/" does not matter to that comparison (RFC
// 9110 8.8.3).
bool NamesTag(std::string_view list, std::string_view etag) {
  while (!list.empty()) {
    auto comma = list.find(',');
    std::string_view one = list.substr(0, comma);
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
    auto first = one.find_first_not_of(" \t");
    if (first == std::string_view::npos) continue;
    one = one.substr(first, one.find_last_not_of(" \t") - first + 1);
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (one == "*" || one == etag) return true;
  }
  return false;
}

}  // namespace

net::awaitable<void> RespondResource(const Request& request, ResponseWriter& writer,
                                     const HlsResource& resource) {
  ResponseHead head{200, {}};
  head.headers.Add("Content-Type", std::string(resource.content_type));
  head.headers.Add("Cache-Control", std::string(resource.cache_control));
  head.headers.Add("ETag", resource.etag);
  head.headers.Add("X-Content-Type-Options", "nosniff");
  auto known = request.headers.Find("If-None-Match");
  if (known && NamesTag(*known, resource.etag)) {
    head.status = 304;
    SharedBytes none;
    (void)co_await writer.Respond(std::move(head), std::move(none));
    co_return;
  }
  auto begun = co_await writer.WriteHead(std::move(head), resource.bytes);
  if (!begun) co_return;
  for (const SharedBytes& part : resource.parts) {
    auto written = co_await writer.Write(part);
    if (!written) co_return;
  }
  (void)co_await writer.Finish();
}

}  // namespace millrace::api
