// What a webhook sends of an event, and how it is signed: Standard Webhooks 1.0
// (standardwebhooks.com), which receivers have libraries for.
//
//   {"type": "MotionStarted", "timestamp": "2026-11-21T14:00:00.200Z", "data": {"stream": "gate",
//    "analyzer": "motion", "fragment_number": "…", "event": {the member of the record's "Events"}}}
//
// Threads: pure functions, any.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"

namespace millrace {

struct WebhookMessage {
  std::string id;    // the same whenever this event is sent; "msg_" and a UUID
  std::string type;  // of the event: "MotionStarted"
  std::string body;  // JSON
};

// The events of an analyzer's record, in their order; none where it has none, or is no such record.
std::vector<WebhookMessage> WebhookMessagesOf(ByteSpan record, const std::string& stream);

// What a person sends to see whether a webhook works: of type "Test".
WebhookMessage TestMessage(const std::string& webhook, Timestamp now);

// The headers webhook-id, webhook-timestamp and, where there is a key, webhook-signature ("v1," and base64 of
// HMAC-SHA256 of "id.timestamp.body").
std::vector<std::pair<std::string, std::string>> WebhookHeaders(const WebhookMessage& message,
                                                                std::string_view key, Timestamp now);

}  // namespace millrace
