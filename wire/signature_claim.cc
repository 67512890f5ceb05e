#include "wire/signature_claim.h"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <locale>

#include "base/text.h"

namespace millrace::wire {
namespace {

using Field = SignedParts::Field;

constexpr std::size_t kSignedHeadersMax = 64;
constexpr std::size_t kEchoBytesMax = 1024;
// Headers that say what a request means: unsigned, somebody on the way could change it.
constexpr std::string_view kMustSign[] = {"x-amz-target", "x-amzn-stream-name", "x-amzn-stream-arn"};

const std::string* FindHeader(std::span<const Field> headers, std::string_view name) {
  for (const auto& [header, value] : headers) {
    if (EqualsIgnoreCase(header, name)) return &value;
  }
  return nullptr;
}

const std::string* FindQuery(std::span<const Field> query, std::string_view name) {
  for (const auto& [key, value] : query) {
    if (key == name) return &value;
  }
  return nullptr;
}

SignatureRefusal Invalid(std::string message) { return {"InvalidSignatureException", std::move(message)}; }
SignatureRefusal Incomplete(std::string message) {
  return {"IncompleteSignatureException", std::move(message)};
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// "id/20150830/us-east-1/kinesis/aws4_request"; the id may hold slashes.
bool ReadCredential(std::string_view text, SignatureClaim& claim) {
  std::string_view parts[4];  // from the end: terminator, service, region, date
  for (std::string_view& part : parts) {
    const auto slash = text.rfind('/');
    if (slash == std::string_view::npos) return false;
    part = text.substr(slash + 1);
    text = text.substr(0, slash);
  }
  if (text.empty() || parts[0] != "aws4_request" || parts[3].size() != 8) return false;
  claim.key_id = std::string(text);
  claim.scope = {std::string(parts[3]), std::string(parts[2]), std::string(parts[1])};
  return !claim.scope.region.empty() && !claim.scope.service.empty();
}

bool ReadSignedHeaders(std::string_view text, SignatureClaim& claim) {
  while (!text.empty()) {
    const auto semicolon = text.find(';');
    std::string name(text.substr(0, semicolon));
    text = semicolon == std::string_view::npos ? std::string_view() : text.substr(semicolon + 1);
    // Each name once: a value that is repeated would be signed twice, and nobody does so.
    if (name.empty() || claim.signed_headers.size() == kSignedHeadersMax || claim.Signs(name)) return false;
    if (std::any_of(name.begin(), name.end(),
                    [](char c) { return c != AsciiLower(c) || c <= ' ' || c > '~'; }))
      return false;
    claim.signed_headers.push_back(std::move(name));
  }
  return !claim.signed_headers.empty();
}

// RFC 9110 section 5.6.7: "Sun, 30 Aug 2015 12:36:00 GMT", to the letter.
std::optional<Timestamp> ParseHttpDate(const std::string& text) {
  static const ::locale_t kPlain = ::newlocale(LC_ALL_MASK, "C", nullptr);
  std::tm parts{};
  const char* end = ::strptime_l(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts, kPlain);
  if (end == nullptr || *end != '\0') return std::nullopt;
  if (parts.tm_year < 70 || parts.tm_year > kSignatureYearMax - 1900) return std::nullopt;
  const std::time_t seconds = ::timegm(&parts);
  // What is no date (the 31st of February, a Monday that was a Sunday) comes out as another one.
  std::tm again{};
  ::gmtime_r(&seconds, &again);
  char formatted[64];
  const std::size_t size =
      ::strftime_l(formatted, sizeof(formatted), "%a, %d %b %Y %H:%M:%S GMT", &again, kPlain);
  if (std::string_view(formatted, size) != text) return std::nullopt;
  return Timestamp::FromSeconds(seconds);
}

bool SetTime(const std::string& text, SignatureClaim& claim) {
  if (auto time = ParseSignatureTime(text)) {
    claim.time = *time;
  } else if (auto date = ParseHttpDate(text)) {
    claim.time = *date;
  } else {
    return false;
  }
  claim.time_text = FormatSignatureTime(claim.time);
  return true;
}

std::optional<SignatureRefusal> CheckSigned(const SignatureClaim& claim, std::span<const Field> headers) {
  if (!claim.Signs("host") && !claim.Signs(":authority")) {
    return Invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
  }
  for (const std::string_view name : kMustSign) {
    if (FindHeader(headers, name) != nullptr && !claim.Signs(name)) {
      return Invalid("'" + std::string(name) + "' must be a 'SignedHeader' in the AWS Authorization.");
    }
  }
  return std::nullopt;
}

ClaimOrRefusal ReadHeaderClaim(const std::string& authorization, std::span<const Field> headers) {
  // The algorithm, then "Name=value" with commas between; spaces are optional.
  std::string_view rest = Trimmed(authorization);
  const std::string echo = "Authorization=" + Excerpt(authorization, kEchoBytesMax);
  if (!rest.starts_with(kSignatureAlgorithm)) {
    return Incomplete("Unsupported AWS 'algorithm': '" + Excerpt(rest.substr(0, rest.find(' ')), 64) + "'. " +
                      echo);
  }
  rest.remove_prefix(kSignatureAlgorithm.size());
  std::optional<std::string> credential, signed_headers, signature;
  while (!rest.empty()) {
    const auto comma = rest.find(',');
    const std::string_view part = Trimmed(rest.substr(0, comma));
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    const auto equals = part.find('=');
    if (equals == std::string_view::npos) {
      if (part.empty()) continue;
      return Incomplete("'" + Excerpt(part, 100) + "' not a valid key=value pair (missing equal-sign) in " +
                        "Authorization header: '" + Excerpt(authorization, kEchoBytesMax) + "'.");
    }
    const std::string_view name = part.substr(0, equals);
    auto* place = name == "Credential"      ? &credential
                  : name == "SignedHeaders" ? &signed_headers
                  : name == "Signature"     ? &signature
                                            : nullptr;
    if (place == nullptr) continue;
    if (*place) return Incomplete("Authorization header has '" + std::string(name) + "' twice. " + echo);
    *place = std::string(part.substr(equals + 1));
  }
  const std::string* date = FindHeader(headers, "x-amz-date");
  if (date == nullptr) date = FindHeader(headers, "date");
  std::string missing;
  for (const auto& [name, value] : {std::pair{"Credential", &credential}, std::pair{"Signature", &signature},
                                    std::pair{"SignedHeaders", &signed_headers}}) {
    if (!*value || (*value)->empty())
      missing += "Authorization header requires '" + std::string(name) + "' parameter. ";
  }
  if (date == nullptr) {
    missing += "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ";
  }
  if (!missing.empty()) return Incomplete(missing + echo);
  SignatureClaim claim;
  if (!ReadCredential(*credential, claim)) {
    return Incomplete(
        "Credential must have exactly 5 slash-delimited elements, e.g. "
        "keyid/date/region/service/term, got '" +
        Excerpt(*credential, 200) + "'");
  }
  if (!ReadSignedHeaders(*signed_headers, claim)) {
    return Incomplete("'SignedHeaders' must be names in lower case with semicolons between. " + echo);
  }
  if (!IsHexDigest(*signature)) return SignatureMismatch();
  claim.signature = std::move(*signature);
  if (!SetTime(*date, claim)) {
    return Incomplete("Date must be in ISO-8601 'basic format'. Got '" + Excerpt(*date, 64) +
                      "'. See http://en.wikipedia.org/wiki/ISO_8601");
  }
  if (auto refused = CheckSigned(claim, headers)) return *refused;
  return claim;
}

ClaimOrRefusal ReadQueryClaim(std::span<const Field> headers, std::span<const Field> query) {
  static constexpr std::string_view kNames[] = {"X-Amz-Algorithm",     "X-Amz-Credential", "X-Amz-Signature",
                                                "X-Amz-SignedHeaders", "X-Amz-Date",       "X-Amz-Expires"};
  std::string missing;
  for (const std::string_view name : kNames) {
    const std::string* value = FindQuery(query, name);
    if (value == nullptr || value->empty())
      missing += "AWS query-string parameters must include '" + std::string(name) + "'. ";
    if (std::count_if(query.begin(), query.end(), [&](const Field& field) { return field.first == name; }) >
        1)
      return Incomplete("AWS query-string parameters must have '" + std::string(name) + "' once.");
  }
  if (!missing.empty()) return Incomplete(missing + "Re-examine the query-string parameters.");
  SignatureClaim claim;
  claim.presigned = true;
  if (*FindQuery(query, "X-Amz-Algorithm") != kSignatureAlgorithm) {
    return Incomplete("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"");
  }
  if (!ReadCredential(*FindQuery(query, "X-Amz-Credential"), claim)) {
    return Incomplete(
        "Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting "
        "\"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".");
  }
  if (!ReadSignedHeaders(*FindQuery(query, "X-Amz-SignedHeaders"), claim)) {
    return Incomplete("X-Amz-SignedHeaders must be names in lower case with semicolons between.");
  }
  const std::string& expires = *FindQuery(query, "X-Amz-Expires");
  std::int64_t seconds = 0;
  const auto [end, ec] = std::from_chars(expires.data(), expires.data() + expires.size(), seconds);
  const std::int64_t seconds_max = kPresignedExpiryMax / std::chrono::seconds(1);
  if (ec != std::errc() || end != expires.data() + expires.size() || seconds < 1 || seconds > seconds_max) {
    return Incomplete("X-Amz-Expires must be a number of seconds from 1 to " + std::to_string(seconds_max));
  }
  claim.expires = std::chrono::seconds(seconds);
  auto time = ParseSignatureTime(*FindQuery(query, "X-Amz-Date"));
  if (!time) {
    return Incomplete("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
  }
  claim.time = *time;
  claim.time_text = FormatSignatureTime(*time);
  claim.signature = *FindQuery(query, "X-Amz-Signature");
  if (!IsHexDigest(claim.signature)) return SignatureMismatch();
  if (auto refused = CheckSigned(claim, headers)) return *refused;
  return claim;
}

std::string_view WithoutPort(std::string_view host) {
  const auto colon = host.rfind(':');
  // An IPv6 address has colons within brackets.
  const auto bracket = host.rfind(']');
  if (colon == std::string_view::npos || (bracket != std::string_view::npos && colon < bracket)) return host;
  return host.substr(0, colon);
}

}  // namespace

bool SignatureClaim::Signs(std::string_view header) const {
  return std::find(signed_headers.begin(), signed_headers.end(), header) != signed_headers.end();
}

bool HasClaim(std::span<const Field> headers, std::span<const Field> query) {
  const std::string* authorization = FindHeader(headers, "authorization");
  return (authorization != nullptr && authorization->starts_with("AWS4-")) ||
         FindQuery(query, "X-Amz-Algorithm") != nullptr;
}

ClaimOrRefusal ReadClaim(std::span<const Field> headers, std::span<const Field> query) {
  const std::string* authorization = FindHeader(headers, "authorization");
  const bool presigned = FindQuery(query, "X-Amz-Algorithm") != nullptr;
  if (authorization != nullptr && presigned) {
    return Invalid(
        "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.");
  }
  if (presigned) return ReadQueryClaim(headers, query);
  if (authorization == nullptr || authorization->empty()) {
    return SignatureRefusal{"MissingAuthenticationTokenException", "Missing Authentication Token"};
  }
  return ReadHeaderClaim(*authorization, headers);
}

std::optional<SignatureRefusal> CheckClaim(const SignatureClaim& claim, Timestamp now,
                                           std::span<const std::string_view> services) {
  const std::string day = claim.time_text.substr(0, 8);
  if (claim.scope.date != day) {
    return Invalid(
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '" +
        Excerpt(claim.scope.date, 16) + "' != '" + day + "', from '" + claim.time_text + "'.");
  }
  if (std::find(services.begin(), services.end(), claim.scope.service) == services.end()) {
    return Invalid("Credential should be scoped to correct service: '" + std::string(services.front()) +
                   "'.");
  }
  const std::string there = FormatSignatureTime(now);
  if (claim.time - now > kSignatureSkewMax) {
    return Invalid("Signature not yet current: " + claim.time_text + " is still later than " +
                   FormatSignatureTime(now + kSignatureSkewMax) + " (" + there + " + 15 min.)");
  }
  if (claim.presigned && now > claim.time + claim.expires) {
    return Invalid("Signature expired: " + there + " is later than " +
                   FormatSignatureTime(claim.time + claim.expires) + ", when X-Amz-Expires was over.");
  }
  if (!claim.presigned && now - claim.time > kSignatureSkewMax) {
    return Invalid("Signature expired: " + claim.time_text + " is now earlier than " +
                   FormatSignatureTime(now - kSignatureSkewMax) + " (" + there + " - 15 min.)");
  }
  return std::nullopt;
}

bool SignatureMatches(const SignatureClaim& claim, const Digest& signing_key, SignedParts parts,
                      std::string_view payload_hash) {
  const auto matches = [&] {
    return EqualInConstantTime(SignRequest(signing_key, claim.time_text, claim.scope,
                                           CanonicalRequest(parts, claim.signed_headers, payload_hash)),
                               claim.signature);
  };
  if (matches()) return true;
  const std::string_view portless = WithoutPort(parts.host);
  if (portless.size() == parts.host.size()) return false;
  parts.host = portless;
  return matches();
}

SignatureRefusal SignatureMismatch() {
  return Invalid(
      "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
      "Access Key and signing method. Consult the service documentation for details.");
}

SignatureRefusal UnknownAccessKey() {
  return {"UnrecognizedClientException", "The security token included in the request is invalid."};
}

}  // namespace millrace::wire
