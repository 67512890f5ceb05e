#include <algorithm>
#include <boost/json/array.hpp>
#include <charconv>

#include "api/access/caller.h"
#include "api/http/handlers.h"
#include "api/v1/json.h"
#include "api/v1/services.h"
#include "api/v1/time_range.h"

namespace millrace::api {
namespace {

constexpr std::size_t kCoverageIntervalsMax = 10'000;
constexpr std::size_t kFragmentsDefault = 100;
constexpr std::size_t kFragmentsMax = 1000;

boost::json::string TimeText(Timestamp time) { return boost::json::string(FormatRfc3339(time)); }

double Hours(Duration duration) { return std::chrono::duration<double, std::ratio<3600>>(duration).count(); }

Result<boost::json::object> DescribeStream(const StreamServices& services, const VideoStream& stream) {
  MILLRACE_ASSIGN_OR_RETURN(StreamUsage usage, services.store.Usage(stream.name));
  MILLRACE_ASSIGN_OR_RETURN(std::shared_ptr<LiveFeed> live, services.store.Live(stream.name));
  boost::json::object object;
  object["name"] = stream.name;
  object["created"] = TimeText(stream.created);
  object["retention_hours"] = Number(Hours(stream.retention));
  object["fragments"] = usage.fragments;
  object["bytes"] = usage.bytes;
  object["first"] = TimeOrNull(usage.first);
  object["last"] = TimeOrNull(usage.last);
  object["live"] = live->live();
  auto camera = services.camera_of(stream.name);
  if (camera) {
    object["camera"] = *camera;
  } else {
    object["camera"] = nullptr;
  }
  return object;
}

Result<std::string> ListStreams(const StreamServices& services, const Caller* caller) {
  boost::json::array list;
  for (const VideoStream& stream : services.store.ListStreams()) {
    if (!Sees(caller, "millrace:GetStream", "stream/" + stream.name)) continue;
    auto described = DescribeStream(services, stream);
    if (described) {
      list.push_back(std::move(*described));
    } else if (described.error().code != ErrorCode::kNotFound) {  // deleted meanwhile
      return std::move(described).error();
    }
  }
  boost::json::object answer;
  answer["streams"] = std::move(list);
  return ToText(answer);
}

Result<std::string> ShowStream(const StreamServices& services, const std::string& name) {
  MILLRACE_ASSIGN_OR_RETURN(VideoStream stream, services.store.GetStream(name));
  MILLRACE_ASSIGN_OR_RETURN(boost::json::object object, DescribeStream(services, stream));
  return ToText(object);
}

Result<std::string> DeleteStream(const StreamServices& services, const std::string& name) {
  MILLRACE_RETURN_IF_ERROR(services.store.GetStream(name));
  if (auto camera = services.camera_of(name)) {
    return Error{ErrorCode::kFailedPrecondition,
                 "stream '" + name + "' is fed by camera '" + *camera +
                     "': remove the camera first, or with its footage (?footage=purge)"};
  }
  MILLRACE_RETURN_IF_ERROR(services.store.DeleteStream(name));
  boost::json::object answer;
  answer["deleted"] = name;
  return ToText(answer);
}

Result<std::string> Coverage(const StreamServices& services, const std::string& name,
                             const TimeRange& asked) {
  Timestamp end = asked.end.value_or(services.clock.Now());
  Timestamp start = asked.start.value_or(end - std::chrono::hours(24));
  if (end <= start) return Error{ErrorCode::kInvalidArgument, "'start' must be before 'end', which is now"};
  MILLRACE_RETURN_IF_ERROR(services.store.GetStream(name));
  MILLRACE_ASSIGN_OR_RETURN(auto intervals, services.ledger.Report(name, start, end, kCoverageIntervalsMax));
  boost::json::array list;
  for (const CoverageSpan& interval : intervals) {
    boost::json::object object;
    object["start"] = TimeText(interval.start);
    object["end"] = TimeText(interval.end);
    object["state"] = JsonView(ToString(interval.state));
    if (interval.state == CoverageState::kGap) {
      object["cause"] = JsonView(ToString(interval.cause));
      if (!interval.detail.empty()) object["detail"] = interval.detail;
    }
    list.push_back(std::move(object));
  }
  boost::json::object answer;
  answer["start"] = TimeText(start);
  answer["end"] = TimeText(end);
  answer["intervals"] = std::move(list);
  return ToText(answer);
}

// Where a listing goes on: behind this fragment, in the order that it was asked for.
struct FragmentsPage {
  TimeRange range;
  std::optional<FragmentNumber> after;                       // by number, above this one
  std::optional<std::pair<Timestamp, FragmentNumber>> next;  // by time, behind this one
  std::size_t limit = kFragmentsDefault;
  bool newest = false;  // the last `limit` ones
};

std::string NextToken(const FragmentFacts& last) {
  return std::to_string(last.start.ns) + "-" + last.number.ToString();
}

Result<FragmentsPage> ParseFragmentsPage(const Target& target) {
  MILLRACE_RETURN_IF_ERROR(target.CheckQuery({"start", "end", "limit", "next", "after", "last"}));
  FragmentsPage page;
  MILLRACE_ASSIGN_OR_RETURN(page.range, ParseTimeRange(target));
  MILLRACE_ASSIGN_OR_RETURN(page.limit, target.Count("limit", kFragmentsDefault, kFragmentsMax));
  page.newest = target.Query("last").has_value();
  if (page.newest) {
    if (target.query.size() > 1) return Error{ErrorCode::kInvalidArgument, "'last' stands alone"};
    MILLRACE_ASSIGN_OR_RETURN(page.limit, target.Count("last", 1, kFragmentsMax));
  }
  if (auto after = target.Query("after")) {
    if (page.range.start || page.range.end || target.Query("next")) {
      return Error{ErrorCode::kInvalidArgument,
                   "'after' lists by number: leave 'start', 'end' and 'next' out"};
    }
    auto number = FragmentNumber::Parse(*after);
    if (!number) return WithContext(std::move(number).error(), "'after'");
    page.after = *number;
  }
  if (auto next = target.Query("next")) {
    auto dash = next->find('-', 1);
    auto number =
        FragmentNumber::Parse(dash == std::string_view::npos ? std::string_view() : next->substr(dash + 1));
    std::string_view ns = next->substr(0, dash);
    Timestamp start;
    auto [end, ec] = std::from_chars(ns.data(), ns.data() + ns.size(), start.ns);
    if (!number || ec != std::errc() || end != ns.data() + ns.size()) {
      return Error{ErrorCode::kInvalidArgument,
                   "'next' is not a token of an earlier answer: give it back as it was"};
    }
    page.next = {start, *number};
  }
  return page;
}

Result<std::vector<FragmentFacts>> FindFragments(FragmentStore& store, const std::string& name,
                                                 const FragmentsPage& page) {
  FragmentQuery query;
  query.limit = page.limit + 1;  // one more tells whether there is a next page
  if (page.newest) {
    query.order = FragmentOrder::kNumber;
    query.descending = true;
    query.limit = page.limit;
    auto found = store.List(name, query);
    if (found) std::reverse(found->begin(), found->end());
    return found;
  }
  if (page.after) {
    query.order = FragmentOrder::kNumber;
    query.from_number = FragmentNumber{page.after->counter + 1, 0, 0};
    return store.List(name, query);
  }
  query.from = page.range.start;
  if (page.range.end) query.to = *page.range.end - Duration{1};
  if (page.next) {
    // Several fragments may begin at one time: those up to the one that was shown last are left out below.
    query.from = page.next->first;
    query.limit += 16;
  } else if (page.range.start) {
    auto containing = store.FindContaining(name, *page.range.start);
    if (containing) query.from = containing->start;
  }
  MILLRACE_ASSIGN_OR_RETURN(auto found, store.List(name, query));
  if (page.next) {
    std::erase_if(found, [&](const FragmentFacts& facts) {
      return facts.start == page.next->first && facts.number <= page.next->second;
    });
  }
  return found;
}

Result<std::string> Fragments(const StreamServices& services, const std::string& name,
                              const FragmentsPage& page) {
  MILLRACE_RETURN_IF_ERROR(services.store.GetStream(name));
  MILLRACE_ASSIGN_OR_RETURN(auto found, FindFragments(services.store, name, page));
  bool more = found.size() > page.limit;
  if (more) found.resize(page.limit);
  boost::json::array list;
  for (const FragmentFacts& facts : found) {
    boost::json::object object;
    object["number"] = facts.number.ToString();
    object["start"] = TimeText(facts.start);
    object["end"] = TimeText(facts.end_time());
    object["server_time"] = TimeText(facts.server_start);
    object["bytes"] = facts.bytes;
    object["run"] = facts.run;
    object["independent"] = facts.independent;
    object["damaged"] = facts.damaged;
    list.push_back(std::move(object));
  }
  boost::json::object answer;
  answer["fragments"] = std::move(list);
  if (more && !page.after) {
    answer["next"] = NextToken(found.back());
  } else {
    answer["next"] = nullptr;
  }
  return ToText(answer);
}

}  // namespace

void AddStreamRoutes(Router& router, StreamServices services) {
  router.Add("GET", "/v1/streams",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               auto work = [&]() -> Result<std::string> {
                 MILLRACE_RETURN_IF_ERROR(request.target.CheckQuery({}));
                 return ListStreams(services, request.caller.get());
               };
               co_await RespondWith(services.pool, writer, work);
             });
  router.Add("GET", "/v1/streams/{name}",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               auto work = [&]() -> Result<std::string> {
                 MILLRACE_RETURN_IF_ERROR(request.target.CheckQuery({}));
                 return ShowStream(services, request.Parameter("name"));
               };
               co_await RespondWith(services.pool, writer, work);
             });
  router.Add("DELETE", "/v1/streams/{name}",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               auto work = [&]() -> Result<std::string> {
                 MILLRACE_RETURN_IF_ERROR(request.target.CheckQuery({}));
                 return DeleteStream(services, request.Parameter("name"));
               };
               co_await RespondWith(services.pool, writer, work);
             });
  router.Add("GET", "/v1/streams/{name}/coverage",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               auto work = [&]() -> Result<std::string> {
                 MILLRACE_RETURN_IF_ERROR(request.target.CheckQuery({"start", "end"}));
                 MILLRACE_ASSIGN_OR_RETURN(TimeRange range, ParseTimeRange(request.target));
                 return Coverage(services, request.Parameter("name"), range);
               };
               co_await RespondWith(services.pool, writer, work);
             });
  router.Add("GET", "/v1/streams/{name}/fragments",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               auto work = [&]() -> Result<std::string> {
                 MILLRACE_ASSIGN_OR_RETURN(FragmentsPage page, ParseFragmentsPage(request.target));
                 return Fragments(services, request.Parameter("name"), page);
               };
               co_await RespondWith(services.pool, writer, work);
             });
  AddFootageRoutes(router, services);
}

}  // namespace millrace::api
