// Bytes written as hex digits, as RFCs have their test vectors, and as a failure can be read.
#pragma once

#include <boost/algorithm/hex.hpp>
#include <iterator>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace millrace::test {

// REQUIRES: an even number of hex digits, and nothing else: throws.
inline Bytes FromHex(std::string_view hex) {
  Bytes bytes;
  boost::algorithm::unhex(hex.begin(), hex.end(), std::back_inserter(bytes));
  return bytes;
}

inline std::string ToHex(ByteSpan bytes) {
  std::string hex;
  boost::algorithm::hex_lower(bytes.begin(), bytes.end(), std::back_inserter(hex));
  return hex;
}
inline std::string ToHex(std::string_view bytes) { return ToHex(AsBytes(bytes)); }

}  // namespace millrace::test
