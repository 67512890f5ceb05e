// What a producer's headers ask for. PutMedia has no JSON: its request is all headers, and a body of media.
//
//   x-amzn-stream-name or x-amzn-stream-arn         the stream; exactly one
//   x-amzn-fragment-timecode-type                   ABSOLUTE or RELATIVE
//   x-amzn-producer-start-timestamp                 of a relative timecode of zero; seconds
//   x-amzn-fragment-acknowledgment-required         0: errors alone are told
//   x-millrace-sparse-tracks                        1: a fragment may lack frames of a track (an extension)
//
// Threads: on the worker pool.
#pragma once

#include <optional>
#include <string_view>

#include "api/aws/aws_error.h"
#include "api/http/http.h"
#include "api/video_streams/services.h"
#include "fragments/fragment_assembler.h"
#include "fragments/fragment_store.h"

namespace millrace::api {

struct PutMediaRequest {
  VideoStream stream;
  AssemblerOptions options;
  bool acknowledge = true;
};

AwsResult<PutMediaRequest> ReadPutMediaRequest(const PutMediaServices& services, const Request& request);

// Seconds and a fraction, cut to whole milliseconds. `unpadded`: the digits behind the point are a number of
// milliseconds without leading zeros, as the C producer writes them (".7" is 7 ms); otherwise a decimal
// fraction. None: no such time.
std::optional<Timestamp> ParseProducerStart(std::string_view text, bool unpadded);

}  // namespace millrace::api
