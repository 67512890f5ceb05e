#include "consumers/worker/application_client.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <utility>

#include "wire/answer_fields.h"
#include "wire/base64.h"

namespace millrace::consumer {
namespace {

constexpr char kShardEnd[] = "SHARD_END";
constexpr std::size_t kRenewalsMax = 5'000;  // of one request
constexpr std::chrono::seconds kCallTimeoutMin{1};
constexpr std::chrono::seconds kCommitConnectTimeout{3};
constexpr std::chrono::seconds kCommitProgressTimeout{5};

boost::json::object ToJson(const WorkerResult& result) {
  boost::json::object record;
  record["stream"] = result.stream;
  record["partition_key"] = result.partition_key;
  record["data"] = wire::EncodeBase64(AsBytes(result.data));
  if (!result.key.empty()) record["key"] = result.key;
  if (result.time) record["time"] = FormatRfc3339(*result.time);
  return record;
}

}  // namespace

wire::HttpClient::Options HttpOptions(const WorkerOptions& options) {
  wire::HttpClient::Options http;
  http.key = options.key;
  http.ca_file = options.ca_file;
  return http;
}

wire::HttpClient::Options LeaseHttpOptions(const WorkerOptions& options) {
  wire::HttpClient::Options http = HttpOptions(options);
  const Duration third = std::max<Duration>(options.lease_length / 3, kCallTimeoutMin);
  http.connect_timeout = std::min(http.connect_timeout, third);
  http.progress_timeout = std::min(http.progress_timeout, third);
  return http;
}

wire::HttpClient::Options CommitHttpOptions(const WorkerOptions& options) {
  wire::HttpClient::Options http = HttpOptions(options);
  http.connect_timeout = kCommitConnectTimeout;
  http.progress_timeout = kCommitProgressTimeout;
  return http;
}

ApplicationClient::ApplicationClient(const WorkerOptions& options, wire::HttpClient::Options http)
    : options_(options), client_(options.endpoint, std::move(http)) {}

std::string ApplicationClient::Path(const char* what) const {
  return "/v1/applications/" + options_.application + "/" + what;
}

boost::json::object ApplicationClient::BodyOf(const std::string& shard, std::uint64_t counter) const {
  boost::json::object body;
  body["stream"] = options_.stream;
  body["shard"] = shard;
  body["owner"] = options_.owner;
  body["counter"] = counter;
  return body;
}

Result<std::vector<SeenLease>> ApplicationClient::Begin() {
  boost::json::object body;
  body["stream"] = options_.stream;
  body["start"] = options_.start;
  MILLRACE_ASSIGN_OR_RETURN(auto answer, client_.Own("POST", Path("begin"), &body));
  const auto* leases = wire::ListOf(answer, "leases");
  if (leases == nullptr) return Error{ErrorCode::kInternal, "an answer without leases"};
  std::vector<SeenLease> seen;
  for (const auto& value : *leases) {
    if (!value.is_object()) continue;
    const auto& object = value.get_object();
    seen.push_back({wire::TextOf(object, "shard"), wire::TextOf(object, "owner"),
                    wire::CountOf(object, "counter"), wire::FlagOf(object, "expired"),
                    wire::FlagOf(object, "ready")});
  }
  return seen;
}

Result<std::optional<HeldLease>> ApplicationClient::Take(const LeaseWish& wish) {
  boost::json::object body;
  body["stream"] = options_.stream;
  body["shard"] = wish.shard;
  body["owner"] = options_.owner;
  body["seconds"] = std::chrono::duration<double>(options_.lease_length).count();
  if (wish.steal_counter) body["steal_counter"] = *wish.steal_counter;
  MILLRACE_ASSIGN_OR_RETURN(auto answer, client_.Own("POST", Path("leases/take"), &body));
  HeldLease lease;
  lease.shard = wish.shard;
  lease.counter = wire::CountOf(answer, "counter");
  lease.suspect = wire::FlagOf(answer, "suspect");
  lease.place.sequence_number = wire::TextOf(answer, "checkpoint");
  if (lease.place.sequence_number == kShardEnd) return std::optional<HeldLease>();
  if (answer.contains("sub_sequence")) lease.place.sub_sequence = wire::CountOf(answer, "sub_sequence");
  return std::optional(std::move(lease));
}

Result<std::vector<HeldLease>> ApplicationClient::Renew(const std::vector<HeldLease>& leases) {
  std::vector<HeldLease> lost;
  for (std::size_t at = 0; at < leases.size(); at += kRenewalsMax) {
    boost::json::array list;
    for (std::size_t i = at; i < leases.size() && i < at + kRenewalsMax; ++i) {
      boost::json::object each;
      each["stream"] = options_.stream;
      each["shard"] = leases[i].shard;
      each["counter"] = leases[i].counter;
      list.push_back(std::move(each));
    }
    boost::json::object body;
    body["owner"] = options_.owner;
    body["leases"] = std::move(list);
    MILLRACE_ASSIGN_OR_RETURN(auto answer, client_.Own("POST", Path("leases/renew"), &body));
    const auto* gone = wire::ListOf(answer, "lost");
    if (gone == nullptr) return Error{ErrorCode::kInternal, "an answer without the leases that are lost"};
    for (const auto& value : *gone) {
      if (!value.is_object()) continue;
      lost.push_back({wire::TextOf(value.get_object(), "shard"),
                      wire::CountOf(value.get_object(), "counter"),
                      {},
                      false});
    }
  }
  return lost;
}

Result<void> ApplicationClient::Release(const HeldLease& lease) {
  const boost::json::object body = BodyOf(lease.shard, lease.counter);
  MILLRACE_RETURN_IF_ERROR(client_.Own("POST", Path("leases/release"), &body));
  return {};
}

Result<std::uint64_t> ApplicationClient::Attempt(const std::string& shard, std::uint64_t counter,
                                                 const std::string& what) {
  boost::json::object body = BodyOf(shard, counter);
  body["what"] = what;
  MILLRACE_ASSIGN_OR_RETURN(auto answer, client_.Own("POST", Path("leases/attempt"), &body));
  return wire::CountOf(answer, "attempts");
}

Result<void> ApplicationClient::Commit(const CommitRequest& request) {
  boost::json::object body = BodyOf(request.shard, request.counter);
  body["checkpoint"] = request.place ? request.place->sequence_number : std::string(kShardEnd);
  if (request.place && request.place->sub_sequence) body["sub_sequence"] = *request.place->sub_sequence;
  boost::json::array records;
  if (request.results != nullptr) {
    for (const WorkerResult& result : *request.results) records.push_back(ToJson(result));
  }
  body["records"] = std::move(records);
  MILLRACE_RETURN_IF_ERROR(client_.Own("POST", Path("commit"), &body));
  return {};
}

}  // namespace millrace::consumer
