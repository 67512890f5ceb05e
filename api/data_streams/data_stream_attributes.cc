#include "api/data_streams/data_stream_consumers.h"
#include "api/data_streams/data_stream_operations.h"

namespace millrace::api {
namespace {

std::optional<AwsError> ChangeConsumer(const DataStreamServices& services, const DataResourceName& resource,
                                       const AttributesChange& change) {
  auto consumer = FindConsumer(services, resource);
  if (!consumer) return std::move(consumer).error();
  std::optional<AwsError> refused;
  auto changed = services.catalog.consumers().Change(*consumer, [&](StreamConsumer& now) {
    ResourceAttributes attributes{now.tags, now.policy};
    refused = change(attributes);
    if (refused) return;
    now.tags = std::move(attributes.tags);
    now.policy = std::move(attributes.policy);
  });
  if (refused || changed) return refused;
  if (changed.error().code == ErrorCode::kNotFound) return NoConsumer(services, resource.consumer);
  return AwsError(std::move(changed).error());
}

}  // namespace

AwsResult<ResourceAttributes> AttributesOf(const DataStreamServices& services,
                                           const DataResourceName& resource) {
  if (!resource.consumer.empty()) {
    MILLRACE_ASSIGN_OR_RETURN(StreamConsumer consumer, FindConsumer(services, resource));
    return ResourceAttributes{std::move(consumer.tags), std::move(consumer.policy)};
  }
  MILLRACE_ASSIGN_OR_RETURN(const std::string name, OurDataStream(services, resource.stream));
  auto stream = services.catalog.Describe(name);
  if (!stream) return OfDataStream(services, name, std::move(stream).error());
  return ResourceAttributes{std::move(stream->settings.tags), std::move(stream->settings.policy)};
}

std::optional<AwsError> ChangeAttributes(const DataStreamServices& services, const DataResourceName& resource,
                                         const AttributesChange& change) {
  if (!resource.consumer.empty()) return ChangeConsumer(services, resource, change);
  const auto of_stream = [&](DataStream& stream) -> std::optional<AwsError> {
    ResourceAttributes attributes{std::move(stream.settings.tags), std::move(stream.settings.policy)};
    auto refused = change(attributes);
    stream.settings.tags = std::move(attributes.tags);
    stream.settings.policy = std::move(attributes.policy);
    return refused;
  };
  auto changed = ChangeDataStream(services, resource.stream, of_stream);
  if (!changed) return std::move(changed).error();
  return std::nullopt;
}

}  // namespace millrace::api
