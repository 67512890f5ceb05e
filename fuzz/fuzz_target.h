// What a fuzz target is made of: the one entry point, good inputs to begin with, and a check that stops.
//
// A target reads `data` as some outsider's bytes, and fails by FUZZ_CHECK, by an assertion, by a sanitizer or
// by never returning. It keeps nothing from one call to the next that could change an answer, so that an
// input fails again when it is replayed alone. docs/fuzzing.md says how the targets are run.
//
// Threads: one call at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace millrace::fuzz {

struct Seed {
  std::string name;  // a file's name, without a suffix
  Bytes bytes;
};

// Defined by each target: inputs of every kind that it takes, for mutations to start from.
std::vector<Seed> Seeds();

inline Seed TextSeed(std::string name, std::string_view text) {
  return {std::move(name), Bytes(text.begin(), text.end())};
}

// Prints what was expected and `detail`, and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition, const std::string& detail);

// `detail` is computed only where the check fails.
#define FUZZ_CHECK(condition, detail)                                                          \
  do {                                                                                         \
    if (!(condition)) ::millrace::fuzz::CheckFailed(__FILE__, __LINE__, #condition, (detail)); \
  } while (false)

// Takes choices off the front of an input; zeros when it has run out.
class Choices {
 public:
  explicit Choices(ByteSpan bytes) : bytes_(bytes) {}

  bool empty() const { return bytes_.empty(); }
  // What has not been taken.
  ByteSpan rest() const { return bytes_; }

  template <typename T>
  T Take() {
    const ByteSpan taken = TakeBytes(sizeof(T));
    T value = 0;
    for (const std::uint8_t byte : taken) value = static_cast<T>((std::uint64_t{value} << 8) | byte);
    return value;
  }
  // 0 to limit - 1; 0 for a limit of 0. Costs 4 bytes.
  std::size_t Below(std::size_t limit) {
    const auto value = Take<std::uint32_t>();
    return limit == 0 ? 0 : value % limit;
  }
  // Fewer where there are not so many.
  ByteSpan TakeBytes(std::size_t count) {
    const ByteSpan taken = bytes_.first(count < bytes_.size() ? count : bytes_.size());
    bytes_ = bytes_.subspan(taken.size());
    return taken;
  }

 private:
  ByteSpan bytes_;
};

}  // namespace millrace::fuzz
