#include "media/h264.h"

#include <algorithm>
#include <array>
#include <string>

#include "media/bit_reader.h"

namespace millrace {
namespace {

constexpr std::uint8_t kNalSlice = 1;
constexpr std::uint8_t kNalIdrSlice = 5;
constexpr std::uint8_t kNalSps = 7;
constexpr std::uint32_t kReorderFramesMax = 16;  // the decoded picture buffer holds no more (A.3.1)

Error DamagedH264(const char* what) { return {ErrorCode::kCorruption, std::string("H.264 ") + what}; }

// Section 7.3.2.1.1: these profiles carry the chroma format and scaling lists.
bool HasChromaFormat(std::uint8_t profile_idc) {
  constexpr std::array<std::uint8_t, 13> kProfiles = {100, 110, 122, 244, 44,  83, 86,
                                                      118, 128, 138, 139, 134, 135};
  return std::find(kProfiles.begin(), kProfiles.end(), profile_idc) != kProfiles.end();
}

void SkipScalingList(BitReader& bits, int size) {
  std::int32_t last = 8;
  std::int32_t next = 8;
  for (int i = 0; i < size && bits.ok(); ++i) {
    if (next != 0) next = static_cast<std::int32_t>((std::int64_t{last} + bits.Signed() + 256) % 256);
    last = next == 0 ? last : next;
  }
}

// Annex E.1.2. Only the count of bits matters.
void SkipHrd(BitReader& bits) {
  const std::uint32_t count = bits.Unsigned() + 1;
  bits.Bits(8);
  for (std::uint32_t i = 0; i < count && i < 32 && bits.ok(); ++i) {
    bits.Unsigned();
    bits.Unsigned();
    bits.Bit();
  }
  bits.Bits(20);
}

// Annex E.1.1. Many cameras write a VUI that ends early: what was read until then holds.
void ReadVui(BitReader& bits, H264Sps& sps) {
  if (bits.Bit() != 0 && bits.Bits(8) == 255) bits.Bits(32);  // aspect ratio, extended SAR
  if (bits.Bit() != 0) bits.Bit();                            // overscan
  if (bits.Bit() != 0) {                                      // video signal type
    bits.Bits(4);
    if (bits.Bit() != 0) bits.Bits(24);
  }
  if (bits.Bit() != 0) {  // chroma location
    bits.Unsigned();
    bits.Unsigned();
  }
  if (bits.Bit() != 0) {  // timing
    const std::uint32_t units = bits.Bits(32);
    const std::uint32_t scale = bits.Bits(32);
    bits.Bit();
    // A tick is a field: two make a frame.
    if (bits.ok() && units > 0 && units <= 0x7FFF'FFFF && scale > 0) {
      sps.frame_rate_numerator = scale;
      sps.frame_rate_denominator = units * 2;
    }
  }
  const bool nal_hrd = bits.Bit() != 0;
  if (nal_hrd) SkipHrd(bits);
  const bool vcl_hrd = bits.Bit() != 0;
  if (vcl_hrd) SkipHrd(bits);
  if (nal_hrd || vcl_hrd) bits.Bit();
  bits.Bit();
  if (bits.Bit() != 0) {  // bitstream restriction
    bits.Bit();
    for (int i = 0; i < 4; ++i) bits.Unsigned();
    const std::uint32_t reorder = bits.Unsigned();
    bits.Unsigned();
    if (bits.ok() && reorder <= kReorderFramesMax) sps.max_num_reorder_frames = reorder;
  }
}

}  // namespace

Result<AvcConfig> ParseAvcConfig(ByteSpan avcc) {
  if (avcc.size() < 7) return DamagedH264("configuration is cut short");
  if (avcc[0] != 1) {
    return Error{ErrorCode::kUnsupported, "H.264 configuration of version " + std::to_string(avcc[0])};
  }
  AvcConfig config;
  config.profile_idc = avcc[1];
  config.constraints = avcc[2];
  config.level_idc = avcc[3];
  config.nal_length_bytes = static_cast<std::uint8_t>((avcc[4] & 3) + 1);
  if (config.nal_length_bytes == 3) return DamagedH264("configuration has 3-byte NAL lengths");
  std::size_t at = 5;
  for (std::vector<ByteSpan>* list : {&config.sps, &config.pps}) {
    if (at >= avcc.size()) return DamagedH264("configuration is cut short");
    const int count = list == &config.sps ? avcc[at] & 0x1F : avcc[at];
    ++at;
    for (int i = 0; i < count; ++i) {
      if (avcc.size() - at < 2) return DamagedH264("configuration is cut short");
      const std::size_t length = ReadBigEndian<std::uint16_t>(avcc.subspan(at, 2));
      at += 2;
      if (length == 0 || avcc.size() - at < length) return DamagedH264("parameter set is cut short");
      list->push_back(avcc.subspan(at, length));
      at += length;
    }
  }
  if (config.sps.empty()) return DamagedH264("configuration has no sequence parameter set");
  return config;
}

Result<H264Sps> ParseH264Sps(ByteSpan nal) {
  if (nal.size() < 4 || (nal[0] & 0x1F) != kNalSps) return DamagedH264("sequence parameter set is cut short");
  H264Sps sps;
  BitReader bits(nal.subspan(1), BitReader::Escapes::kNal);
  sps.profile_idc = static_cast<std::uint8_t>(bits.Bits(8));
  sps.constraints = static_cast<std::uint8_t>(bits.Bits(8));
  sps.level_idc = static_cast<std::uint8_t>(bits.Bits(8));
  bits.Unsigned();  // id
  std::uint32_t chroma_format = 1;
  if (HasChromaFormat(sps.profile_idc)) {
    chroma_format = bits.Unsigned();
    if (chroma_format == 3 && bits.Bit() != 0) chroma_format = 0;  // planes coded apart: as monochrome
    bits.Unsigned();                                               // bit depths
    bits.Unsigned();
    bits.Bit();
    if (bits.Bit() != 0) {
      const int lists = chroma_format == 3 ? 12 : 8;
      for (int i = 0; i < lists; ++i) {
        if (bits.Bit() != 0) SkipScalingList(bits, i < 6 ? 16 : 64);
      }
    }
  }
  bits.Unsigned();  // log2_max_frame_num_minus4
  sps.pic_order_cnt_type = bits.Unsigned();
  if (sps.pic_order_cnt_type == 0) {
    bits.Unsigned();
  } else if (sps.pic_order_cnt_type == 1) {
    bits.Bit();
    bits.Signed();
    bits.Signed();
    const std::uint32_t cycle = bits.Unsigned();
    if (cycle > 255) return DamagedH264("sequence parameter set: picture order cycle is too long");
    for (std::uint32_t i = 0; i < cycle; ++i) bits.Signed();
  } else if (sps.pic_order_cnt_type > 2) {
    return DamagedH264("sequence parameter set: unknown picture order type");
  }
  bits.Unsigned();  // max_num_ref_frames
  bits.Bit();
  const std::uint64_t width_mbs = std::uint64_t{bits.Unsigned()} + 1;
  const std::uint64_t height_units = std::uint64_t{bits.Unsigned()} + 1;
  sps.frame_mbs_only = bits.Bit() != 0;
  if (!sps.frame_mbs_only) bits.Bit();
  bits.Bit();
  std::uint64_t crop_x = 0;
  std::uint64_t crop_y = 0;
  const std::uint64_t field_factor = sps.frame_mbs_only ? 1 : 2;
  if (bits.Bit() != 0) {
    const std::uint64_t unit_x = chroma_format == 1 || chroma_format == 2 ? 2 : 1;
    const std::uint64_t unit_y = (chroma_format == 1 ? 2 : 1) * field_factor;
    crop_x = std::uint64_t{bits.Unsigned()} * unit_x;
    crop_x += std::uint64_t{bits.Unsigned()} * unit_x;
    crop_y = std::uint64_t{bits.Unsigned()} * unit_y;
    crop_y += std::uint64_t{bits.Unsigned()} * unit_y;
  }
  sps.coding_bits = bits.bits_read();
  const bool has_vui = bits.Bit() != 0;
  if (!bits.ok()) return DamagedH264("sequence parameter set is cut short");
  if (width_mbs > 4096 || height_units * field_factor > 4096 || crop_x >= width_mbs * 16 ||
      crop_y >= height_units * 16 * field_factor) {
    return DamagedH264("sequence parameter set: absurd picture size");
  }
  sps.width = static_cast<std::uint32_t>(width_mbs * 16 - crop_x);
  sps.height = static_cast<std::uint32_t>(height_units * 16 * field_factor - crop_y);
  if (has_vui) ReadVui(bits, sps);
  return sps;
}

std::optional<std::uint32_t> H264ReorderDepth(const H264Sps& sps) {
  if (sps.max_num_reorder_frames) return sps.max_num_reorder_frames;
  if (sps.profile_idc == 66 || sps.pic_order_cnt_type == 2)
    return 0;  // Baseline has no B; type 2: output order
  // Intra-only profiles (E.2.1, max_num_reorder_frames).
  const bool constraint_set3 = (sps.constraints & 0x10) != 0;
  const bool may_be_intra = sps.profile_idc == 44 || sps.profile_idc == 86 || sps.profile_idc == 100 ||
                            sps.profile_idc == 110 || sps.profile_idc == 122 || sps.profile_idc == 244;
  if (constraint_set3 && may_be_intra) return 0;
  return std::nullopt;
}

namespace {

bool SpsDecodeAlike(ByteSpan nal, ByteSpan other_nal) {
  const auto sps = ParseH264Sps(nal);
  const auto other = ParseH264Sps(other_nal);
  if (!sps || !other || sps->profile_idc != other->profile_idc || sps->coding_bits != other->coding_bits ||
      H264ReorderDepth(*sps) != H264ReorderDepth(*other)) {
    return false;
  }
  BitReader bits(nal.subspan(1), BitReader::Escapes::kNal);
  BitReader other_bits(other_nal.subspan(1), BitReader::Escapes::kNal);
  for (BitReader* reader : {&bits, &other_bits}) reader->Bits(24);  // profile, constraints, level
  while (bits.bits_read() < sps->coding_bits) {
    if (bits.Bit() != other_bits.Bit()) return false;
  }
  return true;
}

// The type of the first slice; 0: there is none, or a length points past the end.
int FirstSliceType(ByteSpan frame, std::size_t nal_length_bytes) {
  while (frame.size() > nal_length_bytes) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < nal_length_bytes; ++i) length = (length << 8) | frame[i];
    frame = frame.subspan(nal_length_bytes);
    if (length == 0 || length > frame.size()) return 0;
    const int type = frame[0] & 0x1F;
    if (type >= kNalSlice && type <= kNalIdrSlice) return type;
    frame = frame.subspan(length);
  }
  return 0;
}

}  // namespace

bool DecodesAlike(ByteSpan avcc, ByteSpan other_avcc) {
  const auto config = ParseAvcConfig(avcc);
  const auto other = ParseAvcConfig(other_avcc);
  return config && other && config->nal_length_bytes == other->nal_length_bytes &&
         std::equal(config->sps.begin(), config->sps.end(), other->sps.begin(), other->sps.end(),
                    SpsDecodeAlike) &&
         std::equal(
             config->pps.begin(), config->pps.end(), other->pps.begin(), other->pps.end(),
             [](ByteSpan a, ByteSpan b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); });
}

bool HasH264Slice(ByteSpan frame, std::size_t nal_length_bytes) {
  return FirstSliceType(frame, nal_length_bytes) != 0;
}

bool IsH264Idr(ByteSpan frame, std::size_t nal_length_bytes) {
  return FirstSliceType(frame, nal_length_bytes) == kNalIdrSlice;
}

}  // namespace millrace
