// How a request names a stream: by name or by ARN.
//
// There is one account and one region here. Data stream operations refuse ARNs that say another; those of
// video streams take them all the same, as nothing else could be meant.
//
// Threads: pure values and functions, any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/aws/aws_identity.h"
#include "api/aws/aws_input.h"
#include "base/time.h"

namespace millrace::api {

struct DataStreamName {
  std::string name;
  std::string region, account;  // as the ARN has them; empty: there was none
};
// The stream that StreamName or StreamARN names; the ARN counts where both are given. Broken constraints go
// to `input`, whose Finish comes next. None: neither is given.
std::optional<DataStreamName> ReadDataStreamName(AwsInput& input);

// The same of operations that know no StreamName: StreamARN is `required`, or not.
std::optional<DataStreamName> ReadDataStreamArn(AwsInput& input, bool required = true);

// What tags and policies are put on: a stream, or a registered consumer of one.
struct DataResourceName {
  DataStreamName stream;
  std::string consumer;  // empty: it is the stream
  std::int64_t consumer_created_s = 0;
};
// "arn:aws:kinesis:us-east-1:000000000000:stream/s", or that and "/consumer/c:1763690820".
std::optional<DataResourceName> ParseDataResourceArn(std::string_view arn);
// The resource that ResourceARN names, which must be there; none: `input` has what is wrong with it.
std::optional<DataResourceName> ReadDataResource(AwsInput& input);

struct VideoStreamName {
  std::string name;
  std::optional<Timestamp> created;  // as the ARN has it
};
std::optional<VideoStreamName> ReadVideoStreamName(AwsInput& input);
// The same of structures that know no StreamName.
std::optional<VideoStreamName> ReadVideoStreamArn(AwsInput& input);

// What the video streams' tags are put on.
struct VideoResourceName {
  std::string type;  // "stream", "channel"
  std::string name;
  Timestamp created;
};
// The resource that ResourceARN names, which must be there; none: `input` has what is wrong with it.
std::optional<VideoResourceName> ReadVideoResource(AwsInput& input);

// "door" of "arn:aws:secretsmanager:us-east-1:000000000000:secret:door"; "" where it is no such ARN.
std::string_view SecretNameIn(std::string_view arn);

// The six parts of an ARN, of which the last may hold colons; none where it has fewer. They live as long as
// the text.
std::vector<std::string_view> ArnParts(std::string_view arn);

}  // namespace millrace::api
