// Who may call: docs/http-api.md, "Who may call".
//
// With credentials a caller shows who he is by Signature V4 (header or presigned query), by a
// session's bearer token, or by its cookie (and who scrapes the metrics, by HTTP Basic: RFC 7617),
// and his policies say what he may do. Without, everybody on this machine may do everything, and
// api/http/origin_policy.h keeps other people's web pages out.
//
// Our own paths are authorized here, by api/access/access_rules.h. The Kinesis protocols name their resource
// in the body: their handlers ask the request's caller (api/access/caller.h), which allows nothing while a
// signature that covers the body is not checked.
//
// Threads: any; requests at the same time.
#pragma once

#include "api/access/access_rules.h"
#include "api/access/audit_log.h"
#include "api/access/caller.h"
#include "api/access/credentials.h"
#include "api/access/sessions.h"
#include "api/access/signing_keys.h"
#include "api/aws/aws_error.h"
#include "api/aws/aws_identity.h"
#include "api/http/dispatcher.h"

namespace millrace::api {

class AccessControl final : public Gatekeeper {
 public:
  struct Options {
    const CredentialStore* credentials = nullptr;  // null: none are configured
    const Sessions* sessions = nullptr;            // null: none
    AuditLog* audit = nullptr;                     // null: none
    const Clock* clock = &SystemClock();
    AwsIdentity identity;
  };
  // All that the options name outlives this.
  explicit AccessControl(Options options) : options_(std::move(options)) {}

  // Whether callers must say who they are.
  bool checks() const { return options_.credentials != nullptr; }

  net::awaitable<bool> Admit(Request& request, ResponseWriter& writer, const Router::Match& match) override;
  void Answered(const Request& request, const ObservedWriter& writer) override;

 private:
  // Makes out who calls; AWS's error for nobody. May put a checking source in front of the body.
  AwsResult<std::shared_ptr<Caller>> Identify(Request& request, const AccessRule& rule) const;
  AwsResult<std::shared_ptr<Caller>> CheckSignature(Request& request, const AccessRule& rule) const;
  AwsResult<std::shared_ptr<Caller>> CheckSession(const Request& request, const AccessRule& rule) const;
  AwsResult<std::shared_ptr<Caller>> CheckBasic(std::string_view credentials, const AccessRule& rule) const;
  std::string ResourcePrefix(const AccessRule& rule) const;
  std::string ResourceOf(const AccessRule& rule, const PathParameters& parameters) const;

  const Options options_;
  mutable SigningKeys signing_keys_;
};

}  // namespace millrace::api
