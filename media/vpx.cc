#include "media/vpx.h"

#include <array>

#include "media/bit_reader.h"

namespace millrace {
namespace {

constexpr std::uint32_t kVp9SyncCode = 0x498342;
constexpr std::uint32_t kSrgb = 7;
constexpr std::uint64_t kFramesPerSecond = 30;

enum Feature : std::uint8_t { kProfile = 1, kLevel = 2, kBitDepth = 3, kChromaSubsampling = 4 };

// VP9 levels: the largest picture, and samples a second. https://www.webmproject.org/vp9/levels/
struct Level {
  std::uint8_t level;
  std::uint64_t samples_per_second;
  std::uint64_t samples;
};
constexpr std::array<Level, 14> kLevels = {{{10, 829'440, 36'864},
                                            {11, 2'764'800, 73'728},
                                            {20, 4'608'000, 122'880},
                                            {21, 9'216'000, 245'760},
                                            {30, 20'736'000, 552'960},
                                            {31, 36'864'000, 983'040},
                                            {40, 83'558'400, 2'228'224},
                                            {41, 160'432'128, 2'228'224},
                                            {50, 311'951'360, 8'912'896},
                                            {51, 588'251'136, 8'912'896},
                                            {52, 1'176'502'272, 8'912'896},
                                            {60, 1'176'502'272, 35'651'584},
                                            {61, 2'353'004'544, 35'651'584},
                                            {62, 4'706'009'088, 35'651'584}}};

}  // namespace

std::optional<Vp8KeyFrame> ReadVp8KeyFrame(ByteSpan frame) {
  if (frame.size() < 10 || (frame[0] & 1) != 0) return std::nullopt;
  if (frame[3] != 0x9D || frame[4] != 0x01 || frame[5] != 0x2A) return std::nullopt;
  // Fourteen bits, least significant byte first; the two above say how to scale it for display.
  const auto side = [&](std::size_t at) {
    return static_cast<std::uint32_t>(frame[at] | (frame[at + 1] & 0x3F) << 8);
  };
  const Vp8KeyFrame key{.width = side(6), .height = side(8)};
  if (key.width == 0 || key.height == 0) return std::nullopt;
  return key;
}

std::optional<Vp9KeyFrame> ReadVp9KeyFrame(ByteSpan frame) {
  BitReader bits(frame);
  if (bits.Bits(2) != 2) return std::nullopt;  // frame_marker
  Vp9KeyFrame key;
  const std::uint32_t low = bits.Bit();
  key.profile = static_cast<std::uint8_t>(bits.Bit() << 1 | low);
  if (key.profile == 3 && bits.Flag()) return std::nullopt;
  const bool show_existing = bits.Flag();
  const bool not_key = bits.Flag();
  if (show_existing || not_key) return std::nullopt;
  bits.Bits(2);  // show_frame, error_resilient_mode
  if (bits.Bits(24) != kVp9SyncCode) return std::nullopt;
  if (key.profile >= 2) key.bit_depth = bits.Flag() ? 12 : 10;
  const bool may_subsample = key.profile == 1 || key.profile == 3;
  if (bits.Bits(3) != kSrgb) {
    key.full_range = bits.Flag();
    if (may_subsample) {
      key.subsampling_x = bits.Flag();
      key.subsampling_y = bits.Flag();
      bits.Bit();
    }
  } else {
    if (!may_subsample) return std::nullopt;
    key.full_range = true;
    key.subsampling_x = key.subsampling_y = false;
    bits.Bit();
  }
  key.width = bits.Bits(16) + 1;
  key.height = bits.Bits(16) + 1;
  if (!bits.ok()) return std::nullopt;
  return key;
}

Vp9Features FeaturesOf(const Vp9KeyFrame& frame) {
  Vp9Features features;
  features.profile = frame.profile;
  features.bit_depth = frame.bit_depth;
  features.chroma_subsampling = 3;
  if (frame.subsampling_x) features.chroma_subsampling = frame.subsampling_y ? 1 : 2;
  const std::uint64_t samples = std::uint64_t{frame.width} * frame.height;
  features.level = kLevels.back().level;
  for (const Level& level : kLevels) {
    if (samples > level.samples || samples * kFramesPerSecond > level.samples_per_second) continue;
    features.level = level.level;
    break;
  }
  return features;
}

Bytes EncodeVp9Features(const Vp9Features& features) {
  return {kProfile,
          1,
          features.profile,
          kLevel,
          1,
          features.level,
          kBitDepth,
          1,
          features.bit_depth,
          kChromaSubsampling,
          1,
          features.chroma_subsampling};
}

std::optional<Vp9Features> DecodeVp9Features(ByteSpan codec_private) {
  Vp9Features features;
  unsigned seen = 0;
  while (codec_private.size() >= 3) {
    if (codec_private[1] != 1) return std::nullopt;
    const std::uint8_t value = codec_private[2];
    switch (codec_private[0]) {
      case kProfile:
        features.profile = value;
        break;
      case kLevel:
        features.level = value;
        break;
      case kBitDepth:
        features.bit_depth = value;
        break;
      case kChromaSubsampling:
        features.chroma_subsampling = value;
        break;
      default:
        return std::nullopt;
    }
    seen |= 1u << codec_private[0];
    codec_private = codec_private.subspan(3);
  }
  const bool depth = features.bit_depth == 8 || features.bit_depth == 10 || features.bit_depth == 12;
  constexpr unsigned kAll = 1u << kProfile | 1u << kLevel | 1u << kBitDepth | 1u << kChromaSubsampling;
  if (!codec_private.empty() || seen != kAll || features.profile > 3 || features.level > 62 || !depth ||
      features.chroma_subsampling > 3) {
    return std::nullopt;
  }
  return features;
}

}  // namespace millrace
