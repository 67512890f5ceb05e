// The door of the Data Streams service: `POST /` with X-Amz-Target, JSON 1.1.
#include <algorithm>
#include <array>
#include <boost/asio/this_coro.hpp>

#include "api/async_event.h"
#include "api/aws_body.h"
#include "api/aws_http.h"
#include "api/byte_budget.h"
#include "api/data_stream_catalog.h"
#include "api/data_stream_operations.h"
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

struct NamedOperation {
  std::string_view name;
  DataStreamOperation run;
};
constexpr std::array<NamedOperation, 8> kOperations{{
    {"CreateStream", CreateDataStream},
    {"DeleteStream", DeleteDataStream},
    {"DescribeStream", DescribeDataStream},
    {"DescribeStreamSummary", SummarizeDataStream},
    {"GetRecords", GetRecords},
    {"GetShardIterator", GetShardIterator},
    {"ListShards", ListShards},
    {"ListStreams", ListDataStreams},
}};

// Operations whose answer comes when the log has made the records durable.
struct NamedPut {
  std::string_view name;
  AwsResult<PutRequest> (*read)(const DataStreamServices&, const boost::json::object&);
  AwsAnswer (*answer)(const DataStreamServices&, const std::string&, PutReceipts);
};
constexpr std::array<NamedPut, 2> kPuts{{
    {"PutRecord", ReadPutRecord, AnswerPutRecord},
    {"PutRecords", ReadPutRecords, AnswerPutRecords},
}};

template <typename Table>
auto FindOperation(const Table& table, std::string_view name) -> decltype(&table[0]) {
  const auto found =
      std::find_if(table.begin(), table.end(), [&](const auto& one) { return one.name == name; });
  return found == table.end() ? nullptr : &*found;
}

std::string OperationName(const Request& request) {
  const auto target = request.headers.Find("X-Amz-Target");
  if (!target || !target->starts_with(kTargetPrefix)) return {};
  const std::string_view name = target->substr(kTargetPrefix.size());
  if (FindOperation(kOperations, name) == nullptr && FindOperation(kPuts, name) == nullptr) return {};
  return std::string(name);
}

void Count(const std::string& operation, const std::string& result) {
  GetCounter("millrace_data_streams_requests_total", "Requests of the Data Streams protocol",
             {{"operation", operation.empty() ? "unknown" : operation}, {"result", result}})
      .Increment();
}

// The answers to what is no request of this protocol, as the service gives them: no JSON, and no type.
net::awaitable<void> RespondPlain(ResponseWriter& writer, int status, std::string content_type,
                                  std::string text) {
  ResponseHead head{status, {}};
  AddRequestIds(head.headers, AwsService::kDataStreams);
  if (!content_type.empty()) head.headers.Add("Content-Type", std::move(content_type));
  Bytes bytes(text.begin(), text.end());
  SharedBytes body(std::move(bytes));
  (void)co_await writer.Respond(std::move(head), std::move(body));
}

// True: the request's Content-Type is one of the protocol; else it was answered.
net::awaitable<bool> CheckContentType(const Request& request, ResponseWriter& writer) {
  const std::string type = MediaType(request);
  if (type == kJson11) co_return true;
  if (type == "application/json") {
    // The envelope of the protocol before this one.
    co_await RespondPlain(
        writer, 404, "application/json",
        R"({"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"})");
  } else if (request.headers.Find("X-Amz-Target")) {
    co_await RespondPlain(writer, 404, "", "<UnknownOperationException/>\n");
  } else {
    co_await RespondPlain(
        writer, 403, "",
        "<AccessDeniedException>\n  <Message>Unable to determine service/operation name to be "
        "authorized</Message>\n</AccessDeniedException>\n");
  }
  co_return false;
}

// Puts the records and waits until they are durable, or were refused.
net::awaitable<PutReceipts> PutAndAwait(storage::RecordLog& log, PutRequest put) {
  struct Outcome {
    PutReceipts receipts;  // written before the event is set
  };
  auto outcome = std::make_shared<Outcome>();
  AsyncEvent done(co_await net::this_coro::executor);
  const std::size_t count = put.records.size();
  log.PutMany(put.stream, std::move(put.records), [outcome, set = done.Setter()](PutReceipts receipts) {
    outcome->receipts = std::move(receipts);
    set();
  });
  const bool told = co_await done.Wait(std::chrono::steady_clock::now() + kPutTimeout);
  if (told) co_return std::move(outcome->receipts);
  co_return PutReceipts(count, Error{ErrorCode::kUnavailable, "the disk has not taken the records in time"});
}

net::awaitable<AwsAnswer> Put(const DataStreamServices& services, const NamedPut& operation,
                              const std::string& body) {
  auto read = [&]() -> AwsResult<PutRequest> {
    MILLRACE_ASSIGN_OR_RETURN(const boost::json::value value, ParseAwsObject(body));
    return operation.read(services, value.get_object());
  };
  AwsResult<PutRequest> put = PutRequest();
  if (body.size() <= kReadInPlaceMax) {
    put = read();
  } else {
    put = co_await services.pool.Run(read);
  }
  if (!put) co_return std::move(put).error();
  const std::string stream = put->stream;
  PutReceipts receipts = co_await PutAndAwait(services.catalog.log(), std::move(*put));
  co_return operation.answer(services, stream, std::move(receipts));
}

net::awaitable<AwsAnswer> Run(const DataStreamServices& services, const std::string& name,
                              const std::string& body) {
  if (const NamedPut* put = FindOperation(kPuts, name)) co_return co_await Put(services, *put, body);
  const NamedOperation* operation = FindOperation(kOperations, name);
  auto work = [&]() -> AwsAnswer {
    MILLRACE_ASSIGN_OR_RETURN(const boost::json::value value, ParseAwsObject(body));
    return operation->run(services, value.get_object());
  };
  co_return co_await services.pool.Run(work);
}

net::awaitable<void> Serve(const DataStreamServices& services, Request& request, ResponseWriter& writer) {
  const bool protocol = co_await CheckContentType(request, writer);
  if (!protocol) co_return;
  const std::string operation = OperationName(request);
  auto body = co_await GatherAwsBody(request, services.budget, kBodyBytesMax);
  AwsAnswer answer = std::string();
  if (!body) {
    if (body.error().code == ErrorCode::kResourceExhausted && body.error().type.empty()) {
      Count(operation, "too_large");
      co_await RespondPlain(writer, 413, "", "");
      co_return;
    }
    answer = std::move(body).error();
  } else if (operation.empty()) {
    answer = AwsError("UnknownOperationException", "");
  } else if (body->text.empty()) {
    answer = AwsError("SerializationException", "");
  } else {
    answer = co_await Run(services, operation, body->text);
    *body = GatheredBody();
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
    co_await RespondAws(writer, AwsService::kDataStreams, std::move(*answer));
  } else {
    AwsError error = ToAws(std::move(answer).error(), AwsService::kDataStreams);
    Count(operation, error.type);
    co_await RespondAws(writer, AwsService::kDataStreams, std::move(error));
  }
}

}  // namespace

void AddDataStreamRoutes(Router& router, DataStreamServices services) {
  router.Add("POST", "/", [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
    co_await Serve(services, request, writer);
  });
}

}  // namespace millrace::api
