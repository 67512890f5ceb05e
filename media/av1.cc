#include "media/av1.h"

#include <optional>
#include <string>

#include "media/bit_reader.h"

namespace millrace {
namespace {

constexpr int kObuSequenceHeader = 1;
constexpr int kObuFrameHeader = 3;
constexpr int kObuFrame = 6;
constexpr std::uint8_t kConfigMarkerAndVersion = 0x81;  // section 2.3.3: marker 1, version 1

Error DamagedAv1(const char* what) { return {ErrorCode::kCorruption, std::string("AV1 ") + what}; }

struct Obu {
  int type = 0;
  ByteSpan whole;
  ByteSpan payload;
};

// Takes the next one off the front; none: the bytes end, or within an OBU. Section 5.3.
std::optional<Obu> NextObu(ByteSpan& bytes) {
  if (bytes.empty() || (bytes[0] & 0x80) != 0) return std::nullopt;
  const bool extension = (bytes[0] & 0x04) != 0;
  const bool has_size = (bytes[0] & 0x02) != 0;
  std::size_t at = extension ? 2 : 1;
  if (at > bytes.size()) return std::nullopt;
  std::uint64_t size = bytes.size() - at;
  if (has_size) {  // leb128(), section 4.10.5
    size = 0;
    bool more = true;
    for (int i = 0; i < 8 && more; ++i) {
      if (at >= bytes.size()) return std::nullopt;
      size |= std::uint64_t{bytes[at] & 0x7Fu} << (7 * i);
      more = (bytes[at++] & 0x80) != 0;
    }
    if (more || size > bytes.size() - at) return std::nullopt;
  }
  const auto length = static_cast<std::size_t>(size);
  Obu obu{(bytes[0] >> 3) & 0x0F, bytes.subspan(0, at + length), bytes.subspan(at, length)};
  bytes = bytes.subspan(at + length);
  return obu;
}

// operating_parameters_info() and the fields around it, section 5.5.1.
void ReadOperatingPoints(BitReader& bits, Av1Sequence& sequence) {
  bool decoder_model = false;
  int delay_bits = 0;
  if (bits.Flag()) {  // timing_info
    bits.Skip(64);
    if (bits.Flag()) bits.Unsigned();
    decoder_model = bits.Flag();
    if (decoder_model) {
      delay_bits = static_cast<int>(bits.Bits(5)) + 1;
      bits.Skip(32 + 5 + 5);
    }
  }
  const bool display_delay = bits.Flag();
  const std::uint32_t points = bits.Bits(5) + 1;
  for (std::uint32_t i = 0; i < points && bits.ok(); ++i) {
    bits.Bits(12);
    const auto level = static_cast<std::uint8_t>(bits.Bits(5));
    const bool tier = level > 7 && bits.Flag();
    if (i == 0) {
      sequence.level_idx = level;
      sequence.high_tier = tier;
    }
    if (decoder_model && bits.Flag()) bits.Skip(static_cast<std::size_t>(2 * delay_bits) + 1);
    if (display_delay && bits.Flag()) bits.Bits(4);
  }
}

// The tools between the picture size and the colours.
void SkipTools(BitReader& bits, bool reduced) {
  if (!reduced && bits.Flag()) bits.Bits(4 + 3);  // frame ids
  bits.Bits(3);                                   // superblock size, filter intra, intra edge filter
  if (!reduced) {
    bits.Bits(4);  // interintra, masked, warped, dual filter
    const bool order_hint = bits.Flag();
    if (order_hint) bits.Bits(2);
    const std::uint32_t screen_content = bits.Flag() ? 2 : bits.Bit();
    if (screen_content > 0 && !bits.Flag()) bits.Bit();
    if (order_hint) bits.Bits(3);
  }
  bits.Bits(3);  // superres, cdef, restoration
}

// color_config(), section 5.5.2.
void ReadColors(BitReader& bits, Av1Sequence& sequence) {
  const bool high = bits.Flag();
  sequence.bit_depth = high ? 10 : 8;
  if (sequence.profile == 2 && high && bits.Flag()) sequence.bit_depth = 12;
  sequence.monochrome = sequence.profile != 1 && bits.Flag();
  std::uint32_t primaries = 2, transfer = 2, matrix = 2;
  if (bits.Flag()) {
    primaries = bits.Bits(8);
    transfer = bits.Bits(8);
    matrix = bits.Bits(8);
  }
  if (sequence.monochrome) {
    bits.Bit();
    return;
  }
  if (primaries == 1 && transfer == 13 && matrix == 0) {  // sRGB
    sequence.subsampling_x = sequence.subsampling_y = false;
    return;
  }
  bits.Bit();
  if (sequence.profile == 1) {
    sequence.subsampling_x = sequence.subsampling_y = false;
  } else if (sequence.profile == 2) {
    sequence.subsampling_x = sequence.bit_depth != 12 || bits.Flag();
    sequence.subsampling_y = sequence.bit_depth == 12 && sequence.subsampling_x && bits.Flag();
  }
  if (sequence.subsampling_x && sequence.subsampling_y) {
    sequence.chroma_sample_position = static_cast<std::uint8_t>(bits.Bits(2));
  }
}

Result<Av1Sequence> ParseSequence(const Obu& obu) {
  BitReader bits(obu.payload);
  Av1Sequence sequence;
  sequence.obu = obu.whole;
  sequence.profile = static_cast<std::uint8_t>(bits.Bits(3));
  if (sequence.profile > 2) return DamagedAv1("sequence header: unknown profile");
  bits.Bit();  // still_picture
  const bool reduced = bits.Flag();
  if (reduced) {
    sequence.level_idx = static_cast<std::uint8_t>(bits.Bits(5));
  } else {
    ReadOperatingPoints(bits, sequence);
  }
  const int width_bits = static_cast<int>(bits.Bits(4)) + 1;
  const int height_bits = static_cast<int>(bits.Bits(4)) + 1;
  sequence.width = bits.Bits(width_bits) + 1;
  sequence.height = bits.Bits(height_bits) + 1;
  SkipTools(bits, reduced);
  ReadColors(bits, sequence);
  bits.Bit();  // film_grain_params_present
  if (!bits.ok()) return DamagedAv1("sequence header is cut short");
  return sequence;
}

}  // namespace

Result<Av1Sequence> FindAv1Sequence(ByteSpan obus) {
  while (const auto obu = NextObu(obus)) {
    if (obu->type == kObuSequenceHeader) return ParseSequence(*obu);
  }
  return Error{ErrorCode::kNotFound, "no AV1 sequence header"};
}

bool IsAv1KeyFrame(ByteSpan temporal_unit) {
  bool has_sequence = false;
  while (const auto obu = NextObu(temporal_unit)) {
    if (obu->type == kObuSequenceHeader) {
      BitReader bits(obu->payload);
      bits.Bits(4);
      if (bits.Flag())
        return bits.ok();  // a still picture's header is short: all of its frames are key frames
      has_sequence = true;
    }
    if (obu->type != kObuFrameHeader && obu->type != kObuFrame) continue;
    BitReader bits(obu->payload);
    const bool show_existing = bits.Flag();
    const bool key = bits.Bits(2) == 0;
    const bool shown = bits.Flag();
    return has_sequence && !show_existing && key && shown && bits.ok();
  }
  return false;
}

Result<Av1Config> ParseAv1Config(ByteSpan av1c) {
  if (av1c.size() < 4) return DamagedAv1("configuration is cut short");
  if (av1c[0] != kConfigMarkerAndVersion) {
    return Error{ErrorCode::kUnsupported, "AV1 configuration of version " + std::to_string(av1c[0] & 0x7F)};
  }
  Av1Config config;
  config.profile = av1c[1] >> 5;
  config.level_idx = av1c[1] & 0x1F;
  config.high_tier = (av1c[2] & 0x80) != 0;
  if ((av1c[2] & 0x40) != 0) config.bit_depth = (av1c[2] & 0x20) != 0 ? 12 : 10;
  if (config.profile > 2) return DamagedAv1("configuration: unknown profile");
  return config;
}

Av1Config ConfigOf(const Av1Sequence& sequence) {
  return {.profile = sequence.profile,
          .level_idx = sequence.level_idx,
          .high_tier = sequence.high_tier,
          .bit_depth = sequence.bit_depth};
}

Bytes MakeAv1Config(const Av1Sequence& sequence) {
  const auto flag = [](bool set, int bit) { return set ? 1u << bit : 0u; };
  Bytes av1c = {kConfigMarkerAndVersion,
                static_cast<std::uint8_t>(sequence.profile << 5 | sequence.level_idx),
                static_cast<std::uint8_t>(flag(sequence.high_tier, 7) | flag(sequence.bit_depth > 8, 6) |
                                          flag(sequence.bit_depth == 12, 5) | flag(sequence.monochrome, 4) |
                                          flag(sequence.subsampling_x, 3) | flag(sequence.subsampling_y, 2) |
                                          sequence.chroma_sample_position),
                0};
  av1c.insert(av1c.end(), sequence.obu.begin(), sequence.obu.end());
  return av1c;
}

}  // namespace millrace
