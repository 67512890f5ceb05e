#include <algorithm>
#include <array>

#include "api/aws/aws_input.h"
#include "api/aws/aws_names.h"
#include "api/data_streams/data_stream_catalog.h"
#include "api/data_streams/data_stream_operations.h"
#include "api/data_streams/fragment_descriptor.h"
#include "api/data_streams/shard_iterator.h"
#include "api/data_streams/stream_throughput.h"

namespace millrace::api {
namespace {

using storage::IteratorType;

constexpr std::int64_t kRecordsReadMax = 10'000;
constexpr std::uint64_t kAnswerDataMax = 10 * 1024 * 1024;

constexpr std::array<std::string_view, 5> kIteratorTypes{"AFTER_SEQUENCE_NUMBER", "LATEST", "AT_TIMESTAMP",
                                                         "AT_SEQUENCE_NUMBER", "TRIM_HORIZON"};

AwsError InvalidNumber(const DataStreamServices& services, const IteratorRequest& request, const char* why) {
  return InvalidArgument("StartingSequenceNumber " + *request.number + " used in GetShardIterator on shard " +
                         request.shard_text + " in stream " + request.stream + " under account " +
                         services.identity.account + " is invalid" + why + ".");
}

AwsResult<storage::SequenceNumber> ReadNumber(const DataStreamServices& services,
                                              const IteratorRequest& request,
                                              const storage::ShardDescription& shard) {
  const auto number = storage::SequenceNumber::Parse(*request.number);
  if (!number) return InvalidNumber(services, request, "");
  const auto fields = number->fields();
  if (fields.shard != shard.id) {
    return InvalidArgument("Invalid StartingSequenceNumber. It encodes " + fields.shard.ToString() +
                           ", while it was used in a call to a shard with " + shard.id.ToString());
  }
  if (fields.shard_created_s != shard.starting_sequence_number.fields().shard_created_s) {
    return InvalidNumber(services, request, " because it did not come from this stream");
  }
  return *number;
}

AwsResult<storage::IteratorStart> ReadStart(const DataStreamServices& services,
                                            const IteratorRequest& request,
                                            const storage::ShardDescription& shard) {
  storage::IteratorStart start;
  const bool by_number = request.type == "AT_SEQUENCE_NUMBER" || request.type == "AFTER_SEQUENCE_NUMBER";
  const bool by_time = request.type == "AT_TIMESTAMP";
  if (by_number != request.number.has_value() && !by_time) {
    return InvalidArgument(
        "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or "
        "(2) "
        "TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified " +
        request.type +
        (request.number ? " and also a StartingSequenceNumber." : " and no StartingSequenceNumber."));
  }
  if (by_number) {
    start.type = request.type == "AT_SEQUENCE_NUMBER" ? IteratorType::kAtSequenceNumber
                                                      : IteratorType::kAfterSequenceNumber;
    MILLRACE_ASSIGN_OR_RETURN(start.sequence_number, ReadNumber(services, request, shard));
  } else if (by_time) {
    if (!request.time) {
      return InvalidArgument(
          "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current request has "
          "no "
          "timestamp parameter.");
    }
    const Timestamp now = services.clock.Now();
    if (request.time->millis() > now.millis()) {
      return InvalidArgument(
          "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. "
          "timestampInMillis: " +
          std::to_string(request.time->millis()) +
          ", currentTimestampInMillis: " + std::to_string(now.millis()));
    }
    start.type = IteratorType::kAtTimestamp;
    start.timestamp = *request.time;
  } else {
    start.type = request.type == "LATEST" ? IteratorType::kLatest : IteratorType::kTrimHorizon;
  }
  return start;
}

}  // namespace

void WriteChildren(AwsOutput& output, const std::vector<storage::ShardDescription>& children) {
  output.Key("ChildShards").BeginArray();
  for (const storage::ShardDescription& child : children) {
    output.BeginObject().Key("ShardId").String(child.id.ToString());
    output.Key("ParentShards").BeginArray();
    if (child.parent) output.String(child.parent->ToString());
    if (child.adjacent_parent) output.String(child.adjacent_parent->ToString());
    output.EndArray();
    output.Key("HashKeyRange").BeginObject();
    output.Key("StartingHashKey").String(child.hash_keys.starting.ToString());
    output.Key("EndingHashKey").String(child.hash_keys.ending.ToString()).EndObject();
    output.EndObject();
  }
  output.EndArray();
}

AwsResult<storage::ShardPosition> SeekShard(const DataStreamServices& services,
                                            const Result<DataStream>& stream, IteratorRequest asked) {
  const std::string& account = services.identity.account;
  const auto shard_id = storage::ShardId::Parse(asked.shard_text);
  if (!shard_id) {
    return AwsError("ResourceNotFoundException", "Could not find shard " + asked.shard_text + " in stream " +
                                                     asked.stream + " under account " + account + ".");
  }
  const storage::ShardDescription* shard = nullptr;
  if (stream) {
    for (const auto& one : stream->description.shards) {
      if (one.id == *shard_id) shard = &one;
    }
  } else if (stream.error().code != ErrorCode::kNotFound) {
    return stream.error();
  }
  if (shard == nullptr) {
    return AwsError("ResourceNotFoundException", "Shard " + shard_id->ToString() + " in stream " +
                                                     asked.stream + " under account " + account +
                                                     " does not exist");
  }
  asked.shard_text = shard_id->ToString();
  MILLRACE_ASSIGN_OR_RETURN(const storage::IteratorStart start, ReadStart(services, asked, *shard));
  auto position = services.catalog.log().Seek(asked.stream, *shard_id, start);
  if (!position) return OfDataStream(services, asked.stream, std::move(position).error());
  return *position;
}

storage::ReadLimits LimitsOfRead(bool fragments, std::size_t records_max, std::uint64_t bytes_max) {
  storage::ReadLimits limits;
  limits.records_max = records_max;
  limits.data_bytes_max = fragments ? ~std::uint64_t{0} : bytes_max;
  limits.with_data = !fragments;
  return limits;
}

std::size_t SizeOfRecords(bool fragments, const std::vector<storage::Record>& records) {
  std::size_t bytes = 1024;
  for (const storage::Record& record : records) {
    bytes += 256 + record.info.partition_key.size() + (fragments ? 1024 : record.data.size() / 3 * 4);
  }
  return bytes;
}

std::optional<AwsError> WriteRecords(AwsOutput& output, const DataStreamServices& services, bool fragments,
                                     std::vector<storage::Record> records) {
  output.Key("Records").BeginArray();
  for (storage::Record& record : records) {
    output.BeginObject();
    output.Key("SequenceNumber").String(record.info.sequence_number.ToString());
    output.Key("ApproximateArrivalTimestamp").Time(record.info.arrival);
    if (fragments) {
      const auto descriptor = DescribeFragmentRecord(services.identity, record.info);
      if (!descriptor) return AwsError(descriptor.error());
      output.Key("Data").Blob(AsBytes(*descriptor));
    } else {
      output.Key("Data").Blob(record.data.span());
      record.data = SharedBytes();
    }
    output.Key("PartitionKey").String(record.info.partition_key);
    if (record.info.encrypted) output.Key("EncryptionType").String("KMS");
    output.EndObject();
  }
  output.EndArray();
  return std::nullopt;
}

AwsAnswer GetShardIterator(const DataStreamServices& services, const DataStreamRequest& request) {
  AwsInput input(request.members);
  IteratorRequest asked;
  const auto named = ReadDataStreamName(input);
  const auto shard_text =
      input.String("ShardId", {.required = true, .min = 1, .max = 128, .pattern = kAwsNamePattern});
  const auto type = input.String("ShardIteratorType", {.required = true, .values = kIteratorTypes});
  asked.number = input.String("StartingSequenceNumber", {.pattern = kAwsSequenceNumberPattern});
  asked.time = input.Time("Timestamp");
  const bool dry_run = input.Bool("DryRun").value_or(false);
  if (auto bad = input.Finish()) return *bad;
  MILLRACE_ASSIGN_OR_RETURN(asked.stream, OurDataStream(services, named));
  const std::string& stream_name = asked.stream;
  asked.shard_text = *shard_text;
  asked.type = *type;

  const auto stream = services.catalog.Describe(stream_name);
  MILLRACE_ASSIGN_OR_RETURN(const storage::ShardPosition position, SeekShard(services, stream, asked));
  if (dry_run) return DryRunDone();
  const ShardIterator iterator{stream_name, stream->description.created, position, services.clock.Now()};
  AwsOutput output(request.encoding, 512);
  output.BeginObject();
  output.Key("ShardIterator").String(EncodeShardIterator(services.sealer, iterator)).EndObject();
  return std::move(output).Take();
}

AwsAnswer GetRecords(const DataStreamServices& services, const DataStreamRequest& request) {
  AwsInput input(request.members);
  const auto text = input.String("ShardIterator", {.required = true, .min = 1, .max = 512});
  const auto limit = input.Integer("Limit", {.min = 1, .max = kRecordsReadMax});
  const auto named = ReadDataStreamName(input);
  const bool dry_run = input.Bool("DryRun").value_or(false);
  if (auto bad = input.Finish()) return *bad;
  MILLRACE_ASSIGN_OR_RETURN(ShardIterator iterator,
                            DecodeShardIterator(services.sealer, *text, services.clock.Now()));
  if (named) {
    MILLRACE_ASSIGN_OR_RETURN(const std::string name, OurDataStream(services, named));
    if (name != iterator.stream) return InvalidArgument("The ShardIterator is not of stream " + name + ".");
  }
  const auto stream = services.catalog.Describe(iterator.stream);
  if (!stream || stream->description.created != iterator.stream_created) {
    if (!stream && stream.error().code != ErrorCode::kNotFound) return stream.error();
    return NoDataStream(services, iterator.stream);
  }
  if (dry_run) return DryRunDone();
  const bool fragments = stream->internal;
  const auto limits =
      LimitsOfRead(fragments, static_cast<std::size_t>(limit.value_or(kRecordsReadMax)), kAnswerDataMax);
  const storage::ShardId shard = iterator.position.shard;
  if (!services.throughput->AdmitRead(iterator.stream, shard)) {
    return RateExceeded(services, iterator.stream, shard);
  }
  auto batch = services.catalog.log().Read(iterator.stream, iterator.position, limits);
  if (!batch) return OfDataStream(services, iterator.stream, std::move(batch).error());

  std::uint64_t data_bytes = 0;
  for (const storage::Record& record : batch->records) data_bytes += record.data.size();
  services.throughput->ChargeRead(iterator.stream, shard, data_bytes, batch->records.size());
  AwsOutput output(request.encoding, SizeOfRecords(fragments, batch->records));
  output.BeginObject();
  if (auto bad = WriteRecords(output, services, fragments, std::move(batch->records))) return *bad;
  if (batch->next) {
    iterator.position = *batch->next;
    iterator.issued = services.clock.Now();
    output.Key("NextShardIterator").String(EncodeShardIterator(services.sealer, iterator));
  }
  output.Key("MillisBehindLatest").Integer(batch->behind / std::chrono::milliseconds(1));
  if (!batch->next) WriteChildren(output, batch->children);
  output.EndObject();
  return std::move(output).Take();
}

}  // namespace millrace::api
