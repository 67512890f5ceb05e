// The routes of applications (docs/http-api.md, "Applications") as a worker calls them: leases, checkpoints,
// results.
//
// Errors:  kFailedPrecondition: the lease is another worker's; kInvalidArgument: the request;
//          kUnavailable and the like: no server answers now; those of the server.
// Threads: one thread at a time uses a client.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "consumers/worker/lease_share.h"
#include "consumers/worker/worker_options.h"
#include "wire/service_client.h"

namespace millrace::consumer {

// The HTTP client's settings that the worker's options come to.
wire::HttpClient::Options HttpOptions(const WorkerOptions& options);
// For what keeps leases: a call that hangs must end while they last, so it is given a third of their length.
wire::HttpClient::Options LeaseHttpOptions(const WorkerOptions& options);
// For what somebody waits for, who was promised an answer within some seconds.
wire::HttpClient::Options CommitHttpOptions(const WorkerOptions& options);

// A lease that this worker was given.
struct HeldLease {
  std::string shard;
  std::uint64_t counter = 0;
  ShardPlace place;      // what is done
  bool suspect = false;  // its owner before lost it
};

struct CommitRequest {
  std::string shard;
  std::uint64_t counter = 0;
  std::optional<ShardPlace> place;                     // none: the shard's end
  const std::vector<WorkerResult>* results = nullptr;  // null: none
};

class ApplicationClient {
 public:
  // `options` outlive the client. `http`: one of the above.
  ApplicationClient(const WorkerOptions& options, wire::HttpClient::Options http);

  // The stream's leases, made where there were none.
  Result<std::vector<SeenLease>> Begin();
  // None: the shard is done to its end.
  Result<std::optional<HeldLease>> Take(const LeaseWish& wish);
  // They run on; gives those that are not the worker's any more.
  Result<std::vector<HeldLease>> Renew(const std::vector<HeldLease>& leases);
  Result<void> Release(const HeldLease& lease);
  Result<std::uint64_t> Attempt(const std::string& shard, std::uint64_t counter, const std::string& what);
  Result<void> Commit(const CommitRequest& request);

 private:
  std::string Path(const char* what) const;
  boost::json::object BodyOf(const std::string& shard, std::uint64_t counter) const;

  const WorkerOptions& options_;
  wire::ServiceClient client_;
};

}  // namespace millrace::consumer
