#include "server/commands.h"
#include "server/config.h"
#include "server/exit_codes.h"

namespace millrace::server {

int RunCheck(const std::optional<std::filesystem::path>& data_dir, bool json) {
  (void)data_dir;
  (void)json;
  return kExitFailed;
}

}  // namespace millrace::server
