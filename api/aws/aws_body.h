// Gathering the body of an AWS request within the budget of all requests.
//
// Threads: on the request's strand.
#pragma once

#include <string>
#include <vector>

#include "api/aws/aws_error.h"
#include "api/aws/byte_budget.h"
#include "api/http/http.h"

namespace millrace::api {

struct GatheredBody {
  std::string text;
  std::vector<ByteBudget::Share> shares;  // what the text, and the values that are made of it, may take
};

// Bodies and answers up to here are not counted: the number of connections bounds them.
inline constexpr std::size_t kAnswerUncountedMax = 64 * 1024;
inline constexpr std::size_t kBodyUncountedMax = 16 * 1024;

// Errors: kResourceExhausted (over `bytes_max`); ProvisionedThroughputExceededException (no room now: clients
// send it again); those of BodySource::Read.
net::awaitable<AwsResult<GatheredBody>> GatherAwsBody(Request& request, ByteBudget& budget,
                                                      std::size_t bytes_max);

// The Content-Type in lower case, without parameters; "" without one.
std::string MediaType(const Request& request);

}  // namespace millrace::api
