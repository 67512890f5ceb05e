// The fleet's cameras in the log's metadata: settings as JSON, credentials sealed and apart.
//
//   ingest/camera/<name>       {"version":1,"url":…,…}: never a user or password
//   ingest/credentials/<name>  SecretBox of {"host":…,"username":…,"password":…}, bound to the camera's name
//
// The credentials carry the host that they were given for, and count for no other: so settings and
// credentials may be written one after the other, and a stop between the two never sends a password to
// another machine.
#pragma once

#include "ingest/camera_store.h"
#include "server/secret_box.h"
#include "storage/record_log.h"

namespace millrace::server {

class CameraRecords final : public CameraStore {
 public:
  // `log` outlives this.
  CameraRecords(storage::RecordLog& log, SecretBox box) : log_(log), box_(std::move(box)) {}

  // Credentials that do not open are logged and left out: the camera then shows `unauthorized`, and says what
  // to do.
  Result<std::vector<StoredCamera>> Load() override;
  Result<void> Save(const StoredCamera& camera) override;
  Result<void> Remove(const std::string& name) override;

 private:
  Result<void> DeleteKey(const std::string& key);

  storage::RecordLog& log_;
  const SecretBox box_;
};

// The stored form of settings; for tests too. Errors of parsing: kCorruption, kUnsupported (a newer version).
std::string CameraSettingsToJson(const CameraSettings& settings);
Result<CameraSettings> CameraSettingsFromJson(const std::string& name, std::string_view json);

}  // namespace millrace::server
