// What a client of the Kinesis protocols sends: a request's body for any operation, a shard iterator or
// token, and, as GetMedia meets it, a document that a producer stored. Any bytes give a bounded JSON answer
// or an error of the service with a short UTF-8 text; a token that this server did not seal is never taken.
#include <memory>
#include <string>

#include "api/aws/aws_http.h"
#include "api/aws/aws_input.h"
#include "api/aws/byte_budget.h"
#include "api/data_streams/data_stream_catalog.h"
#include "api/data_streams/data_stream_operations.h"
#include "api/data_streams/shard_iterator.h"
#include "api/video_streams/media_chunk.h"
#include "base/text.h"
#include "fuzz/fuzz_target.h"
#include "parser/parse_fragment.h"
#include "tests/fragments/memory_log.h"
#include "wire/base64.h"
#include "wire/sealed_token.h"

namespace millrace::fuzz {
namespace {

using api::DataStreamServices;

constexpr Timestamp kNow = Timestamp::FromMillis(1'795'240'800'000);

struct World {
  test::MemoryLog log;
  ManualClock clock{kNow};
  wire::TokenSealer sealer{wire::TokenSealer::Key{}};
  std::unique_ptr<api::DataStreamCatalog> catalog;

  World() {
    auto opened = api::DataStreamCatalog::Open(log, "millrace-fragments");
    FUZZ_CHECK(opened, opened.error().ToString());
    catalog = std::move(*opened);
    FUZZ_CHECK(catalog->Create("s", 2, std::chrono::hours(24), {}), "a stream");
  }
  DataStreamServices services() {
    static api::WorkerPool pool(1, 1);  // of which nothing is asked here
    static api::ByteBudget budget(1 << 20);
    return {*catalog, sealer, pool, budget, clock};
  }
};

void CheckError(api::AwsError error) {
  error = api::ToAws(std::move(error), api::AwsService::kDataStreams);
  FUZZ_CHECK(!error.type.empty() && error.type.size() < 64, error.type);
  FUZZ_CHECK(error.status >= 400 && error.status <= 599, std::to_string(error.status));
  FUZZ_CHECK(error.message.size() <= 16 * 1024, error.message.substr(0, 200));
  FUZZ_CHECK(IsUtf8(error.message), error.message);
}

void CheckAnswer(api::AwsAnswer answer, api::AwsEncoding encoding) {
  if (!answer) return CheckError(std::move(answer).error());
  if (answer->empty()) return;
  const auto again = api::ParseAwsObject(*answer, encoding);
  FUZZ_CHECK(again, *answer);
}

// Those that come before the puts, which are the last two. None needs more of a log than that it exists.
constexpr api::DataStreamOperation kOperations[] = {
    api::CreateDataStream,     api::DescribeDataStream,   api::SummarizeDataStream,
    api::ListDataStreams,      api::ListShards,           api::GetShardIterator,
    api::GetRecords,           api::SplitShard,           api::MergeShards,
    api::UpdateShardCount,     api::IncreaseRetention,    api::UpdateStreamMode,
    api::UpdateMaxRecordSize,  api::UpdateWarmThroughput, api::UpdateRecordDistribution,
    api::EnableMonitoring,     api::AddTagsToStream,      api::RemoveTagsFromStream,
    api::ListTagsForStream,    api::TagResource,          api::UntagResource,
    api::ListTagsForResource,  api::PutResourcePolicy,    api::GetResourcePolicy,
    api::DeleteResourcePolicy, api::DescribeLimits,       api::DescribeAccountSettings,
    api::UpdateAccountSettings};
constexpr std::size_t kOperationsCount = std::size(kOperations);

void RunOperation(World& world, std::size_t which, api::AwsEncoding encoding, std::string_view body) {
  auto parsed = api::ParseAwsObject(body, encoding);
  if (!parsed) return CheckError(std::move(parsed).error());
  const api::DataStreamRequest request{parsed->get_object(), encoding};
  const DataStreamServices services = world.services();
  if (which < kOperationsCount) return CheckAnswer(kOperations[which](services, request), encoding);
  auto put = which == kOperationsCount ? api::ReadPutRecord(services, request)
                                       : api::ReadPutRecords(services, request);
  if (!put) return CheckError(std::move(put).error());
  FUZZ_CHECK(!put->records.empty() && put->records.size() <= 500, "the number of records");
  for (const storage::PutRecord& record : put->records) {
    FUZZ_CHECK(!record.partition_key.empty(), "a record without a key");
    FUZZ_CHECK(record.partition_key.size() <= storage::kPartitionKeyBytesMax, record.partition_key);
  }
}

void CheckToken(const World& world, std::string_view text) {
  FUZZ_CHECK(!world.sealer.Open("shard-iterator-1", text), "a token that was not sealed");
  auto iterator = api::DecodeShardIterator(world.sealer, text, kNow);
  FUZZ_CHECK(!iterator, "an iterator that was not sealed");
  CheckError(std::move(iterator).error());
  if (const auto bytes = wire::DecodeBase64(text)) {
    FUZZ_CHECK(wire::EncodeBase64(*bytes) == text, std::string(text));
  }
}

// Whole or filtered, a chunk is again a document; what the parser takes without a filter it takes with the
// tags too.
void CheckChunk(std::uint8_t choice, ByteSpan bytes) {
  Fragment fragment;
  fragment.mkv = SharedBytes(Bytes(bytes.begin(), bytes.end()));
  fragment.facts.number = FragmentNumber{1, 2, 3};
  fragment.facts.start = fragment.facts.server_start = kNow;
  api::MediaFilter filter;
  if (choice & 1) filter.tracks = {1, 3};
  if (choice & 2) filter.kind = choice & 4 ? TrackKind::kVideo : TrackKind::kAudio;
  filter.key_frames_only = (choice & 8) != 0;
  std::optional<api::MediaPlace> place;
  if (choice & 16) place = api::MediaPlace{Duration{0}, "7"};
  const auto pieces = api::MakeChunk(fragment, filter, place);
  if (!pieces) return;
  Bytes chunk;
  for (const SharedBytes& piece : *pieces)
    chunk.insert(chunk.end(), piece.span().begin(), piece.span().end());
  FUZZ_CHECK(chunk.size() <= 2 * bytes.size() + 4096, std::to_string(chunk.size()));
  if (!filter.any()) return;
  const auto parsed = ParseFragment(SharedBytes(std::move(chunk)));
  FUZZ_CHECK(parsed, parsed.error().ToString());
}

}  // namespace

std::vector<Seed> Seeds() {
  const auto seed = [](const char* name, std::size_t which, std::string_view body) {
    Seed made{name, {0, static_cast<std::uint8_t>(which)}};
    made.bytes.insert(made.bytes.end(), body.begin(), body.end());
    return made;
  };
  return {
      seed("create", 0,
           R"({"StreamName":"s","ShardCount":2,"StreamModeDetails":{"StreamMode":"ON_DEMAND"},)"
           R"("Tags":{"a":"b"},"MaxRecordSizeInKiB":2048})"),
      seed("summary", 2, R"({"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s"})"),
      seed("describe", 1, R"({"StreamName":"s","Limit":1,"ExclusiveStartShardId":"shardId-000000000000"})"),
      seed("list", 3, R"({"Limit":1,"ExclusiveStartStreamName":"a","MillraceIncludeInternal":true})"),
      seed("shards", 4,
           R"({"StreamName":"s","ShardFilter":{"Type":"AT_TIMESTAMP","Timestamp":1795240800.5}})"),
      seed(
          "iterator", 5,
          R"({"StreamName":"s","ShardId":"0","ShardIteratorType":"AT_SEQUENCE_NUMBER","StartingSequenceNumber":)"
          R"("49594189147623985939251953501666965394405037144469929986"})"),
      seed("records", 6, R"({"ShardIterator":"AAAAAAAAAAE=","Limit":10})"),
      seed("put", kOperationsCount,
           R"({"StreamName":"s","PartitionKey":"k","Data":"Zm9v","ExplicitHashKey":"12"})"),
      {"put-cbor", {0,    0x80 | kOperationsCount,
                    0xBF, 0x6A,
                    'S',  't',
                    'r',  'e',
                    'a',  'm',
                    'N',  'a',
                    'm',  'e',
                    0x61, 's',
                    0x6C, 'P',
                    'a',  'r',
                    't',  'i',
                    't',  'i',
                    'o',  'n',
                    'K',  'e',
                    'y',  0x61,
                    'k',  0x64,
                    'D',  'a',
                    't',  'a',
                    0x5F, 0x41,
                    1,    0x41,
                    2,    0xFF,
                    0xFF}},
      seed("puts", kOperationsCount + 1,
           R"({"StreamName":"s","Records":[{"PartitionKey":"k","Data":"Zm9v"},{"Data":""}]})"),
      seed("split", 7, R"({"StreamName":"s","ShardToSplit":"0","NewStartingHashKey":"12"})"),
      seed("merge", 8, R"({"StreamName":"s","ShardToMerge":"0","AdjacentShardToMerge":"1"})"),
      seed("scale", 9, R"({"StreamName":"s","TargetShardCount":4,"ScalingType":"UNIFORM_SCALING"})"),
      seed("retain", 10, R"({"StreamName":"s","RetentionPeriodHours":48})"),
      seed("monitor", 15, R"({"StreamName":"s","ShardLevelMetrics":["ALL"]})"),
      seed("tag", 16, R"({"StreamName":"s","Tags":{"a":"b"}})"),
      seed("policy", 22,
           R"({"ResourceARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s",)"
           R"("Policy":"{\"Statement\":[]}"})"),
      seed("account", 27, R"({"MinimumThroughputBillingCommitment":{"Status":"ENABLED"}})"),
      {"token", {1, 'A', 'A', 'A', 'A', 'A', 'A', 'A', 'A', 'A', 'A', 'E', '='}},
      {"document", {2,    9,    0x1A, 0x45, 0xDF, 0xA3, 0x80, 0x18, 0x53, 0x80, 0x67, 0xFF, 0x16, 0x54, 0xAE,
                    0x6B, 0x8C, 0xAE, 0x8A, 0xD7, 0x81, 0x01, 0x83, 0x81, 0x01, 0x86, 0x82, 'V',  '_',  0x1F,
                    0x43, 0xB6, 0x75, 0x8A, 0xE7, 0x81, 0x05, 0xA3, 0x85, 0x81, 0,    0,    0x80, 'x'}}};
}

}  // namespace millrace::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  using namespace millrace::fuzz;
  Choices choices(ByteSpan(data, size));
  const auto kind = choices.Take<std::uint8_t>();
  if (kind % 3 == 1) {
    static const World world;
    CheckToken(world, AsText(choices.rest()));
  } else if (kind % 3 == 2) {
    const auto choice = choices.Take<std::uint8_t>();
    CheckChunk(choice, choices.rest());
  } else {
    World world;
    const auto which = choices.Take<std::uint8_t>();
    const auto encoding = which & 0x80 ? api::AwsEncoding::kCbor : api::AwsEncoding::kJson;
    RunOperation(world, (which & 0x7F) % (kOperationsCount + 2), encoding, AsText(choices.rest()));
  }
  return 0;
}
