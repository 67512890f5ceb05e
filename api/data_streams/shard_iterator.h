// The text that GetShardIterator and GetRecords give: a place in a shard, sealed, valid for five minutes.
//
// Threads: pure functions, any thread.
#pragma once

#include <string>
#include <string_view>

#include "api/aws/aws_error.h"
#include "base/time.h"
#include "storage/record_log.h"
#include "wire/sealed_token.h"

namespace millrace::api {

inline constexpr Duration kShardIteratorLifetime = std::chrono::minutes(5);

struct ShardIterator {
  std::string stream;
  Timestamp stream_created;  // a stream made again does not take its forerunner's iterators
  storage::ShardPosition position;
  Timestamp issued;
};

// At most 512 characters.
std::string EncodeShardIterator(const wire::TokenSealer& sealer, const ShardIterator& iterator);
// Errors: InvalidArgumentException (not given by us), ExpiredIteratorException. Quotes around it are
// forgiven.
AwsResult<ShardIterator> DecodeShardIterator(const wire::TokenSealer& sealer, std::string_view text,
                                             Timestamp now);

}  // namespace millrace::api
