// Event streams (application/vnd.amazon.eventstream): messages with typed headers and two checksums, one
// after the other in the body of an answer. SubscribeToShard answers in them.
//
// Message: total length u32 | headers' length u32 | CRC-32 of these eight bytes | headers | payload | CRC-32
// of
//          everything before. A header: length of its name u8 | name | type u8 | value. All big-endian.
// Bounds:  headers of a message take at most kEventHeadersBytesMax, its payload kEventPayloadBytesMax; what
//          announces more is refused before it is kept.
// Threads: functions, any; a decoder has one owner at a time.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace millrace::wire {

inline constexpr std::size_t kEventHeadersBytesMax = 128 * 1024;
inline constexpr std::size_t kEventPayloadBytesMax = 16 * 1024 * 1024;

using EventUuid = std::array<std::uint8_t, 16>;
// Integers of 8, 16, 32 and 64 bits are all read as one, and written with 64. Times are in milliseconds.
using EventHeaderValue = std::variant<bool, std::int64_t, Bytes, std::string, Timestamp, EventUuid>;

struct EventHeader {
  std::string name;  // 1 to 255 bytes
  EventHeaderValue value;
  friend bool operator==(const EventHeader&, const EventHeader&) = default;
};

struct EventMessage {
  std::vector<EventHeader> headers;
  Bytes payload;

  // The text of the first header of this name; empty: there is none, or it is no text.
  std::string_view Text(std::string_view name) const;
  friend bool operator==(const EventMessage&, const EventMessage&) = default;
};

// Writes one message. REQUIRES: within the bounds; names of 1 to 255 bytes, texts and bytes of at most 65535.
Bytes EncodeEventMessage(const std::vector<EventHeader>& headers, ByteSpan payload);

class EventStreamDecoder {
 public:
  // Takes the next bytes, however they are split; gives the messages that they completed.
  // Errors: kCorruption (a checksum or a length does not match, or an unknown type of a header):
  //         nothing after it can be read, and every later call says so again. kResourceExhausted:
  //         over the bounds; likewise.
  Result<std::vector<EventMessage>> Append(ByteSpan bytes);

  // Whether the stream may end here: nothing of a message is pending.
  bool AtEnd() const { return pending_.empty() && !failed_; }

 private:
  // Whether there is a whole message in front of `bytes`, of `length` bytes then.
  Result<bool> Measure(ByteSpan bytes, std::size_t& length) const;

  Bytes pending_;  // of the message that has begun
  bool failed_ = false;
};

}  // namespace millrace::wire
