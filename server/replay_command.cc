#include "server/replay_command.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <cstdio>
#include <random>
#include <thread>

#include "consumers/analysis/option_reader.h"
#include "consumers/analysis/replay_lane.h"
#include "server/analysis_report.h"
#include "server/api_client.h"
#include "server/chosen_analyzer.h"
#include "server/console_output.h"
#include "server/data_streams.h"
#include "server/exit_codes.h"
#include "server/options_variable.h"
#include "server/replay_lanes.h"
#include "server/stop_signals.h"
#include "wire/digest.h"

namespace millrace::server {
namespace {

using std::chrono::steady_clock;

constexpr auto kReplayWatch = std::chrono::milliseconds(200);
constexpr auto kGoodbye = std::chrono::seconds(5);  // of a lane whose parent is gone

// What the replay is, before anything runs.
struct Plan {
  AnalyzerOptions options;
  std::string name;  // the analyzer's
  std::string version;
  std::string frames;
  Timestamp from, to;
  std::string output;
  std::string application;
  std::size_t lanes = 1;
  Duration footage{0};  // all there is in the range
};

double SecondsOf(Duration duration) { return std::chrono::duration<double>(duration).count(); }

// Unlike any other run's, so that no two of them take each other's leases.
std::string NewRun() {
  std::random_device random;
  char hex[20];
  std::snprintf(hex, sizeof(hex), "%08x%08x", random(), random());
  return hex;
}

Result<std::vector<std::string>> StreamsOf(ApiClient& api, const ReplayCommandOptions& options) {
  std::vector<std::string> streams = options.streams;
  if (options.all) {
    MILLRACE_ASSIGN_OR_RETURN(auto answer, api.Call("GET", "/v1/streams"));
    const auto* list = answer.if_contains("streams");
    for (std::size_t i = 0; list != nullptr && list->is_array() && i < list->get_array().size(); ++i) {
      const auto* stream = list->get_array()[i].if_object();
      if (stream != nullptr) streams.push_back(Member(*stream, "name"));
    }
  }
  std::sort(streams.begin(), streams.end());
  streams.erase(std::unique(streams.begin(), streams.end()), streams.end());
  if (streams.empty()) return Error{ErrorCode::kInvalidArgument, "name the streams, or say --all"};
  if (streams.size() > ReplayLane::kStreamsMax) {
    return Error{ErrorCode::kInvalidArgument, "a replay has 1024 streams at most"};
  }
  return streams;
}

// The data stream of the results, and how many shards it has: as many lanes there are.
Result<std::size_t> EnsureOutput(ApiClient& api, const std::string& name, std::size_t jobs) {
  auto made = api.DataStreams("CreateStream", {{"StreamName", name}, {"ShardCount", jobs}});
  if (!made && made.error().code != ErrorCode::kAlreadyExists &&
      made.error().code != ErrorCode::kFailedPrecondition) {
    return std::move(made).error();
  }
  MILLRACE_ASSIGN_OR_RETURN(auto summary, AwaitActive(api, name));
  const auto shards = static_cast<std::size_t>(NumberMember(summary, "OpenShardCount"));
  if (shards < 1 || shards > 64) {
    return Error{ErrorCode::kInvalidArgument, "stream '" + name + "' has " + std::to_string(shards) +
                                                  " shards; a replay writes to 1 to 64"};
  }
  return shards;
}

Result<Plan> MakePlan(const ClientOptions& client, ApiClient& api, const ReplayCommandOptions& options,
                      const std::vector<std::string>& streams) {
  Plan plan;
  if (options.choice.options) {
    MILLRACE_ASSIGN_OR_RETURN(plan.options.all, ParseOptions(*options.choice.options));
  }
  MILLRACE_ASSIGN_OR_RETURN(plan.from, ParseTime(options.from));
  plan.to = Timestamp::FromMillis(SystemClock().Now().millis());
  if (options.to) {
    MILLRACE_ASSIGN_OR_RETURN(plan.to, ParseTime(*options.to));
  }
  if (plan.from >= plan.to) return Error{ErrorCode::kInvalidArgument, "--from must lie before --to"};
  plan.frames = FramesOf(options.choice);
  MILLRACE_RETURN_IF_ERROR(ParseFrameSelection(plan.frames));
  {
    MILLRACE_ASSIGN_OR_RETURN(const OwnedAnalyzer analyzer, MakeAnalyzer(options.choice, plan.options.all));
    plan.name = analyzer.ref().name();
    plan.version = analyzer.ref().version();
  }
  MILLRACE_ASSIGN_OR_RETURN(const wire::Endpoint endpoint, wire::Endpoint::Parse(client.endpoint));
  FootageReader footage(endpoint, {});
  for (const std::string& stream : streams) {
    auto add = [&](const FragmentDescriptor& fragment) -> Result<void> {
      if (fragment.producer_time >= plan.from) plan.footage += fragment.duration;
      return {};
    };
    MILLRACE_RETURN_IF_ERROR(footage.Each(stream, "", plan.from, plan.to, add));
  }
  plan.output = options.output.value_or("millrace-replay-" + plan.name);
  const std::size_t cores = std::max(1u, std::thread::hardware_concurrency());
  MILLRACE_ASSIGN_OR_RETURN(plan.lanes,
                            EnsureOutput(api, plan.output, options.jobs != 0 ? options.jobs : cores));
  std::string what = plan.name + "\n" + plan.version + "\n" + plan.frames + "\n" +
                     boost::json::serialize(plan.options.all) + "\n" + FormatRfc3339(plan.from) + "\n" +
                     FormatRfc3339(plan.to);
  for (const std::string& stream : streams) what += "\n" + stream;
  // The same for the same replay, so that it finds its checkpoints again; of 128 characters at most.
  plan.application = plan.output.substr(0, 91) + "-" + wire::UuidOf(AsBytes(what));
  return plan;
}

std::vector<std::string> CommandOf(const ClientOptions& client, const ReplayCommandOptions& options,
                                   const Plan& plan, const std::vector<std::string>& streams,
                                   const std::string& run, std::size_t lane) {
  std::vector<std::string> command = {ChildProcess::OwnProgram(),
                                      "--endpoint",
                                      client.endpoint,
                                      "replay",
                                      "--from",
                                      FormatRfc3339(plan.from),
                                      "--to",
                                      FormatRfc3339(plan.to),
                                      "--frames",
                                      plan.frames,
                                      "--output",
                                      plan.output,
                                      "--application",
                                      plan.application,
                                      "--lane",
                                      std::to_string(lane),
                                      "--lanes",
                                      std::to_string(plan.lanes),
                                      "--run",
                                      run};
  const AnalyzerChoice& choice = options.choice;
  command.insert(command.end(), {choice.plugin ? "--plugin" : "--analyzer",
                                 choice.plugin ? *choice.plugin : choice.analyzer});
  command.insert(command.end(), streams.begin(), streams.end());
  return command;
}

// ---- the process of one lane

// Reports, and ends the process when nobody listens any more.
void WatchLane(ReplayLane& lane) {
  while (true) {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    char byte;
    if (::poll(&input, 1, static_cast<int>(kReplayWatch.count())) > 0 &&
        ::read(STDIN_FILENO, &byte, 1) <= 0) {
      lane.Stop();  // it gives its lease back, and ends the process
      std::this_thread::sleep_for(kGoodbye);
      EndNow("whoever started the replay is gone", lane.progress());
    }
    Report(lane.progress());
  }
}

int RunLane(const ClientOptions& client, const ReplayCommandOptions& options) {
  StopSignals::Block();  // an analyzer may start threads
  auto give_up = [](const Error& error) {
    AnalysisProgress progress;
    progress.trouble = error.message;
    Report(progress);
    return static_cast<int>(ExitCodeOf(error.code));
  };
  ReplayOptions replay;
  if (auto taken = TakeOptionsVariable(replay.settings.options); !taken) return give_up(taken.error());
  auto analyzer = MakeAnalyzer(options.choice, replay.settings.options.all);
  if (!analyzer) return give_up(analyzer.error());
  auto endpoint = wire::Endpoint::Parse(client.endpoint);
  auto selection = ParseFrameSelection(FramesOf(options.choice));
  auto from = ParseTime(options.from);
  auto to = ParseTime(options.to.value_or(""));
  if (!endpoint || !selection || !from || !to) return kExitUsage;
  replay.endpoint = *endpoint;
  replay.application = options.application;
  replay.settings.output = options.output.value_or("");
  replay.settings.selection = *selection;
  replay.streams = options.streams;
  replay.from = *from;
  replay.to = *to;
  replay.lane = *options.lane;
  replay.lanes = options.lanes;
  replay.run = options.run;
  ReplayLane* running = nullptr;
  replay.fragment_begins = [&running] { Report(running->progress()); };
  auto lane = ReplayLane::Make(analyzer->ref(), std::move(replay));
  if (!lane) return give_up(lane.error());
  running = lane->get();
  std::thread([running] {
    StopSignals::Wait();
    running->Stop();
  }).detach();
  std::thread([running] { WatchLane(*running); }).detach();
  auto ran = running->Run();
  AnalysisProgress progress = running->progress();
  if (!ran) progress.trouble = ran.error().message;
  Report(progress);
  // The watching threads still use the lane.
  ::_exit(ran ? static_cast<int>(kExitOk) : static_cast<int>(ExitCodeOf(ran.error().code)));
}

// ---- the command

class Narrator {
 public:
  Narrator(const Plan& plan, bool json)
      : plan_(plan), json_(json), terminal_(::isatty(STDERR_FILENO) == 1), began_(steady_clock::now()) {}

  void Tell(const AnalysisProgress& progress) {
    const auto now = steady_clock::now();
    if (json_ || now < next_) return;
    next_ = now + (terminal_ ? std::chrono::milliseconds(500) : std::chrono::seconds(10));
    const double speed = Speed(progress);
    const double left = SecondsOf(plan_.footage - progress.footage - progress.passed);
    std::string eta = "?";
    if (speed > 0) {
      const auto seconds = static_cast<long>(std::max(left, 0.0) / speed);
      char text[40];
      std::snprintf(text, sizeof(text), "%ld:%02ld:%02ld", seconds / 3600, seconds / 60 % 60, seconds % 60);
      eta = text;
    }
    const double all = std::max(SecondsOf(plan_.footage), 1e-3);
    std::fprintf(
        stderr, "%s%5.1f%%  %llu fragments, %llu frames, %.1f x real time, %s left%s", terminal_ ? "\r" : "",
        std::min(100.0, 100 * (all - left) / all), static_cast<unsigned long long>(progress.fragments),
        static_cast<unsigned long long>(progress.frames), speed, eta.c_str(), terminal_ ? "   " : "\n");
    std::fflush(stderr);
    told_ = true;
  }

  void Finish(const AnalysisProgress& progress, std::uint64_t ends, bool finished, bool stopped) {
    if (terminal_ && told_) std::fprintf(stderr, "\n");
    const double seconds = SecondsOf(steady_clock::now() - began_);
    if (json_) {
      PrintJson({{"analyzer", plan_.name},
                 {"version", plan_.version},
                 {"output", plan_.output},
                 {"from", FormatRfc3339(plan_.from)},
                 {"to", FormatRfc3339(plan_.to)},
                 {"fragments", progress.fragments},
                 {"frames", progress.frames},
                 {"results", progress.results},
                 {"set_aside", progress.set_aside},
                 {"unreadable", progress.unreadable},
                 {"ends", ends},
                 {"footage_s", SecondsOf(progress.footage)},
                 {"done_before_s", SecondsOf(progress.passed)},
                 {"seconds", seconds},
                 {"decoding_s", SecondsOf(progress.decoding)},
                 {"analyzing_s", SecondsOf(progress.analyzing)},
                 {"speed", Speed(progress)},
                 {"finished", finished}});
    } else {
      std::printf("%llu fragments, %llu frames, %llu results in stream %s: %.1f x real time\n",
                  static_cast<unsigned long long>(progress.fragments),
                  static_cast<unsigned long long>(progress.frames),
                  static_cast<unsigned long long>(progress.results), plan_.output.c_str(), Speed(progress));
      if (progress.set_aside + progress.unreadable > 0) {
        std::printf("%llu fragments were set aside and %llu could not be read: their records say why\n",
                    static_cast<unsigned long long>(progress.set_aside),
                    static_cast<unsigned long long>(progress.unreadable));
      }
    }
    if (stopped) {
      std::fprintf(stderr, "Interrupted. The same command goes on from here, with --from %s --to %s\n",
                   FormatRfc3339(plan_.from).c_str(), FormatRfc3339(plan_.to).c_str());
    }
  }

 private:
  double Speed(const AnalysisProgress& progress) const {
    return SecondsOf(progress.footage) / std::max(SecondsOf(steady_clock::now() - began_), 1e-3);
  }

  const Plan& plan_;
  const bool json_;
  const bool terminal_;
  const steady_clock::time_point began_;
  steady_clock::time_point next_{};
  bool told_ = false;
};

// `planning` until its processes are started; `stop`: it was asked to.
int RunPlanned(const ClientOptions& client, const ReplayCommandOptions& options, std::atomic<bool>& planning,
               const std::atomic<bool>& stop) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  auto streams = StreamsOf(*api, options);
  if (!streams) return api->Fail(streams.error());
  auto plan = MakePlan(client, *api, options, *streams);
  if (!plan) {
    const int code = api->Fail(plan.error());
    // The footage is listed by another client than `api`.
    return plan.error().code == ErrorCode::kUnavailable ? static_cast<int>(kExitUnreachable) : code;
  }
  auto variable = OptionsVariable(plan->options);
  if (variable.size() > kOptionsVariableMax) {
    return Complain({ErrorCode::kInvalidArgument, "--options are larger than a process's environment takes"});
  }
  ReplayLanesOptions made;
  made.environment = {std::move(variable)};
  made.frame_max = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options.frame_max_s));
  const std::string run = NewRun();
  for (std::size_t lane = 0; lane < plan->lanes; ++lane) {
    made.commands.push_back(CommandOf(client, options, *plan, *streams, run, lane));
  }
  planning = false;
  int code = kExitOk;
  {
    ReplayLanes lanes(std::move(made));
    Narrator narrator(*plan, client.json);
    bool stopped = false;
    while (true) {
      auto stepped = lanes.Step();
      if (!stepped) {
        if (code != kExitOk) break;
        code = Complain(stepped.error());
        lanes.Stop();  // the others give their leases back
        continue;
      }
      if (!*stepped) break;
      narrator.Tell(lanes.progress());
      if (stop && !stopped) {
        lanes.Stop();
        stopped = true;
      }
    }
    if (stopped && code == kExitOk) code = kExitFailed;
    narrator.Finish(lanes.progress(), lanes.ends(), code == kExitOk, stopped);
  }
  return code;
}

}  // namespace

int RunReplay(const ClientOptions& client, const ReplayCommandOptions& options) {
  if (options.lane) return RunLane(client, options);
  StopSignals::Block();  // an analyzer may start threads
  std::atomic<bool> planning{true};
  std::atomic<bool> stop{false};
  std::thread([&planning, &stop] {
    StopSignals::Wait();
    stop = true;
    if (planning) ::_exit(kExitFailed);  // nothing runs yet
  }).detach();
  const int code = RunPlanned(client, options, planning, stop);
  std::fflush(stdout);
  ::_exit(code);  // a thread waits for signals
}

}  // namespace millrace::server
