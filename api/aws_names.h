// How a request names a stream: by name or by ARN.
//
// There is one account and one region here. ARNs that say another are taken all the same: what a client was
// configured with for its old service keeps working, and nothing else could be meant.
//
// Threads: pure values and functions, any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/aws_identity.h"
#include "api/aws_input.h"
#include "base/time.h"

namespace millrace::api {

// The stream that StreamName or StreamARN names; the ARN counts where both are given. Broken constraints go
// to `input`, whose Finish comes next. None: neither is given.
std::optional<std::string> ReadDataStreamName(AwsInput& input);

struct VideoStreamName {
  std::string name;
  std::optional<Timestamp> created;  // as the ARN has it
};
std::optional<VideoStreamName> ReadVideoStreamName(AwsInput& input);

}  // namespace millrace::api
