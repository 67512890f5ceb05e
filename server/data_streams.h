// Data streams as commands see them: the operations of the Data Streams protocol that several commands need,
// and what they answer in a form for people.
//
// Errors:  what the server said (server/api_client.h).
// Threads: one thread uses a command's client.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "server/api_client.h"
#include "storage/ids.h"

namespace millrace::server {

struct DataShard {
  std::string id;
  std::vector<std::string> parents;  // none, one (a split) or two (a merge)
  storage::HashKeyRange hash_keys;
  std::string first_sequence_number;
  bool open = false;
};

// By name; `internal`: those too that hold what Millrace itself keeps. Members of a StreamDescriptionSummary.
Result<std::vector<boost::json::object>> ListDataStreams(ApiClient& api, bool internal);

// The members of the StreamDescriptionSummary. Errors: kNotFound.
Result<boost::json::object> SummarizeDataStream(ApiClient& api, const std::string& name);

// `error`, unless it is that there is no data stream `name`: then that there is none of either kind, or that
// it is a video stream and `instead`: "millrace tail door follows it".
Error ExplainNoDataStream(ApiClient& api, const std::string& name, const Error& error,
                          const std::string& instead);
// The same of an error that there is no video stream.
Error ExplainNoVideoStream(ApiClient& api, const std::string& name, const Error& error,
                           const std::string& instead);
Error NoStream(const std::string& name);
Error NoShard(const std::string& stream, const std::string& shard);

// "/v1/streams/{name}"
std::string VideoStreamPath(const std::string& name);

// By id; closed ones as long as something of them is kept.
Result<std::vector<DataShard>> ListDataShards(ApiClient& api, const std::string& name);

// Waits until the stream has done what it was told, a minute at most, and gives its summary.
Result<boost::json::object> AwaitActive(ApiClient& api, const std::string& name);

// How much of all hash keys the range has, in percent; and where the first of them lies.
double ShareOf(const storage::HashKeyRange& range);
double PlaceOf(const storage::HashKey& key);

// "provisioned", "on-demand"
std::string ModeOf(const boost::json::object& summary);
// RFC 3339 of a time in seconds.
std::string TimeMember(const boost::json::object& object, std::string_view name);
// A member that is an object; an empty one where there is none.
const boost::json::object& ObjectMember(const boost::json::object& object, std::string_view name);

}  // namespace millrace::server
