#include "fragments/fragment_assembler.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "parser/block.h"
#include "parser/ebml_writer.h"

namespace millrace {
namespace {

constexpr Timestamp kProducerTimeMax =
    Timestamp::FromSeconds(7'258'118'400);  // 2200-01-01: no clock is that wrong
constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::size_t kClusterBytesMin = 7;  // id and size, and a Timestamp without a byte
// A piece as large may hold a header and Clusters that repeat it, half and half: 16 MiB of documents.
constexpr std::size_t kPieceBytesMax = 16 * 1024;
constexpr std::size_t kSegmentSizeLength = 8;  // of the unknown size that each document's Segment is given

// The tags that a producer may give, of those names that are the service's.
constexpr std::array<std::string_view, 4> kProducersServiceTags{
    kEndOfFragmentTag, "AWS_KINESISVIDEO_NOTIFICATION", "AWS_KINESISVIDEO_IMAGE_GENERATION",
    "AWS_KINESISVIDEO_IMAGE_PREFIX"};
constexpr std::array<std::string_view, 7> kServiceTags{
    kFragmentNumberTag,    kServerTimestampTag, kProducerTimestampTag, kMillisBehindNowTag,
    kContinuationTokenTag, kErrorIdTag,         kErrorCodeTag};

template <std::size_t N>
bool IsOneOf(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

ParserLimits LimitsOf(const AssemblerLimits& limits) {
  ParserLimits parser;  // what is stored is to be read with the defaults
  parser.cluster_bytes_max = std::min<std::uint64_t>(parser.cluster_bytes_max, limits.fragment_bytes_max);
  parser.frame_bytes_max = std::min<std::uint64_t>(parser.frame_bytes_max, limits.fragment_bytes_max);
  parser.skipped_bytes_max = limits.fragment_bytes_max;
  return parser;
}

struct RawElement {
  ElementId id{};
  ByteSpan whole;
  ByteSpan payload;
};

// The element of known size that `bytes` begins with; nullopt: there is none.
std::optional<RawElement> FirstElement(ByteSpan bytes) {
  const DecodedVint id = DecodeElementId(bytes);
  if (id.length <= 0) return std::nullopt;
  const DecodedVint size = DecodeVint(bytes.subspan(static_cast<std::size_t>(id.length)));
  if (size.length <= 0 || size.value == kUnknownSize) return std::nullopt;
  const auto header = static_cast<std::size_t>(id.length + size.length);
  if (size.value > bytes.size() - header) return std::nullopt;
  const auto count = static_cast<std::size_t>(size.value);
  return RawElement{static_cast<ElementId>(id.value), bytes.first(header + count),
                    bytes.subspan(header, count)};
}

struct TagOwners {
  bool service = false;
  bool producer = false;
};

// Calls `visit` with the payload of each `id` that `elements` begin with, up to one that is not whole.
template <typename Visit>
void ForEach(ByteSpan elements, ElementId id, const Visit& visit) {
  while (const auto element = FirstElement(elements)) {
    if (element->id == id) visit(element->payload);
    elements = elements.subspan(element->whole.size());
  }
}

// Who wrote the SimpleTags in a Tags element. Only where each element may stand: the parser skips a Tag
// within a Tag whatever its size, so how deep these go is the producer's to say.
TagOwners FindTagOwners(ByteSpan tags) {
  TagOwners owners;
  ForEach(tags, ElementId::kTag, [&](ByteSpan tag) {
    ForEach(tag, ElementId::kSimpleTag, [&](ByteSpan simple_tag) {
      ForEach(simple_tag, ElementId::kTagName, [&](ByteSpan name) {
        (IsOneOf(kServiceTags, DecodeText(name)) ? owners.service : owners.producer) = true;
      });
    });
  });
  return owners;
}

enum class Keep { kYes, kNo, kMixedTags };

// Whether a child of the Segment stays in the fragments' documents.
Keep KeepsChild(const RawElement& child) {
  if (child.id == ElementId::kCrc32) return Keep::kNo;  // of a Segment that is cut up
  if (child.id == ElementId::kTags) {
    const TagOwners owners = FindTagOwners(child.payload);
    if (owners.service) return owners.producer ? Keep::kMixedTags : Keep::kNo;
  }
  const ElementInfo* info = FindElement(child.id);
  const bool passed_over = info == nullptr || info->passed_over || child.id == ElementId::kVoid;
  const bool large = child.whole.size() > FragmentAssembler::kPassedOverBytesMax;
  return passed_over && large ? Keep::kNo : Keep::kYes;
}

// Appends what stays of a Segment's `children`. False: tags of the service's and of the producer's in one.
bool AppendKept(Bytes& out, ByteSpan children) {
  while (const auto child = FirstElement(children)) {
    const Keep keep = KeepsChild(*child);
    if (keep == Keep::kMixedTags) return false;
    if (keep == Keep::kYes) out.insert(out.end(), child->whole.begin(), child->whole.end());
    children = children.subspan(child->whole.size());
  }
  return true;
}

std::int64_t& LatestOf(std::vector<std::pair<std::uint32_t, std::int64_t>>& latest, std::uint32_t track) {
  for (auto& [number, ns] : latest) {
    if (number == track) return ns;
  }
  return latest.emplace_back(track, std::numeric_limits<std::int64_t>::min()).second;
}

}  // namespace

FragmentAssembler::FragmentAssembler(AssemblerOptions options)
    : options_(std::move(options)),
      visitor_(*this, LimitsOf(options_.limits)),
      parser_(*this, LimitsOf(options_.limits)) {
  const std::int64_t rate = std::max<std::int64_t>(options_.limits.fragments_per_second, 1);
  allowance_ns_ = kFragmentBurst * (kNsPerSecond / rate);
}
FragmentAssembler::~FragmentAssembler() = default;

std::optional<FragmentRefusal> FragmentAssembler::Push(ByteSpan bytes, AssemblerEvents& events) {
  if (refusal_) return refusal_;
  events_ = &events;
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  Result<void> result = parser_.Push(bytes);
  if (result && !in_fragment_ && !in_document_) Forget(parser_.offset());
  if (result) result = CheckSize();
  if (!result) return Refused(result.error());
  return std::nullopt;
}

std::optional<FragmentRefusal> FragmentAssembler::Finish(AssemblerEvents& events) {
  if (refusal_) return refusal_;
  events_ = &events;
  Result<void> result = parser_.Finish();
  if (result) result = visitor_.Finish();
  if (!result) return Refused(result.error());
  if (closed_) closed_->end = FragmentEnd::kRunEnded;
  result = Emit(std::nullopt);
  if (!result) return Refused(result.error());
  return std::nullopt;
}

void FragmentAssembler::BreakOff(AssemblerEvents& events) {
  if (refusal_) return;
  events_ = &events;
  if (cluster_end_ > 0) {
    boundary_ = std::max(cluster_end_, tags_end_);
    if (!visitor_.Finish()) return;
  }
  if (closed_) closed_->end = FragmentEnd::kRunEnded;
  (void)Emit(std::nullopt);
}

std::optional<PartialFragment> FragmentAssembler::open() const {
  if (!open_) return std::nullopt;
  return PartialFragment{open_->opened, Timestamp{open_->last_ns}};
}

std::size_t FragmentAssembler::push_bytes_max() const {
  const std::size_t head = head_ ? head_->size() : buffer_.size();
  // Half of the documents are for headers that are known, the other half is for those that the piece brings.
  const std::size_t clusters = kPushedDocumentBytesMax / 2 / std::max<std::size_t>(head, 1);
  return std::clamp(clusters * kClusterBytesMin, kClusterBytesMin, kPieceBytesMax);
}

// ---- from the parser

Result<void> FragmentAssembler::OnStartMaster(const ElementHeader& element) {
  const AssemblerLimits& limits = options_.limits;
  switch (element.id) {
    case ElementId::kEbml:
      boundary_ = element.offset;
      MILLRACE_RETURN_IF_ERROR(visitor_.OnStartMaster(element));
      Forget(element.offset);
      within_ = element.id;
      in_document_ = true;
      head_.reset();
      return {};
    case ElementId::kSegment:
      segment_payload_ = element.payload_offset();
      break;
    case ElementId::kInfo:
      within_ = element.id;
      break;
    case ElementId::kTracks:
      within_ = element.id;
      track_entries_ = 0;
      break;
    case ElementId::kTrackEntry:
      if (++track_entries_ > limits.tracks_max) {
        return Refuse(RefusalId::kTooManyTracks,
                      "more than " + std::to_string(limits.tracks_max) + " tracks are declared");
      }
      break;
    case ElementId::kTags:
      within_ = element.id;
      break;
    case ElementId::kCluster:
      return BeginCluster(element);
    default:
      break;
  }
  return visitor_.OnStartMaster(element);
}

Result<void> FragmentAssembler::OnEndMaster(const ElementHeader& element, std::uint64_t end_offset) {
  switch (element.id) {
    case ElementId::kEbml:
      ebml_end_ = end_offset;
      within_ = {};
      break;
    case ElementId::kInfo:
    case ElementId::kTracks:
      within_ = {};
      break;
    case ElementId::kSegment:
      boundary_ = end_offset;
      MILLRACE_RETURN_IF_ERROR(visitor_.OnEndMaster(element, end_offset));
      in_document_ = false;
      return {};
    case ElementId::kTags: {
      const bool was_open = in_fragment_;
      boundary_ = end_offset;
      tags_end_ = end_offset;
      MILLRACE_RETURN_IF_ERROR(visitor_.OnEndMaster(element, end_offset));
      within_ = {};
      // The producer said that the fragment is over: it is not to wait for the next one.
      return was_open && !in_fragment_ ? Emit(std::nullopt) : Result<void>();
    }
    default:
      break;
  }
  return visitor_.OnEndMaster(element, end_offset);
}

Result<void> FragmentAssembler::OnData(const ElementHeader& element, const ElementData& data) {
  if (element.id == ElementId::kEbmlMaxSizeLength &&
      DecodeUnsigned(data.span()).value_or(0) < kSegmentSizeLength) {
    return Refuse(RefusalId::kInvalidMkv, "an EBMLMaxSizeLength below 8 is not taken");
  }
  if (element.id == ElementId::kSimpleBlock || element.id == ElementId::kBlock) {
    MILLRACE_RETURN_IF_ERROR(CheckBlock(element, data.span()));
  }
  return visitor_.OnData(element, data);
}

Result<void> FragmentAssembler::CheckBlock(const ElementHeader& element, ByteSpan payload) {
  const std::optional<Block> block = DecodeBlock(payload);
  if (!open_ || !block || document_->FindTrack(block->track) != nullptr) return {};
  return Refuse(RefusalId::kTrackMismatch, ElementName(element.id) + " at byte " +
                                               std::to_string(element.offset) + " is of undeclared track " +
                                               std::to_string(block->track));
}

Result<void> FragmentAssembler::BeginCluster(const ElementHeader& element) {
  boundary_ = element.offset;
  MILLRACE_RETURN_IF_ERROR(visitor_.OnStartMaster(element));
  Bytes head;
  bool kept = true;
  if (!head_) {
    const ByteSpan before = BufferedFrom(buffer_offset_);  // from the EBML header on
    const auto ebml_bytes = static_cast<std::size_t>(ebml_end_ - buffer_offset_);
    const auto children_at = static_cast<std::size_t>(segment_payload_ - buffer_offset_);
    const auto children_end = static_cast<std::size_t>(element.offset - buffer_offset_);
    head.assign(before.begin(), before.begin() + static_cast<std::ptrdiff_t>(ebml_bytes));
    AppendElementId(head, ElementId::kSegment);
    AppendUnknownSize(head, kSegmentSizeLength);
    kept = AppendKept(head, before.subspan(children_at, children_end - children_at));
    head_ = head;
  } else {
    // What came since the fragment before was over belongs to this one.
    head = *head_;
    const auto between = static_cast<std::size_t>(element.offset - buffer_offset_);
    kept = AppendKept(head, BufferedFrom(buffer_offset_).first(between));
  }
  if (!kept) return Refuse(RefusalId::kMetadata, "tags of the service's stand among the producer's");
  if (head.size() > options_.limits.header_bytes_max) {
    return Refuse(RefusalId::kInvalidMkv, "what stands before the Cluster at byte " +
                                              std::to_string(element.offset) + " is larger than " +
                                              std::to_string(options_.limits.header_bytes_max) + " bytes");
  }
  const ByteSpan rest = BufferedFrom(element.offset);
  prefix_bytes_ = head.size();
  head.insert(head.end(), rest.begin(), rest.end());
  buffer_ = std::move(head);
  buffer_offset_ = element.offset;
  in_fragment_ = true;
  cluster_end_ = 0;
  tags_end_ = 0;
  return {};
}

// ---- from the visitor

Result<void> FragmentAssembler::OnFragmentStart(const MkvFragment& fragment) {
  if (document_ != fragment.document) {
    if (document_ && document_->tracks != fragment.document->tracks) latest_ns_.clear();
    document_ = fragment.document;
  }
  const auto timecode = static_cast<std::uint64_t>(fragment.timestamp_ns / document_->timestamp_scale_ns);
  const auto refuse = [&](RefusalId id, std::string message) {
    Error error = Refuse(id, std::move(message));
    refusal_->timecode = timecode;
    return error;
  };
  if (document_->tracks.empty()) return Refuse(RefusalId::kInvalidMkv, "no track is declared");
  shift_ns_ = options_.relative_to.value_or(Timestamp{}).ns;
  std::int64_t start_ns = 0;
  if (__builtin_add_overflow(fragment.timestamp_ns, shift_ns_, &start_ns) || start_ns < 0 ||
      start_ns > kProducerTimeMax.ns) {
    return refuse(RefusalId::kProducerTimestamp,
                  "the fragment of timecode " + std::to_string(timecode) + " is out of all time");
  }
  const Timestamp start{start_ns};
  if (start_ && start < *start_) {
    return refuse(RefusalId::kTimecodeGoesBack,
                  "timecode " + std::to_string(timecode) + " lies before that of the fragment before");
  }
  if (!Spend(start)) {
    return refuse(RefusalId::kTooManyFragments, "more than " +
                                                    std::to_string(options_.limits.fragments_per_second) +
                                                    " fragments a second in the producer's time");
  }
  start_ = start;
  MILLRACE_RETURN_IF_ERROR(Emit(start));
  open_ = Open{};  // not emplace(): Clang 14 takes a nested class for one without a constructor
  open_->opened = {timecode, start};
  open_->first_ns = open_->last_ns = start_ns;
  events_->push_back(open_->opened);
  return {};
}

bool FragmentAssembler::Spend(Timestamp start) {
  const std::int64_t each = kNsPerSecond / std::max<std::int64_t>(options_.limits.fragments_per_second, 1);
  const std::int64_t most = kFragmentBurst * each;
  const std::int64_t passed = start_ ? std::min((start - *start_).count(), most) : most;
  allowance_ns_ = std::min(allowance_ns_ + passed, most) - each;
  return allowance_ns_ >= 0;
}

Result<void> FragmentAssembler::OnFrame(const MkvFragment& /*fragment*/, const MkvFrame& frame) {
  const AssemblerLimits& limits = options_.limits;
  Open& open = *open_;
  if (++open.frames > limits.frames_max) {
    return Refuse(RefusalId::kFragmentSize,
                  "more than " + std::to_string(limits.frames_max) + " frames in a fragment");
  }
  const std::int64_t ns = frame.timestamp_ns + shift_ns_;  // within 64 bits: the start is, a block is near it
  open.first_ns = std::min(open.first_ns, ns);
  open.last_ns = std::max(open.last_ns, ns);
  if (Duration{open.last_ns - open.first_ns} > limits.fragment_duration_max) {
    return Refuse(RefusalId::kFragmentDuration,
                  "the fragment lasts longer than " +
                      std::to_string(limits.fragment_duration_max / std::chrono::milliseconds(1)) + " ms");
  }
  const std::uint8_t type = document_->FindTrack(frame.track)->type;
  if (type == 1 || type == 2) {
    const std::int64_t before = LatestOf(latest_ns_, frame.track);
    if (type == 1 ? ns <= before : ns < before) {
      return Refuse(RefusalId::kTimecodeGoesBack, "a frame of track " + std::to_string(frame.track) +
                                                      " lies in the time of the fragment before");
    }
    std::int64_t& latest = LatestOf(open.latest_ns, frame.track);
    latest = std::max(latest, ns);
  }
  open.tracks.insert(frame.track);
  return {};
}

Result<void> FragmentAssembler::OnClusterEnd(const MkvFragment& fragment) {
  cluster_end_ = fragment.end_offset;
  return {};
}

Result<void> FragmentAssembler::OnFragmentEnd(const MkvFragment& fragment) {
  MILLRACE_RETURN_IF_ERROR(CheckTags(fragment.tags));
  if (options_.limits.frames_of_every_track) {
    for (const MkvTrack& track : document_->tracks) {
      if (open_->tracks.contains(track.number)) continue;
      return Refuse(RefusalId::kFramesMissing,
                    "no frame of track " + std::to_string(track.number) + " in the fragment");
    }
  }
  const auto cluster_bytes = static_cast<std::size_t>(cluster_end_ - buffer_offset_);
  const auto all_bytes = static_cast<std::size_t>(boundary_ - buffer_offset_);
  const ByteSpan input = BufferedFrom(buffer_offset_);
  Bytes trailing;
  if (!AppendKept(trailing, input.subspan(cluster_bytes, all_bytes - cluster_bytes))) {
    return Refuse(RefusalId::kMetadata, "tags of the service's stand among the producer's");
  }
  const ByteSpan behind = input.subspan(all_bytes);
  Bytes rest(behind.begin(), behind.end());
  Bytes document = std::move(buffer_);
  document.resize(prefix_bytes_ + cluster_bytes);
  document.insert(document.end(), trailing.begin(), trailing.end());
  buffer_ = std::move(rest);
  buffer_offset_ = boundary_;
  prefix_bytes_ = 0;
  in_fragment_ = false;
  cluster_end_ = 0;
  if (document.size() > options_.limits.fragment_bytes_max) {
    return Refuse(
        RefusalId::kFragmentSize,
        "the fragment is larger than " + std::to_string(options_.limits.fragment_bytes_max) + " bytes");
  }
  // What waits to be stored is not to hold what growing took on top.
  if (document.capacity() > document.size() + document.size() / 4) document.shrink_to_fit();
  for (const auto& [track, ns] : open_->latest_ns) LatestOf(latest_ns_, track) = ns;
  closed_.emplace(Closed{std::move(*open_), SharedBytes(std::move(document)), fragment.tags});
  open_.reset();
  return {};
}

Result<void> FragmentAssembler::CheckTags(const std::vector<MkvTag>& tags) {
  const AssemblerLimits& limits = options_.limits;
  std::size_t count = 0;
  for (const MkvTag& tag : tags) {
    if (tag.track_uid != 0 || tag.name == kEndOfFragmentTag) continue;
    if (++count > limits.tags_max) {
      return Refuse(RefusalId::kMetadata, "more than " + std::to_string(limits.tags_max) + " tags");
    }
    if (tag.name.size() > limits.tag_name_bytes_max || tag.value.size() > limits.tag_value_bytes_max) {
      return Refuse(RefusalId::kMetadata, "a tag whose name or value is too long");
    }
    if (tag.name.starts_with("AWS") && !IsOneOf(kProducersServiceTags, tag.name)) {
      return Refuse(RefusalId::kMetadata, "tag names that begin with AWS are reserved");
    }
  }
  return {};
}

// ---- the rest

// Hands on the fragment that is closed, if there is one.
Result<void> FragmentAssembler::Emit(std::optional<Timestamp> next) {
  if (!closed_) return {};
  Closed closed = std::move(*closed_);
  closed_.reset();
  AssembledFragment out;
  out.timecode = closed.open.opened.timecode;
  auto parsed = ParseFragment(closed.document);
  if (!parsed) {
    const bool large = parsed.error().code == ErrorCode::kResourceExhausted;
    return Refuse(large ? RefusalId::kFragmentSize : RefusalId::kInvalidMkv, parsed.error().message);
  }
  const Timestamp start = closed.open.opened.start;
  if (!run_ || !run_->Continues(*parsed, start)) {
    run_.emplace(*parsed);
    out.starts_run = true;
  }
  out.fragment.facts = run_->Describe(*parsed, start, next);
  out.fragment.facts.end = closed.end;
  out.fragment.mkv = std::move(closed.document);
  out.parsed = std::move(*parsed);
  out.tags = std::move(closed.tags);
  events_->push_back(std::move(out));
  return {};
}

Result<void> FragmentAssembler::CheckSize() {
  const AssemblerLimits& limits = options_.limits;
  if (in_fragment_ && buffer_.size() > limits.fragment_bytes_max) {
    return Refuse(RefusalId::kFragmentSize,
                  "the fragment is larger than " + std::to_string(limits.fragment_bytes_max) + " bytes");
  }
  if (!in_fragment_ && buffer_.size() > limits.header_bytes_max) {
    return Refuse(RefusalId::kInvalidMkv,
                  "more than " + std::to_string(limits.header_bytes_max) + " bytes without a Cluster");
  }
  return {};
}

Error FragmentAssembler::Refuse(RefusalId id, std::string message) {
  refusal_ = FragmentRefusal{id, message, {}};
  if (open_ && id != RefusalId::kInvalidMkv) refusal_->timecode = open_->opened.timecode;
  return Error{ErrorCode::kInvalidArgument, std::move(message)};
}

std::optional<FragmentRefusal> FragmentAssembler::Refused(const Error& error) {
  if (!refusal_) {
    RefusalId id = RefusalId::kInvalidMkv;
    if (error.code == ErrorCode::kResourceExhausted) {
      if (within_ == ElementId::kTags) {
        id = RefusalId::kMetadata;
      } else if (within_ == ElementId{}) {
        id = RefusalId::kFragmentSize;
      }
    }
    (void)Refuse(id, error.message);
  }
  // What was whole is not lost by what came after it.
  const FragmentRefusal refusal = *refusal_;
  (void)Emit(std::nullopt);
  refusal_ = refusal;
  buffer_ = {};
  return refusal_;
}

// What lies before `offset` is not needed any more.
void FragmentAssembler::Forget(std::uint64_t offset) {
  const ByteSpan rest = BufferedFrom(offset);
  buffer_ = Bytes(rest.begin(), rest.end());
  buffer_offset_ = offset;
  prefix_bytes_ = 0;
}

// REQUIRES: buffer_offset_ <= offset.
ByteSpan FragmentAssembler::BufferedFrom(std::uint64_t offset) const {
  return ByteSpan(buffer_).subspan(prefix_bytes_ + static_cast<std::size_t>(offset - buffer_offset_));
}

}  // namespace millrace
