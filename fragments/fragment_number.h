// A fragment's number in its video stream: Kinesis Video's 47-digit decimal form.
//
// Hex: '1' | 16 digits counter | 16 digits server time in ms | 7 random digits. The counter goes up by one a
// fragment, so numbers rise as numbers and, their length being constant, as strings. Not a sequence number:
// that is the record's place in its shard, given at commit; this is given when the fragment is opened.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace millrace {

struct FragmentNumber {
  std::uint64_t counter = 0;    // 1 for a stream's first fragment
  std::uint64_t server_ms = 0;  // since 1970, when it was opened
  std::uint32_t random = 0;     // 28 bits

  std::string ToString() const;  // 47 digits
  // Errors: kInvalidArgument (not such a number).
  static Result<FragmentNumber> Parse(std::string_view decimal);
  // 20 bytes, big-endian: byte order is number order. For index keys.
  Bytes ToKey() const;
  // REQUIRES: key.size() == 20.
  static FragmentNumber FromKey(ByteSpan key);

  friend constexpr auto operator<=>(const FragmentNumber&, const FragmentNumber&) = default;
};

}  // namespace millrace
