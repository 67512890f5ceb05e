// The server's named secrets in the log's metadata:
//
//   ingest/secret/<name>   01, created (8), updated (8), ns since 1970, big-endian; then SecretBox of the
//   value,
//                          bound to "secret/<name>"
//
// Threads: any.
#pragma once

#include <mutex>

#include "ingest/secret_store.h"
#include "server/secret_box.h"
#include "storage/record_log.h"

namespace millrace::server {

class SecretRecords final : public SecretStore {
 public:
  // `log` and `clock` outlive this.
  SecretRecords(storage::RecordLog& log, SecretBox box, const Clock& clock)
      : log_(log), box_(std::move(box)), clock_(clock) {}

  Result<std::vector<SecretInfo>> List() override;
  Result<SecretInfo> Put(const std::string& name, const std::string& value) override;
  Result<void> Remove(const std::string& name) override;
  Result<std::string> Read(const std::string& name) override;

 private:
  storage::RecordLog& log_;
  const SecretBox box_;
  const Clock& clock_;
  std::mutex writing_;  // one change at a time: how many there are, and when each was made
};

}  // namespace millrace::server
