#include "media/h265.h"

#include <algorithm>
#include <optional>
#include <string>

#include "media/bit_reader.h"

namespace millrace {
namespace {

constexpr int kHevcNalVps = 32;
constexpr int kHevcNalSps = 33;
constexpr int kHevcNalPps = 34;
constexpr int kSliceTypeMax = 31;  // VCL NAL units, table 7-1
constexpr int kBlaWithLeading = 16;
constexpr int kBlaWithoutLeading = 18;
constexpr int kIdrWithoutLeading = 20;
constexpr int kRandomAccessMax = 23;       // of the types that are reserved for more such pictures
constexpr std::uint32_t kReorderMax = 16;  // sps_max_dec_pic_buffering is no more, section A.4.1
constexpr std::uint32_t kPictureSideMax = 65'536;

Error DamagedH265(const char* what) { return {ErrorCode::kCorruption, std::string("H.265 ") + what}; }

int TypeOf(ByteSpan nal) { return (nal[0] >> 1) & 0x3F; }

H265Profile ReadProfile(BitReader& bits) {
  H265Profile profile;
  profile.space = static_cast<std::uint8_t>(bits.Bits(2));
  profile.high_tier = bits.Flag();
  profile.idc = static_cast<std::uint8_t>(bits.Bits(5));
  profile.compatibility = bits.Bits(32);
  for (std::uint8_t& constraint : profile.constraints) constraint = static_cast<std::uint8_t>(bits.Bits(8));
  profile.level_idc = static_cast<std::uint8_t>(bits.Bits(8));
  return profile;
}

// The rest of profile_tier_level(): of each sub-layer 88 bits of profile and 8 of level, where it has them.
void SkipSubLayers(BitReader& bits, std::uint32_t sub_layers) {
  std::array<bool, 8> profiles{};
  std::array<bool, 8> levels{};
  for (std::uint32_t i = 0; i < sub_layers; ++i) {
    profiles[i] = bits.Flag();
    levels[i] = bits.Flag();
  }
  if (sub_layers > 0) bits.Skip(2 * (8 - sub_layers));
  for (std::uint32_t i = 0; i < sub_layers; ++i) bits.Skip((profiles[i] ? 88u : 0u) + (levels[i] ? 8u : 0u));
}

// The type of the first slice; none: there is none, or a length points past the end.
std::optional<int> FirstHevcSliceType(ByteSpan frame, std::size_t nal_length_bytes) {
  while (frame.size() > nal_length_bytes) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < nal_length_bytes; ++i) length = (length << 8) | frame[i];
    frame = frame.subspan(nal_length_bytes);
    if (length < 2 || length > frame.size()) return std::nullopt;
    if (const int type = TypeOf(frame); type <= kSliceTypeMax) return type;
    frame = frame.subspan(length);
  }
  return std::nullopt;
}

}  // namespace

// ISO/IEC 14496-15 section 8.3.3.1.2.
Result<HevcConfig> ParseHevcConfig(ByteSpan hvcc) {
  constexpr std::size_t kHeader = 23;
  if (hvcc.size() < kHeader) return DamagedH265("configuration is cut short");
  if (hvcc[0] != 1) {
    return Error{ErrorCode::kUnsupported, "H.265 configuration of version " + std::to_string(hvcc[0])};
  }
  HevcConfig config;
  BitReader bits(hvcc.subspan(1, 12));
  config.profile = ReadProfile(bits);
  config.nal_length_bytes = static_cast<std::uint8_t>((hvcc[21] & 3) + 1);
  if (config.nal_length_bytes == 3) return DamagedH265("configuration has 3-byte NAL lengths");
  std::size_t at = kHeader;
  for (int arrays = hvcc[22]; arrays > 0; --arrays) {
    if (hvcc.size() - at < 3) return DamagedH265("configuration is cut short");
    const int type = hvcc[at] & 0x3F;
    const int count = ReadBigEndian<std::uint16_t>(hvcc.subspan(at + 1, 2));
    at += 3;
    for (int i = 0; i < count; ++i) {
      if (hvcc.size() - at < 2) return DamagedH265("configuration is cut short");
      const std::size_t length = ReadBigEndian<std::uint16_t>(hvcc.subspan(at, 2));
      at += 2;
      if (length < 2 || hvcc.size() - at < length) return DamagedH265("parameter set is cut short");
      const ByteSpan nal = hvcc.subspan(at, length);
      if (type == kHevcNalVps) config.vps.push_back(nal);
      if (type == kHevcNalSps) config.sps.push_back(nal);
      if (type == kHevcNalPps) config.pps.push_back(nal);
      at += length;
    }
  }
  if (config.sps.empty()) return DamagedH265("configuration has no sequence parameter set");
  return config;
}

// Section 7.3.2.2.1, up to the reorder depth.
Result<H265Sps> ParseH265Sps(ByteSpan nal) {
  if (nal.size() < 4 || TypeOf(nal) != kHevcNalSps) return DamagedH265("sequence parameter set is cut short");
  BitReader bits(nal.subspan(2), BitReader::Escapes::kNal);
  H265Sps sps;
  bits.Bits(4);  // id of the VPS
  const std::uint32_t sub_layers = bits.Bits(3);
  if (sub_layers > 6) return DamagedH265("sequence parameter set: too many sub-layers");
  bits.Bit();
  sps.profile = ReadProfile(bits);
  SkipSubLayers(bits, sub_layers);
  bits.Unsigned();  // id
  const std::uint32_t chroma_format = bits.Unsigned();
  if (chroma_format > 3) return DamagedH265("sequence parameter set: unknown chroma format");
  sps.chroma_format = static_cast<std::uint8_t>(chroma_format);
  const bool separate_planes = chroma_format == 3 && bits.Flag();
  const std::uint64_t width = bits.Unsigned();
  const std::uint64_t height = bits.Unsigned();
  std::uint64_t crop_x = 0;
  std::uint64_t crop_y = 0;
  if (bits.Flag()) {
    const bool sub_x = (chroma_format == 1 || chroma_format == 2) && !separate_planes;
    const std::uint64_t unit_x = sub_x ? 2 : 1;
    const std::uint64_t unit_y = chroma_format == 1 ? 2 : 1;
    crop_x = unit_x * bits.Unsigned();
    crop_x += unit_x * bits.Unsigned();
    crop_y = unit_y * bits.Unsigned();
    crop_y += unit_y * bits.Unsigned();
  }
  const std::uint32_t luma = bits.Unsigned();
  const std::uint32_t chroma = bits.Unsigned();
  if (luma > 8 || chroma > 8) return DamagedH265("sequence parameter set: absurd bit depth");
  sps.bit_depth_luma = static_cast<std::uint8_t>(8 + luma);
  sps.bit_depth_chroma = static_cast<std::uint8_t>(8 + chroma);
  bits.Unsigned();  // log2_max_pic_order_cnt_lsb_minus4
  const bool each_sub_layer = bits.Flag();
  for (std::uint32_t i = each_sub_layer ? 0 : sub_layers; i <= sub_layers; ++i) {
    bits.Unsigned();  // sps_max_dec_pic_buffering_minus1
    sps.max_num_reorder = bits.Unsigned();
    bits.Unsigned();  // sps_max_latency_increase_plus1
  }
  if (!bits.ok()) return DamagedH265("sequence parameter set is cut short");
  if (width > kPictureSideMax || height > kPictureSideMax || crop_x >= width || crop_y >= height) {
    return DamagedH265("sequence parameter set: absurd picture size");
  }
  if (sps.max_num_reorder > kReorderMax) return DamagedH265("sequence parameter set: absurd reorder depth");
  sps.width = static_cast<std::uint32_t>(width - crop_x);
  sps.height = static_cast<std::uint32_t>(height - crop_y);
  return sps;
}

bool HasH265Slice(ByteSpan frame, std::size_t nal_length_bytes) {
  return FirstHevcSliceType(frame, nal_length_bytes).has_value();
}

bool IsH265RandomAccess(ByteSpan frame, std::size_t nal_length_bytes) {
  const auto type = FirstHevcSliceType(frame, nal_length_bytes);
  return type && *type >= kBlaWithLeading && *type <= kRandomAccessMax;
}

bool IsH265WithoutLeading(ByteSpan frame, std::size_t nal_length_bytes) {
  const auto type = FirstHevcSliceType(frame, nal_length_bytes);
  return type == kBlaWithoutLeading || type == kIdrWithoutLeading;
}

}  // namespace millrace
