#include "storage/record_marks.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "storage/coding.h"

namespace millrace::storage {
namespace {

bool Less(ByteSpan a, ByteSpan b) { return std::ranges::lexicographical_compare(a, b); }

// The value of an attribute; none: the record has none of this id.
std::optional<ByteSpan> ValueOf(ByteSpan attributes, AttributeId wanted) {
  ByteReader in(attributes);
  while (!in.AtEnd()) {
    const auto id = in.Integer<std::uint8_t>();
    const ByteSpan value = in.Raw(in.Integer<std::uint16_t>());
    if (!in.ok()) return std::nullopt;
    if (id == wanted) return value;
  }
  return std::nullopt;
}

void AppendRanges(Bytes& out, const std::vector<AttributeRange>& ranges) {
  AppendVarint(out, ranges.size());
  for (const AttributeRange& range : ranges) {
    out.push_back(range.attribute);
    for (const auto* bound : {&range.from, &range.to}) {
      out.push_back(*bound ? 1 : 0);
      if (*bound) AppendSized(out, ByteSpan(**bound));
    }
    out.push_back(range.at_least ? 1 : 0);
    if (!range.at_least) continue;
    out.push_back(range.at_least->id);
    AppendSized(out, ByteSpan(range.at_least->value));
  }
}

Bytes ReadSized(ByteReader& in) {
  const ByteSpan bytes = in.Sized();
  return Bytes(bytes.begin(), bytes.end());
}

std::vector<AttributeRange> ReadRanges(ByteReader& in) {
  std::vector<AttributeRange> ranges;
  for (std::uint64_t left = in.Varint(); left > 0 && in.ok(); --left) {
    AttributeRange& range = ranges.emplace_back();
    range.attribute = in.Integer<std::uint8_t>();
    if (in.Integer<std::uint8_t>() != 0) range.from = ReadSized(in);
    if (in.Integer<std::uint8_t>() != 0) range.to = ReadSized(in);
    if (in.Integer<std::uint8_t>() == 0) continue;
    range.at_least.emplace().id = in.Integer<std::uint8_t>();
    range.at_least->value = ReadSized(in);
  }
  return ranges;
}

Error Malformed(const char* what) {
  return Error{ErrorCode::kCorruption, std::string("malformed row of a ") + what};
}

Error InvalidMarks(std::string text) { return Error{ErrorCode::kInvalidArgument, std::move(text)}; }

}  // namespace

bool LiesIn(const AttributeRange& range, ByteSpan attributes) {
  const auto value = ValueOf(attributes, range.attribute);
  if (!value || (range.from && Less(*value, *range.from)) || (range.to && Less(*range.to, *value))) {
    return false;
  }
  if (!range.at_least) return true;
  const auto other = ValueOf(attributes, range.at_least->id);
  return !other || !Less(*other, range.at_least->value);
}

bool LiesInAny(const std::vector<AttributeRange>& ranges, ByteSpan attributes) {
  return std::ranges::any_of(ranges, [&](const AttributeRange& range) { return LiesIn(range, attributes); });
}

bool RecordMarks::Deletes(const RecordFacts& record) const {
  return std::ranges::any_of(deletions, [&](const auto& entry) { return entry.second.Covers(record); });
}

std::string PlacedHold::RowName() const {
  if (live()) return hold.id;
  Bytes name(hold.id.begin(), hold.id.end());
  name.push_back(0);
  AppendBigEndian(name, placed);
  return std::string(AsText(name));
}

bool RecordMarks::IsToBeErased(const RecordFacts& record) const {
  return std::ranges::any_of(
      deletions, [&](const auto& entry) { return !entry.second.swept && entry.second.Covers(record); });
}

const PlacedHold* RecordMarks::HoldOf(const RecordFacts& record) const {
  std::vector<const PlacedHold*> covering;
  bool any_live = false;
  for (const auto& [name, placed] : holds) {
    if (!placed.Covers(record)) continue;
    if (placed.live() && placed.Found(record)) return &placed;
    any_live = any_live || placed.live();
    covering.push_back(&placed);
  }
  // An old record: there only where one that found it has handed it on, by holds that followed each other.
  if (!any_live || covering.size() < 2) return nullptr;
  std::ranges::sort(covering, {}, &PlacedHold::placed);
  std::vector<const PlacedHold*> kept;
  for (const PlacedHold* placed : covering) {
    const bool found = placed->Found(record) || std::ranges::any_of(kept, [&](const PlacedHold* earlier) {
                         return earlier->LivedAt(*placed);
                       });
    if (!found) continue;
    if (placed->live()) return placed;
    kept.push_back(placed);
  }
  return nullptr;
}

const PlacedHold* RecordMarks::AnyHold() const {
  const auto found = std::ranges::find_if(holds, [](const auto& one) { return one.second.live(); });
  return found == holds.end() ? nullptr : &found->second;
}

std::size_t RecordMarks::live_holds() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(holds, [](const auto& one) { return one.second.live(); }));
}

std::vector<std::string> RecordMarks::IdleHolds() const {
  std::vector<const PlacedHold*> newest_first;
  for (const auto& [name, placed] : holds) newest_first.push_back(&placed);
  std::ranges::sort(newest_first, std::greater(), &PlacedHold::placed);
  std::vector<std::string> idle;
  std::vector<const PlacedHold*> needed;
  for (const PlacedHold* placed : newest_first) {
    const bool asked = placed->live() || std::ranges::any_of(needed, [&](const PlacedHold* later) {
                         return placed->LivedAt(*later);
                       });
    if (asked) needed.push_back(placed);
    if (!asked) idle.push_back(placed->RowName());
  }
  return idle;
}

Bytes EncodeDeletion(const RangeDeletion& deletion) {
  Bytes out;
  AppendBigEndian(out, deletion.through);
  out.push_back(deletion.swept ? 1 : 0);
  AppendRanges(out, deletion.ranges);
  return out;
}

Result<RangeDeletion> DecodeDeletion(ByteSpan bytes) {
  ByteReader in(bytes);
  RangeDeletion deletion;
  deletion.through = in.Integer<std::uint64_t>();
  deletion.swept = in.Integer<std::uint8_t>() != 0;
  deletion.ranges = ReadRanges(in);
  if (!in.AtEnd()) return Malformed("deletion");
  return deletion;
}

Bytes EncodeHold(const PlacedHold& placed) {
  Bytes out;
  AppendBigEndian(out, static_cast<std::uint64_t>(placed.hold.created.ns));
  AppendBigEndian(out, placed.placed);
  AppendBigEndian(out, placed.evicted_through);
  AppendBigEndian(out, static_cast<std::uint64_t>(placed.trim.ns));
  AppendBigEndian(out, placed.released);
  AppendRanges(out, placed.hold.ranges);
  AppendSized(out, ByteSpan(placed.hold.note));
  return out;
}

Result<PlacedHold> DecodeHold(std::string_view row_name, ByteSpan bytes) {
  ByteReader in(bytes);
  PlacedHold placed;
  placed.hold.id = std::string(row_name.substr(0, row_name.find('\0')));
  placed.hold.created = Timestamp{static_cast<std::int64_t>(in.Integer<std::uint64_t>())};
  placed.placed = in.Integer<std::uint64_t>();
  placed.evicted_through = in.Integer<std::uint64_t>();
  placed.trim = Timestamp{static_cast<std::int64_t>(in.Integer<std::uint64_t>())};
  placed.released = in.Integer<std::uint64_t>();
  placed.hold.ranges = ReadRanges(in);
  placed.hold.note = ReadSized(in);
  if (!in.AtEnd()) return Malformed("hold");
  return placed;
}

Result<void> CheckRanges(const std::vector<AttributeRange>& ranges) {
  if (ranges.empty() || ranges.size() > kRangesMax) {
    return InvalidMarks("1 to " + std::to_string(kRangesMax) + " ranges at a time, not " +
                        std::to_string(ranges.size()));
  }
  for (const AttributeRange& range : ranges) {
    if (range.attribute >= kIndexedAttributesEnd) {
      return InvalidMarks("attribute " + std::to_string(range.attribute) + " is not indexed");
    }
    const bool too_long = (range.from && range.from->size() > kIndexedAttributeBytesMax) ||
                          (range.to && range.to->size() > kIndexedAttributeBytesMax) ||
                          (range.at_least && range.at_least->value.size() > kIndexedAttributeBytesMax);
    if (too_long) {
      return InvalidMarks("a range's values have at most " + std::to_string(kIndexedAttributeBytesMax) +
                          " bytes");
    }
  }
  return {};
}

Result<void> CheckHold(const Hold& hold) {
  if (hold.id.empty() || hold.id.size() > kHoldIdBytesMax || hold.id.find('\0') != std::string::npos) {
    return InvalidMarks("a hold's id has 1 to " + std::to_string(kHoldIdBytesMax) +
                        " bytes, none of them zero");
  }
  if (hold.note.size() > kHoldNoteBytesMax) {
    return InvalidMarks("a hold's note has at most " + std::to_string(kHoldNoteBytesMax) + " bytes");
  }
  return CheckRanges(hold.ranges);
}

}  // namespace millrace::storage
