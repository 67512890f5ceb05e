#include <openssl/rand.h>

#include <algorithm>
#include <chrono>

#include "api/aws/aws_input.h"
#include "api/aws/aws_names.h"
#include "api/data_streams/data_stream_catalog.h"
#include "api/data_streams/data_stream_operations.h"
#include "base/log.h"
#include "base/log_throttle.h"

namespace millrace::api {
namespace {

constexpr std::size_t kRecordsMax = 500;
constexpr std::size_t kRequestBytesMax = 10 * 1024 * 1024;  // of data and partition keys together
constexpr std::size_t kPartitionKeyCharactersMax = 256;
constexpr char kThrottled[] = "ProvisionedThroughputExceededException";

std::size_t SizeOf(const storage::PutRecord& record) {
  return record.data.size() + record.partition_key.size();
}

storage::HashKey AnyHashKey() {
  storage::HashKey key;
  RAND_bytes(reinterpret_cast<unsigned char*>(&key), sizeof(key));
  return key;
}

// Data, PartitionKey and ExplicitHashKey, in `input`.
AwsResult<storage::PutRecord> ReadRecord(AwsInput& input, const DataStreamSettings& settings) {
  const std::size_t bytes_max = std::size_t{settings.record_kib_max} * 1024;
  storage::PutRecord record;
  if (auto data = input.Blob("Data", true, bytes_max)) record.data = SharedBytes(std::move(*data));
  auto key = input.String("PartitionKey",
                          {.required = !settings.spread, .min = 1, .max = kPartitionKeyCharactersMax});
  const auto hash = input.String("ExplicitHashKey", {.pattern = kAwsHashKeyPattern});
  if (key) record.partition_key = std::move(*key);
  if (settings.spread) {
    record.explicit_hash_key = AnyHashKey();
    if (record.partition_key.empty()) record.partition_key = record.explicit_hash_key->ToString();
  } else if (hash) {
    auto parsed = storage::HashKey::Parse(*hash);
    if (!parsed) {
      return InvalidArgument(
          "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value "
          "was " +
          *hash);
    }
    record.explicit_hash_key = *parsed;
  }
  if (SizeOf(record) > bytes_max) {
    input.Fail("Data", std::to_string(SizeOf(record)) + " bytes with the partition key",
               "Member must have length less than or equal to " + std::to_string(bytes_max));
  }
  return record;
}

// What a client says came before: it must be a number that was given already.
AwsResult<bool> CheckOrdering(const DataStreamServices& services, const std::string& stream,
                              const std::string& number) {
  const auto parsed = storage::SequenceNumber::Parse(number);
  if (parsed && parsed->fields().time_s <= services.clock.Now().seconds() + 1) return true;
  return InvalidArgument("ExclusiveMinimumSequenceNumber " + number + " used in PutRecord on stream " +
                         stream + " under account " + services.identity.account + " is invalid.");
}

// What a failed put is to the client, which sends it again after either.
AwsError PutError(const DataStreamServices& services, const std::string& stream, const AwsError& error) {
  if (!error.type.empty()) return error;
  if (error.code == ErrorCode::kResourceExhausted) {
    return {kThrottled, "Rate exceeded for stream " + stream + " under account " + services.identity.account +
                            ": the disk does not keep up."};
  }
  return OfDataStream(services, stream, error);
}

// One line a second at most, over all streams: producers that are throttled try again and again, and the
// metrics count each of them.
void LogRefused(const std::string& stream, std::int64_t records, const std::string& error) {
  static LogThrottle throttle(std::chrono::seconds(1), SystemClock());
  if (const auto untold = throttle.Add(records)) {
    Log(LogLevel::kWarning, "records were refused",
        {{"records", *untold}, {"stream", stream}, {"error", error}});
  }
}

}  // namespace

AwsResult<PutRequest> ReadPutRecord(const DataStreamServices& services, const DataStreamRequest& request) {
  AwsInput input(request.members);
  const auto named = ReadDataStreamName(input);
  const auto ordering = input.String("SequenceNumberForOrdering", {.pattern = kAwsSequenceNumberPattern});
  const bool dry_run = input.Bool("DryRun").value_or(false);
  const auto settings = services.catalog.SettingsOf(named ? named->name : std::string());
  auto record = ReadRecord(input, *settings);
  if (auto bad = input.Finish()) return *bad;
  if (!record) return std::move(record).error();
  MILLRACE_ASSIGN_OR_RETURN(const std::string stream, OurDataStream(services, named));
  if (services.catalog.IsInternal(stream)) return InternalDataStream(services, stream);
  if (ordering) {
    MILLRACE_ASSIGN_OR_RETURN(const bool fine, CheckOrdering(services, stream, *ordering));
    (void)fine;
  }
  if (dry_run) return DryRunDone();
  PutRequest put{stream, {}};
  put.records.push_back(std::move(*record));
  return put;
}

AwsResult<PutRequest> ReadPutRecords(const DataStreamServices& services, const DataStreamRequest& request) {
  AwsInput input(request.members);
  const auto named = ReadDataStreamName(input);
  const bool dry_run = input.Bool("DryRun").value_or(false);
  const auto settings = services.catalog.SettingsOf(named ? named->name : std::string());
  PutRequest put;
  std::optional<AwsError> first;
  std::size_t bytes = 0;
  for (AwsInput& item : input.Structures("Records", {.required = true, .min = 1, .max = kRecordsMax})) {
    auto record = ReadRecord(item, *settings);
    if (!record) {
      if (!first) first = std::move(record).error();
      continue;
    }
    bytes += SizeOf(*record);
    put.records.push_back(std::move(*record));
  }
  if (auto bad = input.Finish()) return *bad;
  if (first) return *first;
  MILLRACE_ASSIGN_OR_RETURN(const std::string stream, OurDataStream(services, named));
  if (services.catalog.IsInternal(stream)) return InternalDataStream(services, stream);
  if (bytes > kRequestBytesMax) return InvalidArgument("Records size exceeds 10 MB limit");
  if (dry_run) return DryRunDone();
  put.stream = stream;
  return put;
}

AwsAnswer AnswerPutRecord(const DataStreamServices& services, const std::string& stream, AwsEncoding encoding,
                          PutReceipts receipts) {
  const auto& receipt = receipts.front();
  if (!receipt) return PutError(services, stream, receipt.error());
  AwsOutput output(encoding);
  output.BeginObject();
  output.Key("ShardId").String(receipt->shard.ToString());
  output.Key("SequenceNumber").String(receipt->sequence_number.ToString());
  if (receipt->encrypted) output.Key("EncryptionType").String("KMS");
  output.EndObject();
  return std::move(output).Take();
}

AwsAnswer AnswerPutRecords(const DataStreamServices& services, const std::string& stream,
                           AwsEncoding encoding, PutReceipts receipts) {
  std::int64_t failed = 0;
  std::string first;  // why the first of them failed
  AwsOutput output(encoding, receipts.size() * 160 + 64);
  output.BeginObject().Key("Records").BeginArray();
  for (const auto& receipt : receipts) {
    output.BeginObject();
    if (receipt) {
      output.Key("SequenceNumber").String(receipt->sequence_number.ToString());
      output.Key("ShardId").String(receipt->shard.ToString());
    } else {
      // A stream that is not there is no matter of single records.
      if (receipt.error().code == ErrorCode::kNotFound) return NoDataStream(services, stream);
      if (failed++ == 0) first = receipt.error().message;
      const AwsError error = PutError(services, stream, receipt.error());
      const bool throttled = error.type == kThrottled;
      output.Key("ErrorCode").String(throttled ? kThrottled : "InternalFailure");
      output.Key("ErrorMessage").String(throttled ? error.message : "Internal Service Failure");
    }
    output.EndObject();
  }
  output.EndArray().Key("FailedRecordCount").Integer(failed);
  if (failed > 0) LogRefused(stream, failed, first);
  const bool encrypted = std::any_of(receipts.begin(), receipts.end(),
                                     [](const auto& receipt) { return receipt && receipt->encrypted; });
  if (encrypted) output.Key("EncryptionType").String("KMS");
  output.EndObject();
  return std::move(output).Take();
}

}  // namespace millrace::api
