#include "consumers/analysis/result_record.h"

#include <boost/json/serialize.hpp>

#include "wire/json_writer.h"

namespace millrace {
namespace {

// Everything in front of what was found, without the closing bracket.
std::string Beginning(const AnalyzerIdentity& analyzer, const FragmentDescriptor& fragment, Duration offset,
                      std::string_view status, std::string_view message) {
  wire::JsonWriter json(1024);
  json.BeginObject().Key("InputInformation").BeginObject().Key("KinesisVideo").BeginObject();
  json.Key("StreamArn").String(fragment.stream_arn);
  json.Key("FragmentNumber").String(fragment.fragment_number);
  json.Key("ServerTimestamp").Seconds(fragment.server_time);
  json.Key("ProducerTimestamp").Seconds(fragment.producer_time);
  json.Key("FrameOffsetInSeconds").Seconds(Timestamp{offset.count()});
  json.EndObject().EndObject();
  json.Key("StreamProcessorInformation").BeginObject();
  json.Key("Status").String(status);
  json.Key("Analyzer").String(analyzer.name).Key("Version").String(analyzer.version);
  if (!message.empty()) json.Key("Message").String(message);
  json.EndObject();
  return std::move(json).Take();
}

WorkerResult Make(const AnalyzerIdentity& analyzer, const FragmentDescriptor& fragment, Duration offset,
                  std::string data, std::string_view what) {
  WorkerResult result;
  result.stream = analyzer.output;
  result.partition_key = fragment.stream;
  result.data = std::move(data);
  result.key = fragment.fragment_number + "/" + std::to_string(offset.count()) + "/" + analyzer.name + "/" +
               analyzer.version + "/" + std::string(what);
  result.time = fragment.producer_time + offset;
  return result;
}

}  // namespace

WorkerResult MakeFrameResult(const AnalyzerIdentity& analyzer, const FragmentDescriptor& fragment,
                             Duration offset, const boost::json::object& found) {
  std::string data = Beginning(analyzer, fragment, offset, "RUNNING", "");
  std::string members = boost::json::serialize(found);
  data += found.empty() ? "}" : "," + members.substr(1);
  return Make(analyzer, fragment, offset, std::move(data), "");
}

WorkerResult MakeStatusResult(const AnalyzerIdentity& analyzer, const FragmentDescriptor& fragment,
                              Duration offset, std::string_view status, std::string_view message) {
  // A message may quote bytes of the footage: JSON text is UTF-8 all the same.
  std::string plain(message.substr(0, 500));
  for (char& c : plain) {
    if (static_cast<unsigned char>(c) >= 0x80 || static_cast<unsigned char>(c) < 0x20) c = '?';
  }
  return Make(analyzer, fragment, offset, Beginning(analyzer, fragment, offset, status, plain) + "}", status);
}

}  // namespace millrace
