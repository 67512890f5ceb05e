#include "consumers/hls/codec_string.h"

#include <cstdio>
#include <utility>

#include "consumers/player_audio.h"
#include "media/av1.h"
#include "media/h265.h"
#include "media/vpx.h"

namespace millrace {
namespace {

std::string TrackName(const TrackInfo& track) {
  return "track " + std::to_string(track.number) + " (" + std::string(ToString(track.codec)) + ")";
}

Error Malformed(const TrackInfo& track, const std::string& what) {
  return {ErrorCode::kInvalidArgument, TrackName(track) + " has no valid " + what};
}

template <typename... Values>
std::string Format(const char* format, Values... values) {
  char text[64];
  std::snprintf(text, sizeof(text), format, values...);
  return text;
}

// ISO/IEC 14496-15 section 5.3.3.1: version, profile, constraints, level, length size, parameter sets.
Result<std::string> AvcString(const TrackInfo& track) {
  const Bytes& avcc = track.codec_private;
  if (avcc.size() < 7 || avcc[0] != 1) {
    return Malformed(track, "decoder configuration (avcC): the source must send SPS and PPS");
  }
  return Format("avc1.%02x%02x%02x", avcc[1], avcc[2], avcc[3]);
}

std::uint32_t ReverseBits(std::uint32_t value) {
  std::uint32_t reversed = 0;
  for (int i = 0; i < 32; ++i) reversed |= (value >> i & 1u) << (31 - i);
  return reversed;
}

// ISO/IEC 14496-15 section E.3: profile, compatibility flags (in reverse), tier and level, and the constraint
// bytes up to the last that is not zero.
Result<std::string> HevcString(const TrackInfo& track) {
  const auto config = ParseHevcConfig(track.codec_private);
  if (!config) {
    return Malformed(track, "decoder configuration (hvcC): the source must send VPS, SPS and PPS");
  }
  const H265Profile& profile = config->profile;
  constexpr const char* kSpaces[] = {"", "A", "B", "C"};
  std::string text =
      Format("hvc1.%s%d.%X.%c%d", kSpaces[profile.space & 3], profile.idc, ReverseBits(profile.compatibility),
             profile.high_tier ? 'H' : 'L', profile.level_idc);
  std::size_t constraints = profile.constraints.size();
  while (constraints > 0 && profile.constraints[constraints - 1] == 0) --constraints;
  for (std::size_t i = 0; i < constraints; ++i) text += Format(".%X", profile.constraints[i]);
  return text;
}

Result<std::string> Av1String(const TrackInfo& track) {
  const auto config = ParseAv1Config(track.codec_private);
  if (!config) return Malformed(track, "decoder configuration (av1C), and no key frame gave one");
  return Format("av01.%d.%02d%c.%02d", config->profile, config->level_idx, config->high_tier ? 'H' : 'M',
                config->bit_depth);
}

// The short form says 4:2:0; another subsampling needs the long one, with the colours not specified.
Result<std::string> Vp9String(const TrackInfo& track) {
  const auto features = DecodeVp9Features(track.codec_private);
  if (!features) return Malformed(track, "features, and no key frame gave them");
  std::string text = Format("vp09.%02d.%02d.%02d", features->profile, features->level, features->bit_depth);
  if (features->chroma_subsampling > 1) text += Format(".%02d.02.02.02.00", features->chroma_subsampling);
  return text;
}

// ISO/IEC 14496-3 section 1.6.2.1: five bits of object type; 31 says that six more follow.
Result<std::string> AacString(const TrackInfo& track) {
  const Bytes& config = track.codec_private;
  if (config.size() < 2) {
    return Error{ErrorCode::kInvalidArgument, TrackName(track) + " has no AudioSpecificConfig"};
  }
  unsigned type = config[0] >> 3;
  if (type == 31) type = 32 + (((config[0] & 7U) << 3) | (config[1] >> 5));
  if (type == 0) {
    return Error{ErrorCode::kInvalidArgument,
                 TrackName(track) + " has an AudioSpecificConfig of object type 0"};
  }
  return "mp4a.40." + std::to_string(type);
}

// RFC 7845 section 5.1: the head is 19 bytes, and more where its mapping family is not 0.
Result<std::string> OpusString(const TrackInfo& track) {
  const ByteSpan head = track.codec_private;
  const bool mapped = head.size() > 18 && head[18] != 0;
  if (head.size() < 19 || AsText(head.first(8)) != "OpusHead" || (head[8] & 0xF0) != 0 || head[9] == 0 ||
      (mapped && head.size() < 21u + head[9])) {
    return Malformed(track, "OpusHead");
  }
  return std::string("opus");
}

}  // namespace

Result<std::string> CodecString(const TrackInfo& track) {
  switch (track.codec) {
    case Codec::kH264:
      return AvcString(track);
    case Codec::kH265:
      return HevcString(track);
    case Codec::kAv1:
      return Av1String(track);
    case Codec::kVp9:
      return Vp9String(track);
    case Codec::kAac:
      return AacString(track);
    case Codec::kOpus:
      return OpusString(track);
    case Codec::kVp8:
      return Error{
          ErrorCode::kUnsupported,
          TrackName(track) +
              " cannot be played by HLS or DASH: players take no VP8 in MP4, and video is not transcoded. "
              "Watch it live by WHEP (/whep/{stream}), or export it as MKV (millrace export)"};
    case Codec::kPcmMulaw:
    case Codec::kPcmAlaw:
      return Error{ErrorCode::kUnsupported,
                   TrackName(track) +
                       " has a sample rate or channels that AAC, which players get for G.711, does "
                       "not have; an export to MKV keeps it as it is"};
  }
  return Error{ErrorCode::kUnsupported, TrackName(track) + " is of an unknown codec"};
}

Result<std::vector<TrackInfo>> PlayableTracks(const std::vector<TrackInfo>& tracks) {
  bool has_video = false;
  for (const TrackInfo& track : tracks) has_video = has_video || track.kind() == TrackKind::kVideo;

  std::vector<TrackInfo> playable;
  for (const TrackInfo& stored : tracks) {
    TrackInfo track = PlayerTrack(stored);
    auto name = CodecString(track);
    if (name) {
      playable.push_back(std::move(track));
    } else if (!has_video || track.kind() == TrackKind::kVideo) {
      return std::move(name).error();
    }
  }
  if (playable.empty()) return Error{ErrorCode::kUnsupported, "there is no track that HLS can play"};
  return playable;
}

}  // namespace millrace
