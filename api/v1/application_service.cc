#include "api/v1/application_service.h"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <set>

#include "api/access/caller.h"
#include "api/aws/aws_body.h"
#include "api/http/handlers.h"
#include "api/v1/camera_json.h"
#include "api/v1/gather_error.h"
#include "api/v1/json.h"

namespace millrace::api {
namespace {

constexpr std::size_t kCommitBodyBytesMax = 16 * 1024 * 1024;
constexpr std::size_t kRenewalsMax = 10'000;
constexpr std::size_t kRenewBodyBytesMax = 2 * 1024 * 1024;

Error InvalidRequest(std::string text) { return {ErrorCode::kInvalidArgument, std::move(text)}; }

boost::json::object ToJson(const ShardLease& lease) {
  boost::json::object object;
  object["stream"] = lease.stream;
  object["shard"] = lease.shard.ToString();
  object["owner"] = TextOrNull(lease.owner);
  object["counter"] = lease.counter;
  object["expires"] = TimeOrNull(lease.expires);
  object["expired"] = lease.expired;
  if (lease.ended) {
    object["checkpoint"] = "SHARD_END";
  } else if (lease.checkpoint) {
    object["checkpoint"] = lease.checkpoint->ToString();
    if (lease.sub_sequence) object["sub_sequence"] = *lease.sub_sequence;
  } else {
    object["checkpoint"] = nullptr;
  }
  object["ready"] = lease.ready;
  object["suspect"] = lease.suspect;
  return object;
}

std::string ToAnswer(const std::vector<ShardLease>& leases) {
  boost::json::array list;
  for (const ShardLease& lease : leases) list.push_back(ToJson(lease));
  boost::json::object answer;
  answer["leases"] = std::move(list);
  return ToText(answer);
}

Result<storage::IteratorStart> ParseStart(const std::string& text) {
  storage::IteratorStart start;
  if (text == "TRIM_HORIZON") return start;
  if (text == "LATEST") {
    start.type = storage::IteratorType::kLatest;
    return start;
  }
  start.type = storage::IteratorType::kAtTimestamp;
  auto time = ParseTime(text);
  if (!time) return InvalidRequest("'start' is \"LATEST\", \"TRIM_HORIZON\" or a time");
  start.timestamp = *time;
  return start;
}

// What names a lease, in every body.
struct LeaseBody {
  std::string stream;
  storage::ShardId shard;
  std::string owner;
  std::uint64_t counter = 0;
  std::optional<std::uint64_t> steal_counter;
  Duration length = std::chrono::seconds(30);
};

Result<Duration> ParseLength(ObjectReader& reader) {
  auto seconds = reader.Number("seconds", 1, 600);
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds.value_or(30)));
}

Result<LeaseBody> ParseLeaseBody(boost::json::object object, bool take) {
  ObjectReader reader(
      object,
      take ? std::initializer_list<std::string_view>{"stream", "shard", "owner", "seconds", "steal_counter"}
           : std::initializer_list<std::string_view>{"stream", "shard", "owner", "counter"});
  LeaseBody body;
  auto stream = reader.String("stream", 128);
  auto shard = reader.String("shard", 64);
  auto owner = reader.String("owner", 128);
  if (take) {
    body.steal_counter = reader.Count("steal_counter", 0);
    MILLRACE_ASSIGN_OR_RETURN(body.length, ParseLength(reader));
  } else {
    body.counter = reader.Count("counter", 1).value_or(0);
    if (body.counter == 0) reader.Fail("'counter' is required");
  }
  MILLRACE_RETURN_IF_ERROR(reader.Finish());
  if (!stream || !shard || !owner) return InvalidRequest("'stream', 'shard' and 'owner' are required");
  MILLRACE_RETURN_IF_ERROR(CheckName(*stream, "stream name"));
  MILLRACE_RETURN_IF_ERROR(CheckName(*owner, "owner"));
  auto id = storage::ShardId::Parse(*shard);
  if (!id) return WithContext(std::move(id).error(), "'shard'");
  body.stream = std::move(*stream);
  body.shard = *id;
  body.owner = std::move(*owner);
  return body;
}

Result<std::string> Begin(const ApplicationServices& services, const std::string& application,
                          std::string_view json, Caller*) {
  MILLRACE_RETURN_IF_ERROR(CheckName(application, "application's name"));
  MILLRACE_ASSIGN_OR_RETURN(boost::json::object object, ParseJsonObject(json));
  ObjectReader reader(object, {"stream", "start"});
  auto stream = reader.String("stream", 128);
  auto start = reader.String("start", 64);
  MILLRACE_RETURN_IF_ERROR(reader.Finish());
  if (!stream) return InvalidRequest("'stream' is required");
  MILLRACE_RETURN_IF_ERROR(CheckName(*stream, "stream name"));
  MILLRACE_ASSIGN_OR_RETURN(storage::IteratorStart parsed, ParseStart(start.value_or("LATEST")));
  MILLRACE_ASSIGN_OR_RETURN(auto leases, services.leases.Begin(application, *stream, parsed));
  return ToAnswer(leases);
}

Result<std::string> Renew(const ApplicationServices& services, const std::string& application,
                          std::string_view json, Caller*) {
  MILLRACE_RETURN_IF_ERROR(CheckName(application, "application's name"));
  MILLRACE_ASSIGN_OR_RETURN(boost::json::object object, ParseJsonObject(json, kRenewBodyBytesMax));
  boost::json::array leases;
  if (auto* found = object.if_contains("leases"); found != nullptr && found->is_array()) {
    leases = std::move(found->get_array());
  } else {
    return InvalidRequest("'leases' is a list of {\"stream\", \"shard\", \"counter\"}");
  }
  object.erase("leases");
  ObjectReader reader(object, {"owner", "leases"});
  auto owner = reader.String("owner", 128);
  MILLRACE_RETURN_IF_ERROR(reader.Finish());
  if (!owner) return InvalidRequest("'owner' is required");
  if (leases.size() > kRenewalsMax) return InvalidRequest("'leases' has too many of them");
  std::vector<ApplicationLeases::Held> held;
  for (const boost::json::value& value : leases) {
    if (!value.is_object()) return InvalidRequest("'leases' is a list of objects");
    ObjectReader each(value.get_object(), {"stream", "shard", "counter"});
    auto stream = each.String("stream", 128);
    auto shard = each.String("shard", 64);
    auto counter = each.Count("counter", 1);
    MILLRACE_RETURN_IF_ERROR(each.Finish());
    if (!stream || !shard || !counter) return InvalidRequest("'stream', 'shard' and 'counter' are required");
    MILLRACE_RETURN_IF_ERROR(CheckName(*stream, "stream name"));
    auto id = storage::ShardId::Parse(*shard);
    if (!id) return WithContext(std::move(id).error(), "'shard'");
    held.push_back({std::move(*stream), *id, *counter});
  }
  boost::json::array lost;
  for (const auto& lease : services.leases.Renew(application, *owner, held)) {
    boost::json::object each;
    each["stream"] = lease.stream;
    each["shard"] = lease.shard.ToString();
    each["counter"] = lease.counter;
    lost.push_back(std::move(each));
  }
  boost::json::object answer;
  answer["lost"] = std::move(lost);
  return ToText(answer);
}

Result<std::string> Take(const ApplicationServices& services, const std::string& application,
                         std::string_view json, Caller*) {
  MILLRACE_RETURN_IF_ERROR(CheckName(application, "application's name"));
  MILLRACE_ASSIGN_OR_RETURN(boost::json::object object, ParseJsonObject(json));
  MILLRACE_ASSIGN_OR_RETURN(LeaseBody body, ParseLeaseBody(std::move(object), true));
  MILLRACE_ASSIGN_OR_RETURN(
      ShardLease lease, services.leases.Take(application, body.stream, body.shard, body.owner, body.length,
                                             body.steal_counter));
  return ToText(ToJson(lease));
}

Result<std::string> Release(const ApplicationServices& services, const std::string& application,
                            std::string_view json, Caller*) {
  MILLRACE_RETURN_IF_ERROR(CheckName(application, "application's name"));
  MILLRACE_ASSIGN_OR_RETURN(boost::json::object object, ParseJsonObject(json));
  MILLRACE_ASSIGN_OR_RETURN(LeaseBody body, ParseLeaseBody(std::move(object), false));
  MILLRACE_RETURN_IF_ERROR(
      services.leases.Release(application, body.stream, body.shard, body.owner, body.counter));
  return std::string("{}");
}

Result<std::string> Attempt(const ApplicationServices& services, const std::string& application,
                            std::string_view json, Caller*) {
  MILLRACE_RETURN_IF_ERROR(CheckName(application, "application's name"));
  MILLRACE_ASSIGN_OR_RETURN(boost::json::object object, ParseJsonObject(json));
  boost::json::object only;
  if (auto* found = object.if_contains("what")) only["what"] = *found;
  object.erase("what");
  ObjectReader reader(only, {"what"});
  auto what = reader.String("what", 256);
  MILLRACE_RETURN_IF_ERROR(reader.Finish());
  if (!what || what->empty()) return InvalidRequest("'what' is required");
  MILLRACE_ASSIGN_OR_RETURN(LeaseBody body, ParseLeaseBody(std::move(object), false));
  MILLRACE_ASSIGN_OR_RETURN(
      std::uint64_t attempts,
      services.leases.Attempt(application, body.stream, body.shard, body.owner, body.counter, *what));
  boost::json::object answer;
  answer["attempts"] = attempts;
  return ToText(answer);
}

Result<std::string> Commit(const ApplicationServices& services, const std::string& application,
                           std::string_view json, Caller* caller) {
  MILLRACE_RETURN_IF_ERROR(CheckName(application, "application's name"));
  MILLRACE_ASSIGN_OR_RETURN(ApplicationCommit commit, ParseApplicationCommit(json));
  std::set<std::string> asked;
  for (const ApplicationRecord& record : commit.records) {
    if (services.internal_streams.contains(record.stream)) {
      return Error{ErrorCode::kPermissionDenied,
                   "stream '" + record.stream + "' is internal: records are not put there from outside"};
    }
    // It is a put, whatever way it takes.
    if (asked.insert(record.stream).second) {
      MILLRACE_RETURN_IF_ERROR(
          Authorize(caller, "kinesis:PutRecords", services.identity.DataStreamArn(record.stream)));
    }
  }
  MILLRACE_ASSIGN_OR_RETURN(auto committed, services.leases.Commit(application, std::move(commit)));
  boost::json::object answer;
  answer["repeated"] = committed.repeated;
  answer["records"] = committed.records;
  return ToText(answer);
}

Result<std::string> ListApplications(const ApplicationServices& services) {
  boost::json::array list;
  for (const std::string& name : services.leases.Applications()) {
    boost::json::object object;
    object["name"] = name;
    list.push_back(std::move(object));
  }
  boost::json::object answer;
  answer["applications"] = std::move(list);
  return ToText(answer);
}

using Action = Result<std::string> (*)(const ApplicationServices&, const std::string&, std::string_view,
                                       Caller*);

// A POST with a JSON body for one application. The budget's share is taken as the body comes: requests that
// only announce one hold nothing.
void AddAction(Router& router, const ApplicationServices& services, const std::string& path,
               std::size_t body_bytes_max, Action action) {
  router.Add(
      "POST", "/v1/applications/{app}/" + path,
      [&services, body_bytes_max, action](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
        auto body = co_await GatherAwsBody(request, services.budget, body_bytes_max);
        if (!body) {
          co_await RespondGatherError(writer, std::move(body).error());
          co_return;
        }
        auto work = [&]() -> Result<std::string> {
          MILLRACE_RETURN_IF_ERROR(request.target.CheckQuery({}));
          return action(services, request.Parameter("app"), body->text, request.caller.get());
        };
        co_await RespondWith(services.pool, writer, work);
      });
}

}  // namespace

void AddApplicationRoutes(Router& router, const ApplicationServices& services) {
  router.Add("GET", "/v1/applications",
             [&services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               auto work = [&]() -> Result<std::string> {
                 MILLRACE_RETURN_IF_ERROR(request.target.CheckQuery({}));
                 return ListApplications(services);
               };
               co_await RespondWith(services.pool, writer, work);
             });
  router.Add("GET", "/v1/applications/{app}",
             [&services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               auto work = [&]() -> Result<std::string> {
                 MILLRACE_RETURN_IF_ERROR(request.target.CheckQuery({}));
                 MILLRACE_RETURN_IF_ERROR(CheckName(request.Parameter("app"), "application's name"));
                 MILLRACE_ASSIGN_OR_RETURN(auto leases, services.leases.List(request.Parameter("app")));
                 return ToAnswer(leases);
               };
               co_await RespondWith(services.pool, writer, work);
             });
  router.Add("DELETE", "/v1/applications/{app}",
             [&services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               auto work = [&]() -> Result<std::string> {
                 MILLRACE_RETURN_IF_ERROR(request.target.CheckQuery({}));
                 MILLRACE_RETURN_IF_ERROR(CheckName(request.Parameter("app"), "application's name"));
                 MILLRACE_RETURN_IF_ERROR(services.leases.Delete(request.Parameter("app")));
                 boost::json::object answer;
                 answer["deleted"] = request.Parameter("app");
                 return ToText(answer);
               };
               co_await RespondWith(services.pool, writer, work);
             });
  AddAction(router, services, "begin", kJsonBodyBytesMax, Begin);
  AddAction(router, services, "leases/take", kJsonBodyBytesMax, Take);
  AddAction(router, services, "leases/renew", kRenewBodyBytesMax, Renew);
  AddAction(router, services, "leases/release", kJsonBodyBytesMax, Release);
  AddAction(router, services, "leases/attempt", kJsonBodyBytesMax, Attempt);
  AddAction(router, services, "commit", kCommitBodyBytesMax, Commit);
  AddResultRoutes(router, services);
}

}  // namespace millrace::api
