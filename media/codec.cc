#include "media/codec.h"

#include <array>

#include "media/g711.h"

namespace millrace {
namespace {

struct CodecRow {
  Codec codec;
  TrackKind kind;
  std::string_view name;
  std::string_view matroska_id;
};

constexpr std::string_view kAcmId = "A_MS/ACM";  // the codec stands in its CodecPrivate

constexpr std::array kCodecs = {
    CodecRow{Codec::kH264, TrackKind::kVideo, "h264", "V_MPEG4/ISO/AVC"},
    CodecRow{Codec::kH265, TrackKind::kVideo, "h265", "V_MPEGH/ISO/HEVC"},
    CodecRow{Codec::kAv1, TrackKind::kVideo, "av1", "V_AV1"},
    CodecRow{Codec::kVp8, TrackKind::kVideo, "vp8", "V_VP8"},
    CodecRow{Codec::kVp9, TrackKind::kVideo, "vp9", "V_VP9"},
    CodecRow{Codec::kAac, TrackKind::kAudio, "aac", "A_AAC"},
    CodecRow{Codec::kOpus, TrackKind::kAudio, "opus", "A_OPUS"},
    CodecRow{Codec::kPcmMulaw, TrackKind::kAudio, "pcm_mulaw", kAcmId},
    CodecRow{Codec::kPcmAlaw, TrackKind::kAudio, "pcm_alaw", kAcmId},
};

const CodecRow& Row(Codec codec) {
  for (const CodecRow& row : kCodecs) {
    if (row.codec == codec) return row;
  }
  return kCodecs.front();
}

}  // namespace

TrackKind KindOf(Codec codec) { return Row(codec).kind; }
std::string_view ToString(Codec codec) { return Row(codec).name; }
std::string_view MatroskaCodecId(Codec codec) { return Row(codec).matroska_id; }

std::optional<Codec> CodecFromString(std::string_view name) {
  for (const CodecRow& row : kCodecs) {
    if (row.name == name) return row.codec;
  }
  return std::nullopt;
}

std::optional<Codec> CodecFromMatroska(std::string_view id, ByteSpan codec_private) {
  if (id == kAcmId) return CodecOfWaveFormat(codec_private);
  if (id.starts_with("A_AAC/")) return Codec::kAac;
  for (const CodecRow& row : kCodecs) {
    if (row.matroska_id == id) return row.codec;
  }
  return std::nullopt;
}

}  // namespace millrace
