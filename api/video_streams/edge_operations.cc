// The edge operations: an edge configuration makes a camera of this server feed a video stream.
//
// What is configured is kept and told as the model has it. docs/http-api.md, "Edge configuration", says what
// follows from each member here, and what has no meaning on a server that is edge and service in one.
#include <algorithm>
#include <array>
#include <string>

#include "api/access/caller.h"
#include "api/aws/aws_names.h"
#include "api/aws/listing_token.h"
#include "api/video_streams/video_stream_operations.h"
#include "api/video_streams/video_stream_patterns.h"
#include "ingest/edge_control.h"
#include "wire/json_writer.h"

namespace millrace::api {
namespace {

constexpr std::array<std::string_view, 2> kUriTypes{"RTSP_URI", "FILE_URI"};
constexpr std::array<std::string_view, 2> kStrategies{"DELETE_OLDEST_MEDIA", "DENY_NEW_MEDIA"};
constexpr std::int64_t kEdgePageDefault = 5;
constexpr std::int64_t kEdgePageMax = 10;
constexpr std::size_t kStreamsAtATime = 256;
constexpr std::size_t kCameraNameMax = 128;
constexpr ListingKind kEdgeListing{"list-edge-configurations-1", {}};

// ---- requests

std::optional<EdgeSchedule> ReadSchedule(AwsInput& config, bool required) {
  auto input = config.Structure("ScheduleConfig", required);
  if (!input) return std::nullopt;
  EdgeSchedule schedule;
  schedule.expression =
      input
          ->String("ScheduleExpression",
                   {.required = true, .min = 11, .max = 100, .pattern = kScheduleExpressionPattern})
          .value_or("");
  schedule.duration_s = static_cast<std::uint32_t>(
      input->Integer("DurationInSeconds", {.required = true, .min = 60, .max = 3600}).value_or(60));
  return schedule;
}

std::optional<std::uint32_t> ReadNumber(AwsInput& input, const char* name, std::int64_t min,
                                        std::int64_t max) {
  const auto value = input.Integer(name, {.min = min, .max = max});
  if (!value) return std::nullopt;
  return static_cast<std::uint32_t>(*value);
}

EdgeDeletion ReadDeletion(AwsInput& input) {
  EdgeDeletion deletion;
  deletion.retention_hours = ReadNumber(input, "EdgeRetentionInHours", 1, 720);
  if (auto local = input.Structure("LocalSizeConfig")) {
    EdgeDeletion::LocalSize& size = deletion.local_size.emplace();
    size.mb_max = ReadNumber(*local, "MaxLocalMediaSizeInMB", 64, 2'000'000);
    if (const auto strategy = local->String("StrategyOnFullSize", {.values = kStrategies})) {
      size.when_full = *strategy == kStrategies[0] ? WhenFull::kDeleteOldest : WhenFull::kDenyNew;
    }
  }
  deletion.after_upload = input.Bool("DeleteAfterUpload");
  return deletion;
}

std::optional<std::string> ReadHub(AwsInput& input) {
  return input.String("HubDeviceArn",
                      {.required = true, .min = 1, .max = 1024, .pattern = kHubDeviceArnPattern});
}

EdgeConfiguration ReadEdge(AwsInput& request) {
  EdgeConfiguration edge;
  auto input = request.Structure("EdgeConfig", true);
  if (!input) return edge;
  edge.hub_device_arn = ReadHub(*input).value_or("");
  if (auto recorder = input->Structure("RecorderConfig", true)) {
    if (auto source = recorder->Structure("MediaSourceConfig", true)) {
      edge.media_uri_secret_arn =
          source
              ->String("MediaUriSecretArn",
                       {.required = true, .min = 20, .max = 2048, .pattern = kSecretArnPattern})
              .value_or("");
      edge.from_file =
          source->String("MediaUriType", {.required = true, .values = kUriTypes}) == kUriTypes[1];
    }
    edge.recorder_schedule = ReadSchedule(*recorder, false);
  }
  if (auto uploader = input->Structure("UploaderConfig"))
    edge.uploader_schedule = ReadSchedule(*uploader, true);
  if (auto deletion = input->Structure("DeletionConfig")) edge.deletion = ReadDeletion(*deletion);
  return edge;
}

// ---- answers

void WriteSchedule(wire::JsonWriter& json, const EdgeSchedule& schedule) {
  json.Key("ScheduleConfig").BeginObject();
  json.Key("ScheduleExpression").String(schedule.expression);
  json.Key("DurationInSeconds").Unsigned(schedule.duration_s);
  json.EndObject();
}

void WriteDeletion(wire::JsonWriter& json, const EdgeDeletion& deletion) {
  json.Key("DeletionConfig").BeginObject();
  if (deletion.retention_hours) json.Key("EdgeRetentionInHours").Unsigned(*deletion.retention_hours);
  if (deletion.local_size) {
    json.Key("LocalSizeConfig").BeginObject();
    if (deletion.local_size->mb_max) json.Key("MaxLocalMediaSizeInMB").Unsigned(*deletion.local_size->mb_max);
    if (deletion.local_size->when_full) {
      const bool deny = *deletion.local_size->when_full == WhenFull::kDenyNew;
      json.Key("StrategyOnFullSize").String(kStrategies[deny ? 1 : 0]);
    }
    json.EndObject();
  }
  if (deletion.after_upload) json.Key("DeleteAfterUpload").Bool(*deletion.after_upload);
  json.EndObject();
}

void WriteEdge(wire::JsonWriter& json, const EdgeConfiguration& edge) {
  json.Key("EdgeConfig").BeginObject();
  json.Key("HubDeviceArn").String(edge.hub_device_arn);
  json.Key("RecorderConfig").BeginObject().Key("MediaSourceConfig").BeginObject();
  json.Key("MediaUriSecretArn").String(edge.media_uri_secret_arn);
  json.Key("MediaUriType").String(kUriTypes[edge.from_file ? 1 : 0]);
  json.EndObject();
  if (edge.recorder_schedule) WriteSchedule(json, *edge.recorder_schedule);
  json.EndObject();
  if (edge.uploader_schedule) {
    json.Key("UploaderConfig").BeginObject();
    WriteSchedule(json, *edge.uploader_schedule);
    json.EndObject();
  }
  if (edge.deletion) WriteDeletion(json, *edge.deletion);
  json.EndObject();
}

// The members that all three answers have, of an object that is open.
void WriteConfiguration(wire::JsonWriter& json, const AwsIdentity& identity, const StreamDescription& stream,
                        const EdgeStatus& status) {
  json.Key("StreamName").String(stream.name);
  json.Key("StreamARN").String(identity.VideoStreamArn(stream.name, stream.created));
  json.Key("CreationTime").Seconds(stream.settings.edge->created);
  json.Key("LastUpdatedTime").Seconds(stream.settings.edge->updated);
  json.Key("SyncStatus").String(status.failure ? "SYNC_FAILED" : status.camera ? "IN_SYNC" : "SYNCING");
  if (status.failure) json.Key("FailedStatusDetails").String(status.failure->message);
  WriteEdge(json, *stream.settings.edge);
}

struct Job {
  const char* status = "SUCCESS";
  std::string details;
};

Job RecorderJob(const EdgeStatus& status) {
  if (!status.camera) {
    if (!status.failure) return {"SUCCESS", "the camera is being made"};
    return {"USER_ERROR", status.failure->message};
  }
  const std::string error = status.camera->last_error.value_or("");
  switch (status.camera->state) {
    case CameraState::kRecording:
      return {"SUCCESS", "recording"};
    case CameraState::kDisabled:
      return {"SUCCESS", "switched off until its schedule says otherwise"};
    case CameraState::kConnecting:
      if (error.empty()) return {"SUCCESS", "connecting"};
      return {"SYSTEM_ERROR", "connecting again; before: " + error};
    case CameraState::kUnauthorized:
      return {"USER_ERROR", error};
    case CameraState::kWaiting:
    case CameraState::kFailed:
      break;
  }
  return {"SYSTEM_ERROR", error};
}

void WriteJob(wire::JsonWriter& json, const char* name, const char* status_name, const Job& job,
              const EdgeStatus& status, Timestamp updated) {
  json.Key(name).BeginObject();
  json.Key("JobStatusDetails").String(job.details);
  if (status.camera && status.camera->last_frame) {
    json.Key("LastCollectedTime").Seconds(*status.camera->last_frame);
  }
  json.Key("LastUpdatedTime").Seconds(updated);
  json.Key(status_name).String(job.status);
  json.EndObject();
}

void WriteAgent(wire::JsonWriter& json, const EdgeConfiguration& edge, const EdgeStatus& status) {
  const Timestamp updated = status.camera ? status.camera->state_since : edge.updated;
  const Job uploader{"SUCCESS",
                     "footage is in the stream as soon as it is recorded: there is nothing to upload"};
  json.Key("EdgeAgentStatus").BeginObject();
  WriteJob(json, "LastRecorderStatus", "RecorderStatus", RecorderJob(status), status, updated);
  WriteJob(json, "LastUploaderStatus", "UploaderStatus", uploader, status, updated);
  json.EndObject();
}

AwsError NoEdgeConfiguration(const std::string& stream) {
  return {"StreamEdgeConfigurationNotFoundException", "The stream " + stream + " has no edge configuration.",
          404};
}

// Video of a single copy: what the edge keeps for longer, the stream keeps.
void KeepAsLongAsTheEdge(StreamSettings& settings, const EdgeConfiguration& edge) {
  if (!edge.deletion || edge.deletion->after_upload.value_or(true) || !edge.deletion->retention_hours) return;
  const Duration wanted = std::chrono::hours(*edge.deletion->retention_hours);
  settings.retention = std::max(settings.retention, wanted);
}

}  // namespace

Result<void> AuthorizeEdgeSecret(Caller* caller, const AwsIdentity& identity,
                                 const boost::json::object& members) {
  const boost::json::value* at = nullptr;
  const boost::json::object* in = &members;
  for (const char* name : {"EdgeConfig", "RecorderConfig", "MediaSourceConfig", "MediaUriSecretArn"}) {
    at = in != nullptr ? in->if_contains(name) : nullptr;
    in = at != nullptr ? at->if_object() : nullptr;
  }
  const auto* arn = at != nullptr ? at->if_string() : nullptr;
  if (arn == nullptr) return {};  // which the operation refuses
  return Authorize(caller, "millrace:UseSecret",
                   identity.OwnSecretArn(SecretNameIn({arn->data(), arn->size()})));
}

VideoStreamAnswer StartEdgeConfigurationUpdate(const VideoStreamServices& services,
                                               const boost::json::object& object, const std::string&) {
  AwsInput input(object);
  EdgeConfiguration edge = ReadEdge(input);
  MILLRACE_ASSIGN_OR_RETURN(const VideoStream stream, FindVideoStream(services, input));
  if (stream.name.size() > kCameraNameMax) {
    return AwsError("InvalidArgumentException",
                    "A camera that an edge configuration makes has its stream's name, "
                    "and a camera's name has 128 characters at most.");
  }
  MILLRACE_RETURN_IF_ERROR(services.edge->Check(edge));
  edge.created = edge.updated = services.clock.Now();
  const auto change = [&](StreamSettings& settings) -> std::optional<AwsError> {
    if (settings.retention == Duration{0}) return NoDataRetention(stream);
    if (settings.edge) edge.created = settings.edge->created;
    settings.edge = edge;
    KeepAsLongAsTheEdge(settings, edge);
    return std::nullopt;
  };
  const auto camera = services.camera_of ? services.camera_of(stream.name) : std::nullopt;
  const EdgeStatus before = services.edge->Status(stream.name);
  if (camera && !before.camera) {
    return AwsError("ResourceInUseException", "The stream " + stream.name + " is fed by the camera " +
                                                  *camera +
                                                  ", which no edge configuration made: remove it first.");
  }
  MILLRACE_ASSIGN_OR_RETURN(const auto updated, ChangeVideoStream(services, stream, std::nullopt, change));
  (void)services.edge->Apply(stream.name);  // the status says how it went
  wire::JsonWriter json(1024);
  json.BeginObject();
  WriteConfiguration(json, services.identity, *updated, services.edge->Status(stream.name));
  json.EndObject();
  return std::move(json).Take();
}

VideoStreamAnswer DescribeEdgeConfiguration(const VideoStreamServices& services,
                                            const boost::json::object& object, const std::string&) {
  AwsInput input(object);
  MILLRACE_ASSIGN_OR_RETURN(const StreamDescriptionPtr stream, DescribeNamedStream(services, input));
  if (!stream->settings.edge) return NoEdgeConfiguration(stream->name);
  const EdgeStatus status = services.edge->Status(stream->name);
  wire::JsonWriter json(1024);
  json.BeginObject();
  WriteConfiguration(json, services.identity, *stream, status);
  WriteAgent(json, *stream->settings.edge, status);
  json.EndObject();
  return std::move(json).Take();
}

VideoStreamAnswer DeleteEdgeConfiguration(const VideoStreamServices& services,
                                          const boost::json::object& object, const std::string&) {
  AwsInput input(object);
  MILLRACE_ASSIGN_OR_RETURN(const VideoStream stream, FindVideoStream(services, input));
  const auto change = [&](StreamSettings& settings) -> std::optional<AwsError> {
    if (!settings.edge) return NoEdgeConfiguration(stream.name);
    settings.edge.reset();
    return std::nullopt;
  };
  MILLRACE_ASSIGN_OR_RETURN(const auto updated, ChangeVideoStream(services, stream, std::nullopt, change));
  MILLRACE_RETURN_IF_ERROR(services.edge->Apply(stream.name));
  return NothingToSay();
}

VideoStreamAnswer ListEdgeAgentConfigurations(const VideoStreamServices& services,
                                              const boost::json::object& object, const std::string&) {
  AwsInput input(object);
  const auto hub = ReadHub(input);
  const auto limit = input.Integer("MaxResults", {.min = 1, .max = kEdgePageMax});
  const auto token = ReadVideoToken(input);
  if (auto bad = input.Finish()) return *bad;
  StreamQuery query;
  query.limit = kStreamsAtATime;
  if (token) {
    MILLRACE_ASSIGN_OR_RETURN(const auto place,
                              OpenNextToken(services.sealer, kEdgeListing, *token, services.clock.Now()));
    query.after = std::string(place.at("after").as_string());
  }
  const auto count = static_cast<std::size_t>(limit.value_or(kEdgePageDefault));
  std::vector<StreamDescriptionPtr> found;
  for (bool more = true; more && found.size() <= count;) {
    const auto page = services.store.FindStreams(query);
    more = page.size() == query.limit;
    if (more) query.after = page.back()->name;
    for (const StreamDescriptionPtr& stream : page) {
      if (stream->settings.edge && stream->settings.edge->hub_device_arn == *hub && found.size() <= count) {
        found.push_back(stream);
      }
    }
  }
  const bool more = found.size() > count;
  if (more) found.resize(count);
  wire::JsonWriter json(1024);
  json.BeginObject().Key("EdgeConfigs").BeginArray();
  for (const StreamDescriptionPtr& stream : found) {
    json.BeginObject();
    WriteConfiguration(json, services.identity, *stream, services.edge->Status(stream->name));
    json.EndObject();
  }
  json.EndArray();
  if (more) {
    boost::json::object place;
    place["after"] = found.back()->name;
    json.Key("NextToken")
        .String(SealNextToken(services.sealer, kEdgeListing, std::move(place), services.clock.Now()));
  }
  json.EndObject();
  return std::move(json).Take();
}

}  // namespace millrace::api
