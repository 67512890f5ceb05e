#include "consumers/webhooks/webhook_sender.h"

#include <algorithm>
#include <boost/algorithm/string/predicate.hpp>
#include <charconv>

namespace millrace {
namespace {

constexpr std::size_t kAnswerMax = 64 * 1024;  // of what nobody reads
constexpr std::int64_t kRetryAfterMax = 3600;  // seconds

wire::HttpClient::Options OptionsOf(const WebhookSettings& settings) {
  wire::HttpClient::Options options;
  options.key.reset();  // the receiver is none of AWS's services
  options.ca_file = settings.ca_file;
  options.progress_timeout = options.request_timeout = std::chrono::seconds(10);
  options.body_bytes_max = kAnswerMax;
  return options;
}

std::optional<Duration> RetryAfter(const wire::HttpResponse& response) {
  for (const auto& [name, value] : response.headers) {
    if (!boost::iequals(name, "Retry-After")) continue;
    std::int64_t seconds = 0;
    const auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), seconds);
    if (ec != std::errc() || end != value.data() + value.size() || seconds < 0) return std::nullopt;
    return std::chrono::seconds(std::min(seconds, kRetryAfterMax));
  }
  return std::nullopt;
}

}  // namespace

WebhookSender::WebhookSender(const WebhookSettings& settings)
    : target_(settings.url.target), key_(settings.key), client_(settings.url.endpoint, OptionsOf(settings)) {}

WebhookAnswer WebhookSender::Send(const WebhookMessage& message, Timestamp now) {
  wire::HttpRequest request;
  request.method = "POST";
  request.target = target_;
  request.headers = WebhookHeaders(message, key_, now);
  request.body = message.body;
  auto response = client_.Send(request);
  WebhookAnswer answer;
  if (!response) {
    // An answer that is too long is an answer; but with no status left to go by it is tried again.
    answer.why = response.error().message;
  } else if (response->status >= 200 && response->status < 300) {
    answer.kind = WebhookAnswer::Kind::kDelivered;
  } else {
    if (response->status == 410) answer.kind = WebhookAnswer::Kind::kGone;
    answer.why = "the receiver answers " + std::to_string(response->status);
    if (response->status >= 300 && response->status < 400) answer.why += ": redirects are not followed";
    answer.retry_after = RetryAfter(*response);
  }
  return answer;
}

}  // namespace millrace
