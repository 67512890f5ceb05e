// The services behind the routes, and what they need. Each adds its routes to a router; all of them read what
// is stored on the worker pool, never on a thread of the I/O.
//
// Threads: the Add functions before the server starts. What they are given outlives the server.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "api/aws_identity.h"
#include "api/router.h"
#include "api/worker_pool.h"
#include "base/result.h"
#include "base/time.h"
#include "fragments/coverage_ledger.h"
#include "fragments/fragment_store.h"
#include "storage/storage_status.h"

namespace millrace {
class CameraFleet;
class HlsService;
class PutStreams;
namespace wire {
class TokenSealer;
}
}  // namespace millrace

namespace millrace::api {

class ByteBudget;
class CredentialStore;
class Sessions;
class DataStreamCatalog;
class ShardSubscriptions;
class StreamThroughput;

// The name of the camera that feeds a stream. Any thread.
using CameraOfStream = std::function<std::optional<std::string>(const std::string& stream)>;

// GET /v1/cameras, GET, PUT and DELETE /v1/cameras/{name}. Who may change a camera may not for that reason
// write to, or erase, a stream of another name.
struct CameraServices {
  CameraFleet& fleet;
  FragmentStore& store;
  WorkerPool& pool;
  std::set<std::string> analyzers;  // that a camera may ask for
  AwsIdentity identity{};
};
void AddCameraRoutes(Router& router, CameraServices services);

// GET /v1/streams, GET and DELETE /v1/streams/{name}, …/coverage, …/fragments.
struct StreamServices {
  FragmentStore& store;
  WorkerPool& pool;
  CameraOfStream camera_of;
  const Clock& clock;
  CoverageLedger& ledger;
};
void AddStreamRoutes(Router& router, StreamServices services);

// GET /v1/streams/{name}/export. An export lasts as long as the peer takes to read it, so exports have a pool
// of their own.
struct ExportServices {
  FragmentStore& store;
  WorkerPool& pool;         // for looking things up
  WorkerPool& export_pool;  // its size is the number of exports at a time
  const Clock& clock;
};
void AddExportRoutes(Router& router, ExportServices services);

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
// GET /v1/data-streams[/{name}[/records]]: what the console shows of them.
void AddDataStreamOverviewRoutes(Router& router, DataStreamServices services);

// POST /createStream, /describeStream, /getDataEndpoint, /listFragments, /getMedia,
// /getMediaForFragmentList: the Kinesis Video Streams protocol.
struct VideoStreamServices {
  FragmentStore& store;
  const wire::TokenSealer& sealer;
  WorkerPool& pool;
  ByteBudget& budget;        // of large requests
  ByteBudget& media_budget;  // of the fragments that readers have not taken yet
  ByteBudget& readers;       // counts those that are served media
  const Clock& clock;
  AwsIdentity identity{};
};
void AddVideoStreamRoutes(Router& router, VideoStreamServices services);

// POST /putMedia.
struct PutMediaServices {
  FragmentStore& store;
  PutStreams& streams;
  WorkerPool& pool;
  ByteBudget& memory;       // of the fragments that are not durable yet, of all producers
  ByteBudget& connections;  // counts producers
  AwsIdentity identity{};
  CameraOfStream camera_of{};
  Duration idle_every = std::chrono::seconds(5);  // an IDLE acknowledgement, where nothing else is said
};
void AddPutMediaRoutes(Router& router, PutMediaServices services);

// GET /hls/{stream}/{resource}.
void AddHlsRoutes(Router& router, HlsService& hls, WorkerPool& pool);

// GET /v1/storage, /v1/backup.
struct StorageServices {
  std::function<storage::StorageStatus()> status;  // any thread; waits for nothing
  std::function<Result<Bytes>()> backup;           // of the metadata; any thread
  WorkerPool& pool;
};
void AddStorageRoutes(Router& router, StorageServices services);

// POST and DELETE /v1/session: logging in and out, for browsers. All outlive the server.
struct SessionServices {
  const CredentialStore* credentials;  // null: none are configured
  const Sessions& sessions;
  const Clock& clock;
};
void AddSessionRoutes(Router& router, SessionServices services);

// GET /healthz, /readyz, /metrics. `ready` says why the server cannot record and serve; any thread, may
// block.
void AddHealthRoutes(Router& router, WorkerPool& pool, std::function<Result<void>()> ready);

// GET / and the console's files in `directory`; where there is none, a plain page that says so.
void AddConsoleRoutes(Router& router, WorkerPool& pool, std::filesystem::path directory);

}  // namespace millrace::api
