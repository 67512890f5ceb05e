// Commits of applications as JSON.
#include <boost/json/array.hpp>

#include "api/v1/application_service.h"
#include "api/v1/camera_json.h"
#include "api/v1/json.h"
#include "wire/base64.h"

namespace millrace::api {
namespace {

constexpr std::size_t kCommitBytesMax = 16 * 1024 * 1024;
constexpr std::size_t kRecordsMax = 5000;
constexpr std::size_t kPartitionKeyBytesMax = 256;
constexpr std::size_t kRecordBytesMax = 1024 * 1024;  // data and partition key, as PutRecord has it
constexpr std::size_t kKeyBytesMax = 512;

Error Invalid(std::string text) { return {ErrorCode::kInvalidArgument, std::move(text)}; }

Result<ApplicationRecord> ParseRecord(const boost::json::object& object) {
  ObjectReader reader(object, {"stream", "partition_key", "data", "key", "time"});
  ApplicationRecord record;
  auto stream = reader.String("stream", 128);
  auto partition_key = reader.String("partition_key", kPartitionKeyBytesMax);
  auto data = reader.String("data", wire::Base64Length(kRecordBytesMax));
  record.key = reader.String("key", kKeyBytesMax).value_or("");
  auto time = reader.String("time", 64);
  MILLRACE_RETURN_IF_ERROR(reader.Finish());
  if (!stream || !partition_key || !data) {
    return Invalid("a record has a 'stream', a 'partition_key' and 'data', which is base64");
  }
  MILLRACE_RETURN_IF_ERROR(CheckName(*stream, "stream name"));
  if (partition_key->empty()) return Invalid("'partition_key' has 1 to 256 bytes");
  auto bytes = wire::DecodeBase64(*data);
  if (!bytes) return WithContext(std::move(bytes).error(), "'data'");
  if (bytes->size() + partition_key->size() > kRecordBytesMax) {
    return Invalid("a record's data and partition key have at most 1 MiB");
  }
  if (time) {
    auto parsed = ParseTime(*time);
    if (!parsed) return WithContext(std::move(parsed).error(), "'time'");
    if (parsed->ns < 0) return Invalid("'time' lies before 1970");
    record.time = *parsed;
  }
  record.stream = std::move(*stream);
  record.record.partition_key = std::move(*partition_key);
  record.record.data = SharedBytes(std::move(*bytes));
  return record;
}

}  // namespace

Result<ApplicationCommit> ParseApplicationCommit(std::string_view json) {
  MILLRACE_ASSIGN_OR_RETURN(boost::json::object object, ParseJsonObject(json, kCommitBytesMax));
  boost::json::array records;
  if (auto* found = object.if_contains("records")) {
    if (!found->is_array()) return Invalid("'records' is a list of objects");
    records = std::move(found->get_array());
    object.erase("records");
  }
  if (records.size() > kRecordsMax) {
    return Invalid("'records' has at most " + std::to_string(kRecordsMax) + " of them");
  }
  ObjectReader reader(object,
                      {"stream", "shard", "owner", "counter", "checkpoint", "sub_sequence", "records"});
  auto stream = reader.String("stream", 128);
  auto shard = reader.String("shard", 64);
  auto owner = reader.String("owner", 128);
  auto counter = reader.Count("counter", 1);
  auto checkpoint = reader.String("checkpoint", 64);
  auto sub_sequence = reader.Count("sub_sequence", 0);
  MILLRACE_RETURN_IF_ERROR(reader.Finish());
  if (!stream || !shard || !owner || !counter || !checkpoint) {
    return Invalid("'stream', 'shard', 'owner', 'counter' and 'checkpoint' are required");
  }
  ApplicationCommit commit;
  MILLRACE_RETURN_IF_ERROR(CheckName(*stream, "stream name"));
  MILLRACE_RETURN_IF_ERROR(CheckName(*owner, "owner"));
  auto id = storage::ShardId::Parse(*shard);
  if (!id) return WithContext(std::move(id).error(), "'shard'");
  if (*checkpoint != "SHARD_END") {
    auto number = storage::SequenceNumber::Parse(*checkpoint);
    if (!number) {
      return Invalid("'checkpoint' is the sequence number up to which all is done, or \"SHARD_END\"");
    }
    commit.checkpoint = *number;
    commit.sub_sequence = sub_sequence;
  } else if (sub_sequence) {
    return Invalid("'sub_sequence' is of a record, and the shard's end is none");
  }
  commit.stream = std::move(*stream);
  commit.shard = *id;
  commit.owner = std::move(*owner);
  commit.counter = *counter;
  for (const boost::json::value& value : records) {
    if (!value.is_object()) return Invalid("'records' is a list of objects");
    MILLRACE_ASSIGN_OR_RETURN(ApplicationRecord record, ParseRecord(value.get_object()));
    commit.records.push_back(std::move(record));
  }
  return commit;
}

}  // namespace millrace::api
