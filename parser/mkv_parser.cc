#include "parser/mkv_parser.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

namespace millrace {
namespace {

constexpr std::size_t kGatherReserveMax = std::size_t{64} << 10;

bool IsTopLevel(ElementId id) { return id == ElementId::kEbml || id == ElementId::kSegment; }
bool IsGlobal(ElementId id) { return id == ElementId::kVoid || id == ElementId::kCrc32; }
bool MayBeOfUnknownSize(ElementId id) { return id == ElementId::kSegment || id == ElementId::kCluster; }
bool IsBlock(ElementId id) { return id == ElementId::kSimpleBlock || id == ElementId::kBlock; }
bool IsMaster(const ElementHeader& element) {
  return element.info != nullptr && element.info->type == ElementType::kMaster;
}

bool StandsIn(const ElementInfo& element, ElementId parent) {
  return element.parent == parent || (element.id == ElementId::kSimpleTag && parent == ElementId::kSimpleTag);
}

bool FitsItsType(const ElementHeader& element) {
  switch (element.info->type) {
    case ElementType::kUnsigned:
    case ElementType::kSigned:
      return element.size <= 8;
    case ElementType::kFloat:
      return element.size == 0 || element.size == 4 || element.size == 8;
    case ElementType::kDate:
      return element.size == 0 || element.size == 8;
    default:
      return true;
  }
}

std::string At(const ElementHeader& element) {
  return ElementName(element.id) + " at byte " + std::to_string(element.offset);
}

Error TooLarge(const ElementHeader& element, const std::string& what, std::uint64_t limit) {
  return Error{ErrorCode::kResourceExhausted,
               At(element) + " " + what + " " + std::to_string(limit) + " bytes"};
}

}  // namespace

Result<void> MkvParser::Push(ByteSpan bytes) {
  MILLRACE_ASSIGN_OR_RETURN([[maybe_unused]] const std::size_t taken, Run(bytes, nullptr, false));
  return {};
}

Result<void> MkvParser::Push(const SharedBytes& bytes) {
  MILLRACE_ASSIGN_OR_RETURN([[maybe_unused]] const std::size_t taken, Run(bytes.span(), &bytes, false));
  return {};
}

Result<std::size_t> MkvParser::PushUntilCluster(ByteSpan bytes) { return Run(bytes, nullptr, true); }

void MkvParser::Pass(std::uint64_t count) {
  assert(!current_ && partial_size_ == 0 && count <= enclosing_end() - offset_);
  offset_ += count;
}

Result<std::size_t> MkvParser::Run(ByteSpan bytes, const SharedBytes* owner, bool stop_at_cluster) {
  if (failed_) return *failed_;
  Result<std::size_t> taken = Consume(bytes, owner, stop_at_cluster);
  if (!taken) failed_ = taken.error();
  return taken;
}

Result<void> MkvParser::Finish() {
  if (failed_) return *failed_;
  Result<void> closed = CloseAtEnd();
  if (!closed) failed_ = closed.error();
  return closed;
}

Result<std::size_t> MkvParser::Consume(ByteSpan bytes, const SharedBytes* owner, bool stop_at_cluster) {
  std::size_t position = 0;
  for (;;) {
    MILLRACE_RETURN_IF_ERROR(CloseEnded());
    if (current_) {
      const std::size_t taken =
          skipping_ ? SkipSome(bytes.subspan(position)) : GatherSome(bytes.subspan(position));
      position += taken;
      if (missing_ > 0) return position;
      MILLRACE_RETURN_IF_ERROR(EndCurrent());
      continue;
    }
    if (position == bytes.size()) return position;

    ByteSpan window = bytes.subspan(position);
    if (partial_size_ > 0) {
      const std::size_t more = std::min(window.size(), partial_.size() - partial_size_);
      std::memcpy(partial_.data() + partial_size_, window.data(), more);
      window = ByteSpan(partial_.data(), partial_size_ + more);
    }
    ElementHeader element;
    MILLRACE_ASSIGN_OR_RETURN(const bool complete, DecodeHeader(window, element));
    if (!complete) {
      if (partial_size_ == 0) std::memcpy(partial_.data(), window.data(), window.size());
      partial_size_ = window.size();
      return bytes.size();
    }
    MILLRACE_ASSIGN_OR_RETURN(const bool skip, Place(element));
    if (stop_at_cluster && element.id == ElementId::kCluster && !skip) return position;
    position += element.header_bytes - partial_size_;
    partial_size_ = 0;
    offset_ += element.header_bytes;

    if (!skip && IsMaster(element)) {
      MILLRACE_RETURN_IF_ERROR(Enter(element));
      continue;
    }
    const ByteSpan rest = bytes.subspan(position);
    if (!skip && element.size <= rest.size()) {  // the usual case: no copy
      position += static_cast<std::size_t>(element.size);
      offset_ += element.size;
      MILLRACE_RETURN_IF_ERROR(
          Deliver(element, ElementData(rest.first(static_cast<std::size_t>(element.size)), owner)));
      continue;
    }
    current_ = element;
    skipping_ = skip;
    missing_ = element.size;
  }
}

Result<bool> MkvParser::DecodeHeader(ByteSpan window, ElementHeader& element) const {
  element.offset = offset_;
  const DecodedVint id = DecodeElementId(window);
  if (id.length == kNeedMoreBytes) return false;
  if (id.length == kMalformedVint) {
    return Error{ErrorCode::kCorruption, "malformed element id at byte " + std::to_string(offset_)};
  }
  element.id = static_cast<ElementId>(id.value);
  const DecodedVint size = DecodeVint(window.subspan(static_cast<std::size_t>(id.length)));
  if (size.length == kNeedMoreBytes) return false;
  if (size.length == kMalformedVint) return CorruptElement(element, "has a malformed size");
  // EBMLMaxSizeLength binds the body, not the headers themselves.
  if (size.length > size_length_max_ && element.id != ElementId::kEbml) {
    return CorruptElement(element, "has a size longer than EBMLMaxSizeLength");
  }
  element.info = FindElement(element.id);
  element.header_bytes = static_cast<std::uint32_t>(id.length + size.length);
  element.size = size.value;
  return true;
}

// Ends what the element ends, and says whether it is to be skipped.
Result<bool> MkvParser::Place(const ElementHeader& element) {
  bool skip = false;
  if (element.info == nullptr || IsGlobal(element.id)) {
    // Between documents nothing unknown may stand: bytes that are not Matroska end here.
    if (open_.empty() && element.info == nullptr)
      return CorruptElement(element, "stands where an EBML header is expected");
    skip = true;
  } else if (IsTopLevel(element.id)) {
    while (!open_.empty() && open_.back().end == kUnknownSize) MILLRACE_RETURN_IF_ERROR(CloseInnermost());
    if (!open_.empty()) return CorruptElement(element, "stands inside " + At(open_.back().header));
    if (element.id == ElementId::kSegment && !segment_expected_)
      return CorruptElement(element, "has no EBML header before it");
  } else {
    if (!open_.empty() && open_.back().header.id == ElementId::kCluster && open_.back().end == kUnknownSize &&
        element.info->parent == ElementId::kSegment) {
      MILLRACE_RETURN_IF_ERROR(CloseInnermost());
    }
    if (open_.empty()) return CorruptElement(element, "stands where an EBML header is expected");
    const ElementHeader& parent = open_.back().header;
    if (!StandsIn(*element.info, parent.id)) {
      // A level-1 element in a master of known size means that one of the two sizes lies. Anything deeper
      // does no harm.
      if (element.info->parent == ElementId::kSegment)
        return CorruptElement(element, "stands inside " + At(parent));
      skip = true;
    } else {
      skip = element.info->passed_over;
    }
  }
  MILLRACE_RETURN_IF_ERROR(CheckSize(element, skip));
  return skip;
}

Result<void> MkvParser::CheckSize(const ElementHeader& element, bool skip) const {
  const std::uint64_t limit = enclosing_end();
  if (!element.has_known_size()) {
    if (skip || !MayBeOfUnknownSize(element.id)) return CorruptElement(element, "has an unknown size");
    if (element.payload_offset() > limit)
      return CorruptElement(element, "runs past the end of " + At(open_.back().header));
    return {};
  }
  const std::uint64_t end = element.payload_offset() + element.size;
  if (end > limit) return CorruptElement(element, "runs past the end of " + At(open_.back().header));
  if (end > cluster_end_max_)
    return TooLarge(element, "makes its Cluster larger than", limits_.cluster_bytes_max);
  if (skip) {
    if (element.size > limits_.skipped_bytes_max)
      return TooLarge(element, "is larger than", limits_.skipped_bytes_max);
  } else if (IsMaster(element)) {
    if (element.id == ElementId::kCluster && element.size > limits_.cluster_bytes_max) {
      return TooLarge(element, "is larger than", limits_.cluster_bytes_max);
    }
  } else {
    const std::uint64_t max = IsBlock(element.id) ? limits_.frame_bytes_max : limits_.element_bytes_max;
    if (!FitsItsType(element)) return CorruptElement(element, "has a size that its type cannot have");
    if (element.size > max) return TooLarge(element, "is larger than", max);
  }
  return {};
}

Result<void> MkvParser::Enter(const ElementHeader& element) {
  if (open_.size() >= limits_.depth_max) {
    return Error{ErrorCode::kResourceExhausted,
                 At(element) + " is nested deeper than " + std::to_string(limits_.depth_max) + " levels"};
  }
  const std::uint64_t end = element.has_known_size() ? element.payload_offset() + element.size : kUnknownSize;
  open_.push_back({element, end, std::min(end, enclosing_end())});
  switch (element.id) {
    case ElementId::kEbml:
      ebml_ = {};
      size_length_max_ = 8;
      break;
    case ElementId::kSegment:
      segment_expected_ = false;  // one Segment to an EBML header
      break;
    case ElementId::kCluster:
      cluster_end_max_ = element.payload_offset() + limits_.cluster_bytes_max;
      break;
    default:
      break;
  }
  return visitor_.OnStartMaster(element);
}

Result<void> MkvParser::CloseEnded() {
  while (!open_.empty() && open_.back().end == offset_) MILLRACE_RETURN_IF_ERROR(CloseInnermost());
  return {};
}

Result<void> MkvParser::CloseInnermost() {
  const ElementHeader element = open_.back().header;
  open_.pop_back();
  if (element.id == ElementId::kEbml) MILLRACE_RETURN_IF_ERROR(CheckEbmlHeader(element));
  if (element.id == ElementId::kCluster) cluster_end_max_ = kUnknownSize;
  return visitor_.OnEndMaster(element, offset_);
}

Result<void> MkvParser::CloseAtEnd() {
  MILLRACE_RETURN_IF_ERROR(CloseEnded());
  if (current_) return CorruptElement(*current_, "is cut short by the end of the input");
  if (partial_size_ > 0) {
    return Error{ErrorCode::kCorruption,
                 "the input ends within an element's header at byte " + std::to_string(offset_)};
  }
  while (!open_.empty()) {
    if (open_.back().end != kUnknownSize)
      return CorruptElement(open_.back().header, "is cut short by the end of the input");
    MILLRACE_RETURN_IF_ERROR(CloseInnermost());
  }
  return {};
}

std::size_t MkvParser::SkipSome(ByteSpan bytes) {
  const std::size_t taken = static_cast<std::size_t>(std::min<std::uint64_t>(missing_, bytes.size()));
  missing_ -= taken;
  offset_ += taken;
  return taken;
}

std::size_t MkvParser::GatherSome(ByteSpan bytes) {
  const std::size_t taken = static_cast<std::size_t>(std::min<std::uint64_t>(missing_, bytes.size()));
  const std::size_t needed = gathered_.size() + taken;
  if (needed > gathered_.capacity()) {
    // Twice what has arrived, never what is claimed: a header that lies costs its sender more than it costs
    // us.
    const std::size_t grown = std::max({needed, gathered_.capacity() * 2, kGatherReserveMax});
    gathered_.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(grown, current_->size)));
  }
  gathered_.insert(gathered_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(taken));
  missing_ -= taken;
  offset_ += taken;
  return taken;
}

Result<void> MkvParser::EndCurrent() {
  const ElementHeader element = *current_;
  current_.reset();
  if (skipping_) return {};
  const SharedBytes payload(std::exchange(gathered_, {}));
  return Deliver(element, ElementData(payload.span(), &payload));
}

Result<void> MkvParser::Deliver(const ElementHeader& element, const ElementData& data) {
  if (element.info->parent == ElementId::kEbml)
    MILLRACE_RETURN_IF_ERROR(CheckEbmlValue(element, data.span()));
  return visitor_.OnData(element, data);
}

// RFC 8794 section 11.2.
Result<void> MkvParser::CheckEbmlValue(const ElementHeader& element, ByteSpan payload) {
  const std::uint64_t value = DecodeUnsigned(payload).value_or(0);
  switch (element.id) {
    case ElementId::kEbmlReadVersion:
      ebml_.read_version = value;
      break;
    case ElementId::kEbmlMaxIdLength:
      if (value < 4) return CorruptElement(element, "is below 4");
      ebml_.id_length_max = value;
      break;
    case ElementId::kEbmlMaxSizeLength:
      if (value == 0) return CorruptElement(element, "is zero");
      ebml_.size_length_max = value;
      break;
    case ElementId::kDocType:
      ebml_.doc_type = DecodeText(payload);
      break;
    case ElementId::kDocTypeReadVersion:
      ebml_.doc_type_read_version = value;
      break;
    default:
      break;
  }
  return {};
}

Result<void> MkvParser::CheckEbmlHeader(const ElementHeader& element) {
  const auto unsupported = [&](const std::string& what) {
    return Error{ErrorCode::kUnsupported, At(element) + ": " + what};
  };
  if (ebml_.doc_type != "matroska" && ebml_.doc_type != "webm") {
    return unsupported("DocType '" + ebml_.doc_type.substr(0, 32) + "' is not matroska or webm");
  }
  if (ebml_.read_version > 1) return unsupported("EBMLReadVersion " + std::to_string(ebml_.read_version));
  if (ebml_.doc_type_read_version > 4) {
    return unsupported("DocTypeReadVersion " + std::to_string(ebml_.doc_type_read_version));
  }
  if (ebml_.id_length_max > 4) return unsupported("EBMLMaxIDLength " + std::to_string(ebml_.id_length_max));
  if (ebml_.size_length_max > 8)
    return unsupported("EBMLMaxSizeLength " + std::to_string(ebml_.size_length_max));
  size_length_max_ = static_cast<int>(ebml_.size_length_max);
  segment_expected_ = true;
  return {};
}

}  // namespace millrace
