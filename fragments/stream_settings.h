// What is kept of a video stream beside its fragments: values of the log's metadata.
//
//   fragments/stream/<name>   its settings (fragments/stored_stream.h); where it is being deleted, a
//   tombstone
//                             until its footage is gone
//   fragments/numbers/<name>  upper bounds of the fragment and run numbers given so far, renewed ahead of
//   use,
//                             so that numbers go on even after all footage has expired
//
// Errors:  kCorruption, kUnsupported (a newer version).
// Threads: pure functions, any thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace millrace {

inline constexpr char kStreamMetadataPrefix[] = "fragments/stream/";
inline constexpr char kNumbersMetadataPrefix[] = "fragments/numbers/";

struct NumberBounds {
  Timestamp created;          // of the stream they are for
  std::uint64_t counter = 0;  // no fragment number above it was given
  std::uint64_t run = 0;
  friend bool operator==(const NumberBounds&, const NumberBounds&) = default;
};

Bytes EncodeBounds(const NumberBounds& bounds);
Result<NumberBounds> DecodeBounds(ByteSpan bytes);

// "door/1763690820250". Names have no slash, so that no two streams share one.
std::string FragmentPartitionKey(const std::string& name, Timestamp created);
// The other way round. Errors: kCorruption.
Result<void> ParseFragmentPartitionKey(const std::string& key, std::string& name, Timestamp& created);

// Byte order is time order, before 1970 too. 8 bytes.
Bytes TimeKey(Timestamp time);

// Errors: kInvalidArgument.
Result<void> CheckStreamName(const std::string& name);

}  // namespace millrace
