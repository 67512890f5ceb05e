// An aggregated record's frame around a message, as the producer library writes it.
#pragma once

#include <openssl/evp.h>

#include <iterator>

#include "base/bytes.h"

namespace millrace::test {

// The magic number, the message, and its MD5.
inline Bytes AggregatedBytes(ByteSpan message) {
  Bytes out{0xf3, 0x89, 0x9a, 0xc2};
  out.insert(out.end(), message.begin(), message.end());
  std::uint8_t digest[16];
  EVP_Digest(message.data(), message.size(), digest, nullptr, EVP_md5(), nullptr);
  out.insert(out.end(), std::begin(digest), std::end(digest));
  return out;
}

}  // namespace millrace::test
