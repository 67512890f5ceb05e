// The elements of EBML (RFC 8794) and Matroska (RFC 9559) that this library knows: their ids, names, types
// and places.
//
// Any other id is an unknown element: readers pass over it by its size, as RFC 8794 section 12 asks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace millrace {

// With the length marker bits, as the id stands in the file and in RFC 9559's tables.
enum class ElementId : std::uint32_t {
  // EBML header, RFC 8794 section 11.2
  kEbml = 0x1A45DFA3,
  kEbmlVersion = 0x4286,
  kEbmlReadVersion = 0x42F7,
  kEbmlMaxIdLength = 0x42F2,
  kEbmlMaxSizeLength = 0x42F3,
  kDocType = 0x4282,
  kDocTypeVersion = 0x4287,
  kDocTypeReadVersion = 0x4285,
  // Global, RFC 8794 section 11.3
  kVoid = 0xEC,
  kCrc32 = 0xBF,
  // Segment and what stands directly in it, RFC 9559 section 5.1
  kSegment = 0x18538067,
  kSeekHead = 0x114D9B74,
  kInfo = 0x1549A966,
  kTracks = 0x1654AE6B,
  kCluster = 0x1F43B675,
  kCues = 0x1C53BB6B,
  kChapters = 0x1043A770,
  kAttachments = 0x1941A469,
  kTags = 0x1254C367,
  // Info, section 5.1.2
  kSegmentUuid = 0x73A4,
  kTimestampScale = 0x2AD7B1,
  kDuration = 0x4489,
  kDateUtc = 0x4461,
  kTitle = 0x7BA9,
  kMuxingApp = 0x4D80,
  kWritingApp = 0x5741,
  // Tracks, section 5.1.4
  kTrackEntry = 0xAE,
  kTrackNumber = 0xD7,
  kTrackUid = 0x73C5,
  kTrackType = 0x83,
  kFlagEnabled = 0xB9,
  kFlagDefault = 0x88,
  kFlagForced = 0x55AA,
  kFlagLacing = 0x9C,
  kDefaultDuration = 0x23E383,
  kTrackTimestampScale = 0x23314F,
  kTrackName = 0x536E,
  kLanguage = 0x22B59C,
  kLanguageBcp47 = 0x22B59D,
  kCodecId = 0x86,
  kCodecPrivate = 0x63A2,
  kCodecName = 0x258688,
  kCodecDelay = 0x56AA,
  kSeekPreRoll = 0x56BB,
  kVideo = 0xE0,
  kFlagInterlaced = 0x9A,
  kPixelWidth = 0xB0,
  kPixelHeight = 0xBA,
  kPixelCropBottom = 0x54AA,
  kPixelCropTop = 0x54BB,
  kPixelCropLeft = 0x54CC,
  kPixelCropRight = 0x54DD,
  kDisplayWidth = 0x54B0,
  kDisplayHeight = 0x54BA,
  kDisplayUnit = 0x54B2,
  kAudio = 0xE1,
  kSamplingFrequency = 0xB5,
  kOutputSamplingFrequency = 0x78B5,
  kChannels = 0x9F,
  kBitDepth = 0x6264,
  kContentEncodings = 0x6D80,
  // Cluster, section 5.1.3
  kTimestamp = 0xE7,
  kPosition = 0xA7,
  kPrevSize = 0xAB,
  kSimpleBlock = 0xA3,
  kBlockGroup = 0xA0,
  kBlock = 0xA1,
  kBlockDuration = 0x9B,
  kReferenceBlock = 0xFB,
  kDiscardPadding = 0x75A2,
  kEncryptedBlock = 0xAF,
  // Tags, section 5.1.8
  kTag = 0x7373,
  kTargets = 0x63C0,
  kTagTrackUid = 0x63C5,
  kSimpleTag = 0x67C8,
  kTagName = 0x45A3,
  kTagString = 0x4487,
  kTagBinary = 0x4485,
};

// RFC 8794 section 7. kMaster holds elements; the others hold a value.
enum class ElementType : std::uint8_t { kMaster, kUnsigned, kSigned, kFloat, kText, kDate, kBinary };

struct ElementInfo {
  ElementId id;
  std::string_view name;  // RFC 9559's
  ElementType type;
  // The master that it stands in. kVoid and kCrc32 stand anywhere, and name themselves; kEbml and kSegment
  // stand at the top of a document, and name themselves; kSimpleTag stands in kTag and in itself.
  ElementId parent;
  // Passed over without a look inside: indexes and what playing needs not (SeekHead, Cues, Chapters,
  // Attachments, …).
  bool passed_over = false;
};

// The table's row, with static storage; nullptr for an unknown element. Constant time.
const ElementInfo* FindElement(ElementId id);

// "SimpleBlock", or "element 0x1A2B" for one that the table does not know.
std::string ElementName(ElementId id);

}  // namespace millrace
