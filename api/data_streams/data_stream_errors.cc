#include "api/data_streams/data_stream_catalog.h"
#include "api/data_streams/data_stream_operations.h"

namespace millrace::api {

AwsError NoDataStream(const DataStreamServices& services, const std::string& stream) {
  return {"ResourceNotFoundException",
          "Stream " + stream + " under account " + services.identity.account + " not found."};
}

AwsResult<std::string> OurDataStream(const DataStreamServices& services,
                                     const std::optional<DataStreamName>& named) {
  if (!named) return NoDataStreamNamed();
  const AwsIdentity& identity = services.identity;
  const bool ours =
      named->account.empty() || (named->account == identity.account && named->region == identity.region);
  if (ours) return named->name;
  return AwsError("ResourceNotFoundException",
                  "Stream " + named->name + " under account " + named->account + " not found.");
}

AwsResult<DataStream> ChangeDataStream(const DataStreamServices& services,
                                       const std::optional<DataStreamName>& named,
                                       const DataStreamCatalog::StreamChange& change, bool internal_too) {
  MILLRACE_ASSIGN_OR_RETURN(const std::string stream, OurDataStream(services, named));
  if (!internal_too && services.catalog.IsInternal(stream)) return InternalDataStream(services, stream);
  auto changed = services.catalog.Change(stream, change);
  if (changed || !changed.error().type.empty()) return changed;
  return OfDataStream(services, stream, std::move(changed).error());
}

AwsError NoDataStreamNamed() { return InvalidArgument("Either StreamName or StreamARN should be provided."); }

AwsError InternalDataStream(const DataStreamServices& services, const std::string& stream) {
  return {"AccessDeniedException", "Stream " + stream + " under account " + services.identity.account +
                                       " is internal: only the server itself writes and deletes it."};
}

AwsError TooManyShards(const DataStreamServices& services, std::uint32_t more) {
  const AwsIdentity& identity = services.identity;
  return {"LimitExceededException",
          "This request would exceed the shard limit for the account " + identity.account + " in " +
              identity.region + ". Current shard count for the account: " +
              std::to_string(services.catalog.OpenShards()) + ". Limit: " + std::to_string(kOpenShardsMax) +
              ". Number of additional shards that would have resulted from this request: " +
              std::to_string(more) +
              ". Refer to the AWS Service Limits page "
              "(http://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) for current limits and "
              "how to request higher limits."};
}

AwsError RateExceeded(const DataStreamServices& services, const std::string& stream, storage::ShardId shard) {
  return {"ProvisionedThroughputExceededException", "Rate exceeded for shard " + shard.ToString() +
                                                        " in stream " + stream + " under account " +
                                                        services.identity.account + "."};
}

AwsError InvalidArgument(std::string message) { return {"InvalidArgumentException", std::move(message)}; }

AwsError DryRunDone() {
  return {"DryRunOperationException",
          "The request would have succeeded, but the DryRun parameter was specified."};
}

AwsError OfDataStream(const DataStreamServices& services, const std::string& stream, AwsError error) {
  if (error.code == ErrorCode::kNotFound) return NoDataStream(services, stream);
  return error;
}

}  // namespace millrace::api
