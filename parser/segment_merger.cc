#include "parser/segment_merger.h"

#include <algorithm>
#include <string>
#include <utility>

#include "parser/block.h"
#include "parser/ebml_writer.h"
#include "parser/element_walk.h"

namespace millrace {
namespace {

// What a decoder sees of a track.
MkvTrack AsDecoded(MkvTrack track) {
  track.uid = 0;
  track.name.clear();
  track.language.clear();
  track.default_duration = Duration{0};
  return track;
}

std::vector<MkvTrack> AsDecoded(const std::vector<MkvTrack>& tracks) {
  std::vector<MkvTrack> decoded;
  for (const MkvTrack& track : tracks) decoded.push_back(AsDecoded(track));
  return decoded;
}

// A whole Info without what is not true of several documents together.
Bytes MergedInfo(ByteSpan info) {
  constexpr std::uint32_t kDropped[] = {
      static_cast<std::uint32_t>(ElementId::kDuration), static_cast<std::uint32_t>(ElementId::kCrc32),
      static_cast<std::uint32_t>(ElementId::kSegmentUuid), static_cast<std::uint32_t>(ElementId::kVoid)};
  Bytes out;
  const std::size_t master = BeginMaster(out, ElementId::kInfo, 8);
  const WalkedHeader header = ReadWalkedHeader(info);
  // The parser has read it: it does consist of whole elements.
  WalkElements(info.subspan(header.length), [&](std::uint32_t id, ByteSpan whole, ByteSpan) {
    if (std::find(std::begin(kDropped), std::end(kDropped), id) != std::end(kDropped)) return;
    out.insert(out.end(), whole.begin(), whole.end());
  });
  EndMaster(out, master, 8);
  return out;
}

// Of a document's header what the Segment begins with.
bool IsKept(ElementId id) {
  return id == ElementId::kEbml || id == ElementId::kInfo || id == ElementId::kTracks;
}

Bytes Copy(ByteSpan bytes) { return Bytes(bytes.begin(), bytes.end()); }

}  // namespace

SegmentMerger::SegmentMerger(SegmentSink& sink, const Options& options, const ParserLimits& limits)
    : sink_(sink), options_(options), limits_(limits), parser_(*this, limits), builder_(limits) {}

Result<void> SegmentMerger::Push(ByteSpan bytes) {
  if (stopped_) return Error{ErrorCode::kFailedPrecondition, "the merger has stopped at a change"};
  held_.insert(held_.end(), bytes.begin(), bytes.end());
  auto pushed = parser_.Push(bytes);
  if (stopped_) return {};  // the parser was stopped by us
  MILLRACE_RETURN_IF_ERROR(std::move(pushed));
  if (copied_) MILLRACE_RETURN_IF_ERROR(CopyUpTo(parser_.offset()));

  const std::uint64_t needed =
      std::min(copied_.value_or(parser_.offset()), keep_from_.value_or(parser_.offset()));
  held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(needed - held_offset_));
  held_offset_ = needed;
  if (held_.size() > limits_.header_bytes_max + limits_.element_bytes_max) {
    return Error{ErrorCode::kResourceExhausted,
                 "the document's header at offset " + std::to_string(held_offset_) + " is too large"};
  }
  return {};
}

Result<void> SegmentMerger::Finish() {
  if (stopped_) return {};
  return parser_.Finish();
}

ByteSpan SegmentMerger::Held(std::uint64_t begin, std::uint64_t end) const {
  return ByteSpan(held_).subspan(static_cast<std::size_t>(begin - held_offset_),
                                 static_cast<std::size_t>(end - begin));
}

Result<void> SegmentMerger::Write(ByteSpan bytes) {
  if (bytes.empty()) return {};
  written_ += bytes.size();
  return sink_.OnBytes(bytes);
}

Result<void> SegmentMerger::CopyUpTo(std::uint64_t end) {
  const std::uint64_t begin = std::exchange(*copied_, end);
  return Write(Held(begin, end));
}

Result<void> SegmentMerger::OnStartMaster(const ElementHeader& element) {
  if (cluster_offset_) return copied_ ? Result<void>() : NoTimestamp();
  if (element.id == ElementId::kCluster) {
    if (tracks_.empty()) {
      return Error{ErrorCode::kCorruption,
                   "the Cluster at offset " + std::to_string(element.offset) + " comes before Tracks"};
    }
    cluster_offset_ = keep_from_ = element.offset;
    return {};
  }
  if (element.id == ElementId::kEbml) {
    builder_.Reset();
    info_.clear();
    tracks_.clear();
  }
  if (IsKept(element.id)) keep_from_ = element.offset;
  return builder_.StartMaster(element);
}

Result<void> SegmentMerger::OnEndMaster(const ElementHeader& element, std::uint64_t end_offset) {
  if (element.id == ElementId::kCluster) {
    if (copied_) MILLRACE_RETURN_IF_ERROR(CopyUpTo(end_offset));
    cluster_offset_.reset();
    copied_.reset();
    keep_from_.reset();
    return {};
  }
  if (cluster_offset_) return {};
  if (IsKept(element.id)) {
    Bytes& kept = element.id == ElementId::kEbml ? ebml_ : element.id == ElementId::kInfo ? info_ : tracks_;
    // A second one of a document says the same.
    if (kept.empty() || element.id == ElementId::kEbml) kept = Copy(Held(element.offset, end_offset));
    keep_from_.reset();
  }
  return builder_.EndMaster(element);
}

Result<void> SegmentMerger::OnData(const ElementHeader& element, const ElementData& data) {
  if (!cluster_offset_) return builder_.Data(element, data.span());
  if (copied_) return {};
  if (element.id == ElementId::kTimestamp) return OpenCluster(element, data.span());
  return element.id == ElementId::kSimpleBlock ? NoTimestamp() : Result<void>();
}

Result<void> SegmentMerger::NoTimestamp() const {
  return Error{ErrorCode::kCorruption, "the Cluster at offset " + std::to_string(*cluster_offset_) +
                                           " has no Timestamp before its frames"};
}

// The Cluster's time is known: it goes on with the Segment, or begins the next one.
Result<void> SegmentMerger::OpenCluster(const ElementHeader& timestamp, ByteSpan payload) {
  const MkvDocument& document = builder_.document();
  const std::optional<std::uint64_t> ticks = DecodeUnsigned(payload);
  const std::optional<std::int64_t> time =
      ticks ? ClusterTimestampNs(*ticks, document.timestamp_scale_ns) : std::nullopt;
  if (!time) {
    return Error{ErrorCode::kCorruption,
                 "the Timestamp at offset " + std::to_string(timestamp.offset) + " is out of range"};
  }
  std::optional<SegmentChange> change;
  if (!in_segment_) {
    change = SegmentChange::kFirst;
  } else if (document.timestamp_scale_ns != segment_scale_ns_ ||
             AsDecoded(document.tracks) != segment_tracks_) {
    change = SegmentChange::kTracks;
  } else if (*time <= last_timestamp_ns_) {
    change = SegmentChange::kTimestamp;
  }
  if (change && in_segment_ && options_.stop_at_change) {
    stopped_ = true;
    return Error{ErrorCode::kCancelled, "stopped at a change"};
  }
  if (change) MILLRACE_RETURN_IF_ERROR(StartSegment(*change));
  last_timestamp_ns_ = *time;
  ++clusters_;
  keep_from_.reset();
  copied_ = *cluster_offset_;
  return {};
}

Result<void> SegmentMerger::StartSegment(SegmentChange why) {
  const MkvDocument& document = builder_.document();
  in_segment_ = true;
  segment_tracks_ = AsDecoded(document.tracks);
  segment_scale_ns_ = document.timestamp_scale_ns;
  MILLRACE_RETURN_IF_ERROR(sink_.OnSegmentStart(document, why));
  Bytes header = ebml_;
  AppendElementId(header, ElementId::kSegment);
  AppendUnknownSize(header);
  if (!info_.empty()) {
    const Bytes info = MergedInfo(info_);
    header.insert(header.end(), info.begin(), info.end());
  }
  header.insert(header.end(), tracks_.begin(), tracks_.end());
  return Write(header);
}

}  // namespace millrace
