#include "consumers/analysis/replay_lane.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <thread>
#include <utility>

#include "base/log.h"
#include "consumers/analysis/analysis_host.h"
#include "wire/answer_fields.h"

namespace millrace {
namespace {

constexpr Duration kSlotMin = std::chrono::minutes(1);
// A fragment's place in the lane's order: the stream's, the millisecond from the range's beginning (139
// years), and which it is of those that begin in that millisecond.
constexpr int kMillisecondBits = 42;
constexpr int kOrdinalBits = 10;
static_assert(ReplayLane::kStreamsMax << (kMillisecondBits + kOrdinalBits) < std::uint64_t{1} << 63,
              "sub-sequence numbers have 63 bits");
constexpr std::uint64_t kOrdinalMax = (std::uint64_t{1} << kOrdinalBits) - 1;
constexpr auto kTries = 20;  // of a commit, while the server is away
constexpr auto kLanePause = std::chrono::milliseconds(500);

WorkerOptions OptionsOf(const ReplayOptions& options) {
  WorkerOptions worker;
  worker.endpoint = options.endpoint;
  worker.application = options.application;
  worker.stream = options.settings.output;
  worker.owner = "replay-" + std::to_string(options.lane) + (options.run.empty() ? "" : "-" + options.run);
  worker.start = "TRIM_HORIZON";
  worker.lease_length = std::chrono::minutes(2);  // each commit renews it
  return worker;
}

bool Away(const Error& error) {
  return error.code == ErrorCode::kUnavailable || error.code == ErrorCode::kDeadlineExceeded;
}

// The first sequence number of this shard.
Result<std::string> BeginningOf(wire::ServiceClient& client, const std::string& stream,
                                const std::string& shard) {
  MILLRACE_ASSIGN_OR_RETURN(auto answer, client.DataStreams("ListShards", {{"StreamName", stream}}));
  const auto* shards = wire::ListOf(answer, "Shards");
  for (std::size_t i = 0; shards != nullptr && i < shards->size(); ++i) {
    const auto* each = (*shards)[i].if_object();
    if (each == nullptr || wire::TextOf(*each, "ShardId") != shard) continue;
    const auto* range = each->if_contains("SequenceNumberRange");
    if (range != nullptr && range->is_object()) {
      return wire::TextOf(range->get_object(), "StartingSequenceNumber");
    }
  }
  return Error{ErrorCode::kNotFound, "stream '" + stream + "' has no shard " + shard};
}

}  // namespace

ReplayLane::ReplayLane(AnalyzerRef analyzer, ReplayOptions options)
    : options_(std::move(options)),
      worker_(OptionsOf(options_)),
      analysis_(analyzer, options_.settings, options_.endpoint, meter_),
      client_(worker_, consumer::HttpOptions(worker_)),
      data_streams_(options_.endpoint, wire::HttpClient::Options{}) {}

Result<std::unique_ptr<ReplayLane>> ReplayLane::Make(AnalyzerRef analyzer, ReplayOptions options) {
  if (options.streams.empty() || options.streams.size() > kStreamsMax) {
    return Error{ErrorCode::kInvalidArgument, "a replay has 1 to 1024 streams"};
  }
  if (options.from >= options.to) return Error{ErrorCode::kInvalidArgument, "the range is empty"};
  std::unique_ptr<ReplayLane> lane(new ReplayLane(analyzer, std::move(options)));
  for (const std::string& stream : lane->options_.streams) {
    MILLRACE_RETURN_IF_ERROR(lane->analysis_.CheckOptions(stream));
  }
  return lane;
}

Result<void> ReplayLane::Begin() {
  MILLRACE_ASSIGN_OR_RETURN(std::vector<SeenLease> leases, client_.Begin());
  std::sort(leases.begin(), leases.end(), [](const auto& a, const auto& b) { return a.shard < b.shard; });
  lanes_ = leases.size();
  if (options_.lanes != 0 && options_.lanes != lanes_) {
    return Error{ErrorCode::kInvalidArgument,
                 "the shards of stream '" + options_.settings.output +
                     "' were split or merged, and a replay's must stay as they are: give another --output"};
  }
  if (options_.lane >= lanes_) {
    return Error{ErrorCode::kInvalidArgument,
                 "stream '" + options_.settings.output + "' has fewer shards than lanes"};
  }
  const std::string shard = leases[options_.lane].shard;
  auto lease = client_.Take({shard, std::nullopt});
  if (!lease) {
    if (lease.error().code != ErrorCode::kFailedPrecondition) return std::move(lease).error();
    return WithContext(std::move(lease).error(),
                       "the same replay is running, or was killed within the last two minutes");
  }
  if (!*lease) return Error{ErrorCode::kFailedPrecondition, "the lane's shard has ended"};
  lease_ = std::move(**lease);
  done_ = lease_.place.sub_sequence.value_or(0);
  MILLRACE_ASSIGN_OR_RETURN(lease_.place.sequence_number,
                            BeginningOf(data_streams_, options_.settings.output, shard));
  // Each commit is one fragment's, so it can only be the first.
  suspects_ = lease_.suspect ? 1 : 0;
  return {};
}

Result<void> ReplayLane::Run() {
  MILLRACE_RETURN_IF_ERROR(Begin());
  for (std::size_t stream = 0; stream < options_.streams.size(); ++stream) {
    auto ran = RunStream(stream);
    if (!ran && ran.error().code == ErrorCode::kInternal) return ran;  // the lease stays: it is suspect
    if (!ran) {
      (void)client_.Release(lease_);
      return ran;
    }
  }
  return client_.Release(lease_);
}

Result<void> ReplayLane::RunStream(std::size_t stream) {
  const std::string& name = options_.streams[stream];
  MILLRACE_ASSIGN_OR_RETURN(const std::string arn, analysis_.footage().ArnOf(name));
  const Duration all = options_.to - options_.from;
  const Duration wanted = options_.slot.value_or(std::max(kSlotMin, 10 * analysis_.warm_up()));
  const Duration slot = lanes_ == 1 ? all : wanted;
  // The next stream's first slot is the next lane's, so that short stretches of many are shared out too.
  const std::size_t first = (options_.lane + lanes_ - stream % lanes_) % lanes_;
  for (Duration at = slot * static_cast<std::int64_t>(first); at < all;
       at += slot * static_cast<std::int64_t>(lanes_)) {
    // What lies between this slot and the lane's one before is another lane's: not as if it were missing.
    analysis_.KeepOnly({});
    const Timestamp begin = options_.from + at;
    const Timestamp end = std::min(begin + slot, options_.to);
    std::uint64_t last_ms = 0;
    std::uint64_t ordinal = 0;
    auto visit = [&](const FragmentDescriptor& fragment) -> Result<void> {
      if (fragment.producer_time < begin || fragment.producer_time >= end) return {};
      // From 1 on, so that no place is 0.
      const auto ms = 1 + static_cast<std::uint64_t>((fragment.producer_time - options_.from) /
                                                     std::chrono::milliseconds(1));
      ordinal = ms == last_ms ? ordinal + 1 : 0;
      if (ordinal > kOrdinalMax) {
        return Error{ErrorCode::kResourceExhausted, "stream '" + name + "' has more than 1024 fragments at " +
                                                        FormatRfc3339(fragment.producer_time)};
      }
      last_ms = ms;
      const std::uint64_t place =
          (((std::uint64_t{stream} << kMillisecondBits) | ms) << kOrdinalBits) | ordinal;
      if (place <= done_) {
        meter_.Add([&](AnalysisProgress& progress) { progress.passed += fragment.duration; });
        return {};
      }
      if (analysis_.stopping()) return Error{ErrorCode::kCancelled, "stopped"};
      return Handle(fragment, place);
    };
    MILLRACE_RETURN_IF_ERROR(analysis_.footage().Each(name, arn, begin, end, visit));
  }
  return {};
}

Result<void> ReplayLane::Handle(const FragmentDescriptor& fragment, std::uint64_t place) {
  const std::string what = fragment.stream + "/" + fragment.fragment_number;
  meter_.Add([&](AnalysisProgress& progress) { progress.fragment = what; });
  if (options_.fragment_begins) options_.fragment_begins();
  auto finish = [&](const std::vector<WorkerResult>& results,
                    std::uint64_t AnalysisProgress::*counted) -> Result<void> {
    MILLRACE_RETURN_IF_ERROR(Commit(place, results));
    meter_.Add([&](AnalysisProgress& progress) {
      ++(progress.*counted);
      progress.results += results.size();
      progress.footage += fragment.duration;
      progress.fragment.clear();
    });
    return {};
  };
  auto status = [&](std::string_view word, std::string_view why) {
    std::vector<WorkerResult> results;
    results.push_back(analysis_.StatusOf(fragment, word, why));
    return results;
  };
  bool warm = true;
  if (suspects_ > 0) {
    --suspects_;
    MILLRACE_ASSIGN_OR_RETURN(const std::uint64_t attempts,
                              client_.Attempt(lease_.shard, lease_.counter, what));
    if (attempts > kAttemptsMax) {
      Log(LogLevel::kError, "a fragment is set aside", {{"fragment", what}});
      analysis_.SetAside(fragment);
      return finish(status("SET_ASIDE", "it has ended the analyzer three times"),
                    &AnalysisProgress::set_aside);
    }
    warm = attempts < kAttemptsMax;
  }
  auto results = analysis_.Analyze(fragment, warm);
  if (results) return finish(*results, &AnalysisProgress::fragments);
  if (results.error().code == ErrorCode::kNotFound) return {};  // deleted or expired meanwhile
  if (!IsOfTheFootage(results.error().code)) return std::move(results).error();
  return finish(status("UNREADABLE", results.error().message), &AnalysisProgress::unreadable);
}

Result<void> ReplayLane::Commit(std::uint64_t place, const std::vector<WorkerResult>& results) {
  consumer::CommitRequest request;
  request.shard = lease_.shard;
  request.counter = lease_.counter;
  request.place = ShardPlace{lease_.place.sequence_number, place};
  request.results = &results;
  for (int i = 1;; ++i) {
    auto committed = client_.Commit(request);
    if (committed) done_ = place;
    if (committed || i == kTries || !Away(committed.error())) return committed;
    if (analysis_.stopping()) return Error{ErrorCode::kCancelled, "stopped"};
    meter_.Add([&](AnalysisProgress& progress) { progress.trouble = committed.error().message; });
    std::this_thread::sleep_for(kLanePause);
  }
}

}  // namespace millrace
