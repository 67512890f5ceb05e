// Sends one message to a webhook's receiver, once.
//
// Threads: one owner.
#pragma once

#include <optional>
#include <string>

#include "base/time.h"
#include "consumers/webhooks/webhook_message.h"
#include "consumers/webhooks/webhook_settings.h"
#include "wire/http_client.h"

namespace millrace {

struct WebhookAnswer {
  enum class Kind {
    kDelivered,  // 2xx
    kFailed,     // anything else: again later
    kGone,       // 410: the receiver wants no more, ever
  };
  Kind kind = Kind::kFailed;
  std::string why;                      // where it was not delivered, for people
  std::optional<Duration> retry_after;  // what the receiver asks for (RFC 9110 section 10.2.3, in seconds)
};

class WebhookSender {
 public:
  explicit WebhookSender(const WebhookSettings& settings);
  // Lasts 15 seconds at most, however slow the receiver is; looking its name up is not counted.
  WebhookAnswer Send(const WebhookMessage& message, Timestamp now);

 private:
  const std::string target_;
  const std::string key_;
  wire::HttpClient client_;
};

}  // namespace millrace
