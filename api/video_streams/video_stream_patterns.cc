#include "api/video_streams/video_stream_patterns.h"

#include <algorithm>
#include <string_view>

#include "api/aws/aws_names.h"

namespace millrace::api {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsLowerDigitDash(char c) { return IsLower(c) || IsDigit(c) || c == '-'; }
bool IsAlphanumeric(char c) { return IsDigit(c) || IsLower(c) || (c >= 'A' && c <= 'Z'); }
bool IsWord(char c) { return IsAlphanumeric(c) || c == '_'; }
bool IsTypeCharacter(char c) { return IsWord(c) || c == '-' || c == '.' || c == '+'; }
bool IsTokenCharacter(char c) { return IsAlphanumeric(c) || c == '+' || c == '/' || c == '='; }
// Letters, digits and separators beyond ASCII are taken to be what they say they are.
bool IsTagCharacter(char c) {
  return static_cast<unsigned char>(c) >= 0x80 || IsWord(c) ||
         std::string_view(" .:/=+-@").find(c) != std::string_view::npos;
}

template <bool (*Is)(char), bool kMayBeEmpty>
bool AllOf(std::string_view text) {
  return (kMayBeEmpty || !text.empty()) && std::all_of(text.begin(), text.end(), Is);
}

// "type/subtype", one or more, with commas between.
bool IsMediaType(std::string_view text) {
  for (;;) {
    const auto comma = text.find(',');
    const std::string_view one = text.substr(0, comma);
    const auto slash = one.find('/');
    if (slash == std::string_view::npos || !AllOf<IsTypeCharacter, false>(one.substr(0, slash)) ||
        !AllOf<IsTypeCharacter, false>(one.substr(slash + 1))) {
      return false;
    }
    if (comma == std::string_view::npos) return true;
    text.remove_prefix(comma + 1);
  }
}

bool IsOneLine(std::string_view text) { return !text.empty() && text.find('\n') == std::string_view::npos; }

// A scheme, a host or the like, and a path without asterisks.
bool IsDestinationUri(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || !AllOf<IsWord, false>(text.substr(0, colon))) return false;
  text.remove_prefix(colon + 1);
  if (text.starts_with("//")) text.remove_prefix(2);
  const auto slash = text.find('/');
  if (text.empty() || slash == 0) return false;
  return slash == std::string_view::npos || text.find('*', slash) == std::string_view::npos;
}

// "us-east-1", "us-gov-west-1"
bool IsRegion(std::string_view text) {
  if (text.size() < 2 || !IsDigit(text.back()) || text[text.size() - 2] != '-') return false;
  text.remove_suffix(2);
  int parts = 0;
  for (;; ++parts) {
    const auto dash = text.find('-');
    if (!AllOf<IsLower, false>(text.substr(0, dash))) return false;
    if (dash == std::string_view::npos) return parts == 1 || parts == 2;
    text.remove_prefix(dash + 1);
  }
}

bool BeginsWithWord(std::string_view text) { return !text.empty() && IsWord(text[0]); }

// An ARN of `service` whose resource is `prefix` and a name.
bool IsArnOf(std::string_view arn, std::string_view service, std::string_view prefix) {
  const auto parts = ArnParts(arn);
  return parts.size() == 6 && parts[0] == "arn" && AllOf<IsLowerDigitDash, false>(parts[1]) &&
         parts[2] == service && AllOf<IsLowerDigitDash, false>(parts[3]) && AllOf<IsDigit, false>(parts[4]) &&
         parts[5].starts_with(prefix) && kAwsNamePattern.matches(parts[5].substr(prefix.size()));
}

bool IsSchedule(std::string_view text) { return IsOneLine(text) && text.size() >= 11 && text.size() <= 100; }

}  // namespace

const AwsPattern kMediaTypePattern{"[\\w\\-\\.\\+]+/[\\w\\-\\.\\+]+(,[\\w\\-\\.\\+]+/[\\w\\-\\.\\+]+)*",
                                   IsMediaType};
const AwsPattern kKmsKeyIdPattern{".+", IsOneLine};
const AwsPattern kVideoVersionPattern{"[a-zA-Z0-9]+", AllOf<IsAlphanumeric, false>};
const AwsPattern kVideoTokenPattern{"[a-zA-Z0-9+/=]*", AllOf<IsTokenCharacter, true>};
const AwsPattern kTagKeyPattern{"^([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)$", AllOf<IsTagCharacter, true>};
const AwsPattern kTagValuePattern{"[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*", AllOf<IsTagCharacter, true>};
const AwsPattern kDestinationUriPattern{"^[a-zA-Z_0-9]+:(//)?([^/]+)/?([^*]*)$", IsDestinationUri};
const AwsPattern kDestinationRegionPattern{"^[a-z]+(-[a-z]+)?-[a-z]+-[0-9]$", IsRegion};
const AwsPattern kFormatConfigValuePattern{"^[a-zA-Z_0-9]+", BeginsWithWord};
const AwsPattern kHubDeviceArnPattern{"arn:[a-z\\d-]+:iot:[a-z0-9-]+:[0-9]+:thing/[a-zA-Z0-9_.-]+",
                                      [](std::string_view text) { return IsArnOf(text, "iot", "thing/"); }};
const AwsPattern kSecretArnPattern{
    "arn:[a-z\\d-]+:secretsmanager:[a-z0-9-]+:[0-9]+:secret:[a-zA-Z0-9_.-]+",
    [](std::string_view text) { return IsArnOf(text, "secretsmanager", "secret:"); }};
const AwsPattern kScheduleExpressionPattern{"[^\\n]{11,100}", IsSchedule};

}  // namespace millrace::api
