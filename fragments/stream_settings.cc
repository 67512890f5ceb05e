#include "fragments/stream_settings.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/text.h"

namespace millrace {
namespace {

constexpr std::uint8_t kSettingsVersion = 1;
constexpr std::size_t kBoundsBytes = 1 + 8 + 8 + 8;

Result<void> CheckHead(ByteSpan bytes, std::size_t size, const char* what) {
  if (!bytes.empty() && bytes[0] > kSettingsVersion) {
    return Error{ErrorCode::kUnsupported, std::string(what) + " of version " + std::to_string(bytes[0])};
  }
  if (bytes.size() != size || bytes[0] == 0) {
    return Error{ErrorCode::kCorruption,
                 std::string(what) + " of " + std::to_string(bytes.size()) + " bytes"};
  }
  return {};
}

std::int64_t SignedAt(ByteSpan bytes, std::size_t at) {
  return static_cast<std::int64_t>(ReadBigEndian<std::uint64_t>(bytes.subspan(at, 8)));
}

}  // namespace

Bytes EncodeBounds(const NumberBounds& bounds) {
  Bytes out{kSettingsVersion};
  AppendBigEndian(out, static_cast<std::uint64_t>(bounds.created.ns));
  AppendBigEndian(out, bounds.counter);
  AppendBigEndian(out, bounds.run);
  return out;
}

Result<NumberBounds> DecodeBounds(ByteSpan bytes) {
  MILLRACE_RETURN_IF_ERROR(CheckHead(bytes, kBoundsBytes, "fragment number bounds"));
  return NumberBounds{.created = Timestamp{SignedAt(bytes, 1)},
                      .counter = ReadBigEndian<std::uint64_t>(bytes.subspan(9, 8)),
                      .run = ReadBigEndian<std::uint64_t>(bytes.subspan(17, 8))};
}

std::string FragmentPartitionKey(const std::string& name, Timestamp created) {
  return name + "/" + std::to_string(created.millis());
}

Result<void> ParseFragmentPartitionKey(const std::string& key, std::string& name, Timestamp& created) {
  const std::size_t slash = key.rfind('/');
  std::int64_t ms = 0;
  const char* end = key.data() + key.size();
  const char* digits = slash == std::string::npos ? end : key.data() + slash + 1;
  const auto [stop, ec] = std::from_chars(digits, end, ms);
  constexpr std::int64_t kMsMax = std::numeric_limits<std::int64_t>::max() / 1'000'000;
  if (ec != std::errc() || stop != end || ms > kMsMax || ms < -kMsMax ||
      !CheckStreamName(key.substr(0, slash))) {
    return Error{ErrorCode::kCorruption, "'" + Excerpt(key) + "' is not the partition key of a video stream"};
  }
  name = key.substr(0, slash);
  created = Timestamp::FromMillis(ms);
  return {};
}

Bytes TimeKey(Timestamp time) {
  Bytes key;
  AppendBigEndian(key, static_cast<std::uint64_t>(time.ns) ^ (std::uint64_t{1} << 63));
  return key;
}

Result<void> CheckStreamName(const std::string& name) {
  const bool letters = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
  });
  if (name.empty() || name.size() > 256 || !letters) {
    return Error{ErrorCode::kInvalidArgument,
                 "'" + Excerpt(name) +
                     "' is not a stream name: 1 to 256 letters, digits, '_', '.' and '-' are wanted"};
  }
  return {};
}

}  // namespace millrace
