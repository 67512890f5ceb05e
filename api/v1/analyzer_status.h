// How the server's analyzers are.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "api/http/router.h"
#include "api/http/worker_pool.h"
#include "base/time.h"

namespace millrace::api {

struct AnalyzerStatus {
  std::string name;
  std::string
      state;  // "idle" (no camera asks for it), "starting", "running", "waiting" (to be started again)
  Timestamp state_since;
  std::set<std::string> streams;
  std::optional<std::int64_t> pid;
  std::string last_error;  // why it ended last; empty: it never did
  std::optional<Timestamp> next_start;
  std::uint64_t starts = 0;
  std::uint64_t ends = 0;  // that nobody asked for
  std::uint64_t fragments = 0;
  std::uint64_t frames = 0;
  std::uint64_t results = 0;  // records
  std::uint64_t skipped = 0;
  std::uint64_t set_aside = 0;
  std::uint64_t unreadable = 0;
  std::uint64_t decoding_ms = 0;   // fetching and decoding
  std::uint64_t analyzing_ms = 0;  // in the analyzer
  std::uint64_t memory_bytes = 0;
  Duration behind{0};
  std::string fragment;  // that is being analysed; empty: none
  std::string trouble;   // with reading or committing; empty: none
};

// GET /v1/analyzers. `statuses` runs on the pool.
void AddAnalyzerRoutes(Router& router, WorkerPool& pool,
                       std::function<std::vector<AnalyzerStatus>()> statuses);

}  // namespace millrace::api
