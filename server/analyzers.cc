#include "server/analyzers.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "base/log.h"
#include "consumers/worker/worker_options.h"
#include "server/options_variable.h"
#include "server/process_key.h"

namespace millrace::server {
namespace {

constexpr Duration kResultsKept = std::chrono::hours(168);

std::vector<std::string> CommandFor(const AnalyzersConfig& config, const AnalyzerInstance& instance,
                                    const std::string& endpoint) {
  const bool built_in = instance.plugin.empty();
  return {ChildProcess::OwnProgram(), "--endpoint", endpoint, "analyze", "--supervised",
          built_in ? "--analyzer" : "--plugin", built_in ? instance.analyzer : instance.plugin,
          "--application", "millrace-" + instance.name, "--output", "millrace-" + instance.name,
          // Always the same, so that a new process need not wait for the old one's leases.
          "--owner", "server", "--frames", instance.frames, "--when-behind", instance.when_behind,
          "--frame-max", std::to_string(std::chrono::duration<double>(config.frame_max).count())};
}

// What the process of this application may do: read fragments and known faces, and write its own results.
std::vector<api::PolicyStatement> PermissionsOf(const std::string& application) {
  return {{true,
           {"kinesis:GetShardIterator", "kinesis:GetRecords"},
           {"arn:aws*:kinesis:*:*:stream/" + WorkerOptions().stream}},
          {true, {"kinesisvideo:GetMediaForFragmentList"}, {"arn:aws*:kinesisvideo:*:*:stream/*"}},
          {true, {"millrace:GetStream"}, {"arn:aws:millrace:*:*:stream/*"}},
          {true, {"millrace:GetFaceCollection"}, {"arn:aws:millrace:*:*:face-collection/*"}},
          {true, {"kinesis:PutRecords"}, {"arn:aws*:kinesis:*:*:stream/" + application}}};
}

}  // namespace

Result<void> Analyzers::Start(const AnalyzersConfig& config, const std::string& endpoint, CameraFleet& fleet,
                              api::ApplicationLeases& leases, storage::RecordLog& log,
                              api::CredentialStore* credentials) {
  for (const auto& [name, instance] : config.instances) {
    MILLRACE_RETURN_IF_ERROR(CheckOptions(instance));
    auto made = log.CreateStream("millrace-" + name, 1, kResultsKept);
    if (!made && made.error().code != ErrorCode::kAlreadyExists) return std::move(made).error();
    SupervisorOptions options;
    options.name = name;
    options.command = CommandFor(config, instance, endpoint);
    options.environment = {OptionsVariable(instance.options)};
    if (credentials != nullptr) {
      const std::string application = "millrace-" + name;
      MILLRACE_ASSIGN_OR_RETURN(const wire::AccessKey key,
                                AddProcessKey(*credentials, application, PermissionsOf(application)));
      options.environment.push_back("MILLRACE_ACCESS_KEY_ID=" + key.id);
      options.environment.push_back("MILLRACE_SECRET_ACCESS_KEY=" + key.secret);
    }
    options.backoff = {.base = config.restart_min, .max = config.restart_max};
    options.frame_max = config.frame_max;
    options.silence_max = config.silence_max;
    options.memory_bytes_max = config.memory_bytes_max;
    auto wanted = [&fleet, name = name] {
      std::set<std::string> streams;
      for (const CameraStatus& camera : fleet.List()) {
        const auto& analyzers = camera.settings.analyzers;
        if (std::find(analyzers.begin(), analyzers.end(), name) != analyzers.end()) {
          streams.insert(camera.settings.stream);
        }
      }
      return streams;
    };
    // So that a camera that asks for it again is analysed from then on, and not from where the last one
    // stopped.
    auto unwanted = [&leases, name = name] {
      auto deleted = leases.Delete("millrace-" + name);
      if (!deleted && deleted.error().code != ErrorCode::kNotFound) {
        Log(LogLevel::kWarning, "leases not deleted",
            {{"analyzer", name}, {"error", deleted.error().ToString()}});
      }
    };
    supervisors_.push_back(
        std::make_unique<AnalyzerSupervisor>(std::move(options), std::move(wanted), std::move(unwanted)));
  }
  return {};
}

void Analyzers::Stop() {
  std::vector<std::thread> stops;
  for (auto& supervisor : supervisors_) stops.emplace_back([&supervisor] { supervisor->Stop(); });
  for (std::thread& stop : stops) stop.join();
}

std::vector<api::AnalyzerStatus> Analyzers::statuses() const {
  std::vector<api::AnalyzerStatus> statuses;
  for (const auto& supervisor : supervisors_) statuses.push_back(supervisor->status());
  return statuses;
}

}  // namespace millrace::server
