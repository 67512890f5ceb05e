// Writes ISO base media file format boxes (ISO/IEC 14496-12): sizes are filled in when a box is closed.
//
//   BoxWriter out;
//   {
//     auto moof = out.Open("moof");
//     auto mfhd = out.OpenFull("mfhd", 0, 0);
//     out.U32(sequence_number);
//   }  // mfhd, then moof, get their sizes
//
// Threads: none inside.
#pragma once

#include <cassert>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/bytes.h"

namespace millrace {

class BoxWriter {
 public:
  // An open box; going out of scope closes it. The writer outlives it.
  class Scope {
   public:
    Scope(BoxWriter& writer, std::size_t start) : writer_(writer), start_(start) {}
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope() { writer_.Patch32(start_, static_cast<std::uint32_t>(writer_.size() - start_)); }

   private:
    BoxWriter& writer_;
    std::size_t start_;
  };

  void Reserve(std::size_t bytes) { bytes_.reserve(bytes); }

  // REQUIRES: type has four characters.
  [[nodiscard]] Scope Open(std::string_view type) {
    std::size_t start = bytes_.size();
    U32(0);
    FourCc(type);
    return {*this, start};
  }
  [[nodiscard]] Scope OpenFull(std::string_view type, std::uint8_t version, std::uint32_t flags) {
    std::size_t start = bytes_.size();
    U32(0);
    FourCc(type);
    U32(std::uint32_t{version} << 24 | flags);
    return {*this, start};
  }

  void U8(std::uint8_t value) { bytes_.push_back(value); }
  void U16(std::uint16_t value) { AppendBigEndian(bytes_, value); }
  void U32(std::uint32_t value) { AppendBigEndian(bytes_, value); }
  void U64(std::uint64_t value) { AppendBigEndian(bytes_, value); }
  void I32(std::int32_t value) { U32(static_cast<std::uint32_t>(value)); }
  void FourCc(std::string_view type) {
    assert(type.size() == 4);
    Append(AsBytes(type));
  }
  void Append(ByteSpan bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
  void Zeros(std::size_t count) { bytes_.resize(bytes_.size() + count); }

  // REQUIRES: offset + 4 <= size().
  void Patch32(std::size_t offset, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i) bytes_[offset + i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
  }

  std::size_t size() const { return bytes_.size(); }
  Bytes Take() && { return std::move(bytes_); }

 private:
  Bytes bytes_;
};

}  // namespace millrace
