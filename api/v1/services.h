// The services of our own paths, /v1/…, and what they need. All of them read what is stored on the worker
// pool, never on a thread of the I/O.
//
// Threads: the Add functions before the server starts. What they are given outlives the server.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "api/aws/aws_identity.h"
#include "api/camera_of_stream.h"
#include "api/data_streams/services.h"
#include "api/http/router.h"
#include "api/http/worker_pool.h"
#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "fragments/coverage_ledger.h"
#include "fragments/fragment_store.h"
#include "storage/storage_status.h"

namespace millrace {
class CameraFleet;
class SecretStore;
struct WebhookAnswer;
struct WebhookStatus;
}  // namespace millrace

namespace millrace::api {

class ByteBudget;
class CredentialStore;
class FaceCollections;
class Sessions;

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

// GET /v1/streams, GET and DELETE /v1/streams/{name}, …/coverage, …/fragments; DELETE …/footage,
// GET …/holds, GET, PUT and DELETE …/holds/{id}.
struct StreamServices {
  FragmentStore& store;
  WorkerPool& pool;
  CameraOfStream camera_of;
  const Clock& clock;
  CoverageLedger& ledger;
};
void AddStreamRoutes(Router& router, StreamServices services);
void AddFootageRoutes(Router& router, StreamServices services);  // of AddStreamRoutes: footage and holds

// GET /v1/streams/{name}/export[/stretches]. An export lasts as long as the peer takes to read it, so exports
// have a pool of their own.
struct ExportServices {
  FragmentStore& store;
  WorkerPool& pool;         // for looking things up
  WorkerPool& export_pool;  // its size is the number of exports at a time
  const Clock& clock;
};
void AddExportRoutes(Router& router, ExportServices services);

// GET /v1/streams/{name}/image.
struct ImageServices {
  FragmentStore& store;
  WorkerPool& decoders;  // its size is the number of pictures that are decoded at a time
};
void AddImageRoutes(Router& router, ImageServices services);

// GET /v1/data-streams[/{name}[/records]]: what the console shows of them.
void AddDataStreamOverviewRoutes(Router& router, DataStreamServices services);

// GET /v1/face-collections, GET and DELETE /v1/face-collections/{name}, GET, POST and DELETE …/faces.
struct FaceCollectionServices {
  FaceCollections& collections;
  WorkerPool& pool;
  WorkerPool& decoders;  // for photographs alone, one thread: they wait for one another
  ByteBudget& budget;    // of their bytes
};
void AddFaceCollectionRoutes(Router& router, FaceCollectionServices services);

// GET /v1/storage, /v1/backup.
struct StorageServices {
  std::function<storage::StorageStatus()> status;  // any thread; waits for nothing
  std::function<Result<Bytes>()> backup;           // of the metadata; any thread
  WorkerPool& pool;
};
void AddStorageRoutes(Router& router, StorageServices services);

// GET /v1/secrets, PUT and DELETE /v1/secrets/{name}.
struct SecretServices {
  SecretStore& secrets;
  WorkerPool& pool;
  std::function<void()> changed;  // after each change; any thread; must not block
  AwsIdentity identity{};
};
void AddSecretRoutes(Router& router, SecretServices services);

// POST and DELETE /v1/session: logging in and out, for browsers. All outlive the server. Who guesses waits
// before each answer, and is not listened to after some (api/access/failed_logins.h).
struct SessionServices {
  const CredentialStore* credentials;  // null: none are configured
  const Sessions& sessions;
  const Clock& clock;
  std::function<net::awaitable<void>(Duration)> pause{};  // none: a timer on the request's strand
};
void AddSessionRoutes(Router& router, SessionServices services);

// GET /v1/webhooks, POST /v1/webhooks/{name}/test.
struct WebhookServices {
  std::function<std::vector<WebhookStatus>()> statuses;           // any thread
  std::function<Result<WebhookAnswer>(const std::string&)> test;  // any thread; waits for the receiver
  WorkerPool& pool;
};
void AddWebhookRoutes(Router& router, WebhookServices services);

}  // namespace millrace::api
