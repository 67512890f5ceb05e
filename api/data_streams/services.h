// The Kinesis Data Streams service, and what it needs. It reads what is stored on the worker pool, never on a
// thread of the I/O.
//
// Threads: the Add functions before the server starts. What they are given outlives the server.
#pragma once

#include <memory>

#include "api/aws/aws_identity.h"
#include "api/http/router.h"
#include "api/http/worker_pool.h"
#include "base/time.h"

namespace millrace::wire {
class TokenSealer;
}

namespace millrace::api {

class ByteBudget;
class DataStreamCatalog;
class ShardSubscriptions;
class StreamThroughput;

// POST /: the Kinesis Data Streams protocol.
struct DataStreamServices {
  DataStreamCatalog& catalog;
  const wire::TokenSealer& sealer;
  WorkerPool& pool;
  ByteBudget& budget;  // of large requests and answers
  const Clock& clock;
  AwsIdentity identity{};
  std::shared_ptr<ShardSubscriptions> subscriptions{};  // null: AddDataStreamRoutes makes one
  std::shared_ptr<StreamThroughput> throughput{};       // likewise, without limits
};
void AddDataStreamRoutes(Router& router, DataStreamServices services);

}  // namespace millrace::api
