// The routes of what analyzers found in a video stream: /v1/streams/{name}/faces, …/events, …/thumbnails.
#include <boost/json/array.hpp>

#include "api/http/handlers.h"
#include "api/v1/application_service.h"
#include "api/v1/json.h"
#include "api/v1/result_reader.h"

namespace millrace::api {
namespace {

Result<std::string> Faces(const ApplicationServices& services, const std::string& stream,
                          const Target& target) {
  MILLRACE_RETURN_IF_ERROR(target.CheckQuery({"start", "end", "limit", "next"}));
  MILLRACE_ASSIGN_OR_RETURN(ResultQuery query, ParseResultQuery(target, stream));
  query.streams = {kFacesStream};
  MILLRACE_ASSIGN_OR_RETURN(
      auto answer,
      ReadResults(services.log, query, "records", [](boost::json::object& record, boost::json::array& shown) {
        shown.push_back(std::move(record));
      }));
  return ToText(answer);
}

Result<std::string> Thumbnails(const ApplicationServices& services, const std::string& stream,
                               const Target& target) {
  MILLRACE_RETURN_IF_ERROR(target.CheckQuery({"start", "end", "limit", "next"}));
  MILLRACE_ASSIGN_OR_RETURN(ResultQuery query, ParseResultQuery(target, stream));
  query.streams = services.result_streams;
  query.attribute = kResultThumbnailAttribute;
  MILLRACE_ASSIGN_OR_RETURN(
      auto answer,
      ReadResults(services.log, query, "records", [](boost::json::object& record, boost::json::array& shown) {
        if (record.contains("Thumbnail")) {
          shown.push_back(std::move(record));
        }
      }));
  return ToText(answer);
}

// "MotionStarted,MotionStopped"; empty: all.
std::set<std::string, std::less<>> ParseTypes(std::string_view text) {
  std::set<std::string, std::less<>> types;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    if (comma != 0) types.emplace(text.substr(0, comma));
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
  }
  return types;
}

// The member of a member, where both are there.
const boost::json::value* Inner(const boost::json::object& record, std::initializer_list<const char*> path) {
  const boost::json::object* object = &record;
  const boost::json::value* value = nullptr;
  for (const char* name : path) {
    value = object != nullptr ? object->if_contains(name) : nullptr;
    object = value != nullptr ? value->if_object() : nullptr;
  }
  return value;
}

// Each event as the analyzer wrote it, with who says so of which fragment.
Result<std::string> Events(const ApplicationServices& services, const std::string& stream,
                           const Target& target) {
  MILLRACE_RETURN_IF_ERROR(target.CheckQuery({"start", "end", "limit", "next", "types"}));
  MILLRACE_ASSIGN_OR_RETURN(ResultQuery query, ParseResultQuery(target, stream));
  query.streams = services.result_streams;
  query.attribute = kResultEventAttribute;
  const auto types = ParseTypes(target.Query("types").value_or(""));
  const ShowResult show = [&](boost::json::object& record, boost::json::array& shown) {
    const auto* events = Inner(record, {"Events"});
    if (events == nullptr || !events->is_array()) return;
    const auto* analyzer = Inner(record, {"StreamProcessorInformation", "Analyzer"});
    const auto* fragment = Inner(record, {"InputInformation", "KinesisVideo", "FragmentNumber"});
    for (const boost::json::value& item : events->get_array()) {
      const auto* type = item.is_object() ? item.get_object().if_contains("Type") : nullptr;
      if (type == nullptr || !type->is_string()) continue;
      const std::string_view name{type->get_string().data(), type->get_string().size()};
      if (!types.empty() && !types.contains(name)) continue;
      boost::json::object event = item.get_object();
      if (analyzer != nullptr) event["Analyzer"] = *analyzer;
      if (fragment != nullptr) event["FragmentNumber"] = *fragment;
      shown.push_back(std::move(event));
    }
  };
  MILLRACE_ASSIGN_OR_RETURN(auto answer, ReadResults(services.log, query, "events", show));
  return ToText(answer);
}

using Listing = Result<std::string> (*)(const ApplicationServices&, const std::string&, const Target&);

void AddListing(Router& router, const ApplicationServices& services, const std::string& path, Listing list) {
  router.Add("GET", path,
             [&services, list](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               auto work = [&]() -> Result<std::string> {
                 return list(services, request.Parameter("name"), request.target);
               };
               co_await RespondWith(services.pool, writer, work);
             });
}

}  // namespace

void AddResultRoutes(Router& router, const ApplicationServices& services) {
  AddListing(router, services, "/v1/streams/{name}/faces", Faces);
  AddListing(router, services, "/v1/streams/{name}/events", Events);
  AddListing(router, services, "/v1/streams/{name}/thumbnails", Thumbnails);
}

}  // namespace millrace::api
