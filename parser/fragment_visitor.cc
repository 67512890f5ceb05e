#include "parser/fragment_visitor.h"

#include <limits>
#include <string>
#include <utility>

#include "parser/block.h"

namespace millrace {

Result<void> FragmentVisitor::OnStartMaster(const ElementHeader& element) {
  switch (element.id) {
    case ElementId::kEbml:
      MILLRACE_RETURN_IF_ERROR(EndDocument());
      builder_.Reset();
      document_offset_ = element.offset;
      return {};
    case ElementId::kCluster:
      return StartCluster(element);
    case ElementId::kBlockGroup:
      group_ = {};
      return {};
    default:
      return builder_.StartMaster(element);
  }
}

Result<void> FragmentVisitor::OnEndMaster(const ElementHeader& element, std::uint64_t end_offset) {
  switch (element.id) {
    case ElementId::kBlockGroup:
      return EndGroup(element);
    case ElementId::kCluster:
      if (!started_) return CorruptElement(element, "has no Timestamp");
      fragment_->end_offset = end_offset;
      return handler_.OnClusterEnd(*fragment_);
    case ElementId::kTags:
      return EndTags(element);
    case ElementId::kSegment:
      return EndDocument();
    default:
      return builder_.EndMaster(element);
  }
}

Result<void> FragmentVisitor::OnData(const ElementHeader& element, const ElementData& data) {
  switch (element.id) {
    case ElementId::kSimpleBlock:
      return TakeBlock(element, data, nullptr);
    case ElementId::kTimestamp:
      return SetTimestamp(element, data.span());
    case ElementId::kBlock:
      // Its duration and references may follow it.
      if (group_.block) return CorruptElement(element, "is the second of its BlockGroup");
      group_.block = element;
      group_.payload = data.Share();
      return {};
    case ElementId::kBlockDuration:
      group_.duration_ticks = DecodeUnsigned(data.span());
      return {};
    case ElementId::kReferenceBlock:
      group_.key_frame = false;
      return {};
    default:
      return builder_.Data(element, data.span());
  }
}

Result<void> FragmentVisitor::Finish() { return EndDocument(); }

Result<void> FragmentVisitor::StartCluster(const ElementHeader& element) {
  MILLRACE_RETURN_IF_ERROR(EndFragment());
  if (!document_) {
    document_ = std::make_shared<const MkvDocument>(builder_.document());
    last_track_ = nullptr;
    tags_kept_ = 0;
    tag_bytes_kept_ = 0;
  }
  fragment_.emplace();
  fragment_->document = document_;
  fragment_->document_offset = document_offset_;
  fragment_->offset = element.offset;
  fragment_->service = std::exchange(pending_service_, {});
  fragment_->tags = std::exchange(pending_tags_, {});
  started_ = false;
  return {};
}

Result<void> FragmentVisitor::SetTimestamp(const ElementHeader& element, ByteSpan payload) {
  if (started_) return CorruptElement(element, "is the second of its Cluster");
  const std::uint64_t ticks = DecodeUnsigned(payload).value_or(0);
  const std::optional<std::int64_t> ns = ClusterTimestampNs(ticks, document_->timestamp_scale_ns);
  if (!ns) return CorruptElement(element, "is out of range: " + std::to_string(ticks));
  fragment_->timestamp_ns = *ns;
  started_ = true;
  return handler_.OnFragmentStart(*fragment_);
}

Result<void> FragmentVisitor::TakeBlock(const ElementHeader& element, const ElementData& data,
                                        const OpenGroup* group) {
  const std::optional<Block> block = DecodeBlock(data.span());
  if (!block) return CorruptElement(element, "is malformed");
  if (!started_) return CorruptElement(element, "stands before its Cluster's Timestamp");
  const MkvTrack* track = FindTrack(block->track);
  if (track == nullptr)
    return CorruptElement(element, "is of undeclared track " + std::to_string(block->track));

  const std::int64_t scale = document_->timestamp_scale_ns;
  std::int64_t duration_ns = 0;
  if (group != nullptr && group->duration_ticks) {
    if (*group->duration_ticks >
        static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max() / 2 / scale)) {
      return CorruptElement(element, "has a BlockDuration out of range");
    }
    duration_ns = static_cast<std::int64_t>(*group->duration_ticks) * scale;
  }
  MkvFrame frame{.track = track->number,
                 .timestamp_ns = fragment_->timestamp_ns + block->relative_timestamp * scale,
                 .duration = Duration(duration_ns),
                 .key_frame = track->is_audio() || (group != nullptr ? group->key_frame : block->key_frame),
                 .discardable = group == nullptr && block->discardable,
                 .data = data.Part(block->body)};
  if (block->lacing == Lacing::kNone) {
    ++fragment_->frames;
    return handler_.OnFrame(*fragment_, frame);
  }

  Result<void> split = SplitLacing(*block, laced_);
  if (!split) return CorruptElement(element, "is malformed: " + split.error().message);
  const auto count = static_cast<std::int64_t>(laced_.size());
  const std::int64_t first_ns = frame.timestamp_ns;
  const std::int64_t step_ns = LaceStepNs(*track, duration_ns, count, laced_.front());
  frame.duration = Duration(duration_ns / count);
  for (std::int64_t i = 0; i < count; ++i) {
    // Near the end of 64 bits a step may not fit; the time stands still there.
    if (__builtin_add_overflow(first_ns, i * step_ns, &frame.timestamp_ns)) frame.timestamp_ns = first_ns;
    frame.data = data.Part(laced_[static_cast<std::size_t>(i)]);
    ++fragment_->frames;
    MILLRACE_RETURN_IF_ERROR(handler_.OnFrame(*fragment_, frame));
  }
  return {};
}

Result<void> FragmentVisitor::EndGroup(const ElementHeader& element) {
  if (!group_.block) return CorruptElement(element, "has no Block");
  const OpenGroup group = std::exchange(group_, {});
  return TakeBlock(*group.block, ElementData(group.payload.span(), &group.payload), &group);
}

// Shares the tags out: to the fragment before, to the next one, or to the document.
Result<void> FragmentVisitor::EndTags(const ElementHeader& element) {
  bool fragment_complete = false;
  for (MkvTag& tag : builder_.TakeTags()) {
    ServiceTags service;
    if (!service.Take(tag)) {
      fragment_complete = fragment_complete || tag.name == kEndOfFragmentTag;
      MILLRACE_RETURN_IF_ERROR(KeepTag(element, std::move(tag)));
      continue;
    }
    const bool closes = service.continuation_token || service.millis_behind_now;
    fragment_complete = fragment_complete || service.continuation_token;
    (closes && fragment_ ? fragment_->service : pending_service_).Take(tag);
  }
  return fragment_complete ? EndFragment() : Result<void>();
}

Result<void> FragmentVisitor::KeepTag(const ElementHeader& element, MkvTag tag) {
  ++tags_kept_;
  tag_bytes_kept_ += tag.name.size() + tag.value.size();
  if (tags_kept_ > limits_.tags_max || tag_bytes_kept_ > limits_.tag_bytes_max) {
    return Error{ErrorCode::kResourceExhausted,
                 "Tags at byte " + std::to_string(element.offset) + " holds more than the tags allowed"};
  }
  if (fragment_) {
    fragment_->tags.push_back(std::move(tag));
  } else if (document_) {
    pending_tags_.push_back(std::move(tag));
  } else {
    builder_.AddTag(std::move(tag));
  }
  return {};
}

Result<void> FragmentVisitor::EndFragment() {
  if (!fragment_) return {};
  tags_kept_ = 0;
  tag_bytes_kept_ = 0;
  const MkvFragment fragment = std::move(*fragment_);
  fragment_.reset();
  started_ = false;
  return handler_.OnFragmentEnd(fragment);
}

Result<void> FragmentVisitor::EndDocument() {
  MILLRACE_RETURN_IF_ERROR(EndFragment());
  document_.reset();
  last_track_ = nullptr;
  pending_tags_.clear();
  tags_kept_ = 0;
  tag_bytes_kept_ = 0;
  const ServiceTags service = std::exchange(pending_service_, {});
  if (service.error_id || service.error_code) return handler_.OnServiceError(service);
  return {};
}

const MkvTrack* FragmentVisitor::FindTrack(std::uint64_t number) {
  if (last_track_ == nullptr || last_track_->number != number) last_track_ = document_->FindTrack(number);
  return last_track_;
}

}  // namespace millrace
