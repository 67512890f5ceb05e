#include <poll.h>
#include <unistd.h>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <cstdio>
#include <thread>
#include <utility>

#include "base/log.h"
#include "consumers/analysis/analysis_host.h"
#include "consumers/analysis/option_reader.h"
#include "server/analysis_report.h"
#include "server/chosen_analyzer.h"
#include "server/commands.h"
#include "server/exit_codes.h"
#include "server/options_variable.h"
#include "server/stop_signals.h"

namespace millrace::server {
namespace {

constexpr auto kWatch = std::chrono::milliseconds(500);

// The options of the command line, those that have words of their own among them; a supervised process has
// its own in the environment.
Result<AnalyzerOptions> GatherOptions(const AnalyzeOptions& options) {
  AnalyzerOptions gathered;
  if (options.choice.options) {
    MILLRACE_ASSIGN_OR_RETURN(gathered.all, ParseOptions(*options.choice.options));
  }
  if (options.model) gathered.all["model"] = *options.model;
  if (options.smallest_face) gathered.all["smallest_face"] = *options.smallest_face;
  if (options.supervised) MILLRACE_RETURN_IF_ERROR(TakeOptionsVariable(gathered));
  return gathered;
}

Result<AnalysisOptions> MakeOptions(const std::string& endpoint, const AnalyzeOptions& options,
                                    const AnalyzerRef& analyzer, AnalyzerOptions gathered) {
  AnalysisOptions made;
  made.settings.options = std::move(gathered);
  MILLRACE_ASSIGN_OR_RETURN(made.endpoint, wire::Endpoint::Parse(endpoint));
  MILLRACE_ASSIGN_OR_RETURN(made.settings.selection, ParseFrameSelection(FramesOf(options.choice)));
  made.application = options.application.value_or("millrace-" + analyzer.name());
  made.settings.output = options.output.value_or("millrace-" + analyzer.name());
  made.owner = options.owner.value_or("");
  made.start = options.start;
  made.when_behind = options.when_behind == "skip" ? WhenBehind::kSkip : WhenBehind::kCatchUp;
  made.skip_after = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options.skip_after_s));
  for (const std::string& stream : options.streams) {
    if (!stream.empty()) made.streams.insert(stream);
  }
  return made;
}

// Takes the supervisor's line with the streams. False: the supervisor is gone.
bool ReadInput(AnalysisHost& host, std::string& partial) {
  char bytes[4096];
  ssize_t got = ::read(STDIN_FILENO, bytes, sizeof(bytes));
  if (got <= 0) return false;
  partial.append(bytes, static_cast<std::size_t>(got));
  for (std::size_t end = 0; (end = partial.find('\n')) != std::string::npos; partial.erase(0, end + 1)) {
    boost::system::error_code ec;
    auto value = boost::json::parse(partial.substr(0, end), ec);
    const auto* streams = !ec && value.is_object() ? value.get_object().if_contains("streams") : nullptr;
    if (streams == nullptr || !streams->is_array()) continue;
    std::set<std::string> names;
    for (const auto& name : streams->get_array()) {
      if (name.is_string()) names.insert(std::string(name.get_string()));
    }
    host.SetStreams(std::move(names));
  }
  return true;
}

// Reports, and ends the process when a frame takes too long or nobody supervises any more.
void Watch(AnalysisHost& host, const AnalyzeOptions& options) {
  std::string partial;
  std::string trouble;
  while (true) {
    if (options.supervised) {
      pollfd input{STDIN_FILENO, POLLIN, 0};
      if (::poll(&input, 1, static_cast<int>(kWatch.count())) > 0 && !ReadInput(host, partial)) {
        EndNow("its supervisor is gone", host.progress());
      }
    } else {
      std::this_thread::sleep_for(kWatch);
    }
    AnalysisProgress progress = host.progress();
    if (options.supervised) Report(progress);
    // A supervised one's are told by the server.
    if (!options.supervised && std::exchange(trouble, progress.trouble) != trouble && !trouble.empty()) {
      Log(LogLevel::kWarning, "the analyzer has trouble with the server", {{"error", trouble}});
    }
    if (progress.busy > std::chrono::duration<double>(options.frame_max_s)) {
      EndNow("it hung with one frame", progress);
    }
  }
}

}  // namespace

int RunAnalyze(const ClientOptions& client, const AnalyzeOptions& options) {
  StopSignals::Block();  // an analyzer may start threads
  // The supervisor tells people why, and what else it starts.
  auto give_up = [&](const Error& error) {
    if (options.supervised) {
      AnalysisProgress progress;
      progress.trouble = error.message;
      Report(progress);
    }
    return Complain(error);
  };
  auto gathered = GatherOptions(options);
  if (!gathered) return give_up(gathered.error());
  auto analyzer = MakeAnalyzer(options.choice, gathered->all);
  if (!analyzer) return give_up(analyzer.error());
  auto made = MakeOptions(client.endpoint, options, analyzer->ref(), std::move(*gathered));
  if (!made) return give_up(made.error());
  if (made->streams.empty() && !options.supervised) {
    return Complain({ErrorCode::kInvalidArgument, "name the streams: --streams door,yard"});
  }
  AnalysisHost* running = nullptr;
  // So that the supervisor knows with which fragment a process ended.
  if (options.supervised) made->fragment_begins = [&running] { Report(running->progress()); };
  auto host = AnalysisHost::Make(analyzer->ref(), std::move(*made));
  if (!host) return give_up(host.error());
  running = host->get();
  std::thread([&host = **host] {
    StopSignals::Wait();
    host.Stop();
  }).detach();
  std::thread([&host = **host, &options] { Watch(host, options); }).detach();
  auto ran = (*host)->Run();
  if (!ran && ran.error().code != ErrorCode::kInternal) {
    (*host)->Close();
    const int code = give_up(ran.error());
    std::fflush(stdout);
    ::_exit(code);
  }
  if (!ran) {
    // Not as if it had ended well: its leases stay, and what follows the checkpoint is suspect.
    AnalysisProgress last = (*host)->progress();
    last.trouble = ran.error().message;
    if (options.supervised) Report(last);
    EndNow(last.trouble, last);
  }
  (*host)->Close();
  if (options.supervised) Report((*host)->progress());
  ::_exit(kExitOk);  // the watching threads still use the host
}

}  // namespace millrace::server
