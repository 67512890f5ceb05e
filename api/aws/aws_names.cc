#include "api/aws/aws_names.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/text.h"

namespace millrace::api {
namespace {

constexpr std::size_t kDataArnMax = 2048;
constexpr std::size_t kVideoArnMax = 1024;
constexpr std::size_t kDataNameMax = 128;
constexpr std::size_t kVideoNameMax = 256;

bool AllOf(std::string_view text, bool (*is)(char)) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is);
}
bool IsLowerDigitDash(char c) { return IsAsciiLower(c) || IsAsciiDigit(c) || c == '-'; }

bool IsDataName(std::string_view name) {
  return kAwsNamePattern.matches(name) && name.size() <= kDataNameMax;
}

// "arn:aws:kinesis:region:123456789012:stream/…", and what follows the slash in `name`, whatever it is.
std::optional<DataStreamName> ParseDataArn(std::string_view arn) {
  const auto parts = ArnParts(arn);
  if (parts.size() != 6 || parts[0] != "arn" || !parts[1].starts_with("aws") || parts[2] != "kinesis" ||
      parts[4].size() != 12 || !AllOf(parts[4], IsAsciiDigit) || !parts[5].starts_with("stream/")) {
    return std::nullopt;
  }
  return DataStreamName{std::string(parts[5].substr(7)), std::string(parts[3]), std::string(parts[4])};
}

bool IsDataArn(std::string_view arn) {
  const auto parsed = ParseDataArn(arn);
  return parsed && IsDataName(parsed->name);
}
const AwsPattern kDataArnPattern{"arn:aws.*:kinesis:.*:\\d{12}:stream/\\S+", IsDataArn};

bool IsDataResourceArn(std::string_view arn) { return ParseDataResourceArn(arn).has_value(); }
const AwsPattern kDataResourceArnPattern{"arn:aws.*:kinesis:.*:\\d{12}:.*stream/\\S+", IsDataResourceArn};

struct VideoArn {
  std::string_view type;  // "stream"
  std::string_view name;
  std::int64_t created_ms = 0;
};

// "arn:aws:kinesisvideo:region:digits:stream/name/digits", or of another resource.
std::optional<VideoArn> ParseVideoArn(std::string_view arn) {
  const auto parts = ArnParts(arn);
  if (parts.size() != 6 || parts[0] != "arn" || !AllOf(parts[1], IsLowerDigitDash) ||
      parts[2] != "kinesisvideo" || !AllOf(parts[3], IsLowerDigitDash) || !AllOf(parts[4], IsAsciiDigit)) {
    return std::nullopt;
  }
  const auto type_end = parts[5].find('/');
  if (type_end == std::string_view::npos || !AllOf(parts[5].substr(0, type_end), IsAsciiLower))
    return std::nullopt;
  const std::string_view rest = parts[5].substr(type_end + 1);
  const auto slash = rest.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  VideoArn parsed{parts[5].substr(0, type_end), rest.substr(0, slash)};
  const std::string_view digits = rest.substr(slash + 1);
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), parsed.created_ms);
  if (ec != std::errc() || end != digits.data() + digits.size() || !AllOf(digits, IsAsciiDigit))
    return std::nullopt;
  // Beyond it the time would not fit: such a stream was never made.
  parsed.created_ms = std::min<std::int64_t>(parsed.created_ms, 9'000'000'000'000);
  if (!kAwsNamePattern.matches(parsed.name) || parsed.name.size() > kVideoNameMax) return std::nullopt;
  return parsed;
}

constexpr std::string_view kVideoArnText =
    "arn:[a-z\\d-]+:kinesisvideo:[a-z0-9-]+:[0-9]+:[a-z]+/[a-zA-Z0-9_.-]+/[0-9]+";
bool IsStreamArn(std::string_view arn) {
  const auto parsed = ParseVideoArn(arn);
  return parsed && parsed->type == "stream";
}
const AwsPattern kStreamArnPattern{kVideoArnText, IsStreamArn};
const AwsPattern kVideoArnPattern{kVideoArnText,
                                  [](std::string_view arn) { return ParseVideoArn(arn).has_value(); }};

}  // namespace

std::optional<DataStreamName> ReadDataStreamArn(AwsInput& input, bool required) {
  const auto arn = input.String(
      "StreamARN", {.required = required, .min = 1, .max = kDataArnMax, .pattern = kDataArnPattern});
  (void)input.String("StreamId", {.min = 1, .max = 24, .pattern = kAwsStreamIdPattern});
  return arn ? ParseDataArn(*arn) : std::nullopt;
}

std::optional<DataStreamName> ReadDataStreamName(AwsInput& input) {
  auto name = input.String("StreamName", {.min = 1, .max = kDataNameMax, .pattern = kAwsNamePattern});
  if (auto by_arn = ReadDataStreamArn(input, false)) return by_arn;
  if (name) return DataStreamName{std::move(*name), {}, {}};
  return std::nullopt;
}

std::optional<DataResourceName> ParseDataResourceArn(std::string_view arn) {
  auto parsed = ParseDataArn(arn);
  if (!parsed) return std::nullopt;
  DataResourceName resource{std::move(*parsed), {}, 0};
  std::string& name = resource.stream.name;
  if (const auto slash = name.find('/'); slash != std::string::npos) {
    const std::string rest = name.substr(slash);
    name.resize(slash);
    const auto colon = rest.find(':');
    if (!rest.starts_with("/consumer/") || colon == std::string::npos) return std::nullopt;
    resource.consumer = rest.substr(10, colon - 10);
    const char* end = rest.data() + rest.size();
    const auto [at, ec] = std::from_chars(rest.data() + colon + 1, end, resource.consumer_created_s);
    if (!IsDataName(resource.consumer) || ec != std::errc() || at != end || rest[colon + 1] == '-') {
      return std::nullopt;
    }
  }
  if (!IsDataName(name)) return std::nullopt;
  return resource;
}

std::optional<DataResourceName> ReadDataResource(AwsInput& input) {
  (void)input.String("StreamId", {.min = 1, .max = 24, .pattern = kAwsStreamIdPattern});
  const auto arn = input.String(
      "ResourceARN", {.required = true, .min = 1, .max = kDataArnMax, .pattern = kDataResourceArnPattern});
  if (!arn) return std::nullopt;
  return ParseDataResourceArn(*arn);
}

std::optional<VideoStreamName> ReadVideoStreamName(AwsInput& input) {
  auto name = input.String("StreamName", {.min = 1, .max = kVideoNameMax, .pattern = kAwsNamePattern});
  if (auto by_arn = ReadVideoStreamArn(input)) return by_arn;
  if (name) return VideoStreamName{std::move(*name), std::nullopt};
  return std::nullopt;
}

std::optional<VideoStreamName> ReadVideoStreamArn(AwsInput& input) {
  const auto arn = input.String("StreamARN", {.min = 1, .max = kVideoArnMax, .pattern = kStreamArnPattern});
  if (!arn) return std::nullopt;
  const auto parsed = ParseVideoArn(*arn);
  return VideoStreamName{std::string(parsed->name), Timestamp::FromMillis(parsed->created_ms)};
}

std::optional<VideoResourceName> ReadVideoResource(AwsInput& input) {
  const auto arn = input.String(
      "ResourceARN", {.required = true, .min = 1, .max = kVideoArnMax, .pattern = kVideoArnPattern});
  if (!arn) return std::nullopt;
  const auto parsed = ParseVideoArn(*arn);
  return VideoResourceName{std::string(parsed->type), std::string(parsed->name),
                           Timestamp::FromMillis(parsed->created_ms)};
}

std::vector<std::string_view> ArnParts(std::string_view arn) {
  std::vector<std::string_view> parts;
  while (parts.size() < 5) {
    const auto colon = arn.find(':');
    if (colon == std::string_view::npos) return {};
    parts.push_back(arn.substr(0, colon));
    arn.remove_prefix(colon + 1);
  }
  parts.push_back(arn);
  return parts;
}

std::string_view SecretNameIn(std::string_view arn) {
  constexpr std::string_view kSecret = "secret:";
  const auto parts = ArnParts(arn);
  if (parts.size() != 6 || parts[2] != "secretsmanager" || !parts[5].starts_with(kSecret)) return {};
  return parts[5].substr(kSecret.size());
}

}  // namespace millrace::api
