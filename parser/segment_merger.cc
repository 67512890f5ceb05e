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

}  // namespace

SegmentMerger::SegmentMerger(SegmentSink& sink, const Options& options, const ParserLimits& limits)
    : sink_(sink), options_(options), limits_(limits), parser_(*this, limits), builder_(limits) {}

Result<void> SegmentMerger::Push(ByteSpan bytes) {
  if (stopped_) return Error{ErrorCode::kFailedPrecondition, "the merger has stopped at a change"};
  input_ = bytes;
  auto pushed = parser_.Push(bytes);
  if (pushed && copied_) pushed = CopyUpTo(parser_.offset());
  Hold();
  if (stopped_) return {};  // the parser was stopped by us
  MILLRACE_RETURN_IF_ERROR(std::move(pushed));
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

std::array<ByteSpan, 2> SegmentMerger::Input(std::uint64_t begin, std::uint64_t end) const {
  const auto part = [](ByteSpan bytes, std::uint64_t from, std::uint64_t to) {
    return from < to ? bytes.subspan(static_cast<std::size_t>(from), static_cast<std::size_t>(to - from))
                     : ByteSpan();
  };
  const std::uint64_t input_offset = held_offset_ + held_.size();
  const std::uint64_t middle = std::clamp(input_offset, begin, end);
  return {part(held_, begin - held_offset_, middle - held_offset_),
          part(input_, middle - input_offset, end - input_offset)};
}

void SegmentMerger::Hold() {
  const std::uint64_t done = parser_.offset();
  const std::uint64_t needed = std::min(copied_.value_or(done), keep_from_.value_or(done));
  const auto [held, fresh] = Input(needed, held_offset_ + held_.size() + input_.size());
  if (held.empty()) {
    held_.assign(fresh.begin(), fresh.end());
  } else {
    held_.erase(held_.begin(), held_.end() - static_cast<std::ptrdiff_t>(held.size()));
    held_.insert(held_.end(), fresh.begin(), fresh.end());
  }
  held_offset_ = needed;
  input_ = {};
}

Result<void> SegmentMerger::CopyUpTo(std::uint64_t end) {
  const std::uint64_t begin = std::exchange(*copied_, end);
  for (const ByteSpan part : Input(begin, end)) {
    if (!part.empty()) MILLRACE_RETURN_IF_ERROR(sink_.OnBytes(part));
  }
  return {};
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
    if (kept.empty() || element.id == ElementId::kEbml) {
      kept.clear();
      for (const ByteSpan part : Input(element.offset, end_offset)) {
        kept.insert(kept.end(), part.begin(), part.end());
      }
    }
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
  return sink_.OnBytes(header);
}

}  // namespace millrace
