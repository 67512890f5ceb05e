#include "api/data_streams/fragment_descriptor.h"

#include "fragments/fragment_store.h"
#include "wire/json_writer.h"

namespace millrace::api {
namespace {

std::string_view Name(ClockSource clock) { return clock == ClockSource::kCamera ? "camera" : "arrival"; }

std::string_view Name(FragmentEnd end) {
  switch (end) {
    case FragmentEnd::kKeyFrame:
      return "key_frame";
    case FragmentEnd::kDuration:
      return "duration";
    case FragmentEnd::kSize:
      return "size";
    case FragmentEnd::kRunEnded:
      return "run_ended";
  }
  return "run_ended";
}

void WriteTrack(wire::JsonWriter& json, const TrackInfo& track, const TrackFacts* facts) {
  const bool video = track.kind() == TrackKind::kVideo;
  json.BeginObject();
  json.Key("number").Unsigned(track.number);
  json.Key("kind").String(video ? "video" : "audio");
  json.Key("codec").String(ToString(track.codec));
  if (video) {
    json.Key("width").Unsigned(track.width).Key("height").Unsigned(track.height);
  } else {
    json.Key("sample_rate").Unsigned(track.sample_rate).Key("channels").Unsigned(track.channels);
  }
  if (facts != nullptr) json.Key("frames").Unsigned(facts->frames);
  json.EndObject();
}

}  // namespace

Result<std::string> DescribeFragmentRecord(const AwsIdentity& identity, const storage::RecordInfo& record) {
  MILLRACE_ASSIGN_OR_RETURN(const LoggedFragment logged, DescribeRecord(record));
  const FragmentFacts& facts = logged.facts;
  wire::JsonWriter json(1024);
  json.BeginObject();
  json.Key("stream").String(logged.stream);
  json.Key("stream_arn").String(identity.VideoStreamArn(logged.stream, logged.stream_created));
  json.Key("fragment_number").String(facts.number.ToString());
  json.Key("producer_timestamp").Seconds(facts.start);
  json.Key("server_timestamp").Seconds(facts.server_start);
  json.Key("duration_ms").Integer(facts.duration / std::chrono::milliseconds(1));
  json.Key("bytes").Unsigned(facts.bytes);
  json.Key("run").Unsigned(facts.run);
  json.Key("independent").Bool(facts.independent);
  json.Key("clock").String(Name(facts.clock));
  json.Key("end").String(Name(facts.end));
  json.Key("tracks").BeginArray();
  for (std::size_t i = 0; i < facts.tracks.size(); ++i) {
    WriteTrack(json, facts.tracks[i], i < facts.track_facts.size() ? &facts.track_facts[i] : nullptr);
  }
  json.EndArray();
  json.EndObject();
  return std::move(json).Take();
}

}  // namespace millrace::api
