#include "api/access/caller.h"

#include <utility>

#include "base/text.h"

namespace millrace::api {
namespace {

constexpr std::size_t kResourceBytesMax = 2048;

}  // namespace

Result<void> Caller::Check(std::string_view action, std::string_view resource) {
  if (!verified_) return Error{ErrorCode::kUnauthenticated, "the request's signature was not checked yet"};
  return CheckPolicies(action, resource);
}

Result<void> Caller::Require(std::string resource) {
  if (verified_) return CheckPolicies(action_, resource);
  required_ = std::move(resource);
  return {};
}

Result<void> Caller::MarkVerified() {
  verified_ = true;
  if (!required_) return {};
  return CheckPolicies(action_, *std::exchange(required_, std::nullopt));
}

Result<void> Caller::CheckPolicies(std::string_view action, std::string_view resource) {
  resource_ = Excerpt(resource, kResourceBytesMax);
  if (user_ == nullptr) return {};
  const Decision decision = Decide(user_->policies, action, resource);
  if (decision == Decision::kAllowed) return {};
  std::string text = "User: arn:aws:iam::000000000000:user/" + user_->name +
                     " is not authorized to perform: " + std::string(action) + " on resource: " + resource_;
  text += decision == Decision::kDenied
              ? " with an explicit deny in an identity-based policy"
              : " because no identity-based policy allows the " + std::string(action) + " action";
  return Error{ErrorCode::kPermissionDenied, std::move(text)};
}

bool Caller::Sees(std::string_view action, std::string_view resource) const {
  if (user_ == nullptr) return true;
  const std::string arn = resource_prefix_ + std::string(resource);
  return verified_ && Decide(user_->policies, action, arn) == Decision::kAllowed;
}

bool Sees(const Caller* caller, std::string_view action, std::string_view resource) {
  return caller == nullptr || caller->Sees(action, resource);
}

Result<void> Authorize(Caller* caller, std::string_view action, std::string_view resource) {
  if (caller == nullptr) return {};
  return caller->Check(action, resource);
}

}  // namespace millrace::api
