// How requests name registered consumers, and what is done to all of a stream. Internal to the data stream
// files; stream_consumers.h is who keeps them.
//
// Threads: on the worker pool, any number at once.
#pragma once

#include <string>
#include <string_view>

#include "api/aws/aws_error.h"
#include "api/aws/aws_identity.h"
#include "api/aws/aws_names.h"
#include "api/data_streams/services.h"
#include "api/data_streams/stream_consumers.h"

namespace millrace::api {

// "arn:aws:kinesis:us-east-1:000000000000:stream/s/consumer/c:1763690820"
std::string ConsumerArn(const AwsIdentity& identity, const StreamConsumer& consumer);
extern const AwsPattern kAwsConsumerArnPattern;

// The consumer that an ARN names. Errors: ResourceNotFoundException.
AwsResult<StreamConsumer> FindConsumer(const DataStreamServices& services, const DataResourceName& named);
AwsError NoConsumer(const DataStreamServices& services, const std::string& consumer);

// What DeleteStream does first: without `enforce` a stream that has consumers is not deleted
// (ResourceInUseException); with it they go, and their subscriptions end.
std::optional<AwsError> RemoveConsumers(const DataStreamServices& services, const std::string& stream,
                                        bool enforce);

}  // namespace millrace::api
