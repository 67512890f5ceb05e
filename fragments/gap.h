// Why footage is missing: the facts that the coverage ledger keeps.
//
// A gap says of a stretch of time "what is not recorded here is missing because of this". It does not say
// that nothing is recorded: footage always wins over gaps, so a gap may be wider than the hole it explains.
//
// Errors:  kCorruption, kUnsupported (a newer version), of decoding.
// Threads: pure functions, any thread. A GapListener: any thread, also several at once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace millrace {

// Stored by value: a number keeps its meaning for ever.
enum class GapCause : std::uint8_t {
  kUnknown = 0,       // nothing was noted
  kConnecting = 1,    // a connection was being made, and nothing is known to have been wrong
  kUnreachable = 2,   // the camera could not be connected
  kUnauthorized = 3,  // it refused user or password
  kSilent = 4,        // it was connected and sent nothing
  kNetworkLoss = 5,   // a connection that had worked was lost
  kUndecodable = 6,   // what it sent cannot be recorded
  kDiskRefused = 7,   // frames came, and the store did not take them
  kDisabled = 8,      // recording was switched off, or no camera fed the stream
  kServerDown = 9,    // this server was not running
  kRetention = 10,    // it was kept for its time, and is gone
  kPurged = 11,       // it was deleted
  kNotRecorded = 12,  // the stream did not exist yet
  kEvicted = 13,      // it had to go for newer footage: the disk budget was used up
  kDeleted = 14,  // it was recorded, and somebody deleted this stretch of it: the detail says who, and when
};
// "unreachable", "server_down", …; static storage.
std::string_view ToString(GapCause cause);

inline constexpr Timestamp kGapOpenEnd{INT64_MAX};  // the end of a gap that still lasts
inline constexpr std::size_t kGapDetailBytesMax = 200;

struct Gap {
  Timestamp start;
  Timestamp end = kGapOpenEnd;  // exclusive
  GapCause cause = GapCause::kUnknown;
  std::string detail;  // for people; holds no secret

  bool open() const { return end == kGapOpenEnd; }
  friend bool operator==(const Gap&, const Gap&) = default;
};

// Who wants to know when a stream stops and starts being recorded. Calls must not wait for anything.
class GapListener {
 public:
  virtual ~GapListener() = default;
  // From `start` on nothing is recorded. Called again while that lasts, it gives a later cause.
  virtual void BeginGap(const std::string& stream, GapCause cause, Timestamp start, std::string detail) = 0;
  // From `at` on the stream is recorded.
  virtual void EndGap(const std::string& stream, Timestamp at) = 0;
  // A gap that is over: footage that was refused, lost or taken away. Independent of the one that lasts.
  virtual void Add(const std::string& stream, Gap gap) = 0;
};

// All of a gap but its start, which is its key.
Bytes EncodeGap(const Gap& gap);
// Causes of a newer version become kUnknown.
Result<Gap> DecodeGap(Timestamp start, ByteSpan bytes);

}  // namespace millrace
