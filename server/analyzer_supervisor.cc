#include "server/analyzer_supervisor.h"

#include <signal.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

#include "base/log.h"
#include "base/metrics.h"
#include "server/analysis_report.h"

namespace millrace::server {
namespace {

using std::chrono::steady_clock;

constexpr auto kStep = std::chrono::milliseconds(500);
constexpr auto kFinish = std::chrono::seconds(2);

std::uint64_t MillisecondsOf(Duration duration) {
  return static_cast<std::uint64_t>(duration / std::chrono::milliseconds(1));
}

// What a child counts from its own start on, and where it is added up.
struct Counted {
  const char* metric;
  std::uint64_t (*count)(const AnalysisProgress&);
  std::uint64_t api::AnalyzerStatus::*total;
  double unit = 1;  // of the metric
};
using Progress = const AnalysisProgress&;
constexpr double kMillisecond = 1e-3;
constexpr Counted kAddedUp[] = {
    {"fragments", [](Progress progress) { return progress.fragments; }, &api::AnalyzerStatus::fragments},
    {"frames", [](Progress progress) { return progress.frames; }, &api::AnalyzerStatus::frames},
    {"results", [](Progress progress) { return progress.results; }, &api::AnalyzerStatus::results},
    {"skipped", [](Progress progress) { return progress.skipped; }, &api::AnalyzerStatus::skipped},
    {"set_aside", [](Progress progress) { return progress.set_aside; }, &api::AnalyzerStatus::set_aside},
    {"unreadable", [](Progress progress) { return progress.unreadable; }, &api::AnalyzerStatus::unreadable},
    {"decoding_seconds", [](Progress progress) { return MillisecondsOf(progress.decoding); },
     &api::AnalyzerStatus::decoding_ms, kMillisecond},
    {"analyzing_seconds", [](Progress progress) { return MillisecondsOf(progress.analyzing); },
     &api::AnalyzerStatus::analyzing_ms, kMillisecond}};

void CountMetric(const Counted& counted, const std::string& analyzer, std::uint64_t more) {
  GetCounter("millrace_analyzer_" + std::string(counted.metric) + "_total",
             "What analyzers have done, by outcome", {{"analyzer", analyzer}})
      .Increment(static_cast<double>(more) * counted.unit);
}

}  // namespace

AnalyzerSupervisor::AnalyzerSupervisor(SupervisorOptions options, Wanted wanted,
                                       std::function<void()> unwanted)
    : options_(std::move(options)),
      wanted_(std::move(wanted)),
      unwanted_(std::move(unwanted)),
      backoff_(options_.backoff) {
  status_.name = options_.name;
  status_.state = "idle";
  status_.state_since = SystemClock().Now();
  thread_ = std::thread([this] { Run(); });
}

AnalyzerSupervisor::~AnalyzerSupervisor() { Stop(); }

void AnalyzerSupervisor::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

api::AnalyzerStatus AnalyzerSupervisor::status() const {
  std::lock_guard lock(mutex_);
  return status_;
}

void AnalyzerSupervisor::SetState(const std::string& state) {
  std::lock_guard lock(mutex_);
  if (status_.state == state) return;
  status_.state = state;
  status_.state_since = SystemClock().Now();
}

void AnalyzerSupervisor::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    Step(wanted_());
    if (child_ != nullptr) {
      for (const std::string& line : child_->ReadLines(kStep)) TakeStatus(line);
      lock.lock();
    } else {
      lock.lock();
      changed_.wait_for(lock, kStep, [this] { return stopping_; });
    }
  }
  lock.unlock();
  StopChild();
}

void AnalyzerSupervisor::Step(const std::set<std::string>& wanted) {
  {
    std::lock_guard lock(mutex_);
    status_.streams = wanted;
  }
  if (wanted.empty()) {
    bool was_idle = status().state == "idle";
    StopChild();
    SetState("idle");
    if (!was_idle) unwanted_();
    backoff_.Reset();
    return;
  }
  auto now = steady_clock::now();
  if (child_ == nullptr && now >= start_at_) StartChild();
  if (child_ == nullptr) return;
  if (auto end = child_->Ended()) return Ended(end->how);
  if (told_ != wanted) {
    boost::json::object line;
    boost::json::array streams;
    for (const std::string& stream : wanted) streams.push_back(boost::json::string(stream));
    line["streams"] = std::move(streams);
    if (child_->Tell(boost::json::serialize(line))) told_ = wanted;
  }
  std::uint64_t memory = child_->ResidentBytes();
  {
    std::lock_guard lock(mutex_);
    status_.memory_bytes = memory;
  }
  if (now - heard_ > options_.silence_max) return EndChild("it gave no sign of life");
  if (busy_ > options_.frame_max) return EndChild("it hung with one frame");
  if (memory > options_.memory_bytes_max) {
    return EndChild("it took " + std::to_string(memory >> 20) + " MiB of memory");
  }
  if (now - started_ > options_.stable_after) backoff_.Reset();
}

void AnalyzerSupervisor::StartChild() {
  auto child = ChildProcess::Start(options_.command, options_.environment);
  if (!child) {
    start_at_ = steady_clock::now() + backoff_.Next();
    std::lock_guard lock(mutex_);
    status_.last_error = child.error().message;
    return;
  }
  child_ = std::move(*child);
  told_.clear();
  started_ = heard_ = steady_clock::now();
  busy_ = Duration{0};
  SetState("starting");
  std::lock_guard lock(mutex_);
  base_ = status_;
  status_.pid = child_->pid();
  status_.next_start.reset();
  ++status_.starts;
}

void AnalyzerSupervisor::TakeStatus(const std::string& line) {
  auto progress = ParseReport(line);
  if (!progress) return;
  heard_ = steady_clock::now();
  busy_ = progress->busy;
  SetState("running");
  std::lock_guard lock(mutex_);
  for (const Counted& counted : kAddedUp) {
    std::uint64_t& total = status_.*counted.total;
    const std::uint64_t now = std::max(total, base_.*counted.total + counted.count(*progress));
    if (now > total) CountMetric(counted, options_.name, now - total);
    total = now;
  }
  status_.behind = progress->behind;
  status_.fragment = std::move(progress->fragment);
  status_.trouble = std::move(progress->trouble);
  GetGauge("millrace_analyzer_behind_seconds",
           "Age of the newest analysed fragment when its results were there", {{"analyzer", options_.name}})
      .Set(std::chrono::duration<double>(status_.behind).count());
}

void AnalyzerSupervisor::EndChild(const std::string& why) {
  child_->Signal(SIGKILL);
  Ended("killed: " + why);
}

void AnalyzerSupervisor::Ended(const std::string& how) {
  for (const std::string& line : child_->ReadLines(Duration{0})) TakeStatus(line);
  child_.reset();
  Duration wait = backoff_.Next();
  start_at_ = steady_clock::now() + wait;
  std::string fragment;
  {
    std::lock_guard lock(mutex_);
    fragment = std::exchange(status_.fragment, "");
    status_.last_error = how + (fragment.empty() ? "" : ", with fragment " + fragment) +
                         (status_.trouble.empty() ? "" : ": " + status_.trouble);
    status_.pid.reset();
    status_.memory_bytes = 0;
    status_.next_start = SystemClock().Now() + wait;
    ++status_.ends;
  }
  SetState("waiting");
  GetCounter("millrace_analyzer_ends_total", "Ends of analyzers that nobody asked for",
             {{"analyzer", options_.name}})
      .Increment();
  Log(LogLevel::kWarning, "an analyzer ended",
      {{"analyzer", options_.name},
       {"how", how},
       {"fragment", fragment},
       {"restart_ms", wait / std::chrono::milliseconds(1)}});
}

void AnalyzerSupervisor::StopChild() {
  if (child_ == nullptr) return;
  child_->Signal(SIGTERM);
  auto until = steady_clock::now() + kFinish;
  while (!child_->Ended() && steady_clock::now() < until) {
    for (const std::string& line : child_->ReadLines(std::chrono::milliseconds(50))) TakeStatus(line);
  }
  child_.reset();
  std::lock_guard lock(mutex_);
  status_.pid.reset();
  status_.fragment.clear();
  status_.memory_bytes = 0;
}

}  // namespace millrace::server
