// Sends the events of analyzers' records to one receiver, in the order of each data stream, each at least
// once: what was delivered is checkpointed afterwards, and after a crash in between it is sent again, under
// the same id. What is not taken is tried again, ever later; what is older than give_up_after is left out.
//
// It reads through the consumer library, as the application millrace-webhook-NAME, so that its place
// survives restarts. The first time it begins with what comes from then on.
//
// Bounds:  a record an analyzer at a time, and the worker's read-ahead (kReadAheadBytes).
// Threads: one an analyzer, and their workers' inside; status and RequestStop from any, Stop from
//          one.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "consumers/webhooks/webhook_sender.h"
#include "consumers/webhooks/webhook_settings.h"
#include "consumers/worker/worker.h"

namespace millrace {

struct WebhookStatus {
  std::string name;
  std::string url;  // without its query
  // "ready"; "retrying": something waits for its next try; "gone": the receiver wants no more, and gets none
  // until the server starts again; "waiting": the data streams cannot be read now.
  std::string state;
  std::uint64_t delivered = 0;
  std::uint64_t failed = 0;   // tries
  std::uint64_t dropped = 0;  // events: too old, or the receiver is gone
  std::optional<Timestamp> last_delivery;
  std::optional<Timestamp> next_try;
  std::string last_error;  // empty: the last try was good
};

class Webhook {
 public:
  // `server` is where the data streams are, `key` signs requests to it; `clock` outlives this. Errors:
  // kInvalidArgument: a name that no application can have.
  static Result<std::unique_ptr<Webhook>> Start(WebhookSettings settings, wire::Endpoint server,
                                                std::optional<wire::AccessKey> key, const Clock& clock);
  ~Webhook();  // Stop
  Webhook(const Webhook&) = delete;
  Webhook& operator=(const Webhook&) = delete;

  // Nothing more is sent. Returns at once; any thread.
  void RequestStop();
  // And waits for a message that is on its way just now.
  void Stop();
  WebhookStatus status() const;
  const WebhookSettings& settings() const { return settings_; }

  static std::string ApplicationOf(const std::string& webhook) { return "millrace-webhook-" + webhook; }

 private:
  struct Feed {
    std::unique_ptr<Worker> worker;
    std::thread thread;
  };

  Webhook(WebhookSettings settings, const Clock& clock);
  void Run(Worker& worker);
  // False: it is to stop, and the message was not delivered.
  bool Deliver(WebhookSender& sender, Backoff& backoff, const WebhookMessage& message, Timestamp arrival);
  void Note(const WebhookAnswer& answer);

  const WebhookSettings settings_;
  const Clock& clock_;
  std::vector<Feed> feeds_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;  // GUARDED_BY(mutex_)
  bool gone_ = false;      // GUARDED_BY(mutex_)
  WebhookStatus status_;   // GUARDED_BY(mutex_); state is made when it is asked for
};

}  // namespace millrace
