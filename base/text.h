// Text for messages.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace millrace {

constexpr bool IsAsciiDigit(char c) { return c >= '0' && c <= '9'; }
constexpr bool IsAsciiLower(char c) { return c >= 'a' && c <= 'z'; }
// Of ASCII's letters; others as they are.
constexpr char AsciiLower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
inline std::string ToAsciiLower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = AsciiLower(c);
  return lower;
}
constexpr bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (AsciiLower(a[i]) != AsciiLower(b[i])) return false;
  }
  return true;
}

// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool IsUtf8(std::string_view text);

// The beginning of what somebody sent, to be quoted in a message: at most `bytes_max` bytes, not cut inside
// of a UTF-8 character.
inline std::string Excerpt(std::string_view text, std::size_t bytes_max = 64) {
  if (text.size() > bytes_max) {
    std::size_t end = bytes_max;
    // A character has at most three bytes behind its first.
    while (end > 0 && bytes_max - end < 3 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    text = text.substr(0, end);
  }
  return std::string(text);
}

}  // namespace millrace
