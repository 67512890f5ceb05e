// Base64 (RFC 4648 section 4), strictly: padded, no line ends, nothing else in between.
//
// Threads: pure functions, any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace millrace::wire {

// How many characters `bytes` bytes take.
constexpr std::size_t Base64Length(std::size_t bytes) { return (bytes + 2) / 3 * 4; }

std::string EncodeBase64(ByteSpan bytes);
void AppendBase64(std::string& out, ByteSpan bytes);

// Errors: kInvalidArgument, in the words of the Kinesis service, which clients' tests compare: a length that
// is no multiple of 4, a character that is none of the alphabet's, bits behind the last byte.
Result<Bytes> DecodeBase64(std::string_view text);

}  // namespace millrace::wire
