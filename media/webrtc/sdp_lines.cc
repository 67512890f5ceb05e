#include "media/webrtc/sdp_lines.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include "base/text.h"
#include "media/webrtc/sdp_offer.h"

namespace millrace {
namespace {

constexpr std::size_t kLinesMax = 2000;

bool IsNumericAddress(const std::string& text) {
  std::array<unsigned char, 16> address;
  return inet_pton(AF_INET, text.c_str(), address.data()) == 1 ||
         inet_pton(AF_INET6, text.c_str(), address.data()) == 1;
}

}  // namespace

Result<SdpLines> SplitSdpLines(std::string_view text) {
  if (text.size() > kSdpBytesMax) {
    return Error{ErrorCode::kInvalidArgument,
                 "the SDP is longer than " + std::to_string(kSdpBytesMax >> 10) + " KiB"};
  }
  if (!IsUtf8(text)) return Error{ErrorCode::kInvalidArgument, "the SDP is no text"};
  SdpLines lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty() && text.empty()) break;
    const bool control = std::any_of(line.begin(), line.end(), [](unsigned char c) { return c < 0x20; });
    if (line.size() < 2 || line[1] != '=' || line[0] < 'a' || line[0] > 'z' || control) {
      return Error{ErrorCode::kInvalidArgument, "line " + std::to_string(lines.size() + 1) +
                                                    " of the SDP is none: '" + Excerpt(line) + "'"};
    }
    if (lines.size() == kLinesMax) return Error{ErrorCode::kInvalidArgument, "the SDP has too many lines"};
    lines.push_back(line);
  }
  return lines;
}

std::optional<std::string_view> SdpAttribute(std::string_view line, std::string_view name) {
  if (!line.starts_with("a=")) return std::nullopt;
  line.remove_prefix(2);
  if (!line.starts_with(name)) return std::nullopt;
  line.remove_prefix(name.size());
  if (line.empty()) return line;
  if (line.front() != ':') return std::nullopt;
  return line.substr(1);
}

std::optional<std::string_view> FindSdpAttribute(const SdpLines& lines, std::string_view name) {
  for (const std::string_view line : lines) {
    if (const auto value = SdpAttribute(line, name)) return value;
  }
  return std::nullopt;
}

std::string WithOtherMids(std::string_view text, const std::function<std::string(std::string_view)>& change) {
  constexpr std::string_view kMid = "a=mid:";
  constexpr std::string_view kBundle = "a=group:BUNDLE ";
  std::string changed;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find("\r\n"), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 2, text.size()));
    if (line.starts_with(kMid)) {
      line.remove_prefix(kMid.size());
      changed += std::string(kMid) + change(line);
    } else if (line.starts_with(kBundle)) {
      line.remove_prefix(kBundle.size());
      changed += kBundle.substr(0, kBundle.size() - 1);
      for (const std::string_view mid : SdpWords(line)) changed += " " + change(mid);
    } else {
      changed += line;
    }
    changed += "\r\n";
  }
  return changed;
}

std::vector<std::string_view> SdpWords(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (end > 0) words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

std::optional<unsigned> SdpPayloadType(std::string_view word) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size() || value > 127) return std::nullopt;
  return value;
}

// RFC 8839 section 5.1: foundation component transport priority address port "typ" type ….
bool IsUsableCandidate(std::string_view value) {
  const std::vector<std::string_view> words = SdpWords(value);
  if (words.size() < 8 || value.size() > 512) return false;
  unsigned port = 0;
  const auto [end, error] = std::from_chars(words[5].data(), words[5].data() + words[5].size(), port);
  return EqualsIgnoreCase(words[2], "udp") && words[1] == "1" && error == std::errc() &&
         end == words[5].data() + words[5].size() && port > 0 && port < 65536 &&
         IsNumericAddress(std::string(words[4])) && words[6] == "typ";
}

}  // namespace millrace
