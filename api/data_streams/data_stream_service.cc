// The door of the Data Streams service: `POST /` with X-Amz-Target, JSON 1.1 and CBOR 1.1.
#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <type_traits>
#include <variant>

#include "api/access/caller.h"
#include "api/aws/async_event.h"
#include "api/aws/aws_body.h"
#include "api/aws/aws_http.h"
#include "api/aws/byte_budget.h"
#include "api/aws/cors_writer.h"
#include "api/data_streams/data_stream_access.h"
#include "api/data_streams/data_stream_catalog.h"
#include "api/data_streams/data_stream_operations.h"
#include "api/data_streams/data_stream_subscribe.h"
#include "api/data_streams/stream_throughput.h"
#include "base/metrics.h"

namespace millrace::api {
namespace {

constexpr std::string_view kTargetPrefix = "Kinesis_20131202.";
// 10 MiB of data as base64, and 500 partition keys in the longest way to write them.
constexpr std::size_t kBodyBytesMax = 16 * 1024 * 1024;
// Reading a body of this size takes less than handing it to the pool would.
constexpr std::size_t kReadInPlaceMax = 8 * 1024;
// A disk that takes longer than this for a put: the client is told that it failed, and asks again.
constexpr auto kPutTimeout = std::chrono::seconds(60);

// An operation whose answer comes when the log has made the records durable.
struct PutOperation {
  AwsResult<PutRequest> (*read)(const DataStreamServices&, const DataStreamRequest&);
  AwsAnswer (*answer)(const DataStreamServices&, const std::string&, AwsEncoding, PutReceipts);
};

// An operation whose answer goes on.
struct PushOperation {
  AwsResult<std::shared_ptr<ShardPush>> (*open)(const DataStreamServices&, const DataStreamRequest&);
};

struct NamedOperation {
  std::string_view name;
  std::variant<DataStreamOperation, PutOperation, PushOperation> run;
};
constexpr NamedOperation kOperations[] = {
    {"AddTagsToStream", AddTagsToStream},
    {"CreateStream", CreateDataStream},
    {"DecreaseStreamRetentionPeriod", DecreaseRetention},
    {"DeleteResourcePolicy", DeleteResourcePolicy},
    {"DeleteStream", DeleteDataStream},
    {"DeregisterStreamConsumer", DeregisterStreamConsumer},
    {"DescribeAccountSettings", DescribeAccountSettings},
    {"DescribeLimits", DescribeLimits},
    {"DescribeStream", DescribeDataStream},
    {"DescribeStreamConsumer", DescribeStreamConsumer},
    {"DescribeStreamSummary", SummarizeDataStream},
    {"DisableEnhancedMonitoring", DisableMonitoring},
    {"EnableEnhancedMonitoring", EnableMonitoring},
    {"GetRecords", GetRecords},
    {"GetResourcePolicy", GetResourcePolicy},
    {"GetShardIterator", GetShardIterator},
    {"IncreaseStreamRetentionPeriod", IncreaseRetention},
    {"ListShards", ListShards},
    {"ListStreamConsumers", ListStreamConsumers},
    {"ListStreams", ListDataStreams},
    {"ListTagsForResource", ListTagsForResource},
    {"ListTagsForStream", ListTagsForStream},
    {"MergeShards", MergeShards},
    {"PutRecord", PutOperation{ReadPutRecord, AnswerPutRecord}},
    {"PutRecords", PutOperation{ReadPutRecords, AnswerPutRecords}},
    {"PutResourcePolicy", PutResourcePolicy},
    {"RegisterStreamConsumer", RegisterStreamConsumer},
    {"RemoveTagsFromStream", RemoveTagsFromStream},
    {"SplitShard", SplitShard},
    {"StartStreamEncryption", StartStreamEncryption},
    {"StopStreamEncryption", StopStreamEncryption},
    {"SubscribeToShard", PushOperation{ShardPush::Open}},
    {"TagResource", TagResource},
    {"UntagResource", UntagResource},
    {"UpdateAccountSettings", UpdateAccountSettings},
    {"UpdateMaxRecordSize", UpdateMaxRecordSize},
    {"UpdateShardCount", UpdateShardCount},
    {"UpdateStreamMode", UpdateStreamMode},
    {"UpdateStreamRecordDistributionStrategy", UpdateRecordDistribution},
    {"UpdateStreamWarmThroughput", UpdateWarmThroughput},
};

// The operation that X-Amz-Target names; none: there is no such.
const NamedOperation* FindOperation(const Request& request) {
  const auto target = request.headers.Find("X-Amz-Target");
  if (!target || !target->starts_with(kTargetPrefix)) return nullptr;
  const std::string_view name = target->substr(kTargetPrefix.size());
  const auto found = std::find_if(std::begin(kOperations), std::end(kOperations),
                                  [&](const NamedOperation& one) { return one.name == name; });
  return found == std::end(kOperations) ? nullptr : found;
}

void Count(const NamedOperation* operation, const std::string& result) {
  GetCounter(
      "millrace_data_streams_requests_total", "Requests of the Data Streams protocol",
      {{"operation", operation == nullptr ? "unknown" : std::string(operation->name)}, {"result", result}})
      .Increment();
}

// The answers to what is no request of this protocol, as the service gives them: not in its encodings.
net::awaitable<void> RespondPlain(ResponseWriter& writer, int status, std::string content_type,
                                  std::string text) {
  ResponseHead head{status, {}};
  AddRequestIds(head.headers, AwsService::kDataStreams);
  if (!content_type.empty()) head.headers.Add("Content-Type", std::move(content_type));
  Bytes bytes(text.begin(), text.end());
  SharedBytes body(std::move(bytes));
  (void)co_await writer.Respond(std::move(head), std::move(body));
}

// Answers what came with a Content-Type that is not of this protocol. That of the one before it, whose
// answers are in an envelope, is read before it is refused.
net::awaitable<void> RespondForeign(const DataStreamServices& services, const Request& request,
                                    ResponseWriter& writer, const std::string& type,
                                    const std::string& body) {
  if (type == "application/json") {
    auto parse = [&] { return ParseAwsObject(body); };
    const auto parsed = co_await services.pool.Run(parse);
    const bool readable = static_cast<bool>(parsed);
    const std::string error = readable ? "UnknownOperationException" : "SerializationException";
    co_await RespondPlain(
        writer, readable ? 404 : 400, type,
        R"({"Output":{"__type":"com.amazon.coral.service#)" + error + R"("},"Version":"1.0"})");
  } else if (request.headers.Find("X-Amz-Target")) {
    co_await RespondPlain(writer, 404, "", "<UnknownOperationException/>\n");
  } else {
    co_await RespondPlain(
        writer, 403, "",
        "<AccessDeniedException>\n  <Message>Unable to determine service/operation name to be "
        "authorized</Message>\n</AccessDeniedException>\n");
  }
}

// Puts the records and waits until they are durable, or were refused.
using LogReceipts = std::vector<Result<storage::PutReceipt>>;
net::awaitable<LogReceipts> PutAndAwait(storage::RecordLog& log, const std::string& stream,
                                        std::vector<storage::PutRecord> records) {
  struct Outcome {
    LogReceipts receipts;  // written before the event is set
  };
  auto outcome = std::make_shared<Outcome>();
  AsyncEvent done(co_await net::this_coro::executor);
  const std::size_t count = records.size();
  log.PutMany(stream, std::move(records), [outcome, set = done.Setter()](LogReceipts receipts) {
    outcome->receipts = std::move(receipts);
    set();
  });
  const bool told = co_await done.Wait(std::chrono::steady_clock::now() + kPutTimeout);
  if (told) co_return std::move(outcome->receipts);
  co_return LogReceipts(count, Error{ErrorCode::kUnavailable, "the disk has not taken the records in time"});
}

// Takes the records out that their shards do not take now. What is left is put.
std::vector<storage::PutRecord> TakeAdmitted(const StreamThroughput::Admission& admission,
                                             std::vector<storage::PutRecord> records) {
  std::size_t at = 0;
  std::erase_if(records, [&](const storage::PutRecord&) {
    return !admission.refused.empty() && admission.refused[at++];
  });
  return records;
}

// The receipts of all records, in their order. `receipts` are of those that were admitted.
PutReceipts JoinReceipts(const DataStreamServices& services, const std::string& stream,
                         const StreamThroughput::Admission& admission, LogReceipts receipts) {
  PutReceipts joined;
  joined.reserve(std::max(receipts.size(), admission.refused.size()));
  bool as_known = true;
  for (Result<storage::PutReceipt>& receipt : receipts) {
    while (joined.size() < admission.refused.size() && admission.refused[joined.size()]) {
      joined.push_back(RateExceeded(services, stream, admission.shards[joined.size()]));
    }
    if (!receipt) {
      joined.push_back(std::move(receipt).error());
      continue;
    }
    if (!admission.shards.empty()) as_known = as_known && receipt->shard == admission.shards[joined.size()];
    joined.push_back(std::move(*receipt));
  }
  while (joined.size() < admission.refused.size()) {
    joined.push_back(RateExceeded(services, stream, admission.shards[joined.size()]));
  }
  if (!as_known) services.throughput->Unlearn(stream);
  return joined;
}

// Runs `work` here where the request is small, else on the pool.
template <typename Work>
net::awaitable<std::invoke_result_t<Work>> RunWork(const DataStreamServices& services, std::size_t body_bytes,
                                                   Work& work) {
  if (body_bytes <= kReadInPlaceMax) co_return work();
  co_return co_await services.pool.Run(work);
}

net::awaitable<AwsAnswer> Put(const DataStreamServices& services, const PutOperation& operation,
                              const DataStreamRequest& request, std::size_t body_bytes) {
  auto read = [&] { return operation.read(services, request); };
  AwsResult<PutRequest> put = co_await RunWork(services, body_bytes, read);
  if (!put) co_return std::move(put).error();
  const std::string stream = put->stream;
  StreamThroughput& throughput = *services.throughput;
  if (!throughput.Knows(stream)) {
    auto learn = [&] { return throughput.Learn(stream); };
    (void)co_await services.pool.Run(learn);
  }
  const auto admission = throughput.Admit(stream, put->records);
  std::vector<storage::PutRecord> records = TakeAdmitted(admission, std::move(put->records));
  LogReceipts receipts;
  if (!records.empty()) {
    receipts = co_await PutAndAwait(services.catalog.log(), stream, std::move(records));
  }
  PutReceipts joined = JoinReceipts(services, stream, admission, std::move(receipts));
  co_return operation.answer(services, stream, request.encoding, std::move(joined));
}

// Types and syntax first, then the operation's name, then what the operation says. `push` is what goes on to
// answer, where the operation is one that does.
net::awaitable<AwsAnswer> Run(const DataStreamServices& services, const NamedOperation* operation,
                              AwsEncoding encoding, const std::string& body, Caller* caller,
                              std::shared_ptr<ShardPush>& push) {
  if (body.empty()) {
    co_return AwsError(operation == nullptr ? "UnknownOperationException" : "SerializationException", "");
  }
  auto parse = [&] { return ParseAwsObject(body, encoding); };
  AwsResult<boost::json::value> parsed = co_await RunWork(services, body.size(), parse);
  if (!parsed) co_return std::move(parsed).error();
  if (operation == nullptr) co_return AwsError("UnknownOperationException", "");
  const DataStreamRequest request{parsed->get_object(), encoding};
  if (auto allowed = AuthorizeDataStream(caller, services, operation->name, request.members); !allowed) {
    co_return std::move(allowed).error();
  }
  if (const auto* pushed = std::get_if<PushOperation>(&operation->run)) {
    auto open = [&] { return pushed->open(services, request); };
    auto opened = co_await services.pool.Run(open);
    if (!opened) co_return std::move(opened).error();
    push = std::move(*opened);
    co_return std::string();
  }
  if (const auto* put = std::get_if<PutOperation>(&operation->run)) {
    co_return co_await Put(services, *put, request, body.size());
  }
  auto work = [&] { return std::get<DataStreamOperation>(operation->run)(services, request); };
  co_return co_await services.pool.Run(work);
}

net::awaitable<void> Serve(const DataStreamServices& services, Request& request, ResponseWriter& writer) {
  const std::string type = MediaType(request);
  const NamedOperation* operation = FindOperation(request);
  if (request.caller && operation != nullptr) {
    request.caller->SetAction("kinesis:" + std::string(operation->name));
  }
  auto body = co_await GatherAwsBody(request, services.budget, kBodyBytesMax);
  // What has no body has no type that counts: only JSON that says so is answered in JSON.
  const bool empty = body && body->text.empty();
  const bool cbor = type == kCbor11 || (empty && type != kJson11);
  const AwsEncoding encoding = cbor ? AwsEncoding::kCbor : AwsEncoding::kJson;
  std::shared_ptr<ShardPush> push;
  AwsAnswer answer = std::string();
  if (!body) {
    if (body.error().code == ErrorCode::kResourceExhausted && body.error().type.empty()) {
      Count(operation, "too_large");
      co_await RespondPlain(writer, 413, "", "");
      co_return;
    }
    answer = std::move(body).error();
  } else if (!cbor && type != kJson11) {
    Count(operation, "foreign");
    co_await RespondForeign(services, request, writer, type, body->text);
    co_return;
  } else {
    answer = co_await Run(services, operation, encoding, body->text, request.caller.get(), push);
    *body = GatheredBody();
  }
  if (push) {
    Count(operation, "ok");
    co_await push->Run(writer);
    co_return;
  }
  ByteBudget::Share share;
  if (answer && answer->size() > kAnswerUncountedMax) {
    auto taken = services.budget.Take(answer->size());
    if (taken) {
      share = std::move(*taken);
    } else {
      answer = AwsError("ProvisionedThroughputExceededException",
                        "Rate exceeded: too many answers wait for slow readers.");
    }
  }
  if (answer) {
    Count(operation, "ok");
    co_await RespondAws(writer, AwsService::kDataStreams, std::move(*answer), encoding);
  } else {
    AwsError error = ToAws(std::move(answer).error(), AwsService::kDataStreams);
    Count(operation, error.type);
    co_await RespondAws(writer, AwsService::kDataStreams, std::move(error), encoding);
  }
}

}  // namespace

void AddDataStreamRoutes(Router& router, DataStreamServices services) {
  if (!services.subscriptions) services.subscriptions = std::make_shared<ShardSubscriptions>();
  if (!services.throughput) {
    services.throughput =
        std::make_shared<StreamThroughput>(services.catalog, services.clock, ShardLimits::Off());
  }
  router.Add("POST", "/", [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
    CorsWriter cors(request, writer);
    co_await Serve(services, request, cors);
  });
  router.Add("OPTIONS", "/", [](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
    ResponseHead head;
    AddRequestId(head.headers);
    co_await RespondPreflight(request, std::move(head), writer);
  });
}

}  // namespace millrace::api
