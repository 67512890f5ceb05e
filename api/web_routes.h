// What browsers, players and probes ask for: playback, the console, health.
//
// Threads: the Add functions before the server starts. What they are given outlives the server.
#pragma once

#include <filesystem>
#include <functional>

#include "api/http/router.h"
#include "api/http/worker_pool.h"
#include "base/result.h"

namespace millrace {
class HlsService;
}

namespace millrace::api {

// GET /hls/{stream}/{resource}.
void AddHlsRoutes(Router& router, HlsService& hls, WorkerPool& pool);

// GET /healthz, /readyz, /metrics. `ready` says why the server cannot record and serve; any thread, may
// block.
void AddHealthRoutes(Router& router, WorkerPool& pool, std::function<Result<void>()> ready);

// GET / and the console's files in `directory`; where there is none, a plain page that says so.
void AddConsoleRoutes(Router& router, WorkerPool& pool, std::filesystem::path directory);

}  // namespace millrace::api
