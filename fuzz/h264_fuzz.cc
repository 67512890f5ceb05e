// H.264 headers from cameras: parameter sets and configuration records are taken apart within their bytes.
//
// Input: the first byte chooses a configuration record (avcC), an SPS or a frame.
#include <string>
#include <vector>

#include "fuzz/fuzz_target.h"
#include "media/h264.h"

namespace millrace::fuzz {
namespace {

void CheckSps(ByteSpan nal) {
  const Result<H264Sps> sps = ParseH264Sps(nal);
  if (!sps) {
    FUZZ_CHECK(sps.error().code == ErrorCode::kCorruption || sps.error().code == ErrorCode::kUnsupported,
               sps.error().ToString());
    return;
  }
  FUZZ_CHECK(sps->width > 0 && sps->height > 0, "a picture has a size");
  FUZZ_CHECK(sps->width <= 65'536 && sps->height <= 65'536, std::to_string(sps->width));
  FUZZ_CHECK(!sps->max_num_reorder_frames || *sps->max_num_reorder_frames <= 16, "reorder frames");
  FUZZ_CHECK((sps->frame_rate_numerator == 0) == (sps->frame_rate_denominator == 0), "a fraction");
  if (const auto depth = H264ReorderDepth(*sps)) FUZZ_CHECK(*depth <= 16, std::to_string(*depth));
}

void CheckConfig(ByteSpan avcc) {
  const Result<AvcConfig> config = ParseAvcConfig(avcc);
  if (!config) return;
  FUZZ_CHECK(config->nal_length_bytes == 1 || config->nal_length_bytes == 2 || config->nal_length_bytes == 4,
             std::to_string(config->nal_length_bytes));
  std::size_t bytes = 0;
  for (const auto& sets : {config->sps, config->pps}) {
    for (const ByteSpan nal : sets) {
      FUZZ_CHECK(nal.data() >= avcc.data() && nal.data() + nal.size() <= avcc.data() + avcc.size(),
                 "a parameter set lies in the record");
      bytes += nal.size();
    }
  }
  FUZZ_CHECK(bytes <= avcc.size(), std::to_string(bytes));
  for (const ByteSpan sps : config->sps) CheckSps(sps);
}

// 320x240, High, with VUI timing, made by x264.
const Bytes kSps = {0x67, 0x64, 0x00, 0x0D, 0xAC, 0xD9, 0x41, 0x41, 0xFB, 0x01, 0x10, 0x00, 0x00,
                    0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0x20, 0xF1, 0x42, 0x99, 0x60};

Bytes With(std::uint8_t choice, const Bytes& bytes) {
  Bytes all = {choice};
  all.insert(all.end(), bytes.begin(), bytes.end());
  return all;
}

}  // namespace

std::vector<Seed> Seeds() {
  Bytes avcc = {1, 0x64, 0x00, 0x0D, 0xFF, 0xE1, 0, static_cast<std::uint8_t>(kSps.size())};
  avcc.insert(avcc.end(), kSps.begin(), kSps.end());
  const Bytes rest = {1, 0, 4, 0x68, 0xEB, 0xE3, 0xCB, 0xFD, 0xF8, 0xF8, 0x00};
  avcc.insert(avcc.end(), rest.begin(), rest.end());
  return {{"avcc", With(0, avcc)},
          {"sps-high", With(1, kSps)},
          {"sps-baseline", With(1, {0x67, 0x42, 0xC0, 0x1E, 0xD9, 0x00, 0xA0, 0x47, 0xFE, 0xC8})},
          {"frame", With(2, {0, 0, 0, 2, 9, 0x10, 0, 0, 0, 3, 0x65, 0x88, 0x80})}};
}

}  // namespace millrace::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace::fuzz;
  Choices choices(millrace::ByteSpan(data, size));
  switch (choices.Take<std::uint8_t>() % 3) {
    case 0:
      CheckConfig(choices.rest());
      break;
    case 1:
      CheckSps(choices.rest());
      break;
    default:
      for (const std::size_t length : {1u, 2u, 4u}) (void)millrace::IsH264Idr(choices.rest(), length);
  }
  return 0;
}
