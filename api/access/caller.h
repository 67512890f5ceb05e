// Who sent a request, and what he may do: made when the request is admitted, asked where its resource is
// known, and read for the audit log when it was answered.
//
// Threads: one at a time, as its request: on the request's strand, or on the pool while the strand waits.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/access/credentials.h"
#include "base/result.h"

namespace millrace::api {

class Caller {
 public:
  // Somebody on this machine, while no credentials are configured: may do everything.
  explicit Caller(std::string action) : action_(std::move(action)) {}
  Caller(std::string action, std::shared_ptr<const User> user, std::string key_id)
      : user_(std::move(user)), key_id_(std::move(key_id)), action_(std::move(action)) {}

  // Whether the caller may do this to the resource, an ARN or "*". Errors: kPermissionDenied, in IAM's words;
  // kUnauthenticated (not verified).
  Result<void> Check(std::string_view action, std::string_view resource);
  // The same with the request's own action.
  Result<void> Check(std::string_view resource) { return Check(action_, resource); }
  // As Check with the request's own action; while the signature is not checked it succeeds, and MarkVerified
  // says what there is to say. So nobody learns what a key may do, nor whose it is, who cannot sign with it.
  Result<void> Require(std::string resource);

  // Whether the policies allow it on a resource of the request's own service, "camera/door". Leaves no trace
  // in the audit log: what a list shows.
  bool Sees(std::string_view action, std::string_view resource) const;
  // What such resources' ARNs begin with: "arn:aws:millrace:us-east-1:000000000000:".
  void SetResourcePrefix(std::string prefix) { resource_prefix_ = std::move(prefix); }

  // The request's action, where its route alone does not say it: "kinesis:PutRecord".
  void SetAction(std::string action) { action_ = std::move(action); }
  // The signature is checked when the body was read, and nothing is allowed before.
  void VerifyLater() { verified_ = false; }
  // It holds. Errors: kPermissionDenied: what was required meanwhile is not allowed.
  Result<void> MarkVerified();
  bool verified() const { return verified_; }

  // For the audit log.
  const std::string& action() const { return action_; }
  const std::string& resource() const { return resource_; }  // the last that was asked for; "" for none
  std::string name() const { return user_ == nullptr ? "" : user_->name; }
  const std::string& key_id() const { return key_id_; }

 private:
  Result<void> CheckPolicies(std::string_view action, std::string_view resource);

  const std::shared_ptr<const User> user_;  // null: no credentials are configured
  const std::string key_id_;
  bool verified_ = true;
  std::optional<std::string> required_;  // before the signature was checked
  std::string action_;
  std::string resource_;
  std::string resource_prefix_;
};

// Check of the request's caller; a request that nobody admitted (in tests of handlers) may do everything.
Result<void> Authorize(Caller* caller, std::string_view action, std::string_view resource);
// Sees of the request's caller, in the same way.
bool Sees(const Caller* caller, std::string_view action, std::string_view resource);

}  // namespace millrace::api
