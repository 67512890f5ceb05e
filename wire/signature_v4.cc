#include "wire/signature_v4.h"

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "base/text.h"

namespace millrace::wire {
namespace {

bool IsNamed(std::string_view name, std::string_view lower_case) {
  return std::equal(name.begin(), name.end(), lower_case.begin(), lower_case.end(),
                    [](char a, char b) { return AsciiLower(a) == b; });
}

// Without white space around, and with one space for any amount within.
void AppendValue(std::string& out, std::string_view value) {
  bool gap = false;
  bool begun = false;
  for (const char c : value) {
    if (c == ' ' || c == '\t') {
      gap = begun;
      continue;
    }
    if (gap) out.push_back(' ');
    out.push_back(c);
    gap = false;
    begun = true;
  }
}

void AppendPath(std::string& out, std::string_view path) {
  std::string once;
  once.reserve(path.size());
  for (const char c : path) {
    if (c != '/' || once.empty() || once.back() != '/') once.push_back(c);
  }
  out += once.empty() ? "/" : SignatureEscape(once, true);
}

std::string CanonicalQuery(std::span<const SignedParts::Field> query) {
  std::vector<SignedParts::Field> escaped;
  escaped.reserve(query.size());
  for (const auto& [name, value] : query) {
    if (name != "X-Amz-Signature") escaped.emplace_back(SignatureEscape(name), SignatureEscape(value));
  }
  std::sort(escaped.begin(), escaped.end());
  std::string text;
  for (const auto& [name, value] : escaped) {
    if (!text.empty()) text.push_back('&');
    text += name + "=" + value;
  }
  return text;
}

std::string Joined(std::span<const std::string> names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ";") + name;
  return text;
}

}  // namespace

std::string SignatureScope::ToString() const { return date + "/" + region + "/" + service + "/aws4_request"; }

std::string SignatureEscape(std::string_view text, bool keep_slash) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const bool unreserved = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                            c == '-' || c == '.' || c == '_' || c == '~';
    if (unreserved || (keep_slash && c == '/')) {
      out.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out.push_back('%');
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    }
  }
  return out;
}

std::string CanonicalRequest(const SignedParts& parts, std::span<const std::string> signed_headers,
                             std::string_view payload_hash) {
  std::string text;
  text.reserve(512);
  text.append(parts.method).push_back('\n');
  AppendPath(text, parts.path);
  text.push_back('\n');
  text += CanonicalQuery(parts.query);
  text.push_back('\n');
  for (const std::string& name : signed_headers) {
    text += name;
    text.push_back(':');
    if (name == "host" || name == ":authority") {
      AppendValue(text, parts.host);
    } else {
      bool first = true;
      for (const auto& [header, value] : parts.headers) {
        if (!IsNamed(header, name)) continue;
        if (!first) text.push_back(',');
        AppendValue(text, value);
        first = false;
      }
    }
    text.push_back('\n');
  }
  text.push_back('\n');
  text += Joined(signed_headers);
  text.push_back('\n');
  text.append(payload_hash);
  return text;
}

Digest SigningKey(std::string_view secret, const SignatureScope& scope) {
  const std::string first = "AWS4" + std::string(secret);
  Digest key = HmacSha256(AsBytes(first), scope.date);
  key = HmacSha256(key, scope.region);
  key = HmacSha256(key, scope.service);
  return HmacSha256(key, "aws4_request");
}

std::string SignRequest(const Digest& signing_key, std::string_view time, const SignatureScope& scope,
                        std::string_view canonical_request) {
  std::string text(kSignatureAlgorithm);
  text.append("\n").append(time).append("\n");
  text += scope.ToString() + "\n" + Hex(Sha256Of(AsBytes(canonical_request)));
  return Hex(HmacSha256(signing_key, text));
}

std::string FormatSignatureTime(Timestamp time) {
  const std::time_t seconds = time.seconds();
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof(text), "%Y%m%dT%H%M%SZ", &parts)};
}

Result<Timestamp> ParseSignatureTime(std::string_view text) {
  const Error bad{ErrorCode::kInvalidArgument, "a time must look like 20150830T123600Z"};
  if (text.size() != 16 || text[8] != 'T' || text[15] != 'Z') return bad;
  int digits[14];
  int count = 0;
  for (std::size_t i = 0; i < 15; ++i) {
    if (i == 8) continue;
    if (text[i] < '0' || text[i] > '9') return bad;
    digits[count++] = text[i] - '0';
  }
  const auto pair = [&](int at) { return 10 * digits[at] + digits[at + 1]; };
  std::tm parts{};
  parts.tm_year = 100 * pair(0) + pair(2) - 1900;
  parts.tm_mon = pair(4) - 1;
  parts.tm_mday = pair(6);
  parts.tm_hour = pair(8);
  parts.tm_min = pair(10);
  parts.tm_sec = pair(12);
  if (parts.tm_year < 70 || parts.tm_year > kSignatureYearMax - 1900) return bad;
  const Timestamp time = Timestamp::FromSeconds(::timegm(&parts));
  // What is no date (the 31st of February) comes out as another one.
  if (FormatSignatureTime(time) != text) return bad;
  return time;
}

std::vector<SignedParts::Field> SignatureHeaders(const AccessKey& key, const std::string& region,
                                                 const std::string& service, Timestamp now,
                                                 const SignedParts& parts, std::string_view payload_hash) {
  const std::string time = FormatSignatureTime(now);
  const SignatureScope scope{time.substr(0, 8), region, service};
  std::vector<SignedParts::Field> added{{"X-Amz-Date", time}};
  if (!IsHexDigest(payload_hash)) added.emplace_back("X-Amz-Content-Sha256", std::string(payload_hash));
  std::vector<SignedParts::Field> headers(parts.headers.begin(), parts.headers.end());
  headers.insert(headers.end(), added.begin(), added.end());
  std::vector<std::string> names{"host"};
  for (const auto& [header, value] : headers) {
    std::string name = header;
    std::transform(name.begin(), name.end(), name.begin(), AsciiLower);
    names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  SignedParts all = parts;
  all.headers = headers;
  const std::string signature =
      SignRequest(SigningKey(key.secret, scope), time, scope, CanonicalRequest(all, names, payload_hash));
  added.emplace_back("Authorization", std::string(kSignatureAlgorithm) + " Credential=" + key.id + "/" +
                                          scope.ToString() + ", SignedHeaders=" + Joined(names) +
                                          ", Signature=" + signature);
  return added;
}

std::string PresignedQuery(const AccessKey& key, const std::string& region, const std::string& service,
                           Timestamp now, Duration expires, const SignedParts& parts,
                           std::string_view payload_hash) {
  const std::string time = FormatSignatureTime(now);
  const SignatureScope scope{time.substr(0, 8), region, service};
  std::vector<SignedParts::Field> query(parts.query.begin(), parts.query.end());
  query.emplace_back("X-Amz-Algorithm", kSignatureAlgorithm);
  query.emplace_back("X-Amz-Credential", key.id + "/" + scope.ToString());
  query.emplace_back("X-Amz-Date", time);
  query.emplace_back("X-Amz-Expires",
                     std::to_string(std::chrono::duration_cast<std::chrono::seconds>(expires).count()));
  query.emplace_back("X-Amz-SignedHeaders", "host");
  SignedParts all = parts;
  all.query = query;
  const std::vector<std::string> names{"host"};
  const std::string signature =
      SignRequest(SigningKey(key.secret, scope), time, scope, CanonicalRequest(all, names, payload_hash));
  return CanonicalQuery(query) + "&X-Amz-Signature=" + signature;
}

}  // namespace millrace::wire
