// What GetRecords and SubscribeToShard bring: records of one shard, as the CBOR of both has them.
//
// Threads: pure functions, any thread.
#pragma once

#include <boost/json/object.hpp>
#include <string>

#include "base/result.h"
#include "consumers/worker/held_shards.h"

namespace millrace::consumer {

// The members that both have: Records, MillisBehindLatest.
// Errors: kInternal: it is none of such an answer.
Result<FetchedBatch> ReadBatch(const std::string& shard, const boost::json::object& answer);

}  // namespace millrace::consumer
