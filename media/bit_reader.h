// Reads bits of a video header, most significant first.
//
// Headers come from cameras and producers: after running short every value is zero and ok() is false, so that
// a parser reads on and asks once.
//
// Threads: one owner at a time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace millrace {

class BitReader {
 public:
  // kNal: emulation prevention bytes (00 00 03 of ITU-T H.264 and H.265, section 7.3.1.1) are passed over.
  enum class Escapes : std::uint8_t { kNone, kNal };

  explicit BitReader(ByteSpan bytes, Escapes escapes = Escapes::kNone) : bytes_(bytes), escapes_(escapes) {}
  bool ok() const { return ok_; }
  std::size_t bits_read() const { return bits_read_; }

  std::uint32_t Bit() {
    if (bit_ == 0 && !NextByte()) return 0;
    --bit_;
    ++bits_read_;
    return (current_ >> bit_) & 1u;
  }
  bool Flag() { return Bit() != 0; }
  // REQUIRES: count <= 32.
  std::uint32_t Bits(int count) {
    std::uint32_t value = 0;
    for (int i = 0; i < count; ++i) value = (value << 1) | Bit();
    return value;
  }
  void Skip(std::size_t count) {
    for (std::size_t i = 0; i < count && ok_; ++i) Bit();
  }
  // ue(v) of H.264 and H.265, section 9.1 and 9.2; uvlc() of AV1 is the same. At most 31 leading zeros are
  // taken.
  std::uint32_t Unsigned() {
    int zeros = 0;
    while (ok_ && Bit() == 0) {
      if (++zeros > 31) ok_ = false;
    }
    return ok_ ? (std::uint32_t{1} << zeros) - 1 + Bits(zeros) : 0;
  }
  // se(v), section 9.1.1.
  std::int32_t Signed() {
    const std::uint32_t code = Unsigned();
    const auto magnitude = static_cast<std::int32_t>((std::uint64_t{code} + 1) / 2);
    return code % 2 == 1 ? magnitude : -magnitude;
  }

 private:
  bool NextByte() {
    if (escapes_ == Escapes::kNal && zeros_ >= 2 && at_ < bytes_.size() && bytes_[at_] == 3) {
      ++at_;
      zeros_ = 0;
    }
    if (at_ >= bytes_.size()) {
      ok_ = false;
      return false;
    }
    current_ = bytes_[at_++];
    zeros_ = current_ == 0 ? zeros_ + 1 : 0;
    bit_ = 8;
    return true;
  }

  ByteSpan bytes_;
  Escapes escapes_;
  std::size_t at_ = 0;
  int zeros_ = 0;
  int bit_ = 0;
  std::size_t bits_read_ = 0;
  std::uint8_t current_ = 0;
  bool ok_ = true;
};

}  // namespace millrace
