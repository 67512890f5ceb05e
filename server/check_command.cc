#include <boost/json/array.hpp>
#include <cstdio>

#include "server/commands.h"
#include "server/config.h"
#include "server/console_output.h"
#include "server/encryption.h"
#include "server/exit_codes.h"
#include "storage/checker.h"
#include "storage/repair.h"

namespace millrace::server {
namespace {

boost::json::array Texts(const std::vector<std::string>& texts) {
  boost::json::array list;
  for (const std::string& text : texts) list.push_back(boost::json::string(Printable(text)));
  return list;
}

boost::json::object ToJson(const storage::CheckReport& report) {
  boost::json::object object;
  object["ok"] = report.ok();
  object["problems"] = Texts(report.problems);
  object["problem_count"] = report.problem_count;
  object["notes"] = Texts(report.notes);
  object["segments"] = report.segments;
  object["records"] = report.records;
  object["data_bytes"] = report.data_bytes;
  object["gone_records"] = report.gone_records;
  object["encrypted_records"] = report.encrypted_records;
  object["opened"] = report.opened;
  return object;
}

void PrintText(const std::string& text) {
  std::printf("%s%s", text.c_str(), text.ends_with('\n') ? "" : "\n");
}

using MasterKeys = std::shared_ptr<const storage::MasterKeys>;

int Repair(const std::filesystem::path& path, const MasterKeys& keys, bool json) {
  storage::RepairReport report =
      storage::RepairDataDirectory(path.string(), storage::PosixFileSystem(), SystemClock(), keys);
  if (report.before.refused) return Complain(*report.before.refused);
  if (json) {
    boost::json::object object;
    object["data_dir"] = path.string();
    object["ok"] = report.ok();
    object["before"] = ToJson(report.before);
    object["mended"] = Texts(report.mended);
    object["lost"] = Texts(report.lost);
    object["after"] = ToJson(report.after);
    PrintJson(object);
  } else {
    PrintText(report.ToString());
  }
  if (report.failed) return Complain(*report.failed);
  return report.ok() ? kExitOk : kExitFailed;
}

}  // namespace

int RunCheck(const std::optional<std::filesystem::path>& data_dir, const EncryptionConfig& keys, bool repair,
             bool json) {
  std::filesystem::path path;
  if (data_dir) {
    path = *data_dir;
  } else {
    auto found = DefaultDataDirectory();
    if (!found) return Complain(found.error());
    path = *found;
  }
  std::error_code ec;
  if (!std::filesystem::is_directory(path, ec)) {
    return Complain(
        Error{ErrorCode::kNotFound, path.string() + " is not a directory: name one with --data-dir"});
  }
  auto master_keys = LoadMasterKeys(keys);
  if (!master_keys) return Complain(master_keys.error());
  if (repair) return Repair(path, *master_keys, json);
  storage::CheckReport report =
      storage::CheckDataDirectory(path.string(), storage::PosixFileSystem(), SystemClock(), *master_keys);
  if (report.refused) return Complain(*report.refused);
  if (json) {
    boost::json::object object = ToJson(report);
    object["data_dir"] = path.string();
    PrintJson(object);
  } else {
    PrintText(report.ToString());
  }
  return report.ok() ? kExitOk : kExitFailed;
}

}  // namespace millrace::server
