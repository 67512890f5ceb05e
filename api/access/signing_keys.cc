#include "api/access/signing_keys.h"

#include <utility>

namespace millrace::api {
namespace {

// Anybody may claim any scope; long ones are nobody's, and would take memory.
constexpr std::size_t kScopeBytesMax = 100;

}  // namespace

wire::Digest SigningKeys::Of(const std::string& secret, const wire::SignatureScope& scope) {
  std::string place = scope.ToString();
  if (place.size() > kScopeBytesMax) return wire::SigningKey(secret, scope);
  place += "/" + secret;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = keys_.find(place); found != keys_.end()) return found->second;
  }
  const wire::Digest key = wire::SigningKey(secret, scope);
  const std::lock_guard lock(mutex_);
  if (keys_.size() >= kKeysMax) keys_.clear();
  keys_.emplace(std::move(place), key);
  return key;
}

}  // namespace millrace::api
