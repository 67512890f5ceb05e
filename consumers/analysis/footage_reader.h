// The footage of video streams as an analyzing process reads it: which fragments there are, and the fragments
// themselves, over the server's HTTP API.
//
// Errors:  kNotFound: the stream or the fragment is not there (any more); kCorruption and the like: the
//          fragment cannot be parsed; kCancelled: `stopped` said so, while the server was away. A server that
//          does not answer is waited for.
// Threads: one owner.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "consumers/analysis/fragment_descriptor.h"
#include "parser/parse_fragment.h"
#include "wire/service_client.h"

namespace millrace {

class FootageReader {
 public:
  FootageReader(wire::Endpoint endpoint, std::function<bool()> stopped);

  Result<ParsedFragment> Fetch(const FragmentDescriptor& fragment);

  // Fragments that begin at `start` or later and before `end`, by producer time, and the one that contains
  // `start`; oldest first, 100,000 at most.
  Result<std::vector<FragmentDescriptor>> List(const std::string& stream, const std::string& stream_arn,
                                               Timestamp start, Timestamp end);
  Result<std::string> ArnOf(const std::string& stream);

 private:
  template <typename T>
  Result<T> Patiently(const std::function<Result<T>()>& ask);

  wire::ServiceClient client_;
  const std::function<bool()> stopped_;
};

}  // namespace millrace
