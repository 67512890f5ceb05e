// The routes of consumers' leases, checkpoints and results, under /v1/applications, and of what analyzers
// find in a video stream. docs/http-api.md lists them.
#pragma once

#include <set>
#include <string>

#include "api/aws/aws_identity.h"
#include "api/aws/byte_budget.h"
#include "api/http/router.h"
#include "api/http/worker_pool.h"
#include "api/v1/application_leases.h"

namespace millrace::api {

// Where the face analyzer's records go; partition key: the video stream.
inline constexpr const char* kFacesStream = "millrace-faces";

struct ApplicationServices {
  ApplicationLeases& leases;
  storage::RecordLog& log;
  WorkerPool& pool;
  ByteBudget& budget;                      // of commits' bodies
  std::set<std::string> internal_streams;  // a commit may not put records there
  AwsIdentity identity{};
  std::set<std::string> result_streams{};  // of analyzers: where events and thumbnails are looked for
};

// Outlives the server, as everything in `services` does.
void AddApplicationRoutes(Router& router, const ApplicationServices& services);

// GET /v1/streams/{name}/faces, …/events, …/thumbnails; AddApplicationRoutes adds them.
void AddResultRoutes(Router& router, const ApplicationServices& services);

// A commit's body. Errors: kInvalidArgument, naming the member.
Result<ApplicationCommit> ParseApplicationCommit(std::string_view json);

}  // namespace millrace::api
