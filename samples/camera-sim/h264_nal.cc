#include "samples/camera-sim/h264_nal.h"

#include <optional>

namespace millrace::camera_sim {

std::vector<ByteSpan> SplitAnnexB(ByteSpan bytes) {
  std::vector<ByteSpan> nals;
  std::optional<std::size_t> start;
  const auto close = [&](std::size_t end) {
    if (!start) return;
    while (end > *start && bytes[end - 1] == 0) --end;  // trailing_zero_8bits
    if (end > *start) nals.push_back(bytes.subspan(*start, end - *start));
  };
  for (std::size_t i = 0; i + 3 <= bytes.size(); ++i) {
    if (bytes[i] == 0 && bytes[i + 1] == 0 && bytes[i + 2] == 1) {
      close(i);
      start = i + 3;
      i += 2;
    }
  }
  close(bytes.size());
  return nals;
}

Result<std::vector<ByteSpan>> SplitLengthPrefixed(ByteSpan bytes) {
  std::vector<ByteSpan> nals;
  while (!bytes.empty()) {
    if (bytes.size() < 4) return Error{ErrorCode::kCorruption, "NAL unit length is cut off"};
    const std::size_t size = ReadBigEndian<std::uint32_t>(bytes);
    if (size > bytes.size() - 4)
      return Error{ErrorCode::kCorruption, "NAL unit is longer than its access unit"};
    if (size > 0) nals.push_back(bytes.subspan(4, size));
    bytes = bytes.subspan(4 + size);
  }
  return nals;
}

void AppendLengthPrefixed(Bytes& out, ByteSpan nal) {
  AppendBigEndian(out, static_cast<std::uint32_t>(nal.size()));
  out.insert(out.end(), nal.begin(), nal.end());
}

Result<Bytes> MakeAvcC(ByteSpan sps, ByteSpan pps) {
  if (sps.size() < 4 || pps.empty()) return Error{ErrorCode::kInvalidArgument, "no SPS or no PPS"};
  Bytes out{1, sps[1], sps[2], sps[3], 0xFF, 0xE1};  // 4-byte lengths, one SPS
  AppendBigEndian(out, static_cast<std::uint16_t>(sps.size()));
  out.insert(out.end(), sps.begin(), sps.end());
  out.push_back(1);  // one PPS
  AppendBigEndian(out, static_cast<std::uint16_t>(pps.size()));
  out.insert(out.end(), pps.begin(), pps.end());
  if (sps[1] == 100 || sps[1] == 110 || sps[1] == 122 || sps[1] == 144) {
    // The high profiles carry these too; all we make is 4:2:0 with 8 bits.
    out.insert(out.end(), {0xFD, 0xF8, 0xF8, 0});
  }
  return out;
}

Result<ParameterSets> ParseAvcC(ByteSpan avcc) {
  const Error bad{ErrorCode::kCorruption, "damaged avcC record"};
  if (avcc.size() < 7 || avcc[0] != 1) return bad;
  if ((avcc[4] & 3) != 3) return Error{ErrorCode::kUnsupported, "NAL unit lengths are not of 4 bytes"};
  ParameterSets sets;
  std::size_t at = 5;
  // `first` takes the first set of a list of `count`.
  const auto read_list = [&](int count, ByteSpan& first) {
    for (int i = 0; i < count; ++i) {
      if (avcc.size() < at + 2) return false;
      const std::size_t size = ReadBigEndian<std::uint16_t>(avcc.subspan(at));
      if (avcc.size() < at + 2 + size) return false;
      if (i == 0) first = avcc.subspan(at + 2, size);
      at += 2 + size;
    }
    return true;
  };
  const int sps_count = avcc[at++] & 0x1F;
  if (!read_list(sps_count, sets.sps) || at >= avcc.size()) return bad;
  const int pps_count = avcc[at++];
  if (!read_list(pps_count, sets.pps)) return bad;
  if (sets.sps.size() < 4 || sets.pps.empty()) return bad;
  return sets;
}

}  // namespace millrace::camera_sim
