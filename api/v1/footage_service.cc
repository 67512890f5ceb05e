// Deleting stretches of a stream's footage, and holding them: docs/http-api.md.
#include <boost/json/array.hpp>

#include "api/access/caller.h"
#include "api/http/handlers.h"
#include "api/v1/json.h"
#include "api/v1/services.h"
#include "api/v1/time_range.h"

namespace millrace::api {
namespace {

std::string NameOf(const Caller* caller) { return caller == nullptr ? std::string() : caller->name(); }

// Both ends: nobody is to delete everything by leaving one out.
Result<FootageRange> ParseFootageRange(const Target& target) {
  MILLRACE_RETURN_IF_ERROR(target.CheckQuery({"start", "end", "clock"}));
  MILLRACE_ASSIGN_OR_RETURN(const TimeRange range, ParseTimeRange(target));
  if (!range.start || !range.end) {
    return Error{ErrorCode::kInvalidArgument,
                 "'start' and 'end' are both needed: what is deleted does not come back"};
  }
  FootageRange footage{*range.start, *range.end};
  if (const auto text = target.Query("clock")) {
    const auto clock = FootageClockFromString(*text);
    if (!clock) return Error{ErrorCode::kInvalidArgument, "'clock' is 'producer' or 'server'"};
    footage.clock = *clock;
  }
  return footage;
}

Result<std::string> DeleteFootage(const StreamServices& services, const std::string& name,
                                  const FootageRange& range, const Caller* caller) {
  MILLRACE_ASSIGN_OR_RETURN(const DeletedFootage deleted, services.store.DeleteFootage(name, range));
  const std::string who = NameOf(caller);
  const std::string detail =
      "deleted" + (who.empty() ? std::string() : " by " + who) + " at " + FormatRfc3339(services.clock.Now());
  boost::json::array spans;
  for (const FootageSpan& span : deleted.spans) {
    boost::json::object object;
    object["start"] = FormatRfc3339(span.start);
    object["end"] = FormatRfc3339(span.end);
    spans.push_back(std::move(object));
    services.ledger.Add(
        name, {.start = span.start, .end = span.end, .cause = GapCause::kDeleted, .detail = detail});
  }
  // What the disk refuses of it for now is in memory, and tried again.
  (void)services.ledger.Flush();
  boost::json::object answer;
  answer["deleted_fragments"] = deleted.fragments;
  answer["deleted_bytes"] = deleted.bytes;
  answer["spans"] = std::move(spans);
  return ToText(answer);
}

boost::json::object Describe(const FootageHold& hold) {
  boost::json::object object;
  object["id"] = hold.id;
  object["start"] = FormatRfc3339(hold.start);
  object["end"] = nullptr;
  if (hold.end != FootageHold::kOpenEnd) object["end"] = FormatRfc3339(hold.end);
  object["reason"] = hold.reason;
  object["placed"] = FormatRfc3339(hold.placed);
  object["placed_by"] = TextOrNull(hold.placed_by);
  return object;
}

Result<FootageHold> ParseHold(const std::string& id, std::string_view body, const Caller* caller) {
  MILLRACE_ASSIGN_OR_RETURN(const boost::json::object object, ParseJsonObject(body));
  ObjectReader reader(object, {"start", "end", "reason"});
  const auto start = reader.String("start", 64);
  const auto end = reader.String("end", 64);
  FootageHold hold;
  hold.id = id;
  hold.reason = reader.String("reason", kHoldReasonBytesMax).value_or("");
  hold.placed_by = NameOf(caller);
  MILLRACE_RETURN_IF_ERROR(reader.Finish());
  if (!start) {
    return Error{ErrorCode::kInvalidArgument, "'start' is needed; without 'end' the hold is open"};
  }
  for (const auto& [text, name, place] :
       {std::tuple{&start, "'start'", &hold.start}, std::tuple{&end, "'end'", &hold.end}}) {
    if (!*text) continue;
    auto time = ParseTime(**text);
    if (!time) return WithContext(std::move(time).error(), name);
    *place = *time;
  }
  return hold;
}

struct HoldAnswer {
  bool created = false;
  std::string json;
};

Result<std::optional<FootageHold>> FindHold(FragmentStore& store, const std::string& name,
                                            const std::string& id) {
  MILLRACE_ASSIGN_OR_RETURN(const auto holds, store.ListHolds(name));
  for (const FootageHold& hold : holds) {
    if (hold.id == id) return std::optional(hold);
  }
  return std::optional<FootageHold>();
}

Result<HoldAnswer> PutHold(const StreamServices& services, const std::string& name, const std::string& id,
                           std::string_view body, const Caller* caller) {
  MILLRACE_ASSIGN_OR_RETURN(FootageHold hold, ParseHold(id, body, caller));
  MILLRACE_ASSIGN_OR_RETURN(const auto before, FindHold(services.store, name, id));
  MILLRACE_ASSIGN_OR_RETURN(const FootageHold placed, services.store.PlaceHold(name, std::move(hold)));
  return HoldAnswer{!before, ToText(Describe(placed))};
}

Result<std::string> ListHolds(const StreamServices& services, const std::string& name) {
  MILLRACE_ASSIGN_OR_RETURN(const auto holds, services.store.ListHolds(name));
  boost::json::array list;
  for (const FootageHold& hold : holds) list.push_back(Describe(hold));
  boost::json::object answer;
  answer["holds"] = std::move(list);
  return ToText(answer);
}

Result<std::string> ShowHold(const StreamServices& services, const std::string& name, const std::string& id) {
  MILLRACE_ASSIGN_OR_RETURN(const auto hold, FindHold(services.store, name, id));
  if (!hold) return Error{ErrorCode::kNotFound, "stream '" + name + "' has no hold '" + id + "'"};
  return ToText(Describe(*hold));
}

Result<std::string> ReleaseHold(const StreamServices& services, const std::string& name,
                                const std::string& id) {
  MILLRACE_RETURN_IF_ERROR(services.store.ReleaseHold(name, id));
  boost::json::object answer;
  answer["released"] = id;
  return ToText(answer);
}

}  // namespace

void AddFootageRoutes(Router& router, StreamServices services) {
  router.Add("DELETE", "/v1/streams/{name}/footage",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               auto work = [&]() -> Result<std::string> {
                 MILLRACE_ASSIGN_OR_RETURN(const FootageRange range, ParseFootageRange(request.target));
                 return DeleteFootage(services, request.Parameter("name"), range, request.caller.get());
               };
               co_await RespondWith(services.pool, writer, work);
             });
  router.Add("GET", "/v1/streams/{name}/holds",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               auto work = [&]() -> Result<std::string> {
                 MILLRACE_RETURN_IF_ERROR(request.target.CheckQuery({}));
                 return ListHolds(services, request.Parameter("name"));
               };
               co_await RespondWith(services.pool, writer, work);
             });
  router.Add("GET", "/v1/streams/{name}/holds/{id}",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               auto work = [&]() -> Result<std::string> {
                 MILLRACE_RETURN_IF_ERROR(request.target.CheckQuery({}));
                 return ShowHold(services, request.Parameter("name"), request.Parameter("id"));
               };
               co_await RespondWith(services.pool, writer, work);
             });
  router.Add("PUT", "/v1/streams/{name}/holds/{id}",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               auto body = co_await ReadBody(request, kJsonBodyBytesMax);
               if (!body) {
                 co_await RespondBodyError(writer, std::move(body).error());
                 co_return;
               }
               auto work = [&]() -> Result<HoldAnswer> {
                 MILLRACE_RETURN_IF_ERROR(request.target.CheckQuery({}));
                 return PutHold(services, request.Parameter("name"), request.Parameter("id"), *body,
                                request.caller.get());
               };
               auto answer = co_await services.pool.Run(work);
               if (answer) {
                 co_await RespondJson(writer, answer->created ? 201 : 200, std::move(answer->json));
               } else {
                 co_await RespondError(writer, std::move(answer).error());
               }
             });
  router.Add("DELETE", "/v1/streams/{name}/holds/{id}",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               auto work = [&]() -> Result<std::string> {
                 MILLRACE_RETURN_IF_ERROR(request.target.CheckQuery({}));
                 return ReleaseHold(services, request.Parameter("name"), request.Parameter("id"));
               };
               co_await RespondWith(services.pool, writer, work);
             });
}

}  // namespace millrace::api
