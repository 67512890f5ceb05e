// Writing and reading of storage's own binary values: big-endian integers, varints, length-prefixed bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace millrace::storage {

// Seven bits a byte, lowest first; the top bit says that more follow.
inline void AppendVarint(Bytes& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<std::uint8_t>(value | 0x80));
  out.push_back(static_cast<std::uint8_t>(value));
}

// Signed numbers near zero become small unsigned ones.
inline std::uint64_t ZigZag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
inline std::int64_t UnZigZag(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

inline void AppendRaw(Bytes& out, ByteSpan bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }
inline void AppendSized(Bytes& out, ByteSpan bytes) {
  AppendVarint(out, bytes.size());
  AppendRaw(out, bytes);
}
inline void AppendSized(Bytes& out, std::string_view text) { AppendSized(out, AsBytes(text)); }

// Takes values from the front of bytes that may be damaged: after the first value that does not fit, ok() is
// false and everything reads as zero or empty. Borrowed: the bytes outlive it and what it gives.
class ByteReader {
 public:
  explicit ByteReader(ByteSpan bytes) : left_(bytes) {}

  template <typename T>
  T Integer() {
    ByteSpan bytes = Raw(sizeof(T));
    return bytes.size() == sizeof(T) ? ReadBigEndian<T>(bytes) : T{0};
  }
  std::uint64_t Varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64 && !left_.empty(); shift += 7) {
      std::uint8_t byte = left_[0];
      left_ = left_.subspan(1);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    Fail();
    return 0;
  }
  ByteSpan Raw(std::uint64_t size) {
    if (size > left_.size()) {
      Fail();
      return {};
    }
    ByteSpan bytes = left_.first(static_cast<std::size_t>(size));
    left_ = left_.subspan(static_cast<std::size_t>(size));
    return bytes;
  }
  ByteSpan Sized() { return Raw(Varint()); }
  std::string Text() { return std::string(AsText(Sized())); }

  ByteSpan rest() const { return left_; }
  bool ok() const { return ok_; }
  bool AtEnd() const { return ok_ && left_.empty(); }  // everything read, and nothing missing

 private:
  void Fail() {
    ok_ = false;
    left_ = {};
  }
  ByteSpan left_;
  bool ok_ = true;
};

}  // namespace millrace::storage
