// What a reader said about some bytes, as text lines: so that two ways of reading can be compared as a whole.
#pragma once

#include <algorithm>
#include <cstddef>
#include <random>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "parser/fragment_visitor.h"
#include "parser/limits.h"

namespace millrace::testing {

struct ReadLog {
  std::vector<std::string> lines;  // one a call of the handler
  std::string error;               // "corruption", …; empty: read to the end
  std::string message;

  friend bool operator==(const ReadLog& a, const ReadLog& b) {
    return a.lines == b.lines && a.error == b.error;
  }
};

// Logs what FragmentReader calls.
class LoggingHandler final : public FragmentHandler {
 public:
  Result<void> OnFragmentStart(const MkvFragment& fragment) override;
  Result<void> OnFrame(const MkvFragment& fragment, const MkvFrame& frame) override;
  Result<void> OnClusterEnd(const MkvFragment& fragment) override;
  Result<void> OnFragmentEnd(const MkvFragment& fragment) override;
  Result<void> OnServiceError(const ServiceTags& service) override;

  std::vector<std::string> lines;
};

// Reads `bytes` in pieces whose sizes `next_size` gives.
template <typename NextSize>
ReadLog ReadInPieces(ByteSpan bytes, NextSize next_size, const ParserLimits& limits = {}) {
  LoggingHandler handler;
  FragmentReader reader(handler, limits);
  Result<void> result;
  while (result && !bytes.empty()) {
    // A copy of just this piece: reading past it is an error that the address sanitizer sees.
    const std::size_t size = std::min<std::size_t>(bytes.size(), next_size());
    const Bytes piece(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    bytes = bytes.subspan(size);
    result = reader.Push(ByteSpan(piece));
  }
  if (result) result = reader.Finish();
  ReadLog log{std::move(handler.lines), {}, {}};
  if (!result) {
    log.error = ToString(result.error().code);
    log.message = result.error().message;
  }
  return log;
}

ReadLog ReadWhole(ByteSpan bytes, const ParserLimits& limits = {});
ReadLog ReadByteByByte(ByteSpan bytes, const ParserLimits& limits = {});
ReadLog ReadRandomly(ByteSpan bytes, std::mt19937& random, const ParserLimits& limits = {});

// Reads `bytes` whole, one byte at a time and in random splits, and fails the test where the three differ.
// Returns what they agree on.
ReadLog ReadEveryWay(ByteSpan bytes, const ParserLimits& limits = {});

}  // namespace millrace::testing
