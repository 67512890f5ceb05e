// What a request says of its signature: the Authorization header or the X-Amz-… query parameters, taken apart
// and checked as far as that goes without a secret.
//
// Refusals come in AWS's words, which SDKs and people know.
//
// Threads: pure functions and values, any thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "wire/signature_v4.h"

namespace millrace::wire {

// How far a request's time may be from ours.
inline constexpr Duration kSignatureSkewMax = std::chrono::minutes(15);
inline constexpr Duration kPresignedExpiryMax = std::chrono::hours(7 * 24);

struct SignatureClaim {
  bool presigned = false;
  std::string key_id;
  SignatureScope scope;
  std::vector<std::string> signed_headers;  // lower case
  std::string signature;                    // 64 hexadecimal digits
  std::string time_text;                    // "20150830T123600Z"
  Timestamp time;
  Duration expires{};  // of a presigned request

  bool Signs(std::string_view header) const;
};

struct SignatureRefusal {
  std::string type;  // "IncompleteSignatureException"
  std::string message;
};

using ClaimOrRefusal = std::variant<SignatureClaim, SignatureRefusal>;

// Refuses with MissingAuthenticationTokenException (neither form), IncompleteSignatureException (a part is
// missing or malformed), InvalidSignatureException (both forms; the host is not signed; a header that says
// what is meant, X-Amz-Target and the like, is there and not signed).
ClaimOrRefusal ReadClaim(std::span<const SignedParts::Field> headers,
                         std::span<const SignedParts::Field> query);

// Whether a request has either form at all.
bool HasClaim(std::span<const SignedParts::Field> headers, std::span<const SignedParts::Field> query);

// InvalidSignatureException where the claim's time is too far from `now`, a presigned one has expired, or its
// scope is of another day. `services`: those that its scope may name.
std::optional<SignatureRefusal> CheckClaim(const SignatureClaim& claim, Timestamp now,
                                           std::span<const std::string_view> services);

// Whether the signature is that of this request. The host counts as it was sent and without its port: some
// clients sign it so. Takes the same time whatever differs.
bool SignatureMatches(const SignatureClaim& claim, const Digest& signing_key, SignedParts parts,
                      std::string_view payload_hash);

// What the service says where the signature is another.
SignatureRefusal SignatureMismatch();
// What it says where nobody has such an access key.
SignatureRefusal UnknownAccessKey();

}  // namespace millrace::wire
