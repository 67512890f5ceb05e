// The server's analyzers: one supervisor for each that a camera may ask for.
//
// Threads: Start and Stop on one; statuses from any.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/access/credentials.h"
#include "api/v1/analyzer_status.h"
#include "api/v1/application_leases.h"
#include "ingest/camera_fleet.h"
#include "server/analyzer_supervisor.h"
#include "server/config.h"
#include "storage/record_log.h"

namespace millrace::server {

class Analyzers {
 public:
  // Starts the supervisors; `endpoint` is this server. All outlive this. The data streams of their results
  // are made where they are not there. Errors: the log's; kInvalidArgument and the like: an analyzer's
  // options. `credentials` null: none are configured; else each analyzer gets a key of its own in them, which
  // can do what it needs and no more.
  Result<void> Start(const AnalyzersConfig& config, const std::string& endpoint, CameraFleet& fleet,
                     api::ApplicationLeases& leases, storage::RecordLog& log,
                     api::CredentialStore* credentials);
  // Ends all of them, side by side.
  void Stop();
  std::vector<api::AnalyzerStatus> statuses() const;

 private:
  std::vector<std::unique_ptr<AnalyzerSupervisor>> supervisors_;
};

}  // namespace millrace::server
