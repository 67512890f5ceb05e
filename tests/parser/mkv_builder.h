// Matroska bytes for tests, made in memory with the library's writing primitives.
//
//   MkvBuilder mkv;
//   mkv.Header().Tracks();
//   mkv.StartCluster(1000).Simple(1, 0, true, "key").Simple(1, 40, false, "delta").EndCluster();
//   Bytes bytes = mkv.Take();
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "parser/ebml_writer.h"

namespace millrace::testing {

enum class SizeForm { kKnown, kUnknown1, kUnknown8 };

class MkvBuilder {
 public:
  // EBML header, Segment, Info.
  MkvBuilder& Header(SizeForm segment = SizeForm::kUnknown8, std::string_view doc_type = "matroska") {
    const std::size_t ebml = BeginMaster(out_, ElementId::kEbml, 1);
    AppendUnsigned(out_, ElementId::kEbmlVersion, 1);
    AppendUnsigned(out_, ElementId::kEbmlReadVersion, 1);
    AppendUnsigned(out_, ElementId::kEbmlMaxIdLength, 4);
    AppendUnsigned(out_, ElementId::kEbmlMaxSizeLength, 8);
    AppendText(out_, ElementId::kDocType, doc_type);
    AppendUnsigned(out_, ElementId::kDocTypeVersion, 4);
    AppendUnsigned(out_, ElementId::kDocTypeReadVersion, 2);
    EndMaster(out_, ebml, 1);
    segment_ = Begin(ElementId::kSegment, segment);
    segment_known_ = segment == SizeForm::kKnown;
    const std::size_t info = BeginMaster(out_, ElementId::kInfo, 2);
    AppendUnsigned(out_, ElementId::kTimestampScale, 1'000'000);
    AppendText(out_, ElementId::kMuxingApp, "tests");
    AppendText(out_, ElementId::kWritingApp, "tests");
    EndMaster(out_, info, 2);
    return *this;
  }

  // Track 1: H.264 320x240; track 2: AAC 48 kHz stereo.
  MkvBuilder& Tracks() {
    const std::size_t tracks = BeginMaster(out_, ElementId::kTracks, 4);
    std::size_t entry = BeginMaster(out_, ElementId::kTrackEntry, 2);
    AppendUnsigned(out_, ElementId::kTrackNumber, 1);
    AppendUnsigned(out_, ElementId::kTrackUid, 11);
    AppendUnsigned(out_, ElementId::kTrackType, 1);
    AppendText(out_, ElementId::kCodecId, "V_MPEG4/ISO/AVC");
    AppendBinary(out_, ElementId::kCodecPrivate, AsBytes("avcC"));
    const std::size_t video = BeginMaster(out_, ElementId::kVideo, 1);
    AppendUnsigned(out_, ElementId::kPixelWidth, 320);
    AppendUnsigned(out_, ElementId::kPixelHeight, 240);
    EndMaster(out_, video, 1);
    EndMaster(out_, entry, 2);
    entry = BeginMaster(out_, ElementId::kTrackEntry, 2);
    AppendUnsigned(out_, ElementId::kTrackNumber, 2);
    AppendUnsigned(out_, ElementId::kTrackUid, 12);
    AppendUnsigned(out_, ElementId::kTrackType, 2);
    AppendUnsigned(out_, ElementId::kDefaultDuration, 20'000'000);
    AppendText(out_, ElementId::kCodecId, "A_AAC");
    AppendBinary(out_, ElementId::kCodecPrivate, AsBytes("\x11\x90"));
    const std::size_t audio = BeginMaster(out_, ElementId::kAudio, 1);
    AppendFloat(out_, ElementId::kSamplingFrequency, 48000);
    AppendUnsigned(out_, ElementId::kChannels, 2);
    EndMaster(out_, audio, 1);
    EndMaster(out_, entry, 2);
    EndMaster(out_, tracks, 4);
    return *this;
  }

  MkvBuilder& StartCluster(std::uint64_t timestamp, SizeForm form = SizeForm::kKnown) {
    cluster_ = Begin(ElementId::kCluster, form);
    cluster_known_ = form == SizeForm::kKnown;
    AppendUnsigned(out_, ElementId::kTimestamp, timestamp);
    return *this;
  }
  MkvBuilder& EndCluster() {
    if (cluster_known_) EndMaster(out_, cluster_);
    return *this;
  }

  MkvBuilder& Simple(std::uint32_t track, std::int16_t relative, bool key, std::string_view frame) {
    AppendSimpleBlockHeader(out_, {.track = track, .relative_timestamp = relative, .key_frame = key},
                            frame.size());
    return Raw(AsBytes(frame));
  }
  // `flags` as they stand in the file; `body` with its lacing.
  MkvBuilder& SimpleRaw(std::uint8_t track, std::int16_t relative, std::uint8_t flags, ByteSpan body) {
    AppendElementHeader(out_, ElementId::kSimpleBlock, 4 + body.size());
    out_.push_back(static_cast<std::uint8_t>(0x80 | track));
    AppendBigEndian(out_, static_cast<std::uint16_t>(relative));
    out_.push_back(flags);
    return Raw(body);
  }
  MkvBuilder& Group(std::uint32_t track, std::int16_t relative, std::string_view frame,
                    std::uint64_t duration, bool references) {
    const std::size_t group = BeginMaster(out_, ElementId::kBlockGroup, 4);
    AppendElementHeader(out_, ElementId::kBlock,
                        static_cast<std::uint64_t>(VintLength(track)) + 3 + frame.size());
    AppendBlockHeader(out_, {.track = track, .relative_timestamp = relative});
    Raw(AsBytes(frame));
    if (duration != 0) AppendUnsigned(out_, ElementId::kBlockDuration, duration);
    if (references) AppendSigned(out_, ElementId::kReferenceBlock, -40);
    EndMaster(out_, group, 4);
    return *this;
  }

  // One Tags with one Tag.
  MkvBuilder& Tags(const std::vector<std::pair<std::string_view, std::string_view>>& tags) {
    const std::size_t all = BeginMaster(out_, ElementId::kTags, 4);
    const std::size_t tag = BeginMaster(out_, ElementId::kTag, 4);
    for (const auto& [name, value] : tags) {
      const std::size_t simple = BeginMaster(out_, ElementId::kSimpleTag, 4);
      AppendText(out_, ElementId::kTagName, name);
      AppendText(out_, ElementId::kTagString, value);
      EndMaster(out_, simple, 4);
    }
    EndMaster(out_, tag, 4);
    EndMaster(out_, all, 4);
    return *this;
  }

  MkvBuilder& Raw(ByteSpan bytes) {
    out_.insert(out_.end(), bytes.begin(), bytes.end());
    return *this;
  }

  // For what has no helper here.
  Bytes& out() { return out_; }

  Bytes Take() {
    if (segment_known_) EndMaster(out_, segment_);
    segment_known_ = false;
    return std::exchange(out_, {});
  }

 private:
  std::size_t Begin(ElementId id, SizeForm form) {
    if (form != SizeForm::kUnknown1) return BeginMaster(out_, id);
    AppendElementId(out_, id);
    AppendUnknownSize(out_, 1);
    return out_.size();
  }

  Bytes out_;
  std::size_t segment_ = 0;
  bool segment_known_ = false;
  std::size_t cluster_ = 0;
  bool cluster_known_ = false;
};

}  // namespace millrace::testing
