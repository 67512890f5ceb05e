#include "api/data_stream_operations.h"

namespace millrace::api {
namespace {

AwsError NoConsumer(const DataStreamServices& services, const DataResourceName& resource) {
  return {"ResourceNotFoundException",
          "Consumer " + resource.consumer + ", account " + services.identity.account + " not found."};
}

}  // namespace

AwsResult<ResourceAttributes> AttributesOf(const DataStreamServices& services,
                                           const DataResourceName& resource) {
  MILLRACE_ASSIGN_OR_RETURN(const std::string name, OurDataStream(services, resource.stream));
  auto stream = services.catalog.Describe(name);
  if (!stream) return OfDataStream(services, name, std::move(stream).error());
  if (!resource.consumer.empty()) return NoConsumer(services, resource);
  return ResourceAttributes{std::move(stream->settings.tags), std::move(stream->settings.policy)};
}

std::optional<AwsError> ChangeAttributes(const DataStreamServices& services, const DataResourceName& resource,
                                         const AttributesChange& change) {
  const auto of_stream = [&](DataStream& stream) -> std::optional<AwsError> {
    if (!resource.consumer.empty()) return NoConsumer(services, resource);
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
