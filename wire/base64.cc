#include "wire/base64.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdint>

namespace millrace::wire {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> MakeValues() {
  std::array<std::int8_t, 256> values{};
  for (auto& value : values) value = -1;
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::int8_t>(i);
  }
  return values;
}
constexpr std::array<std::int8_t, 256> kValues = MakeValues();

int ValueOf(char c) { return kValues[static_cast<unsigned char>(c)]; }

Error InvalidBase64(std::string text) { return Error{ErrorCode::kInvalidArgument, std::move(text)}; }

}  // namespace

void AppendBase64(std::string& out, ByteSpan bytes) {
  // EVP_EncodeBlock takes an int, and writes a terminating zero.
  constexpr std::size_t kStep = 3 * (std::size_t{1} << 24);
  for (std::size_t at = 0; at < bytes.size(); at += kStep) {
    const ByteSpan step = bytes.subspan(at, std::min(kStep, bytes.size() - at));
    const std::size_t begin = out.size();
    out.resize(begin + Base64Length(step.size()) + 1);
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()) + begin, step.data(),
                    static_cast<int>(step.size()));
    out.pop_back();
  }
}

std::string EncodeBase64(ByteSpan bytes) {
  std::string text;
  text.reserve(Base64Length(bytes.size()) + 1);
  AppendBase64(text, bytes);
  return text;
}

Result<Bytes> DecodeBase64(std::string_view text) {
  if (text.size() % 4 != 0) {
    return InvalidBase64("Base64 encoded length is expected a multiple of 4 bytes but found: " +
                         std::to_string(text.size()));
  }
  if (text.empty()) return Bytes();
  if (text.size() > INT_MAX) return InvalidBase64("Base64 encoded length is too large");
  std::size_t padding = text.back() == '=' ? 1 : 0;
  if (padding == 1 && text[text.size() - 2] == '=') padding = 2;
  const std::string_view digits = text.substr(0, text.size() - padding);
  for (const char c : digits) {
    if (ValueOf(c) >= 0) continue;
    const auto code = static_cast<unsigned char>(c);
    return InvalidBase64("Invalid Base64 character: '" + (code < 0x80 ? std::string(1, c) : "?") + "'");
  }
  const int unused = padding == 0 ? 0 : padding == 1 ? 0x03 : 0x0F;
  if ((ValueOf(digits.back()) & unused) != 0) {
    return InvalidBase64("Invalid last non-pad Base64 character dectected");  // sic, as the service has it
  }
  Bytes bytes(text.size() / 4 * 3);
  const int size = EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  if (size < 0) return InvalidBase64("Invalid Base64 text");
  bytes.resize(bytes.size() - padding);
  return bytes;
}

}  // namespace millrace::wire
