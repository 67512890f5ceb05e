#include "parser/elements.h"

#include <array>
#include <cstddef>
#include <cstdio>

namespace millrace {
namespace {

using Id = ElementId;
using Type = ElementType;

constexpr ElementInfo kElements[] = {
    {Id::kEbml, "EBML", Type::kMaster, Id::kEbml},
    {Id::kEbmlVersion, "EBMLVersion", Type::kUnsigned, Id::kEbml},
    {Id::kEbmlReadVersion, "EBMLReadVersion", Type::kUnsigned, Id::kEbml},
    {Id::kEbmlMaxIdLength, "EBMLMaxIDLength", Type::kUnsigned, Id::kEbml},
    {Id::kEbmlMaxSizeLength, "EBMLMaxSizeLength", Type::kUnsigned, Id::kEbml},
    {Id::kDocType, "DocType", Type::kText, Id::kEbml},
    {Id::kDocTypeVersion, "DocTypeVersion", Type::kUnsigned, Id::kEbml},
    {Id::kDocTypeReadVersion, "DocTypeReadVersion", Type::kUnsigned, Id::kEbml},
    {Id::kVoid, "Void", Type::kBinary, Id::kVoid, true},
    {Id::kCrc32, "CRC-32", Type::kBinary, Id::kCrc32, true},
    {Id::kSegment, "Segment", Type::kMaster, Id::kSegment},
    {Id::kSeekHead, "SeekHead", Type::kMaster, Id::kSegment, true},
    {Id::kInfo, "Info", Type::kMaster, Id::kSegment},
    {Id::kTracks, "Tracks", Type::kMaster, Id::kSegment},
    {Id::kCluster, "Cluster", Type::kMaster, Id::kSegment},
    {Id::kCues, "Cues", Type::kMaster, Id::kSegment, true},
    {Id::kChapters, "Chapters", Type::kMaster, Id::kSegment, true},
    {Id::kAttachments, "Attachments", Type::kMaster, Id::kSegment, true},
    {Id::kTags, "Tags", Type::kMaster, Id::kSegment},
    {Id::kSegmentUuid, "SegmentUUID", Type::kBinary, Id::kInfo},
    {Id::kTimestampScale, "TimestampScale", Type::kUnsigned, Id::kInfo},
    {Id::kDuration, "Duration", Type::kFloat, Id::kInfo},
    {Id::kDateUtc, "DateUTC", Type::kDate, Id::kInfo},
    {Id::kTitle, "Title", Type::kText, Id::kInfo},
    {Id::kMuxingApp, "MuxingApp", Type::kText, Id::kInfo},
    {Id::kWritingApp, "WritingApp", Type::kText, Id::kInfo},
    {Id::kTrackEntry, "TrackEntry", Type::kMaster, Id::kTracks},
    {Id::kTrackNumber, "TrackNumber", Type::kUnsigned, Id::kTrackEntry},
    {Id::kTrackUid, "TrackUID", Type::kUnsigned, Id::kTrackEntry},
    {Id::kTrackType, "TrackType", Type::kUnsigned, Id::kTrackEntry},
    {Id::kFlagEnabled, "FlagEnabled", Type::kUnsigned, Id::kTrackEntry},
    {Id::kFlagDefault, "FlagDefault", Type::kUnsigned, Id::kTrackEntry},
    {Id::kFlagForced, "FlagForced", Type::kUnsigned, Id::kTrackEntry},
    {Id::kFlagLacing, "FlagLacing", Type::kUnsigned, Id::kTrackEntry},
    {Id::kDefaultDuration, "DefaultDuration", Type::kUnsigned, Id::kTrackEntry},
    {Id::kTrackTimestampScale, "TrackTimestampScale", Type::kFloat, Id::kTrackEntry},
    {Id::kTrackName, "Name", Type::kText, Id::kTrackEntry},
    {Id::kLanguage, "Language", Type::kText, Id::kTrackEntry},
    {Id::kLanguageBcp47, "LanguageBCP47", Type::kText, Id::kTrackEntry},
    {Id::kCodecId, "CodecID", Type::kText, Id::kTrackEntry},
    {Id::kCodecPrivate, "CodecPrivate", Type::kBinary, Id::kTrackEntry},
    {Id::kCodecName, "CodecName", Type::kText, Id::kTrackEntry},
    {Id::kCodecDelay, "CodecDelay", Type::kUnsigned, Id::kTrackEntry},
    {Id::kSeekPreRoll, "SeekPreRoll", Type::kUnsigned, Id::kTrackEntry},
    {Id::kVideo, "Video", Type::kMaster, Id::kTrackEntry},
    {Id::kFlagInterlaced, "FlagInterlaced", Type::kUnsigned, Id::kVideo},
    {Id::kPixelWidth, "PixelWidth", Type::kUnsigned, Id::kVideo},
    {Id::kPixelHeight, "PixelHeight", Type::kUnsigned, Id::kVideo},
    {Id::kPixelCropBottom, "PixelCropBottom", Type::kUnsigned, Id::kVideo},
    {Id::kPixelCropTop, "PixelCropTop", Type::kUnsigned, Id::kVideo},
    {Id::kPixelCropLeft, "PixelCropLeft", Type::kUnsigned, Id::kVideo},
    {Id::kPixelCropRight, "PixelCropRight", Type::kUnsigned, Id::kVideo},
    {Id::kDisplayWidth, "DisplayWidth", Type::kUnsigned, Id::kVideo},
    {Id::kDisplayHeight, "DisplayHeight", Type::kUnsigned, Id::kVideo},
    {Id::kDisplayUnit, "DisplayUnit", Type::kUnsigned, Id::kVideo},
    {Id::kAudio, "Audio", Type::kMaster, Id::kTrackEntry},
    {Id::kSamplingFrequency, "SamplingFrequency", Type::kFloat, Id::kAudio},
    {Id::kOutputSamplingFrequency, "OutputSamplingFrequency", Type::kFloat, Id::kAudio},
    {Id::kChannels, "Channels", Type::kUnsigned, Id::kAudio},
    {Id::kBitDepth, "BitDepth", Type::kUnsigned, Id::kAudio},
    // Its presence is what matters (compressed or encrypted frames), so it is handed on whole.
    {Id::kContentEncodings, "ContentEncodings", Type::kBinary, Id::kTrackEntry},
    {Id::kTimestamp, "Timestamp", Type::kUnsigned, Id::kCluster},
    {Id::kPosition, "Position", Type::kUnsigned, Id::kCluster},
    {Id::kPrevSize, "PrevSize", Type::kUnsigned, Id::kCluster},
    {Id::kSimpleBlock, "SimpleBlock", Type::kBinary, Id::kCluster},
    {Id::kBlockGroup, "BlockGroup", Type::kMaster, Id::kCluster},
    {Id::kBlock, "Block", Type::kBinary, Id::kBlockGroup},
    {Id::kBlockDuration, "BlockDuration", Type::kUnsigned, Id::kBlockGroup},
    {Id::kReferenceBlock, "ReferenceBlock", Type::kSigned, Id::kBlockGroup},
    {Id::kDiscardPadding, "DiscardPadding", Type::kSigned, Id::kBlockGroup},
    {Id::kEncryptedBlock, "EncryptedBlock", Type::kBinary, Id::kCluster, true},
    {Id::kTag, "Tag", Type::kMaster, Id::kTags},
    {Id::kTargets, "Targets", Type::kMaster, Id::kTag},
    {Id::kTagTrackUid, "TagTrackUID", Type::kUnsigned, Id::kTargets},
    {Id::kSimpleTag, "SimpleTag", Type::kMaster, Id::kTag},
    {Id::kTagName, "TagName", Type::kText, Id::kSimpleTag},
    {Id::kTagString, "TagString", Type::kText, Id::kSimpleTag},
    {Id::kTagBinary, "TagBinary", Type::kBinary, Id::kSimpleTag, true},
};

// Open addressing, filled at compile time: the lookup runs once for every element of every stream.
constexpr std::size_t kSlots = 256;
constexpr std::size_t SlotOf(std::uint32_t id) { return (id * 0x9E3779B1u) >> 24; }

constexpr std::array<const ElementInfo*, kSlots> MakeIndex() {
  std::array<const ElementInfo*, kSlots> index{};
  for (const ElementInfo& element : kElements) {
    std::size_t slot = SlotOf(static_cast<std::uint32_t>(element.id));
    while (index[slot] != nullptr) slot = (slot + 1) % kSlots;
    index[slot] = &element;
  }
  return index;
}
constexpr auto kIndex = MakeIndex();

}  // namespace

const ElementInfo* FindElement(ElementId id) {
  std::size_t slot = SlotOf(static_cast<std::uint32_t>(id));
  while (kIndex[slot] != nullptr) {
    if (kIndex[slot]->id == id) return kIndex[slot];
    slot = (slot + 1) % kSlots;
  }
  return nullptr;
}

std::string ElementName(ElementId id) {
  if (const ElementInfo* element = FindElement(id)) return std::string(element->name);
  char text[32];
  std::snprintf(text, sizeof(text), "element 0x%X", static_cast<unsigned>(id));
  return text;
}

}  // namespace millrace
