#include "storage/crc32c.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace millrace::storage {
namespace {

constexpr std::uint32_t kPolynomial = 0x82F63B78;  // reflected

// Eight tables: slicing-by-8.
constexpr auto kTables = [] {
  std::array<std::array<std::uint32_t, 256>, 8> tables{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
    tables[0][i] = crc;
  }
  for (std::size_t t = 1; t < 8; ++t) {
    for (std::size_t i = 0; i < 256; ++i) {
      std::uint32_t before = tables[t - 1][i];
      tables[t][i] = (before >> 8) ^ tables[0][before & 255];
    }
  }
  return tables;
}();

std::uint64_t Load64(const std::uint8_t* p) {
  std::uint64_t value;
  std::memcpy(&value, p, 8);
  return value;
}

#if defined(__x86_64__)

// Crc of a block followed by `Length` zero bytes, as four tables over the crc's bytes: how three streams that
// were computed side by side are put together.
template <std::size_t Length>
struct ShiftTables {
  static constexpr std::array<std::array<std::uint32_t, 256>, 4> Make() {
    // The operator "append one zero bit" as a 32 x 32 matrix over GF(2), squared up to 8 x Length bits.
    std::array<std::uint32_t, 32> op{};
    op[0] = kPolynomial;
    for (std::size_t i = 1; i < 32; ++i) op[i] = std::uint32_t{1} << (i - 1);
    auto times = [](const std::array<std::uint32_t, 32>& m, std::uint32_t vector) {
      std::uint32_t sum = 0;
      for (std::size_t i = 0; vector != 0; vector >>= 1, ++i) {
        if ((vector & 1) != 0) sum ^= m[i];
      }
      return sum;
    };
    static_assert((Length & (Length - 1)) == 0);
    for (std::size_t bits = 1; bits < Length * 8; bits *= 2) {
      std::array<std::uint32_t, 32> squared{};
      for (std::size_t i = 0; i < 32; ++i) squared[i] = times(op, op[i]);
      op = squared;
    }
    std::array<std::array<std::uint32_t, 256>, 4> tables{};
    for (std::size_t t = 0; t < 4; ++t) {
      for (std::uint32_t i = 0; i < 256; ++i) tables[t][i] = times(op, i << (8 * t));
    }
    return tables;
  }
  static constexpr std::array<std::array<std::uint32_t, 256>, 4> kTables = Make();
  static std::uint32_t Shift(std::uint32_t crc) {
    return kTables[0][crc & 255] ^ kTables[1][(crc >> 8) & 255] ^ kTables[2][(crc >> 16) & 255] ^
           kTables[3][crc >> 24];
  }
};

// The instruction has a latency of three cycles and can start one each cycle: three independent streams keep
// it busy.
template <std::size_t Block>
__attribute__((target("sse4.2"))) std::uint32_t ThreeStreams(const std::uint8_t*& p, std::size_t& left,
                                                             std::uint32_t crc) {
  while (left >= 3 * Block) {
    std::uint64_t a = crc;
    std::uint64_t b = 0;
    std::uint64_t c = 0;
    for (std::size_t i = 0; i < Block; i += 8) {
      a = _mm_crc32_u64(a, Load64(p + i));
      b = _mm_crc32_u64(b, Load64(p + Block + i));
      c = _mm_crc32_u64(c, Load64(p + 2 * Block + i));
    }
    crc = ShiftTables<Block>::Shift(static_cast<std::uint32_t>(a)) ^ static_cast<std::uint32_t>(b);
    crc = ShiftTables<Block>::Shift(crc) ^ static_cast<std::uint32_t>(c);
    p += 3 * Block;
    left -= 3 * Block;
  }
  return crc;
}

__attribute__((target("sse4.2"))) std::uint32_t Crc32cHardware(ByteSpan bytes, std::uint32_t crc) {
  const std::uint8_t* p = bytes.data();
  std::size_t left = bytes.size();
  crc = ~crc;
  crc = ThreeStreams<8192>(p, left, crc);
  crc = ThreeStreams<256>(p, left, crc);
  std::uint64_t crc64 = crc;
  for (; left >= 8; p += 8, left -= 8) crc64 = _mm_crc32_u64(crc64, Load64(p));
  crc = static_cast<std::uint32_t>(crc64);
  for (; left > 0; ++p, --left) crc = _mm_crc32_u8(crc, *p);
  return ~crc;
}

#endif

}  // namespace

std::uint32_t Crc32cPortable(ByteSpan bytes, std::uint32_t crc) {
  const std::uint8_t* p = bytes.data();
  std::size_t left = bytes.size();
  crc = ~crc;
  for (; left >= 8; p += 8, left -= 8) {
    std::uint32_t low = crc ^ (std::uint32_t{p[0]} | std::uint32_t{p[1]} << 8 | std::uint32_t{p[2]} << 16 |
                               std::uint32_t{p[3]} << 24);
    crc = kTables[7][low & 255] ^ kTables[6][(low >> 8) & 255] ^ kTables[5][(low >> 16) & 255] ^
          kTables[4][low >> 24] ^ kTables[3][p[4]] ^ kTables[2][p[5]] ^ kTables[1][p[6]] ^ kTables[0][p[7]];
  }
  for (; left > 0; ++p, --left) crc = (crc >> 8) ^ kTables[0][(crc ^ *p) & 255];
  return ~crc;
}

std::uint32_t Crc32c(ByteSpan bytes, std::uint32_t crc) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2");
  if (has_instruction) return Crc32cHardware(bytes, crc);
#endif
  return Crc32cPortable(bytes, crc);
}

}  // namespace millrace::storage
