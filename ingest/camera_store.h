// Where the fleet keeps its cameras over a restart.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "ingest/camera.h"

namespace millrace {

struct StoredCamera {
  CameraSettings settings;
  std::optional<CameraCredentials> credentials;
};

// Settings and credentials are kept apart, the latter sealed. A call that returns success is durable.
// Threads: the fleet makes one call at a time.
class CameraStore {
 public:
  virtual ~CameraStore() = default;
  // In any order. Errors: kCorruption, kIo.
  virtual Result<std::vector<StoredCamera>> Load() = 0;
  // Makes or replaces one; without credentials those of before are forgotten.
  virtual Result<void> Save(const StoredCamera& camera) = 0;
  // Also succeeds when there is none.
  virtual Result<void> Remove(const std::string& name) = 0;
};

}  // namespace millrace
