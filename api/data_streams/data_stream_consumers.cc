// RegisterStreamConsumer, DescribeStreamConsumer, ListStreamConsumers and DeregisterStreamConsumer.
#include "api/data_streams/data_stream_consumers.h"

#include <algorithm>
#include <boost/json/object.hpp>

#include "api/aws/aws_input.h"
#include "api/aws/listing_token.h"
#include "api/data_streams/data_stream_catalog.h"
#include "api/data_streams/data_stream_operations.h"
#include "api/data_streams/shard_subscriptions.h"

namespace millrace::api {
namespace {

constexpr ListingKind kConsumerListing{"list-consumers-1", kDataListingLifetime};
constexpr std::int64_t kConsumersPageMax = 100;
constexpr std::size_t kTagsReadMax = 200;

bool IsConsumerArn(std::string_view arn) {
  const auto named = ParseDataResourceArn(arn);
  return named && !named->consumer.empty();
}

AwsStringRule ConsumerNameRule(bool required) {
  return {.required = required, .min = 1, .max = 128, .pattern = kAwsNamePattern};
}

void WriteConsumer(AwsOutput& output, const DataStreamServices& services, const StreamConsumer& consumer) {
  output.Key("ConsumerName").String(consumer.name);
  output.Key("ConsumerARN").String(ConsumerArn(services.identity, consumer));
  output.Key("ConsumerStatus").String("ACTIVE");
  output.Key("ConsumerCreationTimestamp").Time(consumer.created);
}

// The stream that StreamARN names, which must be there.
AwsResult<DataStream> ReadStream(const DataStreamServices& services, AwsInput& input) {
  const auto named = ReadDataStreamName(input);
  if (!named) (void)input.String("StreamARN", {.required = true});
  if (auto bad = input.Finish()) return *bad;
  MILLRACE_ASSIGN_OR_RETURN(const std::string name, OurDataStream(services, named));
  auto stream = services.catalog.Describe(name);
  if (!stream) return OfDataStream(services, name, std::move(stream).error());
  return std::move(*stream);
}

// The consumer that ConsumerARN names, or StreamARN with ConsumerName; both, if they agree.
AwsResult<StreamConsumer> ReadConsumer(const DataStreamServices& services, AwsInput& input) {
  const auto arn = input.String("ConsumerARN", {.min = 1, .max = 2048, .pattern = kAwsConsumerArnPattern});
  const auto name = input.String("ConsumerName", ConsumerNameRule(false));
  const auto stream = ReadDataStreamName(input);
  if (auto bad = input.Finish()) return *bad;
  if (!arn && !(stream && name)) {
    return InvalidArgument("Either ConsumerARN, or both StreamARN and ConsumerName should be provided.");
  }
  DataResourceName named;
  if (arn) {
    named = *ParseDataResourceArn(*arn);
    if ((name && *name != named.consumer) || (stream && stream->name != named.stream.name)) {
      return InvalidArgument("ConsumerARN " + *arn + " is not that of the given StreamARN and ConsumerName.");
    }
    return FindConsumer(services, named);
  }
  MILLRACE_ASSIGN_OR_RETURN(const std::string stream_name, OurDataStream(services, stream));
  const auto described = services.catalog.Describe(stream_name);
  if (!described) return OfDataStream(services, stream_name, described.error());
  auto found = services.catalog.consumers().Find(stream_name, described->description.created, *name);
  if (!found) return NoConsumer(services, *name);
  return std::move(*found);
}

// Where a listing goes on: behind this name, in this stream of this creation time.
std::string SealPlace(const DataStreamServices& services, const StreamConsumer& last) {
  boost::json::object place;
  MarkStream(place, last.stream, last.stream_created);
  place["after"] = last.name;
  return SealNextToken(services.sealer, kConsumerListing, std::move(place), services.clock.Now());
}

AwsResult<std::string> OpenPlace(const DataStreamServices& services, const std::string& token,
                                 const storage::StreamDescription& stream) {
  MILLRACE_ASSIGN_OR_RETURN(const auto place,
                            OpenNextToken(services.sealer, kConsumerListing, token, services.clock.Now()));
  if (!IsOfStream(place, stream.name, stream.created))
    return InvalidArgument("NextToken is not of stream " + stream.name + ".");
  return std::string(place.at("after").as_string());
}

}  // namespace

const AwsPattern kAwsConsumerArnPattern{
    "^(arn):aws.*:kinesis:.*:\\d{12}:.*stream\\/[a-zA-Z0-9_.-]+\\/consumer\\/[a-zA-Z0-9_.-]+:[0-9]+",
    IsConsumerArn};

std::string ConsumerArn(const AwsIdentity& identity, const StreamConsumer& consumer) {
  return identity.DataStreamArn(consumer.stream) + "/consumer/" + consumer.name + ":" +
         std::to_string(consumer.created.seconds());
}

AwsError NoConsumer(const DataStreamServices& services, const std::string& consumer) {
  return {"ResourceNotFoundException",
          "Consumer " + consumer + ", account " + services.identity.account + " not found."};
}

AwsResult<StreamConsumer> FindConsumer(const DataStreamServices& services, const DataResourceName& named) {
  MILLRACE_ASSIGN_OR_RETURN(const std::string stream, OurDataStream(services, named.stream));
  const auto described = services.catalog.Describe(stream);
  if (!described) return OfDataStream(services, stream, described.error());
  auto found = services.catalog.consumers().Find(stream, described->description.created, named.consumer);
  if (!found || found->created.seconds() != named.consumer_created_s) {
    StreamConsumer asked;
    asked.stream = stream;
    asked.name = named.consumer;
    // Beyond it the time would not fit: such a consumer was never made.
    asked.created = Timestamp::FromSeconds(std::min<std::int64_t>(named.consumer_created_s, 9'000'000'000));
    return NoConsumer(services, ConsumerArn(services.identity, asked));
  }
  return std::move(*found);
}

std::optional<AwsError> RemoveConsumers(const DataStreamServices& services, const std::string& stream,
                                        bool enforce) {
  const auto described = services.catalog.Describe(stream);
  if (!described) return OfDataStream(services, stream, described.error());
  const Timestamp created = described->description.created;
  StreamConsumers& consumers = services.catalog.consumers();
  if (!enforce && consumers.Count(stream, created) > 0) {
    return AwsError("ResourceInUseException",
                    "Stream " + stream + " under account " + services.identity.account +
                        " has registered consumers. Deregister them, or set EnforceConsumerDeletion.");
  }
  auto removed = consumers.RemoveAll(stream, created);
  if (!removed) return AwsError(std::move(removed).error());
  for (const StreamConsumer& consumer : *removed) services.subscriptions->End(consumer);
  return std::nullopt;
}

AwsAnswer RegisterStreamConsumer(const DataStreamServices& services, const DataStreamRequest& request) {
  AwsInput input(request.members);
  StreamConsumer consumer;
  consumer.name = input.String("ConsumerName", ConsumerNameRule(true)).value_or("");
  consumer.tags = input.StringMap("Tags", kTagsReadMax, 128, 256);
  MILLRACE_ASSIGN_OR_RETURN(const DataStream stream, ReadStream(services, input));
  if (auto refused = CheckTags(services, consumer.name, {}, consumer.tags)) return *refused;
  consumer.stream = stream.description.name;
  consumer.stream_created = stream.description.created;
  MILLRACE_ASSIGN_OR_RETURN(const bool advantage, HasCommitment(services));
  const std::size_t count_max = advantage ? kStreamConsumersAdvantageMax : kStreamConsumersMax;
  const std::string where = " of stream " + consumer.stream + " under account " + services.identity.account;
  const std::string name = consumer.name;
  auto registered =
      services.catalog.consumers().Register(std::move(consumer), services.clock.Now(), count_max);
  if (!registered && registered.error().code == ErrorCode::kAlreadyExists) {
    return AwsError("ResourceInUseException", "Consumer " + name + where + " already exists.");
  }
  if (!registered && registered.error().code == ErrorCode::kResourceExhausted) {
    return AwsError("LimitExceededException", "The limit of " + std::to_string(count_max) +
                                                  " registered consumers" + where + " is reached.");
  }
  if (!registered) return std::move(registered).error();
  AwsOutput output(request.encoding);
  output.BeginObject().Key("Consumer").BeginObject();
  WriteConsumer(output, services, *registered);
  output.EndObject().EndObject();
  return std::move(output).Take();
}

AwsAnswer DescribeStreamConsumer(const DataStreamServices& services, const DataStreamRequest& request) {
  AwsInput input(request.members);
  MILLRACE_ASSIGN_OR_RETURN(const StreamConsumer consumer, ReadConsumer(services, input));
  AwsOutput output(request.encoding);
  output.BeginObject().Key("ConsumerDescription").BeginObject();
  WriteConsumer(output, services, consumer);
  output.Key("StreamARN").String(services.identity.DataStreamArn(consumer.stream));
  output.EndObject().EndObject();
  return std::move(output).Take();
}

AwsAnswer ListStreamConsumers(const DataStreamServices& services, const DataStreamRequest& request) {
  AwsInput input(request.members);
  const auto limit = input.Integer("MaxResults", {.min = 1, .max = 10'000});
  const auto token = input.String("NextToken", {.min = 1, .max = 1'048'576});
  const auto created = input.Time("StreamCreationTimestamp");
  MILLRACE_ASSIGN_OR_RETURN(const DataStream stream, ReadStream(services, input));
  const auto& description = stream.description;
  // To the second: some clients send no fractions.
  if (created && created->seconds() != description.created.seconds()) {
    return NoDataStream(services, description.name);
  }
  std::string after;
  if (token) {
    MILLRACE_ASSIGN_OR_RETURN(after, OpenPlace(services, *token, description));
  }
  const auto all = services.catalog.consumers().List(description.name, description.created);
  const auto at = std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.name > after; });
  const auto page =
      static_cast<std::ptrdiff_t>(std::min(limit.value_or(kConsumersPageMax), kConsumersPageMax));
  const auto end = all.end() - at > page ? at + page : all.end();
  AwsOutput output(request.encoding, 1024);
  output.BeginObject().Key("Consumers").BeginArray();
  for (auto consumer = at; consumer != end; ++consumer) {
    output.BeginObject();
    WriteConsumer(output, services, *consumer);
    output.EndObject();
  }
  output.EndArray();
  if (end != all.end()) output.Key("NextToken").String(SealPlace(services, *std::prev(end)));
  output.EndObject();
  return std::move(output).Take();
}

AwsAnswer DeregisterStreamConsumer(const DataStreamServices& services, const DataStreamRequest& request) {
  AwsInput input(request.members);
  MILLRACE_ASSIGN_OR_RETURN(const StreamConsumer consumer, ReadConsumer(services, input));
  auto gone = services.catalog.consumers().Deregister(consumer);
  if (!gone && gone.error().code == ErrorCode::kNotFound) return NoConsumer(services, consumer.name);
  if (!gone) return std::move(gone).error();
  services.subscriptions->End(consumer);
  return std::string();
}

}  // namespace millrace::api
