#include "media/g711.h"

namespace millrace {
namespace {

// mmreg.h's format tags.
constexpr std::uint8_t kTagAlaw = 6;
constexpr std::uint8_t kTagMulaw = 7;

void AppendLittleEndian(Bytes& out, std::uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

// Table 2b: inverted; a sign, three bits of segment, four of the place in it.
std::int16_t MulawSample(std::uint8_t byte) {
  const unsigned code = static_cast<std::uint8_t>(~byte);
  const int magnitude = static_cast<int>((((code & 0x0F) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84;
  return static_cast<std::int16_t>((code & 0x80) != 0 ? -magnitude : magnitude);
}

// Table 1b: even bits inverted; the sign bit is set for positive values.
std::int16_t AlawSample(std::uint8_t byte) {
  const unsigned code = byte ^ 0x55u;
  const unsigned segment = (code >> 4) & 7;
  int magnitude = static_cast<int>((code & 0x0F) << 4) + 8;
  if (segment > 0) magnitude = (magnitude + 0x100) << (segment - 1);
  return static_cast<std::int16_t>((code & 0x80) != 0 ? magnitude : -magnitude);
}

}  // namespace

Bytes MakeWaveFormat(Codec codec, std::uint32_t sample_rate, std::uint32_t channels) {
  Bytes format;
  AppendLittleEndian(format, codec == Codec::kPcmAlaw ? kTagAlaw : kTagMulaw, 2);
  AppendLittleEndian(format, channels, 2);
  AppendLittleEndian(format, sample_rate, 4);
  AppendLittleEndian(format, sample_rate * channels, 4);  // bytes a second
  AppendLittleEndian(format, channels, 2);                // bytes a block
  AppendLittleEndian(format, 8, 2);                       // bits a sample
  AppendLittleEndian(format, 0, 2);                       // nothing follows
  return format;
}

std::optional<Codec> CodecOfWaveFormat(ByteSpan wave_format) {
  if (wave_format.size() < 2 || wave_format[1] != 0) return std::nullopt;
  if (wave_format[0] == kTagAlaw) return Codec::kPcmAlaw;
  if (wave_format[0] == kTagMulaw) return Codec::kPcmMulaw;
  return std::nullopt;
}

std::int16_t G711Sample(Codec codec, std::uint8_t byte) {
  return codec == Codec::kPcmAlaw ? AlawSample(byte) : MulawSample(byte);
}

}  // namespace millrace
