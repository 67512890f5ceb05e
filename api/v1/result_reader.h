// The records that analyzers put about a video stream, by the footage's time.
//
// Threads: any; the functions wait for the disk.
#pragma once

#include <boost/json/object.hpp>
#include <cstddef>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "api/http/target.h"
#include "api/v1/application_leases.h"
#include "api/v1/time_range.h"
#include "base/result.h"
#include "storage/record_log.h"

namespace millrace::api {

struct ResultQuery {
  std::set<std::string> streams;  // data streams that the records are in; those that are not there have none
  std::string video_stream;
  storage::AttributeId attribute = kResultTimeAttribute;  // with the time as its value: which records
  TimeRange range;
  std::size_t limit = 100;          // records looked at
  std::optional<std::string> next;  // of the page before
};

inline constexpr std::size_t kResultsPageDefault = 100;
inline constexpr std::size_t kResultsPageMax = 1000;
inline constexpr std::size_t kResultsPageBytesMax = 8 * 1024 * 1024;  // a page ends early behind them

// The query that `start`, `end`, `limit` and `next` of the target ask for. Errors: kInvalidArgument.
Result<ResultQuery> ParseResultQuery(const Target& target, const std::string& video_stream);

// A page: {"<member>": what `show` makes of each record, "next": a token, or null}. Records come by time,
// those of one time by their data stream and their place in it. Those that have expired meanwhile, or are no
// JSON objects, are left out.
using ShowResult = std::function<void(boost::json::object& record, boost::json::array& shown)>;
Result<boost::json::object> ReadResults(storage::RecordLog& log, const ResultQuery& query, const char* member,
                                        const ShowResult& show);

}  // namespace millrace::api
