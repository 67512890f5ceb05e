#include "api/data_stream_catalog.h"
#include "api/data_stream_operations.h"

namespace millrace::api {

AwsError NoDataStream(const DataStreamServices& services, const std::string& stream) {
  return {"ResourceNotFoundException",
          "Stream " + stream + " under account " + services.identity.account + " not found."};
}

AwsError NoDataStreamNamed() { return InvalidArgument("Either StreamName or StreamARN should be provided."); }

AwsError InternalDataStream(const DataStreamServices& services, const std::string& stream) {
  return {"AccessDeniedException", "Stream " + stream + " under account " + services.identity.account +
                                       " is internal: only the server itself writes and deletes it."};
}

AwsError InvalidArgument(std::string message) { return {"InvalidArgumentException", std::move(message)}; }

AwsError DryRunDone() {
  return {"DryRunOperationException",
          "The request would have succeeded, but the DryRun parameter was specified."};
}

AwsError OfDataStream(const DataStreamServices& services, const std::string& stream, Error error) {
  if (error.code == ErrorCode::kNotFound) return NoDataStream(services, stream);
  return error;
}

}  // namespace millrace::api
