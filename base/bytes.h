// Bytes: views, owned buffers, shared immutable buffers, and big-endian integers in them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace {

using ByteSpan = std::span<const std::uint8_t>;  // borrowed; the owner outlives it
using Bytes = std::vector<std::uint8_t>;

inline ByteSpan AsBytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view AsText(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// An immutable view of bytes that keeps their owner alive; copying it copies a pointer, never the bytes.
// Threads: distinct copies may be used from distinct threads.
class SharedBytes {
 public:
  SharedBytes() = default;
  explicit SharedBytes(Bytes bytes) {
    auto owner = std::make_shared<const Bytes>(std::move(bytes));
    view_ = *owner;
    owner_ = std::move(owner);
  }
  // `owner` is anything that keeps `view` valid while it lives (a mapped GstBuffer, a whole fragment).
  SharedBytes(std::shared_ptr<const void> owner, ByteSpan view) : owner_(std::move(owner)), view_(view) {}

  ByteSpan span() const { return view_; }
  const std::uint8_t* data() const { return view_.data(); }
  std::size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }

  // A part of the same bytes, sharing their owner. REQUIRES: offset + length <= size().
  SharedBytes Slice(std::size_t offset, std::size_t length) const {
    return {owner_, view_.subspan(offset, length)};
  }

 private:
  std::shared_ptr<const void> owner_;
  ByteSpan view_;
};

// Appends `value` big-endian (most significant byte first), so that byte order is number order in keys.
template <typename T>
void AppendBigEndian(Bytes& out, T value) {
  static_assert(std::is_unsigned_v<T>);
  for (int shift = static_cast<int>(sizeof(T)) * 8 - 8; shift >= 0; shift -= 8) {
    out.push_back(static_cast<std::uint8_t>(value >> shift));
  }
}

// REQUIRES: in.size() >= sizeof(T).
template <typename T>
T ReadBigEndian(ByteSpan in) {
  static_assert(std::is_unsigned_v<T>);
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value = static_cast<T>((value << 8) | in[i]);
  return value;
}

}  // namespace millrace
