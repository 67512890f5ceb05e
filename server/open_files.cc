#include "server/open_files.h"

#include <sys/resource.h>

#include "base/log.h"

namespace millrace::server {
namespace {

constexpr std::uint64_t kEnough = 4096;  // the log, the index, connections, and a few hundred cameras

}  // namespace

std::uint64_t RaiseOpenFilesLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = before;
  if (limit.rlim_cur < kEnough) {
    Log(LogLevel::kWarning, "the system allows few open files: not enough for hundreds of cameras",
        {{"limit", std::uint64_t{limit.rlim_cur}}, {"enough", kEnough}});
  }
  return limit.rlim_cur;
}

}  // namespace millrace::server
