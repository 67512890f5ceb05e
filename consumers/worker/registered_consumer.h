// The registered consumer by whose name shards are subscribed to: found, or registered where it is not there.
// It is the application's, and stays when its workers go.
//
// Threads: one owner.
#pragma once

#include <string>

#include "consumers/worker/worker_options.h"
#include "wire/service_client.h"

namespace millrace::consumer {

class RegisteredConsumer {
 public:
  // `options` outlive this.
  explicit RegisteredConsumer(const WorkerOptions& options);

  // Errors: kNotFound: there is no such stream; kResourceExhausted: it has as many consumers as it may; those
  // of the calls.
  Result<std::string> Arn();
  // It is gone: the next Arn finds out anew.
  void Forget() { arn_.clear(); }

 private:
  const WorkerOptions& options_;
  wire::ServiceClient client_;
  std::string arn_;  // empty: not known
};

}  // namespace millrace::consumer
