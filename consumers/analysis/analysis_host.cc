#include "consumers/analysis/analysis_host.h"

#include <thread>
#include <utility>

#include "base/log.h"

namespace millrace {
namespace {

constexpr auto kStreamsPause = std::chrono::milliseconds(20);

// No use in trying again: people have to do something about it.
bool Forbidden(ErrorCode code) {
  return code == ErrorCode::kPermissionDenied || code == ErrorCode::kUnauthenticated;
}

}  // namespace

AnalysisHost::AnalysisHost(AnalyzerRef analyzer, AnalysisOptions options)
    : options_(std::move(options)),
      analysis_(analyzer, options_.settings, options_.endpoint, meter_),
      streams_(std::make_shared<StreamSet>()) {
  streams_->names = options_.streams;
}

Result<std::unique_ptr<AnalysisHost>> AnalysisHost::Make(AnalyzerRef analyzer, AnalysisOptions options) {
  std::unique_ptr<AnalysisHost> host(new AnalysisHost(analyzer, std::move(options)));
  const AnalysisOptions& given = host->options_;
  std::set<std::string> checked = given.streams;
  for (const auto& [stream, own] : given.settings.options.by_stream) checked.insert(stream);
  for (const std::string& stream : checked) {
    MILLRACE_RETURN_IF_ERROR(host->analysis_.CheckOptions(stream));
  }
  WorkerOptions worker;
  worker.endpoint = given.endpoint;
  worker.application = given.application;
  worker.start = given.start;
  worker.owner = given.owner;
  worker.lease_length = given.lease_length;
  worker.wanted = [streams = host->streams_](const WorkerRecord& record) {
    auto fragment = ParseFragmentDescriptor(record.data);
    return fragment && streams->Contains(fragment->stream);
  };
  MILLRACE_ASSIGN_OR_RETURN(host->worker_, Worker::Start(std::move(worker)));
  return host;
}

void AnalysisHost::SetStreams(std::set<std::string> streams) {
  std::lock_guard lock(streams_->mutex);
  streams_->names = std::move(streams);
  streams_->changed = true;
}

void AnalysisHost::Stop() {
  stopping_ = true;
  analysis_.Stop();
  worker_->Stop();
}

AnalysisProgress AnalysisHost::progress() const {
  AnalysisProgress progress = meter_.progress();
  progress.trouble = worker_->trouble();
  return progress;
}

void AnalysisHost::SetFragment(const std::string& fragment) {
  meter_.Add([&](AnalysisProgress& progress) { progress.fragment = fragment; });
}

Result<void> AnalysisHost::Run() {
  while (!stopping_) {
    if (streams_->Empty()) {  // not told yet: nothing may be passed over
      std::this_thread::sleep_for(kStreamsPause);
      continue;
    }
    if (auto changed = streams_->TakeChanged()) analysis_.KeepOnly(*changed);
    auto record = worker_->Next(std::chrono::seconds(1));
    if (!record) continue;
    auto handled = Handle(*record);
    if (!handled && handled.error().code == ErrorCode::kInternal) return handled;  // with its fragment's name
    SetFragment("");
    if (handled) continue;
    if (handled.error().code == ErrorCode::kCancelled) break;
    // The lease is another's, or the server does not answer: what was not committed comes again.
    Log(LogLevel::kWarning, "results not committed", {{"error", handled.error().ToString()}});
    worker_->GiveUp(*record);
    if (Forbidden(handled.error().code)) return handled;
  }
  return {};
}

Result<void> AnalysisHost::CommitStatus(const WorkerRecord& record, const FragmentDescriptor& fragment,
                                        std::string_view status, std::string_view message,
                                        std::uint64_t AnalysisProgress::*counted) {
  std::vector<WorkerResult> results;
  results.push_back(analysis_.StatusOf(fragment, status, message));
  MILLRACE_RETURN_IF_ERROR(worker_->Commit(record, results));
  meter_.Add([&](AnalysisProgress& progress) {
    ++(progress.*counted);
    ++progress.results;
    progress.footage += fragment.duration;
  });
  return {};
}

Result<void> AnalysisHost::Handle(const WorkerRecord& record) {
  MILLRACE_ASSIGN_OR_RETURN(FragmentDescriptor fragment, ParseFragmentDescriptor(record.data));
  const std::string what = fragment.stream + "/" + fragment.fragment_number;
  SetFragment(what);
  if (options_.fragment_begins) options_.fragment_begins();
  if (options_.when_behind == WhenBehind::kSkip &&
      SystemClock().Now() - record.arrival > options_.skip_after) {
    analysis_.PassOver(fragment);
    return CommitStatus(record, fragment, "SKIPPED", "analysis was behind: newer footage goes first",
                        &AnalysisProgress::skipped);
  }
  bool warm = true;
  if (record.suspect) {
    MILLRACE_ASSIGN_OR_RETURN(std::uint64_t attempts, worker_->Attempt(record, what));
    if (attempts > kAttemptsMax) {
      Log(LogLevel::kError, "a fragment is set aside", {{"fragment", what}});
      analysis_.SetAside(fragment);
      return CommitStatus(record, fragment, "SET_ASIDE", "it has ended the analyzer three times",
                          &AnalysisProgress::set_aside);
    }
    warm = attempts < kAttemptsMax;
  }
  auto results = analysis_.Analyze(fragment, warm);
  if (!results && results.error().code == ErrorCode::kNotFound) {
    return worker_->Commit(record, {});  // the footage is deleted or expired
  }
  if (!results && IsOfTheFootage(results.error().code)) {
    Log(LogLevel::kWarning, "a fragment is not readable",
        {{"fragment", what}, {"error", results.error().ToString()}});
    return CommitStatus(record, fragment, "UNREADABLE", results.error().message,
                        &AnalysisProgress::unreadable);
  }
  if (!results) return std::move(results).error();
  MILLRACE_RETURN_IF_ERROR(worker_->Commit(record, *results));
  meter_.Add([&](AnalysisProgress& progress) {
    ++progress.fragments;
    progress.results += results->size();
    progress.footage += fragment.duration;
    progress.behind = SystemClock().Now() - record.arrival;
  });
  return {};
}

}  // namespace millrace
