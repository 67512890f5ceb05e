// A video stream's settings as a value of the log's metadata, "fragments/stream/<name>".
//
// Form:    docs/storage-format.md, "Video streams": a byte that says the version; 1 had a creation time, a
//          retention and a flag, 2 is JSON. A member that is not there has its default, so that older data
//          directories open; whoever adds one needs no new version unless older servers must not take it.
// Errors:  kCorruption; kUnsupported (a newer version).
// Threads: pure functions, any thread.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "fragments/stream_description.h"

namespace millrace {

struct StoredStream {
  Timestamp created{};  // whole ms
  std::uint64_t revision = 1;
  bool deleted = false;  // a tombstone: its footage is being taken away
  StreamSettings settings{};
  friend bool operator==(const StoredStream&, const StoredStream&) = default;
};

Bytes EncodeStoredStream(const StoredStream& stream);
Result<StoredStream> DecodeStoredStream(ByteSpan bytes);

}  // namespace millrace
