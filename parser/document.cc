#include "parser/document.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "media/audio_samples.h"

namespace millrace {
namespace {

// An hour a tick: far above any use, and low enough that a block's 16-bit offset never overflows.
constexpr std::uint64_t kTimestampScaleMax = std::uint64_t{3'600'000'000'000};
// DateUTC counts from 2001-01-01T00:00:00Z.
constexpr std::int64_t kMatroskaEpochNs = std::int64_t{978'307'200} * 1'000'000'000;

Error Exhausted(const ElementHeader& element, const std::string& what) {
  return Error{ErrorCode::kResourceExhausted,
               ElementName(element.id) + " at byte " + std::to_string(element.offset) + " " + what};
}

Duration ClampedDuration(std::uint64_t ns) {
  return Duration(static_cast<std::int64_t>(
      std::min<std::uint64_t>(ns, static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))));
}

}  // namespace

std::int64_t LaceStepNs(const MkvTrack& track, std::int64_t block_duration_ns, std::int64_t count,
                        ByteSpan first_frame) {
  if (block_duration_ns > 0) return block_duration_ns / count;
  const std::int64_t default_ns = track.default_duration.count();
  if (default_ns > std::numeric_limits<std::int64_t>::max() / 1024) return 0;
  if (default_ns > 0 || !track.info || !track.is_audio() || track.info->sample_rate == 0) return default_ns;
  return std::int64_t{SamplesOfPacket(*track.info, first_frame)} * 1'000'000'000 / track.info->sample_rate;
}

const MkvTrack* MkvDocument::FindTrack(std::uint64_t number) const {
  for (const MkvTrack& track : tracks) {
    if (track.number == number) return &track;
  }
  return nullptr;
}

std::vector<TrackInfo> MkvDocument::TrackInfos() const {
  std::vector<TrackInfo> infos;
  for (const MkvTrack& track : tracks) {
    if (track.info) infos.push_back(*track.info);
  }
  return infos;
}

void DocumentBuilder::Reset() {
  document_ = {};
  header_bytes_ = 0;
  info_read_ = false;
  tracks_read_ = false;
  duration_ticks_.reset();
  tracks_.clear();
  tag_bytes_ = 0;
  open_tags_.clear();
  tags_.clear();
}

Result<void> DocumentBuilder::StartMaster(const ElementHeader& element) {
  switch (element.id) {
    case ElementId::kTracks:
      tracks_.clear();
      break;
    case ElementId::kTrackEntry:
      if (tracks_.size() >= limits_.tracks_max) {
        return Exhausted(element,
                         "is one more than the " + std::to_string(limits_.tracks_max) + " tracks allowed");
      }
      open_track_ = {};
      open_track_.track.language = "eng";
      break;
    case ElementId::kTag:
      first_of_tag_ = tags_.size();
      tag_track_uid_ = 0;
      break;
    case ElementId::kSimpleTag:
      open_tags_.emplace_back();
      break;
    default:
      break;
  }
  return {};
}

Result<void> DocumentBuilder::EndMaster(const ElementHeader& element) {
  switch (element.id) {
    case ElementId::kInfo:
      if (!info_read_ && duration_ticks_) {
        const double ns = *duration_ticks_ * static_cast<double>(document_.timestamp_scale_ns);
        if (ns >= 0 && ns < 9.2e18)
          document_.duration = Duration(static_cast<std::int64_t>(std::llround(ns)));
      }
      info_read_ = true;
      break;
    case ElementId::kTrackEntry:
      return EndTrack(element);
    case ElementId::kTracks:
      return EndTracks(element);
    case ElementId::kSimpleTag:
      return EndSimpleTag(element);
    case ElementId::kTag:
      for (std::size_t i = first_of_tag_; i < tags_.size(); ++i) tags_[i].track_uid = tag_track_uid_;
      break;
    default:
      break;
  }
  return {};
}

Result<void> DocumentBuilder::Data(const ElementHeader& element, ByteSpan payload) {
  switch (element.info->parent) {
    case ElementId::kEbml:
      if (element.id == ElementId::kDocType) document_.doc_type = DecodeText(payload);
      return {};
    case ElementId::kInfo:
      return info_read_ ? Result<void>() : InfoValue(element, payload);
    case ElementId::kTrackEntry:
    case ElementId::kVideo:
    case ElementId::kAudio:
      return TrackValue(element, payload);
    case ElementId::kTargets:
    case ElementId::kSimpleTag:
      return TagValue(element, payload);
    default:
      return {};
  }
}

Result<void> DocumentBuilder::InfoValue(const ElementHeader& element, ByteSpan payload) {
  switch (element.id) {
    case ElementId::kTimestampScale: {
      const std::uint64_t scale = payload.empty() ? 1'000'000 : DecodeUnsigned(payload).value_or(0);
      if (scale == 0 || scale > kTimestampScaleMax)
        return CorruptElement(element, "is " + std::to_string(scale));
      document_.timestamp_scale_ns = static_cast<std::int64_t>(scale);
      break;
    }
    case ElementId::kDuration:
      duration_ticks_ = DecodeFloat(payload);
      break;
    case ElementId::kDateUtc: {
      std::int64_t ns = 0;
      if (!__builtin_add_overflow(DecodeSigned(payload).value_or(0), kMatroskaEpochNs, &ns))
        document_.date = Timestamp{ns};
      break;
    }
    case ElementId::kTitle:
      document_.title = DecodeText(payload);
      break;
    case ElementId::kMuxingApp:
      document_.muxing_app = DecodeText(payload);
      break;
    case ElementId::kWritingApp:
      document_.writing_app = DecodeText(payload);
      break;
    default:
      break;
  }
  return {};
}

Result<void> DocumentBuilder::TrackValue(const ElementHeader& element, ByteSpan payload) {
  OpenTrack& open = open_track_;
  MkvTrack& track = open.track;
  if (element.info->type == ElementType::kText || element.info->type == ElementType::kBinary) {
    header_bytes_ += payload.size();
    if (header_bytes_ > limits_.header_bytes_max)
      return Exhausted(element, "makes the document's header too large");
  }
  const std::uint64_t number =
      element.info->type == ElementType::kUnsigned ? DecodeUnsigned(payload).value_or(0) : 0;
  switch (element.id) {
    case ElementId::kTrackNumber:
      open.number = number;
      break;
    case ElementId::kTrackUid:
      track.uid = number;
      break;
    case ElementId::kTrackType:
      track.type = static_cast<std::uint8_t>(std::min<std::uint64_t>(number, 255));
      break;
    case ElementId::kDefaultDuration:
      track.default_duration = ClampedDuration(number);
      break;
    case ElementId::kCodecDelay:
      track.codec_delay = ClampedDuration(number);
      break;
    case ElementId::kSeekPreRoll:
      track.seek_pre_roll = ClampedDuration(number);
      break;
    case ElementId::kTrackName:
      track.name = DecodeText(payload);
      break;
    case ElementId::kLanguage:
    case ElementId::kLanguageBcp47:
      track.language = DecodeText(payload);
      break;
    case ElementId::kCodecId:
      track.codec_id = DecodeText(payload);
      break;
    case ElementId::kCodecPrivate:
      track.codec_private.assign(payload.begin(), payload.end());
      break;
    case ElementId::kContentEncodings:
      open.content_encoded = true;
      break;
    case ElementId::kPixelWidth:
      open.pixel_width = number;
      break;
    case ElementId::kPixelHeight:
      open.pixel_height = number;
      break;
    case ElementId::kPixelCropLeft:
    case ElementId::kPixelCropRight:
      open.crop_x += std::min<std::uint64_t>(number, std::numeric_limits<std::uint32_t>::max());
      break;
    case ElementId::kPixelCropTop:
    case ElementId::kPixelCropBottom:
      open.crop_y += std::min<std::uint64_t>(number, std::numeric_limits<std::uint32_t>::max());
      break;
    case ElementId::kSamplingFrequency:
      open.sampling_frequency = DecodeFloat(payload).value_or(0);
      break;
    case ElementId::kChannels:
      open.channels = number;
      break;
    default:
      break;
  }
  return {};
}

Result<void> DocumentBuilder::EndTrack(const ElementHeader& element) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint32_t>::max();
  OpenTrack& open = open_track_;
  MkvTrack& track = open.track;
  if (open.number == 0 || open.number > kMax) {
    return CorruptElement(element, "has TrackNumber " + std::to_string(open.number));
  }
  track.number = static_cast<std::uint32_t>(open.number);
  for (const MkvTrack& other : tracks_) {
    if (other.number == track.number)
      return CorruptElement(element, "repeats TrackNumber " + std::to_string(track.number));
  }
  if (track.codec_id.empty()) return CorruptElement(element, "has no CodecID");

  if (const auto codec = CodecFromMatroska(track.codec_id, track.codec_private)) {
    if (open.content_encoded) {
      return Error{ErrorCode::kUnsupported,
                   "track " + std::to_string(track.number) +
                       " has ContentEncodings: its frames are compressed or encrypted"};
    }
    TrackInfo info;
    info.number = track.number;
    info.codec = *codec;
    info.codec_private = std::move(track.codec_private);
    track.codec_private = {};
    if (info.kind() == TrackKind::kVideo) {
      if (open.pixel_width > kMax || open.pixel_height > kMax)
        return CorruptElement(element, "has an impossible picture size");
      info.width =
          static_cast<std::uint32_t>(open.pixel_width > open.crop_x ? open.pixel_width - open.crop_x : 0);
      info.height =
          static_cast<std::uint32_t>(open.pixel_height > open.crop_y ? open.pixel_height - open.crop_y : 0);
    } else {
      const bool sane =
          open.sampling_frequency >= 1 && open.sampling_frequency <= 1e8 && open.channels <= 1024;
      if (!sane) return CorruptElement(element, "has an impossible SamplingFrequency or Channels");
      info.sample_rate = static_cast<std::uint32_t>(std::lround(open.sampling_frequency));
      info.channels = static_cast<std::uint32_t>(open.channels);
    }
    track.info = std::move(info);
  }
  tracks_.push_back(std::move(track));
  return {};
}

Result<void> DocumentBuilder::EndTracks(const ElementHeader& element) {
  if (tracks_read_) {
    if (tracks_ != document_.tracks) return CorruptElement(element, "differs from the Tracks before it");
  } else {
    document_.tracks = std::move(tracks_);
    tracks_read_ = true;
  }
  tracks_ = {};
  header_bytes_ = 0;
  return {};
}

Result<void> DocumentBuilder::TagValue(const ElementHeader& element, ByteSpan payload) {
  if (element.id == ElementId::kTagTrackUid) {
    tag_track_uid_ = DecodeUnsigned(payload).value_or(0);
    return {};
  }
  if (open_tags_.empty()) return {};
  tag_bytes_ += payload.size();
  if (tag_bytes_ > limits_.tag_bytes_max) {
    return Exhausted(element,
                     "makes the tags larger than " + std::to_string(limits_.tag_bytes_max) + " bytes");
  }
  if (element.id == ElementId::kTagName) open_tags_.back().name = DecodeText(payload);
  if (element.id == ElementId::kTagString) open_tags_.back().value = DecodeText(payload);
  return {};
}

Result<void> DocumentBuilder::EndSimpleTag(const ElementHeader& element) {
  MkvTag tag = std::move(open_tags_.back());
  open_tags_.pop_back();
  if (tag.name.empty()) return {};
  if (tags_.size() >= limits_.tags_max) {
    return Exhausted(element, "is one more than the " + std::to_string(limits_.tags_max) + " tags allowed");
  }
  tags_.push_back(std::move(tag));
  return {};
}

std::vector<MkvTag> DocumentBuilder::TakeTags() {
  tag_bytes_ = 0;
  first_of_tag_ = 0;
  return std::exchange(tags_, {});
}

}  // namespace millrace
