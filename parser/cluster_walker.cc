#include "parser/cluster_walker.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <optional>

#include "parser/ebml.h"

namespace millrace {
namespace {

constexpr std::size_t kGiveUp = 0;

constexpr std::uint32_t Raw(ElementId id) { return static_cast<std::uint32_t>(id); }

// DecodeVint with one load, where eight bytes can be read; as it is at the very end of the input.
inline DecodedVint DecodeVintFast(const std::uint8_t* at, std::size_t available) {
  if (available < 8) return DecodeVint(ByteSpan(at, available));
  std::uint64_t word;
  std::memcpy(&word, at, sizeof(word));
  if constexpr (std::endian::native == std::endian::little) word = __builtin_bswap64(word);
  if (word >> 56 == 0) return {0, kMalformedVint};
  const int length = std::countl_zero(word) + 1;
  const std::uint64_t mask = (std::uint64_t{1} << (7 * length)) - 1;
  const std::uint64_t value = (word >> (64 - 8 * length)) & mask;
  return {value == mask ? kUnknownSize : value, length};
}

}  // namespace

ClusterWalker::ClusterWalker(ByteSpan all, const MkvDocument& document, const ParserLimits& limits,
                             std::vector<ParsedFrame>& frames)
    : all_(all),
      document_(document),
      limits_(limits),
      frames_(frames),
      scale_ns_(document.timestamp_scale_ns) {
  for (const MkvTrack& track : document.tracks) {
    if (track.number < track_classes_.size())
      track_classes_[track.number] = track.is_audio() ? kAudio : kOther;
  }
}

std::size_t ClusterWalker::Walk(std::size_t position, std::uint64_t segment_end) {
  const Header cluster = ReadHeader(position, all_.size());
  if (cluster.id != Raw(ElementId::kCluster)) return kGiveUp;
  const bool known_size = cluster.size != kUnknownSize;
  std::uint64_t end = std::min<std::uint64_t>(segment_end, all_.size());
  if (cluster.payload > end) return kGiveUp;
  if (known_size) {
    if (cluster.size > end - cluster.payload || cluster.size > limits_.cluster_bytes_max) return kGiveUp;
    end = cluster.payload + cluster.size;
  }
  has_timestamp_ = false;
  std::size_t at = cluster.payload;
  const std::size_t stop = static_cast<std::size_t>(end);
  while (at < stop) {
    const Header element = ReadHeader(at, stop);
    if (element.id == Raw(ElementId::kSimpleBlock)) [[likely]] {
      if (element.size > stop - element.payload || element.size > limits_.frame_bytes_max) return kGiveUp;
      if (!TakeBlock(all_.subspan(element.payload, static_cast<std::size_t>(element.size)), nullptr))
        return kGiveUp;
    } else {
      if (element.id == 0) return kGiveUp;
      const ElementInfo* info = FindElement(static_cast<ElementId>(element.id));
      const bool higher =
          info != nullptr && (info->parent == ElementId::kSegment || info->id == ElementId::kEbml);
      if (!known_size && higher) {
        break;  // what ends a Cluster of unknown size; whether it is right here is not for us to say
      }
      if (element.size > stop - element.payload) return kGiveUp;
      const ByteSpan payload = all_.subspan(element.payload, static_cast<std::size_t>(element.size));
      if (info == nullptr || info->passed_over) {
        if (element.size > limits_.skipped_bytes_max) return kGiveUp;
        if (info != nullptr && info->parent != ElementId::kCluster && info->parent != info->id)
          return kGiveUp;
      } else if (info->id == ElementId::kTimestamp) {
        if (!TakeTimestamp(payload)) return kGiveUp;
      } else if (info->id == ElementId::kBlockGroup) {
        if (!WalkGroup(element.payload, element.payload + payload.size())) return kGiveUp;
      } else if (info->id == ElementId::kPosition || info->id == ElementId::kPrevSize) {
        if (payload.size() > 8) return kGiveUp;
      } else {
        return kGiveUp;
      }
    }
    at = element.payload + static_cast<std::size_t>(element.size);
    if (at - cluster.payload > limits_.cluster_bytes_max) return kGiveUp;
  }
  return has_timestamp_ ? at : kGiveUp;
}

inline ClusterWalker::Header ClusterWalker::ReadHeader(std::size_t position, std::size_t end) const {
  const std::uint8_t* at = all_.data() + position;
  std::uint32_t id = *at;
  std::size_t id_length = 1;
  if (id != Raw(ElementId::kSimpleBlock)) {
    const DecodedVint decoded = DecodeElementId(all_.subspan(position, end - position));
    if (decoded.length <= 0) return {};
    id = static_cast<std::uint32_t>(decoded.value);
    id_length = static_cast<std::size_t>(decoded.length);
  }
  const DecodedVint size = DecodeVintFast(at + id_length, end - position - id_length);
  if (size.length <= 0) return {};
  return {id, position + id_length + static_cast<std::size_t>(size.length), size.value};
}

bool ClusterWalker::WalkGroup(std::size_t position, std::size_t end) {
  std::optional<ByteSpan> block;
  GroupFacts facts;
  while (position < end) {
    const Header element = ReadHeader(position, end);
    if (element.id == 0 || element.size > end - element.payload) return false;
    const ByteSpan payload = all_.subspan(element.payload, static_cast<std::size_t>(element.size));
    const ElementInfo* info = FindElement(static_cast<ElementId>(element.id));
    if (info == nullptr || info->parent == info->id) {  // unknown, Void, CRC-32
      if (element.size > limits_.skipped_bytes_max || (info != nullptr && !info->passed_over)) return false;
    } else if (info->parent != ElementId::kBlockGroup) {
      return false;
    } else if (info->id == ElementId::kBlock) {
      if (block || payload.size() > limits_.frame_bytes_max) return false;
      block = payload;
    } else {
      if (payload.size() > 8) return false;
      if (info->id == ElementId::kReferenceBlock) facts.key_frame = false;
      if (info->id == ElementId::kBlockDuration) {
        const std::uint64_t ticks = DecodeUnsigned(payload).value_or(0);
        if (ticks > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max() / 2 / scale_ns_))
          return false;
        facts.duration_ns = static_cast<std::int64_t>(ticks) * scale_ns_;
      }
    }
    position = element.payload + payload.size();
  }
  return block && TakeBlock(*block, &facts);
}

bool ClusterWalker::TakeTimestamp(ByteSpan payload) {
  const std::optional<std::uint64_t> ticks = DecodeUnsigned(payload);
  if (!ticks || has_timestamp_) return false;
  const std::optional<std::int64_t> ns = ClusterTimestampNs(*ticks, scale_ns_);
  if (!ns) return false;
  cluster_ns_ = *ns;
  has_timestamp_ = true;
  return true;
}

inline bool ClusterWalker::TakeBlock(ByteSpan payload, const GroupFacts* group) {
  const std::optional<Block> block = DecodeBlock(payload);
  if (!block || !has_timestamp_ || block->track >= track_classes_.size()) return false;
  const TrackClass track_class = track_classes_[static_cast<std::size_t>(block->track)];
  if (track_class == kUndeclared) return false;
  const ParsedFrame frame{
      .data = block->body,
      .timestamp_ns = cluster_ns_ + block->relative_timestamp * scale_ns_,
      .duration = Duration(group != nullptr ? group->duration_ns : 0),
      .track = static_cast<std::uint32_t>(block->track),
      .key_frame = track_class == kAudio || (group != nullptr ? group->key_frame : block->key_frame),
      .discardable = group == nullptr && block->discardable};
  if (block->lacing != Lacing::kNone) [[unlikely]]
    return TakeLace(*block, frame);
  if (frames_.size() >= limits_.frames_max) return false;
  frames_.push_back(frame);
  return true;
}

bool ClusterWalker::TakeLace(const Block& block, ParsedFrame frame) {
  if (!SplitLacing(block, laced_)) return false;
  if (laced_.size() > limits_.frames_max - frames_.size()) return false;
  const std::int64_t first_ns = frame.timestamp_ns;
  const auto count = static_cast<std::int64_t>(laced_.size());
  const std::int64_t step_ns =
      LaceStepNs(*document_.FindTrack(block.track), frame.duration.count(), count, laced_.front());
  frame.duration = Duration(frame.duration.count() / count);
  for (std::int64_t i = 0; i < count; ++i) {
    if (__builtin_add_overflow(first_ns, i * step_ns, &frame.timestamp_ns)) return false;
    frame.data = laced_[static_cast<std::size_t>(i)];
    frames_.push_back(frame);
  }
  return true;
}

}  // namespace millrace
