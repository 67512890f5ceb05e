#include "parser/mkv_file.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "parser/block.h"
#include "parser/ebml_writer.h"
#include "parser/element_walk.h"
#include "parser/parse_fragment.h"

namespace millrace {
namespace {

// Elements of SeekHead (RFC 9559 section 5.1.1) and Cues (5.1.5), which nobody else looks into.
constexpr std::uint32_t kSeek = 0x4DBB;
constexpr std::uint32_t kSeekId = 0x53AB;
constexpr std::uint32_t kSeekPosition = 0x53AC;
constexpr std::uint32_t kCuePoint = 0xBB;
constexpr std::uint32_t kCueTime = 0xB3;
constexpr std::uint32_t kCueTrackPositions = 0xB7;
constexpr std::uint32_t kCueTrack = 0xF7;
constexpr std::uint32_t kCueClusterPosition = 0xF1;

constexpr std::uint64_t kCuesBytesMax = std::uint64_t{32} << 20;
constexpr std::size_t kPeekBytes = 64;
constexpr std::size_t kTimestampElementBytesMax = kElementHeaderBytesMax + 8;

bool Is(std::uint32_t id, ElementId element) { return id == static_cast<std::uint32_t>(element); }

// What stands directly in a Segment, and so ends a Cluster of unknown size.
bool IsOfSegment(std::uint32_t id) {
  const ElementInfo* info = FindElement(static_cast<ElementId>(id));
  return info != nullptr && (info->parent == ElementId::kSegment || info->id == ElementId::kEbml ||
                             info->id == ElementId::kSegment);
}

Error Corrupt(std::uint64_t offset, const std::string& what) {
  return Error{ErrorCode::kCorruption, "at byte " + std::to_string(offset) + ": " + what};
}

// Where SeekHead says that Cues stand, from the Segment's payload on.
std::optional<std::uint64_t> CuesPosition(ByteSpan seek_head) {
  std::optional<std::uint64_t> position;
  WalkElements(seek_head, [&](std::uint32_t id, ByteSpan, ByteSpan seek) {
    if (id != kSeek) return;
    std::optional<std::uint64_t> target, place;
    WalkElements(seek, [&](std::uint32_t part, ByteSpan, ByteSpan payload) {
      if (part == kSeekId) target = DecodeUnsigned(payload);
      if (part == kSeekPosition) place = DecodeUnsigned(payload);
    });
    if (target == static_cast<std::uint64_t>(ElementId::kCues) && place) position = place;
  });
  return position;
}

}  // namespace

// The header that the parser is to see, then the file from a Cluster on.
class MkvFile::ClusterSource final : public ByteSource {
 public:
  ClusterSource(RandomAccess& source, HeaderPtr header, std::uint64_t offset, std::uint64_t end)
      : source_(source), header_(std::move(header)), offset_(offset), end_(std::max(offset, end)) {}

  Result<std::size_t> Read(std::span<std::uint8_t> room) override {
    const Bytes& header = header_->bytes;
    if (header_read_ < header.size()) {
      const std::size_t count = std::min(room.size(), header.size() - header_read_);
      std::memcpy(room.data(), header.data() + header_read_, count);
      header_read_ += count;
      return count;
    }
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(room.size(), end_ - offset_));
    if (count == 0) return std::size_t{0};
    MILLRACE_ASSIGN_OR_RETURN(const std::size_t got, source_.ReadAt(offset_, room.first(count)));
    offset_ += got;
    return got;
  }

 private:
  RandomAccess& source_;
  const HeaderPtr header_;
  std::size_t header_read_ = 0;
  std::uint64_t offset_;
  const std::uint64_t end_;
};

MkvFile::MkvFile(std::unique_ptr<RandomAccess> source, const ParserLimits& limits)
    : source_(std::move(source)), limits_(limits) {}
MkvFile::~MkvFile() = default;

Result<std::unique_ptr<MkvFile>> MkvFile::Open(std::unique_ptr<RandomAccess> source,
                                               const ParserLimits& limits) {
  std::unique_ptr<MkvFile> file(new MkvFile(std::move(source), limits));
  MILLRACE_ASSIGN_OR_RETURN(file->head_, file->ReadHeader(0));
  if (file->document().tracks.empty()) return Corrupt(0, "the file has no Tracks in front of its Clusters");
  file->StartAt(file->head_, file->head_->first_cluster);
  return file;
}

Result<Bytes> MkvFile::ReadWhole(std::uint64_t offset, std::uint64_t size) const {
  Bytes bytes(static_cast<std::size_t>(std::min(size, source_->size() - std::min(offset, source_->size()))));
  if (bytes.empty()) return bytes;
  MILLRACE_ASSIGN_OR_RETURN(const std::size_t count, source_->ReadAt(offset, bytes));
  bytes.resize(count);
  return bytes;
}

Result<Bytes> MkvFile::Peek(std::uint64_t offset) const { return ReadWhole(offset, kPeekBytes); }

// Passes over what stands in front of a document's Clusters, and keeps what says something about them: EBML,
// Info, Tracks, Tags. Ends in front of the next document where there are none.
Result<MkvFile::HeaderPtr> MkvFile::ReadHeader(std::uint64_t begin) const {
  auto header = std::make_shared<Header>();
  Bytes& bytes = header->bytes;
  std::uint64_t& end = header->segment_end;
  header->offset = begin;
  end = source_->size();
  std::uint64_t offset = begin;
  bool in_segment = false;
  while (offset < end) {
    MILLRACE_ASSIGN_OR_RETURN(const Bytes start, Peek(offset));
    const WalkedHeader element = ReadWalkedHeader(start);
    if (element.length == 0) return Corrupt(offset, "not an element of Matroska");
    const std::uint64_t payload = offset + element.length;
    if (!in_segment && Is(element.id, ElementId::kSegment)) {
      header->segment_payload = payload;
      if (element.size < end - payload) end = payload + element.size;
      AppendElementId(bytes, ElementId::kSegment);
      AppendUnknownSize(bytes);
      in_segment = true;
      offset = payload;
      continue;
    }
    if (Is(element.id, ElementId::kCluster)) break;
    if (in_segment && Is(element.id, ElementId::kEbml)) break;
    if (element.size > source_->size() - payload)
      return Corrupt(offset, "an element that is longer than the file");
    const bool kept = Is(element.id, ElementId::kEbml) || Is(element.id, ElementId::kInfo) ||
                      Is(element.id, ElementId::kTracks) || Is(element.id, ElementId::kTags);
    const bool seek_head = Is(element.id, ElementId::kSeekHead);
    if (kept || seek_head) {
      const std::uint64_t size = element.length + element.size;
      if (size + bytes.size() > limits_.header_bytes_max) {
        return Error{ErrorCode::kResourceExhausted, "the file's header is larger than the limit of " +
                                                        std::to_string(limits_.header_bytes_max) + " bytes"};
      }
      MILLRACE_ASSIGN_OR_RETURN(const Bytes whole, ReadWhole(offset, size));
      if (whole.size() < size) return Corrupt(offset, "the file became shorter");
      if (kept) bytes.insert(bytes.end(), whole.begin(), whole.end());
      if (seek_head) {
        if (const auto position = CuesPosition(ByteSpan(whole).subspan(element.length))) {
          header->cues_offset = header->segment_payload + std::min(*position, end);
        }
      }
    }
    if (Is(element.id, ElementId::kCues)) header->cues_offset = offset;
    offset = payload + element.size;
  }
  header->first_cluster = offset;
  MILLRACE_ASSIGN_OR_RETURN(ParsedFragment parsed, ParseFragment(SharedBytes(bytes), limits_));
  header->document = std::move(parsed.document);
  return HeaderPtr(std::move(header));
}

Result<MkvFile::HeaderPtr> MkvFile::HeaderOf(std::uint64_t offset) {
  if (offset == head_->offset) return head_;
  if (!other_ || other_->offset != offset) {
    MILLRACE_ASSIGN_OR_RETURN(other_, ReadHeader(offset));
  }
  return other_;
}

void MkvFile::StartAt(HeaderPtr header, std::uint64_t cluster_offset) {
  first_.reset();
  reader_.reset();  // before what it reads
  clusters_ =
      std::make_unique<ClusterSource>(*source_, std::move(header), cluster_offset, head_->segment_end);
  reader_ = std::make_unique<FrameReader>(*clusters_, limits_);
}

Result<std::optional<MediaFrame>> MkvFile::Next() {
  if (first_) return std::exchange(first_, std::nullopt);
  return reader_->Next();
}

std::uint32_t MkvFile::VideoTrack(const Header& header) {
  for (const MkvTrack& track : header.document.tracks) {
    if (track.type == 1) return track.number;
  }
  return 0;
}

Result<void> MkvFile::Seek(std::int64_t timestamp_ns) {
  if (!places_) MILLRACE_RETURN_IF_ERROR(FindPlaces());
  auto sought = SeekByPlaces(timestamp_ns);
  if (sought || !has_cues_) return sought;
  // The Cues lead to where nothing can be read: they are not used again.
  has_cues_ = false;
  places_->clear();
  MILLRACE_RETURN_IF_ERROR(WalkClusters());
  return SeekByPlaces(timestamp_ns);
}

Result<void> MkvFile::SeekByPlaces(std::int64_t timestamp_ns) {
  const std::vector<Place>& places = *places_;
  const auto later = std::find_if(places.begin(), places.end(),
                                  [&](const Place& place) { return place.timestamp_ns > timestamp_ns; });
  const auto after = static_cast<std::size_t>(later - places.begin());
  // A Cluster's blocks may be shown up to 32 s before its Timestamp, so the first that is later is looked at
  // too.
  std::uint64_t header_bytes = 0;  // that were looked at, in vain but for the last
  for (std::size_t i = std::min(after + 1, places.size()); i-- > 0;) {
    const Place& place = places[i];
    MILLRACE_ASSIGN_OR_RETURN(const HeaderPtr header, HeaderOf(place.document));
    if (VideoTrack(*header) == 0) {
      if (place.timestamp_ns > timestamp_ns) continue;
      StartAt(header, place.offset);
      return {};
    }
    header_bytes += header->bytes.size();
    if (header_bytes > kHeadersMax * limits_.header_bytes_max) {
      return Error{ErrorCode::kResourceExhausted,
                   "no key frame in the " + std::to_string(std::min(after + 1, places.size()) - i - 1) +
                       " Clusters at and before the time that is sought"};
    }
    MILLRACE_ASSIGN_OR_RETURN(const bool found, SkipToKeyFrame(header, place, timestamp_ns));
    if (found) return {};
  }
  StartAt(head_, head_->first_cluster);
  return {};
}

// Looks for the last key frame that is not later, in one place, and stands in front of it. False: none.
Result<bool> MkvFile::SkipToKeyFrame(const HeaderPtr& header, const Place& place, std::int64_t timestamp_ns) {
  const std::uint32_t video = VideoTrack(*header);
  ClusterSource clusters(*source_, header, place.offset, place.end);
  FrameReader look(clusters, limits_);
  std::uint64_t frames = 0;
  std::uint64_t wanted = 0;  // counted from 1
  for (;;) {
    MILLRACE_ASSIGN_OR_RETURN(const std::optional<MediaFrame> frame, look.Next());
    if (!frame) break;
    ++frames;
    if (frame->track == video && frame->key_frame && frame->timestamp_ns <= timestamp_ns) wanted = frames;
  }
  if (wanted == 0) return false;
  StartAt(header, place.offset);
  for (std::uint64_t i = 0; i < wanted; ++i) {
    MILLRACE_ASSIGN_OR_RETURN(first_, reader_->Next());
  }
  return true;
}

Result<void> MkvFile::FindPlaces() {
  places_.emplace();
  if (head_->cues_offset) {
    MILLRACE_ASSIGN_OR_RETURN(has_cues_, ReadCues(*head_->cues_offset));
    if (has_cues_) return {};
  }
  places_->clear();
  return WalkClusters();
}

// A Cluster's time, when one stands there. `start` is what was peeked at there.
Result<std::optional<MkvFile::Place>> MkvFile::ClusterAt(const Header& header, std::uint64_t offset,
                                                         ByteSpan start) const {
  const WalkedHeader cluster = ReadWalkedHeader(start);
  if (!Is(cluster.id, ElementId::kCluster)) return std::optional<Place>();
  // The Timestamp is the first element of a Cluster, but for a CRC-32 or Void in front of it.
  std::uint64_t at = offset + cluster.length;
  ByteSpan inner = start.subspan(cluster.length);
  Bytes peeked;
  for (int i = 0; i < 4; ++i) {
    if (inner.size() < kTimestampElementBytesMax) {
      MILLRACE_ASSIGN_OR_RETURN(peeked, Peek(at));
      inner = peeked;
    }
    const WalkedHeader element = ReadWalkedHeader(inner);
    if (element.length == 0 || element.size == kUnknownSize) break;
    if (Is(element.id, ElementId::kTimestamp) && element.length + element.size <= inner.size()) {
      const auto ticks =
          DecodeUnsigned(inner.subspan(element.length, static_cast<std::size_t>(element.size)));
      const auto time = ticks ? ClusterTimestampNs(*ticks, header.document.timestamp_scale_ns) : std::nullopt;
      if (!time) break;
      return std::optional<Place>({*time, offset, head_->segment_end, header.offset});
    }
    if (element.size > head_->segment_end - std::min(head_->segment_end, at)) break;
    at += element.length + element.size;
    inner = inner.subspan(
        static_cast<std::size_t>(std::min<std::uint64_t>(element.length + element.size, inner.size())));
  }
  return std::optional<Place>();
}

// False where they are damaged, or do not name Clusters.
Result<bool> MkvFile::ReadCues(std::uint64_t offset) {
  MILLRACE_ASSIGN_OR_RETURN(const Bytes start, Peek(offset));
  const WalkedHeader cues = ReadWalkedHeader(start);
  if (!Is(cues.id, ElementId::kCues) || cues.size > kCuesBytesMax) return false;
  MILLRACE_ASSIGN_OR_RETURN(const Bytes points, ReadWhole(offset + cues.length, cues.size));
  if (points.size() < cues.size) return false;
  const std::uint32_t video = VideoTrack(*head_);
  const std::uint64_t payload_offset = head_->segment_payload;
  std::vector<Place>& places = *places_;
  const bool whole = WalkElements(points, [&](std::uint32_t id, ByteSpan, ByteSpan point) {
    if (id != kCuePoint || places.size() >= kPlacesMax) return;
    std::optional<std::int64_t> time;
    WalkElements(point, [&](std::uint32_t part, ByteSpan, ByteSpan payload) {
      if (part == kCueTime) {
        const auto ticks = DecodeUnsigned(payload);
        time = ticks ? ClusterTimestampNs(*ticks, head_->document.timestamp_scale_ns) : std::nullopt;
      }
      if (part != kCueTrackPositions || !time) return;
      std::optional<std::uint64_t> track, position;
      WalkElements(payload, [&](std::uint32_t field, ByteSpan, ByteSpan value) {
        if (field == kCueTrack) track = DecodeUnsigned(value);
        if (field == kCueClusterPosition) position = DecodeUnsigned(value);
      });
      if (!position || (video != 0 && track != video) || *position >= head_->segment_end - payload_offset)
        return;
      places.push_back({*time, payload_offset + *position, head_->segment_end, head_->offset});
    });
  });
  if (!whole || places.empty()) return false;
  std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) {
    return a.offset != b.offset ? a.offset < b.offset : a.timestamp_ns < b.timestamp_ns;
  });
  // Several of one Cluster are one place: its first time.
  places.erase(std::unique(places.begin(), places.end(),
                           [](const Place& a, const Place& b) { return a.offset == b.offset; }),
               places.end());
  for (std::size_t i = 0; i + 1 < places.size(); ++i) places[i].end = places[i + 1].offset;
  for (const Place& place : {places.front(), places.back()}) {
    MILLRACE_ASSIGN_OR_RETURN(const Bytes at, Peek(place.offset));
    MILLRACE_ASSIGN_OR_RETURN(const std::optional<Place> cluster, ClusterAt(*head_, place.offset, at));
    if (!cluster) return false;
  }
  return true;
}

Result<void> MkvFile::WalkClusters() {
  const std::uint64_t end = head_->segment_end;
  HeaderPtr header = head_;
  for (std::uint64_t offset = header->first_cluster; offset < end;) {
    MILLRACE_ASSIGN_OR_RETURN(const Bytes start, Peek(offset));
    const WalkedHeader element = ReadWalkedHeader(start);
    if (element.length == 0) break;  // damaged from here on: what stands before it can be sought
    if (Is(element.id, ElementId::kEbml)) {
      auto next = ReadHeader(offset);
      if (!next && next.error().code == ErrorCode::kIo) return std::move(next).error();
      if (!next) break;
      header = std::move(*next);
      offset = header->first_cluster;
      continue;
    }
    const std::uint64_t payload = offset + element.length;
    std::optional<Place> place;
    if (Is(element.id, ElementId::kCluster) && !header->document.tracks.empty()) {
      if (places_->size() >= kPlacesMax) {
        return Error{ErrorCode::kResourceExhausted,
                     "the file has more than " + std::to_string(kPlacesMax) + " Clusters"};
      }
      MILLRACE_ASSIGN_OR_RETURN(place, ClusterAt(*header, offset, start));
    }
    if (element.size == kUnknownSize) {
      MILLRACE_ASSIGN_OR_RETURN(offset, EndOfUnknown(payload));
    } else {
      const bool whole = element.size <= end - std::min(payload, end);
      offset = whole ? payload + element.size : end;
    }
    if (place) {
      place->end = offset;
      places_->push_back(*place);
    }
  }
  return {};
}

// Passes over a Cluster's elements up to the first that is none.
Result<std::uint64_t> MkvFile::EndOfUnknown(std::uint64_t payload_offset) const {
  const std::uint64_t end = head_->segment_end;
  std::uint64_t offset = payload_offset;
  while (offset < end) {
    MILLRACE_ASSIGN_OR_RETURN(const Bytes start, Peek(offset));
    const WalkedHeader element = ReadWalkedHeader(start);
    if (element.length == 0 || IsOfSegment(element.id)) break;
    if (element.size > end - std::min(offset + element.length, end)) return end;
    offset += element.length + element.size;
  }
  return offset;
}

}  // namespace millrace
