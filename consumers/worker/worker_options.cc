#include "consumers/worker/worker_options.h"

#include <unistd.h>

#include <algorithm>
#include <random>
#include <utility>

namespace millrace {
namespace {

using std::chrono::seconds;

Error Invalid(std::string text) {
  return {ErrorCode::kInvalidArgument, "a worker's options: " + std::move(text)};
}

// As the server has names.
bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
         c == '-';
}

Result<void> CheckName(const char* option, const std::string& name) {
  const bool good =
      !name.empty() && name.size() <= 128 && std::all_of(name.begin(), name.end(), IsNameCharacter);
  if (good) return {};
  return Invalid(std::string("'") + option + "' has 1 to 128 letters, digits, '_', '.' and '-'");
}

std::string MakeOwner() {
  char host[64] = "worker";
  ::gethostname(host, sizeof(host) - 1);
  std::string name(host);
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !IsNameCharacter(c); }, '-');
  std::random_device random;
  return name + "-" + std::to_string(::getpid()) + "-" + std::to_string(random() % 1'000'000);
}

}  // namespace

Result<WorkerOptions> CheckWorkerOptions(WorkerOptions options) {
  if (options.owner.empty()) options.owner = MakeOwner();
  if (options.consumer.empty()) options.consumer = options.application;
  MILLRACE_RETURN_IF_ERROR(CheckName("application", options.application));
  MILLRACE_RETURN_IF_ERROR(CheckName("stream", options.stream));
  MILLRACE_RETURN_IF_ERROR(CheckName("owner", options.owner));
  MILLRACE_RETURN_IF_ERROR(CheckName("consumer", options.consumer));
  if (options.start != "LATEST" && options.start != "TRIM_HORIZON" && !ParseTime(options.start)) {
    return Invalid("'start' is LATEST, TRIM_HORIZON or a time such as 2026-11-21T08:00:00Z");
  }
  if (options.lease_length < seconds(1) || options.lease_length > seconds(600)) {
    return Invalid("'lease_length' is 1 s to 10 min");
  }
  if (options.read_ahead_records == 0 || options.read_ahead_records > 10'000) {
    return Invalid("'read_ahead_records' is 1 to 10000");
  }
  if (options.read_ahead_bytes == 0) return Invalid("'read_ahead_bytes' is 1 or more");
  if (options.pollers == 0 || options.pollers > 64) return Invalid("'pollers' is 1 to 64");
  if (options.leases_max == 0) return Invalid("'leases_max' is 1 or more");
  if (options.poll_interval <= Duration{0} || options.subscription_length <= Duration{0} ||
      options.checkpoint_interval < Duration{0}) {
    return Invalid("'poll_interval', 'subscription_length' and 'checkpoint_interval' are not negative");
  }
  options.poll_interval_idle = std::max(options.poll_interval, options.poll_interval_idle);
  return options;
}

}  // namespace millrace
