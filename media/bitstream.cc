#include "media/bitstream.h"

#include "media/av1.h"
#include "media/g711.h"
#include "media/h264.h"
#include "media/h265.h"
#include "media/vpx.h"

namespace millrace {
namespace {

constexpr std::uint32_t kOpusClockRate = 48'000;
constexpr std::size_t kNalLengthUsual = 4;
constexpr std::size_t kAvcLengthAt = 4;  // of lengthSizeMinusOne in the configuration
constexpr std::size_t kHevcLengthAt = 21;

// RFC 7845 section 5.1, for one or two channels: "OpusHead", version, channels, pre-skip, rate, gain, mapping
// family.
Bytes MakeOpusHead(std::uint32_t channels) {
  Bytes head = {'O', 'p', 'u', 's', 'H', 'e', 'a', 'd', 1};
  head.push_back(static_cast<std::uint8_t>(channels));
  head.insert(head.end(), {0, 0, kOpusClockRate & 0xFF, kOpusClockRate >> 8 & 0xFF, 0, 0, 0, 0, 0});
  return head;
}

void SetSize(TrackInfo& track, std::uint32_t width, std::uint32_t height) {
  track.width = width;
  track.height = height;
}

void CompleteVp9(TrackInfo& track, ByteSpan frame) {
  const auto key = ReadVp9KeyFrame(frame);
  if (!key) return;
  SetSize(track, key->width, key->height);
  const Vp9Features features = FeaturesOf(*key);
  const auto said = DecodeVp9Features(track.codec_private);
  const bool agree = said && said->profile == features.profile && said->bit_depth == features.bit_depth &&
                     said->chroma_subsampling / 2 == features.chroma_subsampling / 2;
  if (!agree) track.codec_private = EncodeVp9Features(features);
}

void CompleteAv1(TrackInfo& track, ByteSpan frame) {
  const auto sequence = FindAv1Sequence(frame);
  if (!sequence) return;
  SetSize(track, sequence->width, sequence->height);
  const auto said = ParseAv1Config(track.codec_private);
  if (!said || *said != ConfigOf(*sequence)) track.codec_private = MakeAv1Config(*sequence);
}

}  // namespace

std::optional<bool> KeyFrameByBitstream(const TrackInfo& track, ByteSpan frame) {
  switch (track.codec) {
    case Codec::kH265:
      return IsH265RandomAccess(frame, NalLengthBytes(track));
    case Codec::kAv1:
      return IsAv1KeyFrame(frame);
    case Codec::kVp8:
      return ReadVp8KeyFrame(frame).has_value();
    case Codec::kVp9:
      return ReadVp9KeyFrame(frame).has_value();
    default:
      return std::nullopt;
  }
}

bool IsKeyFrame(const TrackInfo* track, ByteSpan frame, bool flagged) {
  return track != nullptr ? KeyFrameByBitstream(*track, frame).value_or(flagged) : flagged;
}

const TrackInfo* FindTrack(const std::vector<TrackInfo>& tracks, std::uint32_t number) {
  for (const TrackInfo& track : tracks) {
    if (track.number == number) return &track;
  }
  return nullptr;
}

void CompleteTrack(TrackInfo& track) { CompleteTrack(track, {}); }

void CompleteTrack(TrackInfo& track, ByteSpan key_frame) {
  switch (track.codec) {
    case Codec::kH264:
      if (const auto config = ParseAvcConfig(track.codec_private)) {
        if (const auto sps = ParseH264Sps(config->sps.front())) SetSize(track, sps->width, sps->height);
      }
      break;
    case Codec::kH265:
      if (const auto config = ParseHevcConfig(track.codec_private)) {
        if (const auto sps = ParseH265Sps(config->sps.front())) SetSize(track, sps->width, sps->height);
      }
      break;
    case Codec::kAv1:
      CompleteAv1(track, key_frame);
      break;
    case Codec::kVp8:
      if (const auto key = ReadVp8KeyFrame(key_frame)) SetSize(track, key->width, key->height);
      break;
    case Codec::kVp9:
      CompleteVp9(track, key_frame);
      break;
    case Codec::kOpus:
      track.sample_rate = kOpusClockRate;
      if (track.codec_private.empty() && (track.channels == 1 || track.channels == 2)) {
        track.codec_private = MakeOpusHead(track.channels);
      }
      break;
    case Codec::kPcmMulaw:
    case Codec::kPcmAlaw:
      track.codec_private = MakeWaveFormat(track.codec, track.sample_rate, track.channels);
      break;
    case Codec::kAac:
      break;
  }
}

std::optional<std::uint32_t> ReorderDepthByHeaders(const TrackInfo& track) {
  switch (track.codec) {
    case Codec::kH264:
      if (const auto config = ParseAvcConfig(track.codec_private)) {
        if (const auto sps = ParseH264Sps(config->sps.front())) return H264ReorderDepth(*sps);
      }
      return std::nullopt;
    case Codec::kH265:
      if (const auto config = ParseHevcConfig(track.codec_private)) {
        if (const auto sps = ParseH265Sps(config->sps.front())) return sps->max_num_reorder;
      }
      return std::nullopt;
    default:  // VP8, VP9 and AV1 come in display order: what is not shown is hidden in the frame that is
      return 0;
  }
}

// Asked for each frame: the configuration is not read as a whole.
std::size_t NalLengthBytes(const TrackInfo& track) {
  const std::size_t at = track.codec == Codec::kH264 ? kAvcLengthAt : kHevcLengthAt;
  if (track.codec != Codec::kH264 && track.codec != Codec::kH265) return 0;
  return track.codec_private.size() > at ? (track.codec_private[at] & 3u) + 1 : kNalLengthUsual;
}

}  // namespace millrace
