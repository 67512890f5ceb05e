// What there is to know of a fragment without its media: a record of the fragment log as the Data Streams
// protocol shows it (docs/http-api.md, the descriptor), or an entry of GET /v1/streams/{name}/fragments. Both
// give times in whole milliseconds, and the same ones.
#pragma once

#include <boost/json/value.hpp>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace millrace {

struct FragmentDescriptor {
  std::string stream;
  std::string stream_arn;
  std::string fragment_number;  // 47 digits
  Timestamp producer_time;
  Timestamp server_time;
  Duration duration{0};
  std::uint64_t run = 0;     // what a producer sent without an interruption; 0: not known
  bool independent = false;  // begins with a key frame
  Timestamp end() const { return producer_time + duration; }
};

// Errors: kCorruption.
Result<FragmentDescriptor> ParseFragmentDescriptor(ByteSpan json);
// Without the stream's name and ARN. Errors: kCorruption.
Result<FragmentDescriptor> ParseListedFragment(const boost::json::value& listed);

}  // namespace millrace
