#include "server/webhooks.h"

#include <algorithm>
#include <utility>

#include "server/process_key.h"

namespace millrace::server {

std::vector<api::PolicyStatement> Webhooks::PermissionsOf(const WebhookSettings& settings) {
  std::vector<std::string> streams;
  for (const std::string& analyzer : settings.analyzers) {
    streams.push_back("arn:aws*:kinesis:*:*:stream/millrace-" + analyzer);
  }
  return {
      {true, {"kinesis:GetShardIterator", "kinesis:GetRecords", "kinesis:ListShards"}, std::move(streams)}};
}

Result<void> Webhooks::Start(const WebhooksConfig& config, const std::string& endpoint, const Clock& clock,
                             api::CredentialStore* credentials) {
  MILLRACE_ASSIGN_OR_RETURN(const wire::Endpoint server, wire::Endpoint::Parse(endpoint));
  std::vector<std::unique_ptr<Webhook>> started;
  for (const auto& [name, settings] : config) {
    std::optional<wire::AccessKey> key;
    if (credentials != nullptr) {
      MILLRACE_ASSIGN_OR_RETURN(
          key, AddProcessKey(*credentials, Webhook::ApplicationOf(settings.name), PermissionsOf(settings)));
    }
    MILLRACE_ASSIGN_OR_RETURN(auto webhook, Webhook::Start(settings, server, key, clock));
    started.push_back(std::move(webhook));
  }
  std::lock_guard lock(mutex_);
  clock_ = &clock;
  webhooks_ = std::move(started);
  return {};
}

void Webhooks::RequestStop() {
  std::lock_guard lock(mutex_);
  for (const auto& webhook : webhooks_) webhook->RequestStop();
}

void Webhooks::Stop() {
  RequestStop();
  std::vector<std::unique_ptr<Webhook>> ending;
  {
    std::lock_guard lock(mutex_);
    ending.swap(webhooks_);
  }
  for (const auto& webhook : ending) webhook->Stop();
}

std::vector<WebhookStatus> Webhooks::statuses() const {
  std::lock_guard lock(mutex_);
  std::vector<WebhookStatus> statuses;
  for (const auto& webhook : webhooks_) statuses.push_back(webhook->status());
  return statuses;
}

Result<WebhookAnswer> Webhooks::Test(const std::string& name) const {
  // It may last some seconds, on a thread that others need.
  std::unique_lock testing(testing_, std::try_to_lock);
  if (!testing.owns_lock()) {
    return Error{ErrorCode::kResourceExhausted, "another webhook is being tested; try again in some seconds"};
  }
  WebhookSettings settings;
  Timestamp now;
  {
    std::lock_guard lock(mutex_);
    const auto found = std::find_if(webhooks_.begin(), webhooks_.end(),
                                    [&](const auto& webhook) { return webhook->settings().name == name; });
    if (found == webhooks_.end()) {
      return Error{ErrorCode::kNotFound, "there is no webhook '" + name + "' in the configuration"};
    }
    settings = (*found)->settings();
    now = clock_->Now();
  }
  return WebhookSender(settings).Send(TestMessage(name, now), now);
}

}  // namespace millrace::server
