// Codecs and tracks: what a stream is made of, in the field's words.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace millrace {

enum class Codec : std::uint8_t {
  kH264 = 1,
  kH265 = 2,
  kAv1 = 3,
  kVp8 = 4,
  kVp9 = 5,
  kAac = 16,
  kOpus = 17,
  kPcmMulaw = 18,  // G.711 mu-law
  kPcmAlaw = 19,   // G.711 A-law
};

enum class TrackKind : std::uint8_t { kVideo = 1, kAudio = 2 };

TrackKind KindOf(Codec codec);
// "h264", "aac", …: for JSON, logs and the command line.
std::string_view ToString(Codec codec);
std::optional<Codec> CodecFromString(std::string_view name);
// Matroska's codec id (RFC 9559 section 27 and the codec registry): "V_MPEG4/ISO/AVC", "A_AAC", …; G.711 has
// none of its own and goes as "A_MS/ACM".
std::string_view MatroskaCodecId(Codec codec);
// Of G.711 the CodecPrivate says which. AAC's older ids name the profile as well: "A_AAC/MPEG4/LC".
std::optional<Codec> CodecFromMatroska(std::string_view id, ByteSpan codec_private);

// One track of a stream. Two tracks that compare equal can be decoded by one decoder without a restart.
struct TrackInfo {
  std::uint32_t number = 0;  // as in Matroska's TrackNumber: 1-based; video is 1 where there is video
  Codec codec = Codec::kH264;
  // As Matroska's CodecPrivate: avcC for H.264, hvcC for H.265, av1C for AV1, WebM's features for VP9,
  // AudioSpecificConfig for AAC, OpusHead for Opus, WAVEFORMATEX for G.711. H.264 and H.265 frames are then
  // length-prefixed NAL units (4-byte lengths).
  Bytes codec_private{};
  // Video: coded picture size as displayed, in pixels. Audio: 0.
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  // Audio: samples a second and channels. Video: 0.
  std::uint32_t sample_rate = 0;
  std::uint32_t channels = 0;

  TrackKind kind() const { return KindOf(codec); }
  friend bool operator==(const TrackInfo&, const TrackInfo&) = default;
};

}  // namespace millrace
