// SDP as lines (RFC 8866 section 5): what is common to offers, answers and pieces of them.
//
// Threads: pure functions, any thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace {

// A section: its lines, without their ends. They point into the text.
using SdpLines = std::vector<std::string_view>;

// Lines are "x=…"; they end with CRLF or LF. Errors: kInvalidArgument: too long, something else, or bytes
// that are no text.
Result<SdpLines> SplitSdpLines(std::string_view text);

// What stands behind "a=name:", or for "a=name" alone an empty text; none: another line.
std::optional<std::string_view> SdpAttribute(std::string_view line, std::string_view name);
// Of the first such line.
std::optional<std::string_view> FindSdpAttribute(const SdpLines& lines, std::string_view name);

// The text with other names for its media: `change` gives each one's. Lines end with CRLF.
std::string WithOtherMids(std::string_view text, const std::function<std::string(std::string_view)>& change);

// Words between single blanks.
std::vector<std::string_view> SdpWords(std::string_view text);

// "111" as a payload type, 0 to 127.
std::optional<unsigned> SdpPayloadType(std::string_view word);

// Whether the value of an "a=candidate" line names a numeric address over UDP: no name has to be looked up
// for it.
bool IsUsableCandidate(std::string_view value);

}  // namespace millrace
