#include "api/http/target.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "base/text.h"

namespace millrace::api {
namespace {

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Error Invalid(std::string message) { return Error{ErrorCode::kInvalidArgument, std::move(message)}; }

// What says who asks rather than what for: access control has read it.
constexpr std::string_view kAccessParameters[] = {
    "X-Amz-Algorithm",      "X-Amz-Content-Sha256", "X-Amz-Credential",    "X-Amz-Date",  "X-Amz-Expires",
    "X-Amz-Security-Token", "X-Amz-Signature",      "X-Amz-SignedHeaders", "SessionToken"};

bool SaysWhoAsks(std::string_view name) {
  return std::find(std::begin(kAccessParameters), std::end(kAccessParameters), name) !=
         std::end(kAccessParameters);
}

Result<void> ParseSegments(Target& target) {
  std::string_view rest = target.path;
  rest.remove_prefix(1);
  if (rest.empty()) return {};
  for (;;) {
    auto slash = rest.find('/');
    auto segment = PercentDecode(rest.substr(0, slash));
    if (!segment) return WithContext(std::move(segment).error(), "path");
    if (*segment == "." || *segment == "..") {
      return Invalid("the path has a '" + *segment + "' segment: write the path without it");
    }
    target.segments.push_back(std::move(*segment));
    if (slash == std::string_view::npos) return {};
    rest.remove_prefix(slash + 1);
  }
}

Result<void> ParseQuery(std::string_view text, Target& target) {
  while (!text.empty()) {
    auto ampersand = text.find('&');
    std::string_view pair = text.substr(0, ampersand);
    text = ampersand == std::string_view::npos ? std::string_view() : text.substr(ampersand + 1);
    if (pair.empty()) continue;
    if (target.query.size() == kQueryParametersMax) return Invalid("the query has too many parameters");
    auto equals = pair.find('=');
    auto name = PercentDecode(pair.substr(0, equals));
    if (!name) return WithContext(std::move(name).error(), "query");
    std::string_view raw = equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    auto value = PercentDecode(raw);
    if (!value) return WithContext(std::move(value).error(), "query parameter '" + *name + "'");
    target.query.emplace_back(std::move(*name), std::move(*value));
  }
  return {};
}

}  // namespace

Result<std::string> PercentDecode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      int high = i + 2 < text.size() ? HexValue(text[i + 1]) : -1;
      int low = high >= 0 ? HexValue(text[i + 2]) : -1;
      if (low < 0)
        return Invalid("'%' must be followed by two hexadecimal digits; a plain '%' is written %25");
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    auto u = static_cast<unsigned char>(c);
    if (u < 0x20 || u == 0x7f) return Invalid("control characters are not allowed");
    out.push_back(c);
  }
  if (!IsUtf8(out)) return Invalid("the text is not UTF-8");
  return out;
}

std::string PercentEncode(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (char c : text) {
    bool unreserved = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                      c == '-' || c == '.' || c == '_' || c == '~';
    if (unreserved) {
      out.push_back(c);
    } else {
      auto u = static_cast<unsigned char>(c);
      out.push_back('%');
      out.push_back(kHex[u >> 4]);
      out.push_back(kHex[u & 15]);
    }
  }
  return out;
}

std::optional<std::string_view> Target::Query(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return value;
  }
  return std::nullopt;
}

Result<std::size_t> Target::Count(std::string_view name, std::size_t otherwise, std::size_t max) const {
  const auto text = Query(name);
  if (!text) return otherwise;
  std::size_t count = 0;
  const auto [end, ec] = std::from_chars(text->data(), text->data() + text->size(), count);
  if (ec == std::errc() && end == text->data() + text->size() && count >= 1 && count <= max) return count;
  return Error{ErrorCode::kInvalidArgument,
               "'" + std::string(name) + "' must be a number from 1 to " + std::to_string(max)};
}

Result<void> Target::CheckQuery(std::initializer_list<std::string_view> known) const {
  for (std::size_t i = 0; i < query.size(); ++i) {
    const std::string& name = query[i].first;
    if (std::find(known.begin(), known.end(), name) == known.end() && !SaysWhoAsks(name)) {
      std::string text = "query parameter '" + Excerpt(name) + "' is not known here; ";
      if (known.size() == 0) text += "this request takes none";
      for (const auto* it = known.begin(); it != known.end(); ++it) {
        text += it == known.begin() ? "known: " : ", ";
        text += *it;
      }
      return Invalid(std::move(text));
    }
    for (std::size_t k = 0; k < i; ++k) {
      if (query[k].first == name)
        return Invalid("query parameter '" + name + "' is given twice; give it once");
    }
  }
  return {};
}

Result<Target> ParseTarget(std::string_view text) {
  Target target;
  constexpr std::string_view kScheme = "http://";
  if (text.substr(0, kScheme.size()) == kScheme) {
    text.remove_prefix(kScheme.size());
    auto path = text.find_first_of("/?");
    target.authority = std::string(text.substr(0, path));
    if (target.authority.empty()) return Invalid("the request target has no host");
    text = path == std::string_view::npos ? std::string_view() : text.substr(path);
    if (text.empty() || text.front() == '?') {
      target.path = "/";
    }
  } else if (text.empty() || text.front() != '/') {
    return Invalid("the request target must be a path that begins with '/'");
  }
  if (text.find('#') != std::string_view::npos) {
    return Invalid(
        "the request target has a '#': a fragment is not sent to a server; a plain '#' is written %23");
  }
  auto question = text.find('?');
  if (target.path.empty()) target.path = std::string(text.substr(0, question));
  MILLRACE_RETURN_IF_ERROR(ParseSegments(target));
  if (question != std::string_view::npos) {
    MILLRACE_RETURN_IF_ERROR(ParseQuery(text.substr(question + 1), target));
  }
  return target;
}

}  // namespace millrace::api
