// The footage of video streams as an analyzing process reads it: which fragments there are, and the fragments
// themselves, over the server's HTTP API.
//
// Errors:  kNotFound: the stream or the fragment is not there (any more); kCancelled: `stopped` said so,
//          while the server was away; those of the server. A server that does not answer, or is busy, is
//          waited for. Of Fetch, those of IsOfTheFootage: the server cannot read the fragment, or it cannot
//          be parsed; other refusals of the server never have one of these codes.
// Threads: one owner.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "consumers/analysis/fragment_descriptor.h"
#include "parser/parse_fragment.h"
#include "wire/service_client.h"

namespace millrace {

// Whether an error of Fetch or of a decoder means that the fragment itself cannot be read.
inline bool IsOfTheFootage(ErrorCode code) {
  return code == ErrorCode::kCorruption || code == ErrorCode::kUnsupported ||
         code == ErrorCode::kInvalidArgument || code == ErrorCode::kResourceExhausted;
}

// A server's refusal, which says nothing of the footage.
inline Error OfTheServer(Error error) {
  if (IsOfTheFootage(error.code)) error.code = ErrorCode::kIo;
  return error;
}

class FootageReader {
 public:
  // `stopped` empty: nothing is waited for.
  FootageReader(wire::Endpoint endpoint, std::function<bool()> stopped);

  Result<ParsedFragment> Fetch(const FragmentDescriptor& fragment);

  // Shows `visit` the fragments that begin at `start` or later and before `end`, by producer time, and the
  // one that contains `start`; the oldest first, and those that begin together in the order of their numbers.
  // A page of the list is held at a time. The first error of `visit` ends it, and is what it gives.
  Result<void> Each(const std::string& stream, const std::string& stream_arn, Timestamp start, Timestamp end,
                    const std::function<Result<void>(FragmentDescriptor)>& visit);
  // All of them. Errors: kResourceExhausted: they are more than 100,000.
  Result<std::vector<FragmentDescriptor>> List(const std::string& stream, const std::string& stream_arn,
                                               Timestamp start, Timestamp end);
  Result<std::string> ArnOf(const std::string& stream);

 private:
  template <typename T>
  Result<T> Patiently(const std::function<Result<T>()>& ask);

  Result<ParsedFragment> FetchOnce(const FragmentDescriptor& fragment);

  wire::ServiceClient client_;
  const std::function<bool()> stopped_;
};

}  // namespace millrace
