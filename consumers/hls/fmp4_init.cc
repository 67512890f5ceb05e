// The init segment: ftyp and moov (ISO/IEC 14496-12, -14 and -15; ISO/IEC 23000-19; the bindings of AV1, VP9
// and Opus).
#include <algorithm>
#include <array>
#include <set>
#include <string>

#include "consumers/hls/codec_string.h"
#include "consumers/hls/fmp4.h"
#include "consumers/hls/iso_box.h"
#include "media/vpx.h"

namespace millrace {
namespace {

constexpr std::size_t kCodecPrivateBytesMax = 64 * 1024;

std::uint32_t Timescale(const TrackInfo& track) {
  return track.kind() == TrackKind::kVideo ? kVideoTimescale : track.sample_rate;
}

Result<void> CheckTracks(const std::vector<TrackInfo>& tracks) {
  if (tracks.empty()) return Error{ErrorCode::kInvalidArgument, "an init segment needs a track"};
  std::set<std::uint32_t> numbers;
  for (const TrackInfo& track : tracks) {
    std::string name = "track " + std::to_string(track.number);
    MILLRACE_RETURN_IF_ERROR(CodecString(track));
    if (track.number == 0 || !numbers.insert(track.number).second) {
      return Error{ErrorCode::kInvalidArgument, name + ": track numbers start at 1 and differ"};
    }
    if (track.codec_private.size() > kCodecPrivateBytesMax) {
      return Error{ErrorCode::kInvalidArgument, name + ": codec configuration of more than 64 KiB"};
    }
    bool video = track.kind() == TrackKind::kVideo;
    if (video && (track.width == 0 || track.width > 0xFFFF || track.height == 0 || track.height > 0xFFFF)) {
      return Error{ErrorCode::kInvalidArgument, name + ": a picture size that MP4 cannot say"};
    }
    if (!video && (track.sample_rate == 0 || track.channels == 0 || track.channels > 0xFFFF)) {
      return Error{ErrorCode::kInvalidArgument, name + ": sample rate or channels are missing"};
    }
  }
  return {};
}

void WriteMatrix(BoxWriter& out) {
  for (std::uint32_t value : std::array<std::uint32_t, 9>{0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000}) {
    out.U32(value);
  }
}

// VisualSampleEntry (ISO/IEC 14496-12 section 12.1.3), up to its boxes.
void WriteVisualFields(BoxWriter& out, const TrackInfo& track) {
  out.Zeros(6);
  out.U16(1);  // data_reference_index
  out.Zeros(16);
  out.U16(static_cast<std::uint16_t>(track.width));
  out.U16(static_cast<std::uint16_t>(track.height));
  out.U32(0x00480000);  // 72 dpi
  out.U32(0x00480000);
  out.U32(0);
  out.U16(1);       // frame_count
  out.Zeros(32);    // compressorname
  out.U16(0x0018);  // depth
  out.U16(0xFFFF);  // pre_defined
}

// AudioSampleEntry (section 12.2.3), up to its boxes.
void WriteAudioFields(BoxWriter& out, const TrackInfo& track) {
  out.Zeros(6);
  out.U16(1);  // data_reference_index
  out.Zeros(8);
  out.U16(static_cast<std::uint16_t>(track.channels));
  out.U16(16);  // sample size
  out.U32(0);
  // 16.16: rates that do not fit are said by the codec's own configuration alone.
  out.U32(track.sample_rate <= 0xFFFF ? track.sample_rate << 16 : 0);
}

void WriteAvc1(BoxWriter& out, const TrackInfo& track) {
  auto avc1 = out.Open("avc1");
  WriteVisualFields(out, track);
  auto avcc = out.Open("avcC");
  out.Append(track.codec_private);
}

// A run's tracks have one configuration: its parameter sets are all there are, as hvc1 demands and Apple's
// players do (ISO/IEC 14496-15 section 8.3.3.1: array_completeness). REQUIRES: ParseHevcConfig takes it.
Bytes WithCompleteArrays(Bytes hvcc) {
  std::size_t at = 23;
  for (int arrays = hvcc[22]; arrays > 0; --arrays) {
    hvcc[at] |= 0x80;
    int units = hvcc[at + 1] << 8 | hvcc[at + 2];
    at += 3;
    for (; units > 0; --units) at += 2 + ReadBigEndian<std::uint16_t>(ByteSpan(hvcc).subspan(at, 2));
  }
  return hvcc;
}

void WriteHvc1(BoxWriter& out, const TrackInfo& track) {
  auto hvc1 = out.Open("hvc1");
  WriteVisualFields(out, track);
  auto hvcc = out.Open("hvcC");
  out.Append(WithCompleteArrays(track.codec_private));
}

void WriteAv01(BoxWriter& out, const TrackInfo& track) {
  auto av01 = out.Open("av01");
  WriteVisualFields(out, track);
  auto av1c = out.Open("av1C");
  out.Append(track.codec_private);
}

// VP Codec ISO Media File Format Binding, section "VP Codec Configuration Box".
void WriteVp09(BoxWriter& out, const TrackInfo& track) {
  const Vp9Features features = DecodeVp9Features(track.codec_private).value_or(Vp9Features{});
  constexpr std::uint8_t kNotSpecified = 2;  // of colour primaries, transfer and matrix
  auto vp09 = out.Open("vp09");
  WriteVisualFields(out, track);
  auto vpcc = out.OpenFull("vpcC", 1, 0);
  out.U8(features.profile);
  out.U8(features.level);
  out.U8(static_cast<std::uint8_t>(features.bit_depth << 4 | features.chroma_subsampling << 1));
  for (int i = 0; i < 3; ++i) out.U8(kNotSpecified);
  out.U16(0);  // codec initialization data: none
}

// Encapsulation of Opus in ISO Base Media File Format, section 4.3.2: an OpusHead's fields, most significant
// byte first. REQUIRES: CodecString takes it.
void WriteOpus(BoxWriter& out, const TrackInfo& track) {
  const Bytes& head = track.codec_private;
  const auto swapped = [&](std::size_t from, std::size_t count) {
    for (std::size_t i = count; i > 0; --i) out.U8(head[from + i - 1]);
  };
  auto opus = out.Open("Opus");
  WriteAudioFields(out, track);
  auto dops = out.Open("dOps");
  out.U8(0);         // version
  out.U8(head[9]);   // channels
  swapped(10, 2);    // pre-skip
  swapped(12, 4);    // input sample rate
  swapped(16, 2);    // gain
  out.U8(head[18]);  // channel mapping family
  if (head[18] != 0) out.Append(ByteSpan(head).subspan(19, 2u + head[9]));
}

// An MPEG-4 descriptor's tag and its size in four bytes (ISO/IEC 14496-1 section 8.3.3).
void WriteDescriptor(BoxWriter& out, std::uint8_t tag, std::size_t size) {
  out.U8(tag);
  for (int shift = 21; shift >= 0; shift -= 7) {
    out.U8(static_cast<std::uint8_t>(((size >> shift) & 0x7F) | (shift > 0 ? 0x80 : 0)));
  }
}

void WriteMp4a(BoxWriter& out, const TrackInfo& track) {
  auto mp4a = out.Open("mp4a");
  WriteAudioFields(out, track);
  constexpr std::size_t kHeader = 5;  // of a descriptor
  const std::size_t specific = track.codec_private.size();
  const std::size_t config = 13 + kHeader + specific;
  auto esds = out.OpenFull("esds", 0, 0);
  WriteDescriptor(out, 0x03, 3 + kHeader + config + kHeader + 1);  // ES_Descriptor
  out.U16(0);                                                      // ES_ID: 0 in a file
  out.U8(0);
  WriteDescriptor(out, 0x04, config);  // DecoderConfigDescriptor
  out.U8(0x40);                        // MPEG-4 audio
  out.U8(0x15);                        // audio stream, upstream 0, reserved 1
  out.Zeros(3 + 4 + 4);                // buffer size and bit rates: not known
  WriteDescriptor(out, 0x05, specific);
  out.Append(track.codec_private);
  WriteDescriptor(out, 0x06, 1);  // SLConfigDescriptor: as in MP4
  out.U8(0x02);
}

void WriteSampleEntry(BoxWriter& out, const TrackInfo& track) {
  switch (track.codec) {
    case Codec::kH264:
      return WriteAvc1(out, track);
    case Codec::kH265:
      return WriteHvc1(out, track);
    case Codec::kAv1:
      return WriteAv01(out, track);
    case Codec::kVp9:
      return WriteVp09(out, track);
    case Codec::kAac:
      return WriteMp4a(out, track);
    case Codec::kOpus:
      return WriteOpus(out, track);
    case Codec::kVp8:
    case Codec::kPcmMulaw:
    case Codec::kPcmAlaw:
      return;  // CheckTracks refuses them
  }
}

void WriteSampleTable(BoxWriter& out, const TrackInfo& track) {
  auto stbl = out.Open("stbl");
  {
    auto stsd = out.OpenFull("stsd", 0, 0);
    out.U32(1);
    WriteSampleEntry(out, track);
  }
  for (const char* empty : {"stts", "stsc", "stco"}) {
    auto box = out.OpenFull(empty, 0, 0);
    out.U32(0);
  }
  auto stsz = out.OpenFull("stsz", 0, 0);
  out.U32(0);
  out.U32(0);
}

void WriteMedia(BoxWriter& out, const TrackInfo& track) {
  const bool video = track.kind() == TrackKind::kVideo;
  auto mdia = out.Open("mdia");
  {
    auto mdhd = out.OpenFull("mdhd", 0, 0);
    out.U32(0);
    out.U32(0);
    out.U32(Timescale(track));
    out.U32(0);
    out.U16(0x55C4);  // "und"
    out.U16(0);
  }
  {
    auto hdlr = out.OpenFull("hdlr", 0, 0);
    out.U32(0);
    out.FourCc(video ? "vide" : "soun");
    out.Zeros(12);
    out.Append(AsBytes(video ? "video" : "audio"));
    out.U8(0);
  }
  auto minf = out.Open("minf");
  if (video) {
    auto vmhd = out.OpenFull("vmhd", 0, 1);
    out.Zeros(8);
  } else {
    auto smhd = out.OpenFull("smhd", 0, 0);
    out.Zeros(4);
  }
  {
    auto dinf = out.Open("dinf");
    auto dref = out.OpenFull("dref", 0, 0);
    out.U32(1);
    auto url = out.OpenFull("url ", 0, 1);  // the media is in this file
  }
  WriteSampleTable(out, track);
}

void WriteTrack(BoxWriter& out, const TrackInfo& track) {
  const bool video = track.kind() == TrackKind::kVideo;
  auto trak = out.Open("trak");
  {
    auto tkhd = out.OpenFull("tkhd", 0, 3);  // enabled, in the movie
    out.U32(0);
    out.U32(0);
    out.U32(track.number);
    out.U32(0);
    out.U32(0);  // duration: in the segments
    out.Zeros(8);
    out.U16(0);
    out.U16(video ? 0 : 1);  // alternate_group
    out.U16(video ? 0 : 0x0100);
    out.U16(0);
    WriteMatrix(out);
    out.U32(track.width << 16);
    out.U32(track.height << 16);
  }
  WriteMedia(out, track);
}

}  // namespace

Result<Bytes> MakeInitSegment(const std::vector<TrackInfo>& tracks) {
  MILLRACE_RETURN_IF_ERROR(CheckTracks(tracks));
  BoxWriter out;
  out.Reserve(2048);
  {
    auto ftyp = out.Open("ftyp");
    out.FourCc("iso6");
    out.U32(0);
    for (const char* brand : {"iso6", "cmfc", "mp41"}) out.FourCc(brand);
  }
  {
    auto moov = out.Open("moov");
    {
      std::uint32_t last = 0;
      for (const TrackInfo& track : tracks) last = std::max(last, track.number);
      auto mvhd = out.OpenFull("mvhd", 0, 0);
      out.U32(0);
      out.U32(0);
      out.U32(1000);
      out.U32(0);
      out.U32(0x00010000);
      out.U16(0x0100);
      out.Zeros(10);
      WriteMatrix(out);
      out.Zeros(24);
      out.U32(last == 0xFFFFFFFF ? last : last + 1);  // next_track_ID
    }
    for (const TrackInfo& track : tracks) WriteTrack(out, track);
    auto mvex = out.Open("mvex");
    for (const TrackInfo& track : tracks) {
      auto trex = out.OpenFull("trex", 0, 0);
      out.U32(track.number);
      out.U32(1);  // default_sample_description_index
      out.Zeros(12);
    }
  }
  return std::move(out).Take();
}

}  // namespace millrace
