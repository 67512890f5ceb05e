// Headers of H.265, AV1, VP8 and VP9 from cameras and producers: read within their bytes, and what they say
// can be kept, named and put into an init segment.
//
// Input: a byte that chooses the codec, one that says how long the codec data is, the codec data, and a
// frame.
#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "consumers/hls/codec_string.h"
#include "consumers/hls/fmp4.h"
#include "fuzz/fuzz_target.h"
#include "media/av1.h"
#include "media/bitstream.h"
#include "media/h265.h"
#include "media/vpx.h"

namespace millrace::fuzz {
namespace {

constexpr Codec kCodecs[] = {Codec::kH264, Codec::kH265, Codec::kAv1,      Codec::kVp8,    Codec::kVp9,
                             Codec::kOpus, Codec::kAac,  Codec::kPcmMulaw, Codec::kPcmAlaw};

void CheckHevc(ByteSpan hvcc) {
  const auto config = ParseHevcConfig(hvcc);
  if (!config) return;
  for (const auto& sets : {config->vps, config->sps, config->pps}) {
    for (const ByteSpan nal : sets) {
      FUZZ_CHECK(nal.data() >= hvcc.data() && nal.data() + nal.size() <= hvcc.data() + hvcc.size(),
                 "a parameter set lies in the record");
      if (const auto sps = ParseH265Sps(nal)) {
        FUZZ_CHECK(sps->width > 0 && sps->height > 0 && sps->max_num_reorder <= 16, "an SPS makes sense");
      }
    }
  }
}

void CheckTrack(TrackInfo track, ByteSpan frame) {
  const bool key = IsKeyFrame(&track, frame, true);
  CompleteTrack(track, key ? frame : ByteSpan());
  TrackInfo again = track;
  CompleteTrack(again, key ? frame : ByteSpan());
  FUZZ_CHECK(again == track, "what was put right stays");
  FUZZ_CHECK(ReorderDepthByHeaders(track).value_or(0) <= 16, "reorder depth");
  const auto playable = PlayableTracks({track});
  if (!playable) {
    FUZZ_CHECK(!playable.error().message.empty(), "an error says why");
    return;
  }
  const auto init = MakeInitSegment(*playable);
  FUZZ_CHECK(init || init.error().code == ErrorCode::kInvalidArgument, "an init segment or what is wrong");
}

// 160x90: x265, libvpx, libaom; an Opus head.
const Bytes kHevc = {0x01, 0x01, 0x60, 0,    0,    0,    0x90, 0,    0,    0,    0,    0,    0x1e, 0xf0,
                     0,    0xfc, 0xfd, 0xf8, 0xf8, 0,    0,    0x0f, 0x01, 0xa1, 0,    0x01, 0,    0x2a,
                     0x42, 0x01, 0x01, 0x01, 0x60, 0,    0,    0x03, 0,    0x90, 0,    0,    0x03, 0,
                     0,    0x03, 0,    0x1e, 0xa0, 0x14, 0x20, 0x61, 0xf2, 0x65, 0x95, 0x95, 0x29, 0x30,
                     0xbc, 0x05, 0xa0, 0x20, 0,    0,    0x03, 0,    0x20, 0,    0,    0x03, 0x03, 0x21};
const Bytes kHevcFrame = {0, 0, 0, 3, 0x26, 0x01, 0xAF};
const Bytes kVp8 = {0x70, 0x43, 0, 0x9d, 0x01, 0x2a, 0xa0, 0, 0x5a, 0, 0, 0x07, 0x08, 0x85};
const Bytes kVp9 = {0x82, 0x49, 0x83, 0x42, 0, 0x09, 0xf0, 0x05, 0x96, 0x02, 0x38, 0x24, 0x1c};
const Bytes kAv1 = {0x12, 0,    0x0a, 0x0a, 0,    0,    0,    0x03, 0xb4, 0xfd, 0x93,
                    0x6b, 0xe4, 0x01, 0x32, 0x05, 0x17, 0x10, 0,    0x84, 0};
const Bytes kOpus = {'O', 'p', 'u', 's', 'H', 'e', 'a', 'd', 1, 2, 0x38, 1, 0x80, 0xbb, 0, 0, 0, 0, 0};

Bytes Input(std::uint8_t codec, const Bytes& codec_private, const Bytes& frame) {
  Bytes all = {codec, static_cast<std::uint8_t>(codec_private.size())};
  all.insert(all.end(), codec_private.begin(), codec_private.end());
  all.insert(all.end(), frame.begin(), frame.end());
  return all;
}

}  // namespace

std::vector<Seed> Seeds() {
  return {{"h265", Input(1, kHevc, kHevcFrame)}, {"av1", Input(2, {}, kAv1)},
          {"vp8", Input(3, {}, kVp8)},           {"vp9", Input(4, {}, kVp9)},
          {"opus", Input(5, kOpus, {0x08})},     {"mulaw", Input(7, {}, {0xFF, 0xFF})}};
}

}  // namespace millrace::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  using namespace millrace::fuzz;
  Choices choices(ByteSpan(data, size));
  TrackInfo track;
  track.number = 1;
  track.codec = kCodecs[choices.Take<std::uint8_t>() % std::size(kCodecs)];
  const std::size_t wanted = choices.Take<std::uint8_t>();
  const ByteSpan rest = choices.rest();
  const ByteSpan codec_private = rest.first(std::min(wanted, rest.size()));
  track.codec_private.assign(codec_private.begin(), codec_private.end());
  if (track.kind() == TrackKind::kVideo) {
    track.width = track.height = 16;
  } else {
    track.sample_rate = 8000;
    track.channels = 1;
  }
  CheckHevc(codec_private);
  (void)ParseH265Sps(rest);
  CheckTrack(track, rest.subspan(codec_private.size()));
  return 0;
}
