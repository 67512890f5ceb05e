#include "fragments/footage.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "fragments/fragment_record.h"
#include "fragments/fragment_store.h"
#include "fragments/stream_settings.h"

namespace millrace {
namespace {

constexpr std::uint8_t kFootageVersion = 1;
constexpr std::size_t kFootageHeadBytes = 1 + 8 + 8 + 2;

Timestamp TimeAt(ByteSpan bytes, std::size_t at) {
  return Timestamp{static_cast<std::int64_t>(ReadBigEndian<std::uint64_t>(bytes.subspan(at, 8)))};
}

}  // namespace

std::optional<FootageClock> FootageClockFromString(std::string_view name) {
  if (name == "producer") return FootageClock::kProducer;
  if (name == "server") return FootageClock::kServer;
  return std::nullopt;
}

Result<void> CheckFootageHold(const FootageHold& hold) {
  const bool letters = std::ranges::all_of(hold.id, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
  });
  if (hold.id.empty() || hold.id.size() > storage::kHoldIdBytesMax || !letters) {
    return Error{ErrorCode::kInvalidArgument,
                 "'" + Excerpt(hold.id) +
                     "' is not the id of a hold: 1 to 128 letters, digits, '_', '.' and '-' are wanted"};
  }
  if (hold.end <= hold.start) {
    return Error{ErrorCode::kInvalidArgument, "a hold's end is after its start"};
  }
  if (hold.reason.size() > kHoldReasonBytesMax || hold.placed_by.size() > kHoldReasonBytesMax) {
    return Error{ErrorCode::kInvalidArgument,
                 "a hold's reason has at most " + std::to_string(kHoldReasonBytesMax) + " bytes"};
  }
  return {};
}

storage::Hold ToLogHold(const FootageHold& hold) {
  storage::Hold log;
  log.id = hold.id;
  storage::AttributeRange& range = log.ranges.emplace_back();
  range.attribute = kProducerAttribute;
  // The fragments that begin before the hold and reach into it; of those that were written before ends were,
  // all that may.
  range.from = TimeKey(hold.start - kFragmentDurationMax);
  if (hold.end != FootageHold::kOpenEnd) range.to = TimeKey(hold.end - Duration{1});
  range.at_least = storage::Attribute{kProducerEndAttribute, TimeKey(hold.start + Duration{1})};
  log.note.push_back(kFootageVersion);
  AppendBigEndian(log.note, static_cast<std::uint64_t>(hold.start.ns));
  AppendBigEndian(log.note, static_cast<std::uint64_t>(hold.end.ns));
  AppendBigEndian(log.note, static_cast<std::uint16_t>(hold.reason.size()));
  log.note.insert(log.note.end(), hold.reason.begin(), hold.reason.end());
  log.note.insert(log.note.end(), hold.placed_by.begin(), hold.placed_by.end());
  return log;
}

Result<FootageHold> FromLogHold(const storage::Hold& log) {
  const ByteSpan note(log.note);
  if (!note.empty() && note[0] > kFootageVersion) {
    return Error{ErrorCode::kUnsupported, "a hold of version " + std::to_string(note[0])};
  }
  const Error damaged{ErrorCode::kCorruption, "hold '" + log.id + "' has a note that is none of ours"};
  if (note.size() < kFootageHeadBytes || note[0] == 0) return damaged;
  FootageHold hold;
  hold.id = log.id;
  hold.placed = log.created;
  hold.start = TimeAt(note, 1);
  hold.end = TimeAt(note, 9);
  const auto reason_bytes = ReadBigEndian<std::uint16_t>(note.subspan(17, 2));
  const ByteSpan texts = note.subspan(kFootageHeadBytes);
  if (texts.size() < reason_bytes) return damaged;
  hold.reason = std::string(AsText(texts.first(reason_bytes)));
  hold.placed_by = std::string(AsText(texts.subspan(reason_bytes)));
  return hold;
}

}  // namespace millrace
