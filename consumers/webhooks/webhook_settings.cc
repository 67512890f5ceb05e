#include "consumers/webhooks/webhook_settings.h"

#include <algorithm>

#include "wire/base64.h"

namespace millrace {
namespace {

constexpr std::size_t kUrlMax = 2048, kKeyMin = 16, kKeyMax = 512;
constexpr std::string_view kKeyPrefix = "whsec_";

bool IsPrintable(char c) { return c > 0x20 && c < 0x7f; }

}  // namespace

Result<WebhookUrl> WebhookUrl::Parse(std::string_view url) {
  if (url.size() > kUrlMax || !std::all_of(url.begin(), url.end(), IsPrintable)) {
    return Error{ErrorCode::kInvalidArgument, "a webhook's URL has 2048 characters at most, and no blanks"};
  }
  if (url.find('#') != std::string_view::npos) {
    return Error{ErrorCode::kInvalidArgument, "a webhook's URL has no fragment ('#…'): nobody is sent it"};
  }
  const std::size_t scheme = url.find("://");
  const std::size_t end = scheme == std::string_view::npos ? scheme : url.find_first_of("/?", scheme + 3);
  if (url.substr(0, end).find('@') != std::string_view::npos) {
    return Error{ErrorCode::kInvalidArgument, "a webhook's URL has no user: give it a secret, which signs"};
  }
  WebhookUrl parsed;
  MILLRACE_ASSIGN_OR_RETURN(parsed.endpoint, wire::Endpoint::Parse(url.substr(0, end)));
  if (end != std::string_view::npos) {
    parsed.target = std::string(url.substr(end));
    if (parsed.target.front() == '?') parsed.target.insert(0, "/");
  }
  return parsed;
}

std::string WebhookUrl::ToString() const { return endpoint.ToString() + target.substr(0, target.find('?')); }

Result<std::string> WebhookKeyOf(std::string_view secret) {
  std::string key(secret);
  if (secret.starts_with(kKeyPrefix)) {
    const auto decoded = wire::DecodeBase64(secret.substr(kKeyPrefix.size()));
    if (!decoded) {
      return Error{ErrorCode::kInvalidArgument, "a webhook's secret has base64 behind 'whsec_'"};
    }
    key.assign(AsText(*decoded));
  }
  if (key.size() < kKeyMin || key.size() > kKeyMax) {
    return Error{ErrorCode::kInvalidArgument, "a webhook's secret has 16 to 512 bytes"};
  }
  return key;
}

}  // namespace millrace
