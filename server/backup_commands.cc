#include <boost/json/object.hpp>
#include <cstdio>
#include <fstream>

#include "base/text.h"
#include "base/time.h"
#include "server/api_client.h"
#include "server/commands.h"
#include "server/console_output.h"
#include "server/exit_codes.h"
#include "storage/backup.h"

namespace millrace::server {
namespace {

constexpr std::size_t kBackupBytesMax = std::size_t{1} << 30;

// Where it lies, as a directory and a name in it.
std::pair<std::string, std::string> Place(const std::filesystem::path& file) {
  std::string directory = file.parent_path().string();
  return {directory.empty() ? "." : directory, file.filename().string()};
}

void Print(const storage::BackupSummary& summary, const std::string& where, bool json) {
  if (json) {
    boost::json::object answer;
    answer["path"] = where;
    answer["created"] = FormatRfc3339(summary.created);
    answer["streams"] = summary.streams;
    answer["entries"] = summary.metadata;
    PrintJson(answer);
  } else {
    std::printf("%s: metadata of %s, %zu data streams, %zu entries\n", where.c_str(),
                FormatRfc3339(summary.created).c_str(), summary.streams, summary.metadata);
  }
}

}  // namespace

int RunBackup(const ClientOptions& client, const std::filesystem::path& output) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  Bytes backup;
  auto sink = [&](ByteSpan piece) -> Result<void> {
    if (backup.size() + piece.size() > kBackupBytesMax) {
      return Error{ErrorCode::kResourceExhausted, "the backup is larger than a gigabyte"};
    }
    backup.insert(backup.end(), piece.begin(), piece.end());
    return {};
  };
  if (auto done = api->Download("/v1/backup", sink); !done) return api->Fail(done.error());
  // What cannot be read is no backup: that shows now, and not on the day it is needed.
  auto summary = storage::ReadBackup(backup);
  if (!summary) return Complain(summary.error());
  auto [directory, name] = Place(output);
  if (auto written = storage::ReplaceFile(storage::PosixFileSystem(), directory, name, backup); !written) {
    return Complain(written.error());
  }
  Print(*summary, output.string(), client.json);
  return kExitOk;
}

int RunRestore(const std::filesystem::path& backup, const std::filesystem::path& data_dir, bool json) {
  auto bytes = storage::ReadWholeFile(storage::PosixFileSystem(), backup.string(), kBackupBytesMax);
  if (!bytes) return Complain(bytes.error());
  auto summary = storage::RestoreBackup(*bytes, data_dir.string());
  if (!summary) return Complain(summary.error());
  Print(*summary, data_dir.string(), json);
  if (!json) {
    std::printf(
        "Footage is not part of a backup. Cameras' passwords need the old directory's secrets.key.\n");
  }
  return kExitOk;
}

}  // namespace millrace::server
