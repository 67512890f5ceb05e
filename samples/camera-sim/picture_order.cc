#include "samples/camera-sim/picture_order.h"

#include <cstddef>
#include <cstdint>

#include "samples/camera-sim/h264_nal.h"

namespace millrace::camera_sim {
namespace {

// Without and with emulation prevention (ITU-T H.264 section 7.4.1).
Bytes Unescape(ByteSpan nal) {
  Bytes out;
  int zeros = 0;
  for (std::uint8_t byte : nal) {
    if (zeros >= 2 && byte == 3) {
      zeros = 0;
      continue;
    }
    zeros = byte == 0 ? zeros + 1 : 0;
    out.push_back(byte);
  }
  return out;
}

Bytes Escape(ByteSpan bytes) {
  Bytes out;
  int zeros = 0;
  for (std::uint8_t byte : bytes) {
    if (zeros >= 2 && byte <= 3) {
      out.push_back(3);
      zeros = 0;
    }
    zeros = byte == 0 ? zeros + 1 : 0;
    out.push_back(byte);
  }
  return out;
}

// Bits of a NAL unit behind its header byte. Beyond the end they are zero; `ok` says so.
class Bits {
 public:
  explicit Bits(Bytes& bytes) : bytes_(bytes) {}
  std::uint32_t Read(int count) {
    std::uint32_t value = 0;
    for (; count > 0; --count) value = value << 1 | Next();
    return value;
  }
  std::uint32_t ReadUe() {
    int zeros = 0;
    while (ok && Next() == 0 && zeros < 31) ++zeros;
    return (1U << zeros) - 1 + Read(zeros);
  }
  // Overwrites the `count` bits that were read last.
  void Rewrite(int count, std::uint32_t value) {
    for (int i = 0; i < count; ++i) {
      const std::size_t at = at_ - static_cast<std::size_t>(count - i);
      const auto mask = static_cast<std::uint8_t>(0x80 >> at % 8);
      const bool bit = (value >> (count - 1 - i) & 1) != 0;
      bytes_[at / 8] = static_cast<std::uint8_t>(bit ? bytes_[at / 8] | mask : bytes_[at / 8] & ~mask);
    }
  }
  bool ok = true;

 private:
  std::uint32_t Next() {
    if (at_ / 8 >= bytes_.size()) {
      ok = false;
      return 0;
    }
    const std::uint32_t bit = bytes_[at_ / 8] >> (7 - at_ % 8) & 1U;
    ++at_;
    return bit;
  }
  Bytes& bytes_;
  std::size_t at_ = 8;
};

struct OrderFields {
  int frame_num_bits = 0;
  int order_bits = 0;
};

Result<OrderFields> ReadSps(ByteSpan nal) {
  Bytes bytes = Unescape(nal);
  Bits bits(bytes);
  const std::uint32_t profile = bits.Read(8);
  bits.Read(16);         // constraints, level
  bits.ReadUe();         // seq_parameter_set_id
  if (profile >= 100) {  // as x264 makes them: 4:2:0 without scaling matrices
    const bool plain = bits.ReadUe() == 1 && bits.ReadUe() == 0 && bits.ReadUe() == 0 && bits.Read(2) == 0;
    if (!plain) return Error{ErrorCode::kUnsupported, "not a plain 4:2:0 clip"};
  }
  OrderFields fields;
  fields.frame_num_bits = static_cast<int>(bits.ReadUe()) + 4;
  if (bits.ReadUe() != 0) return Error{ErrorCode::kUnsupported, "pictures without an order count"};
  fields.order_bits = static_cast<int>(bits.ReadUe()) + 4;
  bits.ReadUe();  // max_num_ref_frames
  bits.Read(1);   // gaps_in_frame_num_value_allowed_flag
  bits.ReadUe();  // pic_width_in_mbs_minus1
  bits.ReadUe();  // pic_height_in_map_units_minus1
  const bool frames_only = bits.Read(1) != 0;
  if (!bits.ok || fields.frame_num_bits > 16 || fields.order_bits > 16)
    return Error{ErrorCode::kCorruption, "damaged SPS"};
  if (!frames_only) return Error{ErrorCode::kUnsupported, "an interlaced clip"};
  return fields;
}

Result<Bytes> OffsetSlice(ByteSpan nal, const OrderFields& fields, int offset) {
  Bytes bytes = Unescape(nal);
  Bits bits(bytes);
  bits.ReadUe();  // first_mb_in_slice
  bits.ReadUe();  // slice_type
  bits.ReadUe();  // pic_parameter_set_id
  bits.Read(fields.frame_num_bits);
  if (NalType(nal) == kNalIdr) bits.ReadUe();  // idr_pic_id
  const std::uint32_t order = bits.Read(fields.order_bits);
  if (!bits.ok) return Error{ErrorCode::kCorruption, "a slice is cut short"};
  const std::uint32_t mask = (1U << fields.order_bits) - 1;
  bits.Rewrite(fields.order_bits, (order + static_cast<std::uint32_t>(offset)) & mask);
  return Escape(bytes);
}

}  // namespace

Result<void> OffsetPictureOrder(ClipTrack& track, int offset) {
  MILLRACE_ASSIGN_OR_RETURN(const ParameterSets sets, ParseAvcC(track.info.codec_private));
  MILLRACE_ASSIGN_OR_RETURN(const OrderFields fields, ReadSps(sets.sps));
  for (Unit& unit : track.units) {
    Bytes data;
    MILLRACE_ASSIGN_OR_RETURN(const std::vector<ByteSpan> nals, SplitLengthPrefixed(unit.data));
    for (ByteSpan nal : nals) {
      if (NalType(nal) != 1 && NalType(nal) != kNalIdr) {
        AppendLengthPrefixed(data, nal);
        continue;
      }
      MILLRACE_ASSIGN_OR_RETURN(const Bytes slice, OffsetSlice(nal, fields, offset));
      AppendLengthPrefixed(data, slice);
    }
    unit.data = std::move(data);
  }
  return {};
}

}  // namespace millrace::camera_sim
