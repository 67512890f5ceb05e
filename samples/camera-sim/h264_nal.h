// H.264 NAL units in the two forms they come in: Annex B (start codes) and avcC (4-byte lengths).
#pragma once

#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace millrace::camera_sim {

inline constexpr int kNalIdr = 5;
inline constexpr int kNalSps = 7;
inline constexpr int kNalPps = 8;

// REQUIRES: not empty.
inline int NalType(ByteSpan nal) { return nal[0] & 0x1F; }

// Views into `bytes`; empty units are left out.
std::vector<ByteSpan> SplitAnnexB(ByteSpan bytes);
// Errors: kCorruption: a length that points past the end.
Result<std::vector<ByteSpan>> SplitLengthPrefixed(ByteSpan bytes);

void AppendLengthPrefixed(Bytes& out, ByteSpan nal);

// AVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 5.3.3.1) of one SPS and one PPS.
// Errors: kInvalidArgument: one is missing.
Result<Bytes> MakeAvcC(ByteSpan sps, ByteSpan pps);

struct ParameterSets {
  ByteSpan sps;
  ByteSpan pps;
};
// The first of each; views into `avcc`. Errors: kCorruption; kUnsupported: lengths that are not of 4 bytes.
Result<ParameterSets> ParseAvcC(ByteSpan avcc);

}  // namespace millrace::camera_sim
