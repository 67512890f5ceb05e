// The server's webhooks: those of the configuration, each with a key that reads what it sends.
//
// Threads: Start and Stop on one; the others from any.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "api/access/credentials.h"
#include "consumers/webhooks/webhook.h"
#include "server/webhooks_config.h"

namespace millrace::server {

class Webhooks {
 public:
  // `endpoint` is this server; the analyzers' data streams are there. `credentials` null: none are
  // configured. All outlive this. Errors: the endpoint's, the credentials'.
  Result<void> Start(const WebhooksConfig& config, const std::string& endpoint, const Clock& clock,
                     api::CredentialStore* credentials);
  // What a webhook's key may do beside keeping its place: read its analyzers' records.
  static std::vector<api::PolicyStatement> PermissionsOf(const WebhookSettings& settings);
  // Nothing more is sent; returns at once.
  void RequestStop();
  // And waits for what is on its way just now.
  void Stop();
  std::vector<WebhookStatus> statuses() const;
  // Sends a message of type "Test", once, and waits for the answer. Errors: kNotFound; kResourceExhausted:
  // another test is under way.
  Result<WebhookAnswer> Test(const std::string& name) const;

 private:
  mutable std::mutex testing_;  // held by the one test at a time, before mutex_
  mutable std::mutex mutex_;
  const Clock* clock_ = nullptr;                    // GUARDED_BY(mutex_)
  std::vector<std::unique_ptr<Webhook>> webhooks_;  // GUARDED_BY(mutex_)
};

}  // namespace millrace::server
