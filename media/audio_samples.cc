#include "media/audio_samples.h"

#include <algorithm>
#include <array>

namespace millrace {
namespace {

constexpr std::uint32_t kAacSamples = 1024;
constexpr std::uint32_t kOpusRate = 48'000;

// ISO/IEC 14496-3, table 1.18.
constexpr std::array<std::uint32_t, 13> kAacRates = {96'000, 88'200, 64'000, 48'000, 44'100, 32'000, 24'000,
                                                     22'050, 16'000, 12'000, 11'025, 8'000,  7'350};

// AudioSpecificConfig: object type 5 bits, frequency index 4, channels 4, then, for the types we meet, the
// frame length flag; type 5 or 29 announces SBR and gives the core's rate first.
std::uint32_t AacSamples(const TrackInfo& track) {
  const ByteSpan config = track.codec_private;
  if (config.size() < 2) return kAacSamples;
  const int type = config[0] >> 3;
  const std::size_t rate_index = static_cast<std::size_t>((config[0] & 7) << 1 | config[1] >> 7);
  if (rate_index >= kAacRates.size()) return kAacSamples;
  const bool sbr = type == 5 || type == 29;
  if (sbr && track.sample_rate == 2 * kAacRates[rate_index]) return 2 * kAacSamples;
  const bool short_form = !sbr && (config[1] & 0x04) != 0;
  return short_form ? 960 : kAacSamples;
}

}  // namespace

std::uint32_t SamplesPerFrame(const TrackInfo& track) {
  return track.codec == Codec::kAac ? AacSamples(track) : 0;
}

std::uint32_t SamplesOfPacket(const TrackInfo& track, ByteSpan packet) {
  if (track.codec == Codec::kPcmMulaw || track.codec == Codec::kPcmAlaw) {  // a byte a sample
    return static_cast<std::uint32_t>(packet.size() / std::max(track.channels, 1u));
  }
  if (track.codec != Codec::kOpus) return SamplesPerFrame(track);
  if (packet.empty()) return 0;
  const unsigned config = packet[0] >> 3;
  std::uint32_t samples = 0;  // of one Opus frame, at 48 kHz
  if (config < 12) {
    constexpr std::array<std::uint32_t, 4> kSilk = {480, 960, 1920, 2880};
    samples = kSilk[config % 4];
  } else if (config < 16) {
    samples = config % 2 == 0 ? 480 : 960;
  } else {
    samples = 120u << (config % 4);
  }
  std::uint32_t count = 1;
  switch (packet[0] & 3) {
    case 1:
    case 2:
      count = 2;
      break;
    case 3:
      count = packet.size() > 1 ? packet[1] & 0x3Fu : 0;
      break;
    default:
      break;
  }
  samples *= count;
  if (samples > 5760) return 0;  // more than 120 ms: not a packet
  return static_cast<std::uint32_t>(std::uint64_t{samples} * track.sample_rate / kOpusRate);
}

}  // namespace millrace
