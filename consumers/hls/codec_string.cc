#include "consumers/hls/codec_string.h"

#include <cstdio>
#include <utility>

namespace millrace {
namespace {

std::string TrackName(const TrackInfo& track) {
  return "track " + std::to_string(track.number) + " (" + std::string(ToString(track.codec)) + ")";
}

// ISO/IEC 14496-15 section 5.3.3.1: version, profile, constraints, level, length size, parameter sets.
Result<std::string> AvcString(const TrackInfo& track) {
  const Bytes& avcc = track.codec_private;
  if (avcc.size() < 7 || avcc[0] != 1) {
    return Error{
        ErrorCode::kInvalidArgument,
        TrackName(track) + " has no valid decoder configuration (avcC): the source must send SPS and PPS"};
  }
  char text[16];
  std::snprintf(text, sizeof(text), "avc1.%02x%02x%02x", avcc[1], avcc[2], avcc[3]);
  return std::string(text);
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

}  // namespace

Result<std::string> CodecString(const TrackInfo& track) {
  switch (track.codec) {
    case Codec::kH264:
      return AvcString(track);
    case Codec::kAac:
      return AacString(track);
    case Codec::kVp8:
      return Error{ErrorCode::kUnsupported, TrackName(track) + " cannot be played by HLS; watch it by WHEP"};
    default:
      return Error{ErrorCode::kUnsupported,
                   TrackName(track) +
                       " cannot be played by HLS, which carries H.264 and AAC here; an "
                       "export to MKV keeps it as it is"};
  }
}

Result<std::vector<TrackInfo>> PlayableTracks(const std::vector<TrackInfo>& tracks) {
  bool has_video = false;
  for (const TrackInfo& track : tracks) has_video = has_video || track.kind() == TrackKind::kVideo;

  std::vector<TrackInfo> playable;
  for (const TrackInfo& track : tracks) {
    auto name = CodecString(track);
    if (name) {
      playable.push_back(track);
    } else if (!has_video || track.kind() == TrackKind::kVideo) {
      return std::move(name).error();
    }
  }
  if (playable.empty()) return Error{ErrorCode::kUnsupported, "there is no track that HLS can play"};
  return playable;
}

}  // namespace millrace
