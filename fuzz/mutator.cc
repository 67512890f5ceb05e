#include "fuzz/mutator.h"

#include <algorithm>

namespace millrace::fuzz {
namespace {

std::ptrdiff_t At(std::size_t index) { return static_cast<std::ptrdiff_t>(index); }

// Ends of ranges, in 1 to 8 bytes big-endian.
constexpr std::uint64_t kEdges[] = {0,
                                    1,
                                    0x7F,
                                    0x80,
                                    0xFF,
                                    0x7FFF,
                                    0x8000,
                                    0xFFFF,
                                    0x7FFF'FFFF,
                                    0x8000'0000,
                                    0xFFFF'FFFF,
                                    0x7FFF'FFFF'FFFF'FFFF,
                                    0x8000'0000'0000'0000,
                                    0xFFFF'FFFF'FFFF'FFFF};

}  // namespace

Bytes Mutator::Next(std::size_t bytes_max) {
  Bytes bytes = corpus_[Below(corpus_.size())];
  const std::size_t changes = 1 + Below(8);
  for (std::size_t i = 0; i < changes; ++i) Change(bytes);
  if (bytes.size() > bytes_max) bytes.resize(bytes_max);
  return bytes;
}

void Mutator::Change(Bytes& bytes) {
  const std::size_t at = Below(bytes.size());
  const std::size_t length = std::min(bytes.size() - at, 1 + Below(Below(4) == 0 ? 256 : 8));
  switch (Below(9)) {
    case 0:  // one bit
      if (!bytes.empty()) bytes[at] = static_cast<std::uint8_t>(bytes[at] ^ (1u << Below(8)));
      break;
    case 1:  // one byte
      if (!bytes.empty()) bytes[at] = static_cast<std::uint8_t>(random_());
      break;
    case 2: {  // the end of a range
      std::uint64_t value = kEdges[Below(std::size(kEdges))];
      const std::size_t width = std::min<std::size_t>(bytes.size() - at, std::size_t{1} << Below(4));
      for (std::size_t i = width; i-- > 0; value >>= 8) bytes[at + i] = static_cast<std::uint8_t>(value);
      break;
    }
    case 3:  // a little more or less
      if (!bytes.empty()) bytes[at] = static_cast<std::uint8_t>(bytes[at] + 8 - Below(17));
      break;
    case 4:  // cut out
      bytes.erase(bytes.begin() + At(at), bytes.begin() + At(at + length));
      break;
    case 5: {  // doubled
      const Bytes part(bytes.begin() + At(at), bytes.begin() + At(at + length));
      bytes.insert(bytes.begin() + At(at), part.begin(), part.end());
      break;
    }
    case 6: {  // moved from elsewhere
      const Bytes part(bytes.begin() + At(at), bytes.begin() + At(at + length));
      const std::size_t to = Below(bytes.size() - part.size() + 1);
      std::copy(part.begin(), part.end(), bytes.begin() + At(to));
      break;
    }
    case 7: {  // from another input
      const Bytes& other = corpus_[Below(corpus_.size())];
      const std::size_t from = Below(other.size());
      const std::size_t count = std::min(other.size() - from, 1 + Below(64));
      bytes.insert(bytes.begin() + At(at), other.begin() + At(from), other.begin() + At(from + count));
      break;
    }
    default:  // cut short
      if (Below(4) == 0) bytes.resize(at);
      break;
  }
}

}  // namespace millrace::fuzz
