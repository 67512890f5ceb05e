#include <boost/json/array.hpp>
#include <cmath>

#include "api/access/caller.h"
#include "api/http/handlers.h"
#include "api/v1/camera_json.h"
#include "api/v1/json.h"
#include "api/v1/services.h"
#include "ingest/camera_fleet.h"

namespace millrace::api {
namespace {

boost::json::string Text(std::string_view text) { return boost::json::string(JsonView(text)); }

boost::json::array DescribeTracks(const std::vector<TrackInfo>& tracks) {
  boost::json::array list;
  for (const TrackInfo& track : tracks) {
    boost::json::object object;
    object["number"] = track.number;
    object["kind"] = track.kind() == TrackKind::kVideo ? "video" : "audio";
    object["codec"] = Text(ToString(track.codec));
    if (track.kind() == TrackKind::kVideo) {
      object["width"] = track.width;
      object["height"] = track.height;
    } else {
      object["sample_rate"] = track.sample_rate;
      object["channels"] = track.channels;
    }
    list.push_back(std::move(object));
  }
  return list;
}

// The stream's retention, which counts, once there is a stream.
boost::json::object DescribeCamera(const CameraServices& services, const CameraStatus& status) {
  const CameraSettings& settings = status.settings;
  const auto stream = services.store.GetStream(settings.stream);
  const Duration retention = stream ? stream->retention : settings.retention;
  boost::json::object object;
  object["name"] = settings.name;
  object["url"] = settings.url;
  object["stream"] = settings.stream;
  object["transport"] = settings.transport == CameraTransport::kUdp ? "udp" : "tcp";
  object["tls_verify"] = settings.tls_verify;
  boost::json::array analyzers;
  for (const std::string& analyzer : settings.analyzers) analyzers.push_back(Text(analyzer));
  object["analyzers"] = std::move(analyzers);
  object["retention_hours"] = Number(std::chrono::duration<double, std::ratio<3600>>(retention).count());
  boost::json::object labels;
  for (const auto& [key, value] : settings.labels) labels[key] = value;
  object["labels"] = std::move(labels);
  object["enabled"] = settings.enabled;
  object["has_credentials"] = status.has_credentials;
  object["state"] = Text(ToString(status.state));
  object["state_since"] = Text(FormatRfc3339(status.state_since));
  object["last_error"] = TextOrNull(status.last_error.value_or(""));
  object["next_retry"] = TimeOrNull(status.next_retry);
  object["connects"] = status.connects;
  object["attempts"] = status.attempts;
  object["frames"] = status.frames;
  object["bytes"] = status.bytes;
  object["times_corrected"] = status.times_corrected;
  object["clock_jumps"] = status.clock_jumps;
  object["bitrate_bps"] = Number(std::round(status.bitrate_bps));
  object["frame_rate"] = Number(std::round(status.frame_rate * 100) / 100);
  object["last_frame"] = TimeOrNull(status.last_frame);
  object["tracks"] = DescribeTracks(status.tracks);
  if (status.clock) {
    object["clock"] = *status.clock == ClockSource::kCamera ? "camera" : "arrival";
  } else {
    object["clock"] = nullptr;
  }
  return object;
}

// The name of the thing that does not exist, and how to find those that do.
Error WithHint(Error error) {
  if (error.code == ErrorCode::kNotFound) error.message += "; GET /v1/cameras lists them";
  return error;
}

Result<std::string> ListCameras(const CameraServices& services, const Caller* caller) {
  boost::json::array list;
  for (const CameraStatus& status : services.fleet.List()) {
    if (Sees(caller, "millrace:GetCamera", "camera/" + status.settings.name))
      list.push_back(DescribeCamera(services, status));
  }
  boost::json::object answer;
  answer["cameras"] = std::move(list);
  return ToText(answer);
}

Result<std::string> ShowCamera(const CameraServices& services, const std::string& name) {
  auto status = services.fleet.Get(name);
  if (!status) return WithHint(std::move(status).error());
  return ToText(DescribeCamera(services, *status));
}

struct PutAnswer {
  std::string json;
  bool created = false;
};

Error NoSuchAnalyzer(const std::string& analyzer, const std::set<std::string>& known) {
  std::string message = "analyzers: there is none named '" + analyzer + "'; known:";
  for (const std::string& name : known) message += " " + name;
  return Error{ErrorCode::kInvalidArgument, std::move(message)};
}

// Feeding a stream is a put, whatever way it takes. The camera's own is allowed with the camera.
Result<void> AuthorizeFeeding(const CameraServices& services, Caller* caller, const std::string& camera,
                              const std::string& stream) {
  if (stream == camera || caller == nullptr) return {};
  const auto there = services.store.GetStream(stream);
  return Authorize(caller, "kinesisvideo:PutMedia",
                   services.identity.VideoStreamArn(stream, there ? there->created : Timestamp()));
}

Result<PutAnswer> PutCamera(const CameraServices& services, const std::string& name, std::string_view body,
                            Caller* caller) {
  MILLRACE_RETURN_IF_ERROR(CheckName(name, "camera name"));
  MILLRACE_ASSIGN_OR_RETURN(CameraPut put, ParseCameraPut(body));
  for (const std::string& analyzer : put.analyzers) {
    if (!services.analyzers.contains(analyzer)) return NoSuchAnalyzer(analyzer, services.analyzers);
  }
  CameraSettings settings;
  settings.name = name;
  settings.url = put.url.url;
  settings.stream = put.stream.value_or(name);
  MILLRACE_RETURN_IF_ERROR(AuthorizeFeeding(services, caller, name, settings.stream));
  settings.transport = put.udp ? CameraTransport::kUdp : CameraTransport::kTcp;
  settings.tls_verify = put.tls_verify;
  settings.analyzers = std::move(put.analyzers);
  settings.retention = put.retention;
  settings.labels = std::move(put.labels);
  settings.enabled = put.enabled;
  // What a person changes of an edge camera stays its configuration's, which puts it right.
  if (const auto there = services.fleet.Get(name)) settings.edge = there->settings.edge;
  std::optional<CameraCredentials> credentials;
  if (put.username) credentials = CameraCredentials{*put.username, put.password.value_or("")};
  const Duration retention = settings.retention;
  MILLRACE_ASSIGN_OR_RETURN(auto done, services.fleet.Put(std::move(settings), std::move(credentials)));
  // A stream that is not there yet is made with it, when the camera connects.
  const auto kept = services.store.SetRetention(done.camera.settings.stream, retention);
  if (!kept && kept.error().code != ErrorCode::kNotFound) return kept.error();
  return PutAnswer{ToText(DescribeCamera(services, done.camera)), done.created};
}

Result<std::string> RemoveCamera(const CameraServices& services, const Target& target,
                                 const std::string& name, Caller* caller) {
  MILLRACE_RETURN_IF_ERROR(target.CheckQuery({"footage"}));
  std::string_view footage = target.Query("footage").value_or("keep");
  if (footage != "keep" && footage != "purge") {
    return Error{ErrorCode::kInvalidArgument,
                 "'footage' must be keep (until its retention is over) or purge (gone at once)"};
  }
  auto status = services.fleet.Get(name);
  if (!status) return WithHint(std::move(status).error());
  const std::string& stream = status->settings.stream;
  if (footage == "purge") {
    MILLRACE_RETURN_IF_ERROR(
        Authorize(caller, "millrace:DeleteStream", services.identity.OwnStreamArn(stream)));
    if (const auto holds = services.store.ListHolds(stream); holds && !holds->empty()) {
      return Error{ErrorCode::kFailedPrecondition,
                   "footage of stream '" + stream + "' is held by '" + holds->front().id +
                       "': release its holds first, or keep the footage (?footage=keep)"};
    }
  }
  MILLRACE_RETURN_IF_ERROR(services.fleet.Remove(name));
  boost::json::object answer;
  answer["footage"] = Text(footage);
  answer["kept_until"] = nullptr;
  if (footage == "purge") {
    auto purged = services.store.DeleteStream(stream);
    if (!purged && purged.error().code != ErrorCode::kNotFound) {
      return WithContext(std::move(purged).error(),
                         "camera '" + name + "' is removed, but not the footage of stream '" + stream + "'");
    }
  } else if (auto usage = services.store.Usage(stream); usage && usage->last) {
    const auto kept = services.store.GetStream(stream);
    const Duration retention = kept ? kept->retention : status->settings.retention;
    answer["kept_until"] = Text(FormatRfc3339(*usage->last + retention));
  }
  return ToText(answer);
}

}  // namespace

void AddCameraRoutes(Router& router, CameraServices services) {
  router.Add("GET", "/v1/cameras",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               auto work = [&]() -> Result<std::string> {
                 MILLRACE_RETURN_IF_ERROR(request.target.CheckQuery({}));
                 return ListCameras(services, request.caller.get());
               };
               co_await RespondWith(services.pool, writer, work);
             });
  router.Add("GET", "/v1/cameras/{name}",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               auto work = [&]() -> Result<std::string> {
                 MILLRACE_RETURN_IF_ERROR(request.target.CheckQuery({}));
                 return ShowCamera(services, request.Parameter("name"));
               };
               co_await RespondWith(services.pool, writer, work);
             });
  router.Add("PUT", "/v1/cameras/{name}",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               auto body = co_await ReadBody(request, kJsonBodyBytesMax);
               if (!body) {
                 co_await RespondBodyError(writer, std::move(body).error());
                 co_return;
               }
               auto work = [&]() -> Result<PutAnswer> {
                 MILLRACE_RETURN_IF_ERROR(request.target.CheckQuery({}));
                 return PutCamera(services, request.Parameter("name"), *body, request.caller.get());
               };
               auto answer = co_await services.pool.Run(work);
               if (answer) {
                 co_await RespondJson(writer, answer->created ? 201 : 200, std::move(answer->json));
               } else {
                 co_await RespondError(writer, std::move(answer).error());
               }
             });
  router.Add("DELETE", "/v1/cameras/{name}",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               auto work = [&]() -> Result<std::string> {
                 return RemoveCamera(services, request.target, request.Parameter("name"),
                                     request.caller.get());
               };
               co_await RespondWith(services.pool, writer, work);
             });
}

}  // namespace millrace::api
