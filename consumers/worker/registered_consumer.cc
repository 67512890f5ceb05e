#include "consumers/worker/registered_consumer.h"

#include "consumers/worker/application_client.h"
#include "wire/answer_fields.h"

namespace millrace::consumer {
namespace {

std::string ArnIn(const boost::json::object& answer, const char* member) {
  const auto* consumer = answer.if_contains(member);
  return consumer != nullptr && consumer->is_object() ? wire::TextOf(consumer->get_object(), "ConsumerARN")
                                                      : "";
}

}  // namespace

RegisteredConsumer::RegisteredConsumer(const WorkerOptions& options)
    : options_(options), client_(options.endpoint, HttpOptions(options)) {}

Result<std::string> RegisteredConsumer::Arn() {
  if (!arn_.empty()) return arn_;
  boost::json::object request;
  request["StreamName"] = options_.stream;
  MILLRACE_ASSIGN_OR_RETURN(const auto stream, client_.DataStreams("DescribeStreamSummary", request));
  const auto* summary = stream.if_contains("StreamDescriptionSummary");
  if (summary == nullptr || !summary->is_object())
    return Error{ErrorCode::kInternal, "an answer without a summary of the stream"};
  request = {};
  request["StreamARN"] = wire::TextOf(summary->get_object(), "StreamARN");
  request["ConsumerName"] = options_.consumer;
  auto answer = client_.DataStreams("DescribeStreamConsumer", request);
  std::string arn = answer ? ArnIn(*answer, "ConsumerDescription") : "";
  if (!answer && answer.error().code == ErrorCode::kNotFound) {
    answer = client_.DataStreams("RegisterStreamConsumer", request);
    // Another worker may be registering it at this moment: then the next look finds it.
    arn = answer ? ArnIn(*answer, "Consumer") : "";
  }
  if (!answer) return std::move(answer).error();
  if (arn.empty()) return Error{ErrorCode::kInternal, "an answer without the consumer's ARN"};
  arn_ = arn;
  return arn;
}

}  // namespace millrace::consumer
