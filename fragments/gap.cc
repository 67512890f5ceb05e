#include "fragments/gap.h"

#include "base/text.h"

namespace millrace {
namespace {

constexpr std::uint8_t kGapVersion = 1;
constexpr std::size_t kGapHeadBytes = 1 + 1 + 8;

}  // namespace

std::string_view ToString(GapCause cause) {
  switch (cause) {
    case GapCause::kUnknown:
      return "unknown";
    case GapCause::kConnecting:
      return "connecting";
    case GapCause::kUnreachable:
      return "unreachable";
    case GapCause::kUnauthorized:
      return "unauthorized";
    case GapCause::kSilent:
      return "silent";
    case GapCause::kNetworkLoss:
      return "network_loss";
    case GapCause::kUndecodable:
      return "undecodable";
    case GapCause::kDiskRefused:
      return "disk_refused";
    case GapCause::kDisabled:
      return "disabled";
    case GapCause::kServerDown:
      return "server_down";
    case GapCause::kRetention:
      return "retention";
    case GapCause::kPurged:
      return "purged";
    case GapCause::kNotRecorded:
      return "not_recorded";
    case GapCause::kEvicted:
      return "evicted";
    case GapCause::kDeleted:
      return "deleted";
  }
  return "unknown";
}

Bytes EncodeGap(const Gap& gap) {
  Bytes out{kGapVersion, static_cast<std::uint8_t>(gap.cause)};
  AppendBigEndian(out, static_cast<std::uint64_t>(gap.end.ns));
  const std::string detail = Excerpt(gap.detail, kGapDetailBytesMax);
  out.insert(out.end(), detail.begin(), detail.end());
  return out;
}

Result<Gap> DecodeGap(Timestamp start, ByteSpan bytes) {
  if (!bytes.empty() && bytes[0] > kGapVersion) {
    return Error{ErrorCode::kUnsupported, "a gap of version " + std::to_string(bytes[0])};
  }
  if (bytes.size() < kGapHeadBytes || bytes.size() > kGapHeadBytes + kGapDetailBytesMax || bytes[0] == 0) {
    return Error{ErrorCode::kCorruption, "a gap of " + std::to_string(bytes.size()) + " bytes"};
  }
  Gap gap;
  gap.start = start;
  gap.end = Timestamp{static_cast<std::int64_t>(ReadBigEndian<std::uint64_t>(bytes.subspan(2, 8)))};
  if (gap.end < gap.start) return Error{ErrorCode::kCorruption, "a gap that ends before it starts"};
  if (bytes[1] <= static_cast<std::uint8_t>(GapCause::kDeleted)) {
    gap.cause = static_cast<GapCause>(bytes[1]);
  }
  gap.detail = std::string(AsText(bytes.subspan(kGapHeadBytes)));
  return gap;
}

}  // namespace millrace
