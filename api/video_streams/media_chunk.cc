#include "api/video_streams/media_chunk.h"

#include <algorithm>
#include <limits>

#include "parser/ebml.h"
#include "parser/ebml_writer.h"
#include "parser/parse_fragment.h"
#include "wire/json_writer.h"

namespace millrace::api {
namespace {

// As GetMediaForFragmentList's documentation names its tags, beside the names that readers look for.
constexpr char kExceptionCodeTag[] = "AWS_KINESISVIDEO_EXCEPTION_ERROR_CODE";
constexpr char kExceptionMessageTag[] = "AWS_KINESISVIDEO_EXCEPTION_MESSAGE";
constexpr int kTagSizeLength = 4;  // the service writes its tags' sizes in four bytes

Error Corrupt(const char* what) {
  return Error{ErrorCode::kCorruption, std::string("the stored fragment is no such document: ") + what};
}

// An element in memory.
struct Element {
  ElementId id{};
  std::size_t payload = 0;
  std::uint64_t size = 0;  // or kUnknownSize
};

// The element at `at`, whose known size lies within `all`. Errors: kCorruption.
Result<Element> ElementAt(ByteSpan all, std::size_t at) {
  const DecodedVint id = DecodeElementId(all.subspan(at));
  if (id.length <= 0) return Corrupt("an element without an id");
  const std::size_t size_at = at + static_cast<std::size_t>(id.length);
  const DecodedVint size = DecodeVint(all.subspan(size_at));
  if (size.length <= 0) return Corrupt("an element without a size");
  const std::size_t payload = size_at + static_cast<std::size_t>(size.length);
  if (size.value != kUnknownSize && size.value > all.size() - payload)
    return Corrupt("an element that is cut off");
  return Element{static_cast<ElementId>(id.value), payload, size.value};
}

struct Child {
  ElementId id{};
  std::size_t begin = 0;
  std::size_t payload = 0;
  std::size_t end = 0;
};

// What stands before the first Cluster.
struct Layout {
  std::size_t ebml_end = 0;
  std::vector<Child> children;  // of the Segment
  std::size_t cluster = 0;      // where it begins
};

Result<Layout> LayoutOf(ByteSpan all) {
  Layout layout;
  MILLRACE_ASSIGN_OR_RETURN(const Element ebml, ElementAt(all, 0));
  if (ebml.id != ElementId::kEbml || ebml.size == kUnknownSize) return Corrupt("no EBML header");
  layout.ebml_end = ebml.payload + static_cast<std::size_t>(ebml.size);
  MILLRACE_ASSIGN_OR_RETURN(const Element segment, ElementAt(all, layout.ebml_end));
  if (segment.id != ElementId::kSegment) return Corrupt("no Segment");
  for (std::size_t at = segment.payload;;) {
    MILLRACE_ASSIGN_OR_RETURN(const Element child, ElementAt(all, at));
    if (child.id == ElementId::kCluster) {
      layout.cluster = at;
      return layout;
    }
    if (child.size == kUnknownSize) return Corrupt("an element of unknown size before the Cluster");
    const std::size_t end = child.payload + static_cast<std::size_t>(child.size);
    layout.children.push_back({child.id, at, child.payload, end});
    at = end;
  }
}

void AppendSpan(Bytes& out, ByteSpan bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

void AppendTag(Bytes& out, std::string_view name, std::string_view value) {
  const std::size_t tag = BeginMaster(out, ElementId::kSimpleTag, kTagSizeLength);
  AppendText(out, ElementId::kTagName, name);
  AppendText(out, ElementId::kTagString, value);
  EndMaster(out, tag, kTagSizeLength);
}

using Tags = std::vector<std::pair<std::string_view, std::string>>;

void AppendTags(Bytes& out, const Tags& tags) {
  const std::size_t all = BeginMaster(out, ElementId::kTags, kTagSizeLength);
  const std::size_t one = BeginMaster(out, ElementId::kTag, kTagSizeLength);
  for (const auto& [name, value] : tags) AppendTag(out, name, value);
  EndMaster(out, one, kTagSizeLength);
  EndMaster(out, all, kTagSizeLength);
}

Tags FragmentTags(const FragmentFacts& facts) {
  return {{kFragmentNumberTag, facts.number.ToString()},
          {kServerTimestampTag, wire::SecondsText(facts.server_start)},
          {kProducerTimestampTag, wire::SecondsText(facts.start)}};
}

Tags PlaceTags(const MediaPlace& place) {
  return {{kMillisBehindNowTag, std::to_string(place.behind_now / std::chrono::milliseconds(1))},
          {kContinuationTokenTag, place.continuation_token}};
}

bool Passes(const MediaFilter& filter, const MkvTrack& track) {
  const bool numbered = filter.tracks.empty() || std::find(filter.tracks.begin(), filter.tracks.end(),
                                                           track.number) != filter.tracks.end();
  const std::uint8_t type = filter.kind == TrackKind::kVideo ? 1 : 2;
  return numbered && (!filter.kind || track.type == type);
}

// The TrackNumber of a TrackEntry's payload; 0 where it has none.
std::uint64_t TrackNumberOf(ByteSpan entry) {
  for (std::size_t at = 0; at < entry.size();) {
    const auto child = ElementAt(entry, at);
    if (!child || child->size == kUnknownSize) return 0;
    const auto size = static_cast<std::size_t>(child->size);
    if (child->id == ElementId::kTrackNumber) {
      return DecodeUnsigned(entry.subspan(child->payload, size)).value_or(0);
    }
    at = child->payload + size;
  }
  return 0;
}

// The Tracks element with those entries alone whose numbers are in `wanted`.
Result<void> AppendTracks(Bytes& out, ByteSpan tracks, const std::vector<std::uint64_t>& wanted) {
  const std::size_t mark = BeginMaster(out, ElementId::kTracks);
  for (std::size_t at = 0; at < tracks.size();) {
    MILLRACE_ASSIGN_OR_RETURN(const Element entry, ElementAt(tracks, at));
    if (entry.size == kUnknownSize) return Corrupt("a TrackEntry of unknown size");
    const std::size_t end = entry.payload + static_cast<std::size_t>(entry.size);
    const std::uint64_t number = entry.id == ElementId::kTrackEntry
                                     ? TrackNumberOf(tracks.subspan(entry.payload, end - entry.payload))
                                     : 0;
    if (std::find(wanted.begin(), wanted.end(), number) != wanted.end()) {
      AppendSpan(out, tracks.subspan(at, end - at));
    }
    at = end;
  }
  EndMaster(out, mark);
  return {};
}

// The Cluster of the frames that pass.
Result<void> AppendCluster(Bytes& out, const ParsedFragment& parsed, const MediaFilter& filter,
                           const std::vector<std::uint64_t>& wanted) {
  const std::int64_t scale = parsed.document.timestamp_scale_ns;
  const std::size_t mark = BeginMaster(out, ElementId::kCluster);
  AppendUnsigned(out, ElementId::kTimestamp,
                 static_cast<std::uint64_t>(std::max<std::int64_t>(parsed.timestamp_ns / scale, 0)));
  for (const ParsedFrame& frame : parsed.frames) {
    if (filter.key_frames_only && !frame.key_frame) continue;
    if (std::find(wanted.begin(), wanted.end(), frame.track) == wanted.end()) continue;
    const std::int64_t relative = (frame.timestamp_ns - parsed.timestamp_ns) / scale;
    if (relative < std::numeric_limits<std::int16_t>::min() ||
        relative > std::numeric_limits<std::int16_t>::max()) {
      return Error{ErrorCode::kUnsupported, "a block lies too far from its Cluster"};
    }
    const BlockHeader header{.track = frame.track,
                             .relative_timestamp = static_cast<std::int16_t>(relative),
                             .key_frame = frame.key_frame,
                             .discardable = frame.discardable};
    AppendSimpleBlockHeader(out, header, frame.data.size());
    AppendSpan(out, frame.data);
  }
  EndMaster(out, mark);
  return {};
}

Result<MediaPieces> MakeFilteredChunk(const Fragment& fragment, const Layout& layout,
                                      const MediaFilter& filter, const std::optional<MediaPlace>& place) {
  const ByteSpan all = fragment.mkv.span();
  MILLRACE_ASSIGN_OR_RETURN(const ParsedFragment parsed, ParseFragment(fragment.mkv));
  std::vector<std::uint64_t> wanted;
  for (const MkvTrack& track : parsed.document.tracks) {
    if (Passes(filter, track)) wanted.push_back(track.number);
  }
  if (wanted.empty()) return Error{ErrorCode::kNotFound, "the fragment has no track that passes the filter"};
  Bytes out;
  // Without key frames alone it is usually most of it; with them, little.
  out.reserve(filter.key_frames_only ? all.size() / 8 : all.size());
  AppendSpan(out, all.first(layout.ebml_end));
  AppendElementId(out, ElementId::kSegment);
  AppendUnknownSize(out);
  for (const Child& child : layout.children) {
    // Where things stand in the original has no meaning here.
    if (child.id == ElementId::kSeekHead || child.id == ElementId::kCues || child.id == ElementId::kVoid)
      continue;
    if (child.id == ElementId::kTracks) {
      MILLRACE_RETURN_IF_ERROR(
          AppendTracks(out, all.subspan(child.payload, child.end - child.payload), wanted));
    } else {
      AppendSpan(out, all.subspan(child.begin, child.end - child.begin));
    }
  }
  AppendTags(out, FragmentTags(fragment.facts));
  MILLRACE_RETURN_IF_ERROR(AppendCluster(out, parsed, filter, wanted));
  if (place) AppendTags(out, PlaceTags(*place));
  return MediaPieces{SharedBytes(std::move(out))};
}

}  // namespace

Result<MediaPieces> MakeChunk(const Fragment& fragment, const MediaFilter& filter,
                              const std::optional<MediaPlace>& place) {
  const ByteSpan all = fragment.mkv.span();
  MILLRACE_ASSIGN_OR_RETURN(const Layout layout, LayoutOf(all));
  if (filter.any()) return MakeFilteredChunk(fragment, layout, filter, place);
  Bytes head;
  AppendSpan(head, all.first(layout.ebml_end));
  AppendElementId(head, ElementId::kSegment);
  AppendUnknownSize(head);
  for (const Child& child : layout.children)
    AppendSpan(head, all.subspan(child.begin, child.end - child.begin));
  AppendTags(head, FragmentTags(fragment.facts));
  MediaPieces pieces;
  pieces.emplace_back(std::move(head));
  pieces.push_back(fragment.mkv.Slice(layout.cluster, all.size() - layout.cluster));
  if (place) {
    Bytes tail;
    AppendTags(tail, PlaceTags(*place));
    pieces.emplace_back(std::move(tail));
  }
  return pieces;
}

MediaPieces MakeErrorChunk(const std::string& number, int code, const std::string& text) {
  Bytes out;
  AppendMatroskaHeader(out, 2);
  AppendElementId(out, ElementId::kSegment);
  AppendUnknownSize(out);
  AppendTags(out, {{kFragmentNumberTag, number},
                   {kErrorIdTag, std::to_string(code)},
                   {kErrorCodeTag, text},
                   {kExceptionCodeTag, std::to_string(code)},
                   {kExceptionMessageTag, text}});
  return {SharedBytes(std::move(out))};
}

SharedBytes MediaKeepAlive() {
  Bytes out;
  AppendElementHeader(out, ElementId::kVoid, 0);
  return SharedBytes(std::move(out));
}

}  // namespace millrace::api
