#include "consumers/webhooks/webhook.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/metrics.h"

namespace millrace {
namespace {

constexpr std::size_t kReadAheadBytes = 4 * 1024 * 1024;
constexpr Duration kLook = std::chrono::milliseconds(500);

prometheus::Counter& Events(const std::string& webhook, const char* outcome) {
  return GetCounter("millrace_webhooks_events_total", "Events of analyzers that were to be sent",
                    {{"webhook", webhook}, {"outcome", outcome}});
}

prometheus::Counter& Failures(const std::string& webhook) {
  return GetCounter("millrace_webhooks_failures_total", "Tries to send an event that failed",
                    {{"webhook", webhook}});
}

WorkerOptions WorkerOptionsOf(const WebhookSettings& settings, const std::string& analyzer) {
  WorkerOptions options;
  // The checkpoints of an application are a stream's each.
  options.application = Webhook::ApplicationOf(settings.name);
  options.stream = "millrace-" + analyzer;
  options.owner = "server";  // always the same: a new process need not wait for the old one's leases
  options.pollers = 1;
  options.read_ahead_bytes = kReadAheadBytes;
  // Most records have no events: these only move the checkpoint.
  options.wanted = [&settings](const WorkerRecord& record) {
    return (settings.streams.empty() || settings.streams.contains(record.partition_key)) &&
           AsText(record.data).find("\"Events\"") != std::string_view::npos;
  };
  return options;
}

}  // namespace

Webhook::Webhook(WebhookSettings settings, const Clock& clock)
    : settings_(std::move(settings)), clock_(clock) {
  status_.name = settings_.name;
  status_.url = settings_.url.ToString();
}

Result<std::unique_ptr<Webhook>> Webhook::Start(WebhookSettings settings, wire::Endpoint server,
                                                std::optional<wire::AccessKey> key, const Clock& clock) {
  std::unique_ptr<Webhook> webhook(new Webhook(std::move(settings), clock));
  for (const std::string& analyzer : webhook->settings_.analyzers) {
    WorkerOptions options = WorkerOptionsOf(webhook->settings_, analyzer);
    options.endpoint = server;
    options.key = key;
    MILLRACE_ASSIGN_OR_RETURN(auto worker, Worker::Start(std::move(options)));
    webhook->feeds_.push_back({std::move(worker), {}});
  }
  for (Feed& feed : webhook->feeds_) {
    feed.thread = std::thread([self = webhook.get(), &worker = *feed.worker] { self->Run(worker); });
  }
  return webhook;
}

Webhook::~Webhook() { Stop(); }

void Webhook::RequestStop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (Feed& feed : feeds_) feed.worker->Stop();
}

void Webhook::Stop() {
  RequestStop();
  for (Feed& feed : feeds_) {
    if (feed.thread.joinable()) feed.thread.join();
  }
}

WebhookStatus Webhook::status() const {
  WebhookStatus status;
  bool gone = false;
  {
    std::lock_guard lock(mutex_);
    status = status_;
    gone = gone_;
  }
  std::string trouble;
  for (const Feed& feed : feeds_) {
    if (trouble.empty()) trouble = feed.worker->trouble();
  }
  if (gone) {
    status.state = "gone";
  } else if (status.next_try) {
    status.state = "retrying";
  } else if (!trouble.empty()) {
    status.state = "waiting";
    status.last_error = std::move(trouble);
  } else {
    status.state = "ready";
  }
  return status;
}

void Webhook::Run(Worker& worker) {
  WebhookSender sender(settings_);
  Backoff backoff(settings_.backoff);
  const auto over = [this] {
    std::lock_guard lock(mutex_);
    return stopping_;
  };
  while (!over()) {
    const auto record = worker.Next(kLook);
    if (!record) continue;
    bool delivered = true, sent = false;
    for (const WebhookMessage& message : WebhookMessagesOf(record->data, record->partition_key)) {
      if (!settings_.types.empty() && !settings_.types.contains(message.type)) continue;
      delivered = delivered && Deliver(sender, backoff, message, record->arrival);
      sent = true;
    }
    // What was sent is committed at once, so that a crash repeats little. A commit that is refused has lost
    // its lease, and one that finds no server is repeated with the next: neither is any reason to send again
    // here.
    if (delivered && (!sent || !worker.Commit(*record))) worker.Done(*record);
  }
  worker.Close();
}

bool Webhook::Deliver(WebhookSender& sender, Backoff& backoff, const WebhookMessage& message,
                      Timestamp arrival) {
  for (;;) {
    {
      std::lock_guard lock(mutex_);
      if (stopping_) return false;
      if (gone_ || clock_.Now() - arrival > settings_.give_up_after) {
        ++status_.dropped;
        status_.next_try.reset();
        Events(settings_.name, "dropped").Increment();
        return true;
      }
    }
    const WebhookAnswer answer = sender.Send(message, clock_.Now());
    Note(answer);
    if (answer.kind == WebhookAnswer::Kind::kDelivered) {
      backoff.Reset();
      return true;
    }
    if (answer.kind == WebhookAnswer::Kind::kGone) continue;
    const Duration wait = std::max(backoff.Next(), answer.retry_after.value_or(Duration{0}));
    std::unique_lock lock(mutex_);
    status_.next_try = clock_.Now() + wait;
    changed_.wait_for(lock, wait, [this] { return stopping_; });
  }
}

void Webhook::Note(const WebhookAnswer& answer) {
  std::lock_guard lock(mutex_);
  status_.next_try.reset();
  if (answer.kind == WebhookAnswer::Kind::kDelivered) {
    ++status_.delivered;
    status_.last_delivery = clock_.Now();
    status_.last_error.clear();
    Events(settings_.name, "delivered").Increment();
    return;
  }
  ++status_.failed;
  Failures(settings_.name).Increment();
  if (status_.last_error != answer.why) {
    Log(LogLevel::kWarning, "a webhook's receiver does not take an event",
        {{"webhook", settings_.name}, {"why", answer.why}});
  }
  status_.last_error = answer.why;
  if (answer.kind == WebhookAnswer::Kind::kGone) gone_ = true;
}

}  // namespace millrace
