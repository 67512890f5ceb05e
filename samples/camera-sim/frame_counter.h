// The frame's number in the picture, as a row of black and white squares, so that a test can read it after
// any codec.
//
// From the top left corner: white, black, then 24 bits, most significant first, white for one. A square's
// side is FrameCounterSide(width) pixels. Works on 8-bit luma (height x stride bytes), needs no library.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace millrace::camera_sim {

inline constexpr int kFrameCounterBits = 24;
inline constexpr int kFrameCounterSquares = kFrameCounterBits + 2;

inline int FrameCounterSide(int width) { return std::max(8, width / 80 / 2 * 2); }

inline bool FrameCounterBit(std::uint32_t number, int square) {
  if (square < 2) return square == 0;
  return (number >> (kFrameCounterBits + 1 - square) & 1U) != 0;
}

// Empty when the two squares at the start are not white and black.
inline std::optional<std::uint32_t> ReadFrameCounter(const std::uint8_t* luma, std::size_t stride,
                                                     int width) {
  const int side = FrameCounterSide(width);
  const auto white = [&](int square) {
    unsigned sum = 0;
    for (int y = side / 4; y < side * 3 / 4; ++y) {
      for (int x = side / 4; x < side * 3 / 4; ++x) {
        sum += luma[static_cast<std::size_t>(y) * stride + static_cast<std::size_t>(square * side + x)];
      }
    }
    return sum > 128U * static_cast<unsigned>((side / 2) * (side / 2));
  };
  if (!white(0) || white(1)) return std::nullopt;
  std::uint32_t number = 0;
  for (int square = 2; square < kFrameCounterSquares; ++square)
    number = number << 1 | (white(square) ? 1U : 0U);
  return number;
}

}  // namespace millrace::camera_sim
