// AWS Signature Version 4: what is signed of a request, and the signature of it. Signing and checking share
// every step, so that they cannot come apart.
//
// Canonical form: method, path, query, the signed headers, their names, the body's hash, each on its line.
// The path is escaped once more as it was sent ("%2F" becomes "%252F"), as all services but S3 have it;
// slashes that follow each other count as one.
// Specification: docs.aws.amazon.com, "Create a signed AWS API request".
//
// Threads: pure functions and values, any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "wire/access_key.h"
#include "wire/digest.h"

namespace millrace::wire {

// What a signature is good for: "20150830/us-east-1/kinesis/aws4_request".
struct SignatureScope {
  std::string date;  // "20150830"
  std::string region;
  std::string service;
  std::string ToString() const;
};

// The parts of a request that go into its signature; all borrowed.
struct SignedParts {
  using Field = std::pair<std::string, std::string>;
  std::string_view method;
  std::string_view path;           // as sent, without query
  std::span<const Field> query;    // decoded
  std::span<const Field> headers;  // names in any case
  std::string_view host;           // what stands for "host", and for HTTP/2's ":authority"
};

inline constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";
inline constexpr std::string_view kSignatureAlgorithm = "AWS4-HMAC-SHA256";
// SHA-256 of nothing.
inline constexpr std::string_view kEmptyPayloadHash =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

// `signed_headers`: lower case, in the order of the signature. `payload_hash`: 64 hexadecimal digits, or one
// of the words that stand for a body that is not hashed. The query's X-Amz-Signature is left out.
std::string CanonicalRequest(const SignedParts& parts, std::span<const std::string> signed_headers,
                             std::string_view payload_hash);

// The key that signs for this scope: made of the secret, and not turned back into it.
Digest SigningKey(std::string_view secret, const SignatureScope& scope);

// The signature of a request: 64 hexadecimal digits. `time`: "20150830T123600Z".
std::string SignRequest(const Digest& signing_key, std::string_view time, const SignatureScope& scope,
                        std::string_view canonical_request);

// Later ones are taken for no dates: a Timestamp ends in 2262, and sums with them must not.
inline constexpr int kSignatureYearMax = 2200;

// "20150830T123600Z", and back, from 1970 to kSignatureYearMax. Errors: kInvalidArgument.
std::string FormatSignatureTime(Timestamp time);
Result<Timestamp> ParseSignatureTime(std::string_view text);

// What a client adds to its request: X-Amz-Date and Authorization, and for a body that is not hashed
// X-Amz-Content-Sha256. All of `parts.headers` are signed, and the host. `scope_date` comes from `now`.
std::vector<SignedParts::Field> SignatureHeaders(const AccessKey& key, const std::string& region,
                                                 const std::string& service, Timestamp now,
                                                 const SignedParts& parts, std::string_view payload_hash);

// The query of a presigned request, escaped, with that of `parts` before it: "a=b&X-Amz-Algorithm=…". Only
// the host is signed of its headers. REQUIRES: 1 s <= expires <= 7 days.
std::string PresignedQuery(const AccessKey& key, const std::string& region, const std::string& service,
                           Timestamp now, Duration expires, const SignedParts& parts,
                           std::string_view payload_hash = kEmptyPayloadHash);

// RFC 3986 section 2.3: everything but unreserved characters; `keep_slash` leaves "/" too.
std::string SignatureEscape(std::string_view text, bool keep_slash = false);

}  // namespace millrace::wire
