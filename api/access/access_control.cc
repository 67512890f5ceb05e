#include "api/access/access_control.h"

#include <algorithm>
#include <utility>

#include "api/access/verified_body.h"
#include "api/aws/aws_body.h"
#include "api/aws/aws_http.h"
#include "api/http/error_response.h"
#include "api/http/observed_writer.h"
#include "api/http/origin_policy.h"
#include "base/metrics.h"
#include "base/text.h"
#include "wire/base64.h"
#include "wire/signature_claim.h"

namespace millrace::api {
namespace {

using CallerResult = AwsResult<std::shared_ptr<Caller>>;

// What a signature's scope may name. "millrace" is what our own clients sign for.
constexpr std::string_view kDataServices[] = {"kinesis", "millrace"};
constexpr std::string_view kVideoServices[] = {"kinesisvideo", "millrace"};
constexpr std::string_view kOwnServices[] = {"millrace", "kinesisvideo", "kinesis"};

constexpr std::string_view kMetricsAction = "millrace:GetMetrics";
constexpr std::string_view kBasicScheme = "basic ";
constexpr std::size_t kBasicBytesMax = 4096;  // as base64

std::span<const std::string_view> ServicesOf(Door door) {
  if (door == Door::kDataStreams) return kDataServices;
  if (door == Door::kVideoStreams) return kVideoServices;
  return kOwnServices;
}

AwsError Refused(wire::SignatureRefusal refusal) {
  return {std::move(refusal.type), std::move(refusal.message)};
}

AwsError NoCredentials() { return {"MissingAuthenticationTokenException", "Missing Authentication Token"}; }

wire::SignedParts PartsOf(const Request& request) {
  return {request.method, request.target.path, request.target.query, request.headers.fields(),
          request.headers.Find("Host").value_or("")};
}

// What the request says of its body's hash; "" for nothing.
std::string StatedPayload(const Request& request, bool presigned) {
  if (presigned) return std::string(request.target.Query("X-Amz-Content-Sha256").value_or(""));
  return std::string(request.headers.Find("X-Amz-Content-Sha256").value_or(""));
}

void CountRefusal(const std::string& type) {
  GetCounter("millrace_api_refused_total", "Requests that were turned away", {{"reason", type}}).Increment();
}

// In the protocol of the route.
net::awaitable<void> Refuse(const Request& request, ResponseWriter& writer, Door door, AwsError error) {
  CountRefusal(error.type);
  if (door == Door::kDataStreams) {
    const auto encoding = MediaType(request) == kCbor11 ? AwsEncoding::kCbor : AwsEncoding::kJson;
    co_await RespondAws(writer, AwsService::kDataStreams, std::move(error), encoding);
    co_return;
  }
  if (door == Door::kVideoStreams) {
    error.status = 403;
    co_await RespondAws(writer, AwsService::kVideoStreams, std::move(error));
    co_return;
  }
  ResponseHead head{401, {}};
  head.headers.Add("Content-Type", "application/json");
  head.headers.Add("Cache-Control", "no-store");
  head.headers.Add("WWW-Authenticate", "Bearer");
  Error ours{ErrorCode::kUnauthenticated, error.type + ": " + error.message};
  const std::string json = ErrorJson(ours) + "\n";
  Bytes bytes(json.begin(), json.end());
  SharedBytes body(std::move(bytes));
  (void)co_await writer.Respond(std::move(head), std::move(body));
}

}  // namespace

std::string AccessControl::ResourcePrefix(const AccessRule& rule) const {
  const std::string_view service = rule.action.substr(0, rule.action.find(':'));
  return "arn:aws:" + std::string(service) + ":" + options_.identity.region + ":" +
         options_.identity.account + ":";
}

std::string AccessControl::ResourceOf(const AccessRule& rule, const PathParameters& parameters) const {
  if (rule.resource.empty() || rule.resource == "*") return std::string(rule.resource);
  std::string text = ResourcePrefix(rule);
  const auto open = rule.resource.find('{');
  text += rule.resource.substr(0, open);
  const std::string_view name = rule.resource.substr(open + 1, rule.resource.size() - open - 2);
  for (const auto& [parameter, value] : parameters) {
    if (parameter == name) text += value;
  }
  return text;
}

net::awaitable<bool> AccessControl::Admit(Request& request, ResponseWriter& writer,
                                          const Router::Match& match) {
  const AccessRule* rule = FindAccessRule(request.route_method(), match.pattern);
  if (rule != nullptr && rule->door == Door::kToken) co_return true;
  if (options_.credentials == nullptr) {
    if (auto admitted = CheckCaller(request); !admitted) {
      co_await RespondError(writer, std::move(admitted).error());
      co_return false;
    }
    if (rule != nullptr && rule->door != Door::kOpen) {
      request.caller = std::make_shared<Caller>(std::string(rule->action));
      (void)request.caller->Check(ResourceOf(*rule, match.parameters));
    }
    co_return true;
  }
  // Without a handler it is a 404, a 405 or an OPTIONS: nothing is told that is not in the documents.
  if (match.handler == nullptr || request.method == "OPTIONS") co_return true;
  if (rule == nullptr) {
    Error error{ErrorCode::kPermissionDenied, "nobody may call this: it has no access rule"};
    co_await RespondError(writer, std::move(error));
    co_return false;
  }
  if (rule->door == Door::kOpen) co_return true;
  CallerResult caller = Identify(request, *rule);
  if (!caller) {
    co_await Refuse(request, writer, rule->door, std::move(caller).error());
    co_return false;
  }
  request.caller = std::move(*caller);
  if (rule->door == Door::kOwn) {
    request.caller->SetResourcePrefix(ResourcePrefix(*rule));
    auto allowed = request.caller->Require(ResourceOf(*rule, match.parameters));
    if (!allowed) {
      CountRefusal("AccessDeniedException");
      co_await RespondError(writer, std::move(allowed).error());
      co_return false;
    }
  }
  co_return true;
}

CallerResult AccessControl::Identify(Request& request, const AccessRule& rule) const {
  const auto authorization = request.headers.Find("Authorization");
  if (request.headers.Count("Authorization") > 1) {
    return AwsError("InvalidSignatureException", "The request has more than one Authorization header.");
  }
  // Prometheus cannot sign. Nothing else takes a secret that is sent along with each request.
  if (rule.action == kMetricsAction && authorization &&
      EqualsIgnoreCase(authorization->substr(0, kBasicScheme.size()), kBasicScheme)) {
    return CheckBasic(authorization->substr(kBasicScheme.size()), rule);
  }
  const bool bearer = authorization && EqualsIgnoreCase(authorization->substr(0, 7), "bearer ");
  const bool signs = (authorization && !bearer) || request.target.Query("X-Amz-Algorithm");
  if (signs) return CheckSignature(request, rule);
  return CheckSession(request, rule);
}

CallerResult AccessControl::CheckSignature(Request& request, const AccessRule& rule) const {
  if (request.headers.Count("Host") > 1)
    return AwsError("InvalidSignatureException", "The request has more than one Host header.");
  auto read = wire::ReadClaim(request.headers.fields(), request.target.query);
  if (auto* refusal = std::get_if<wire::SignatureRefusal>(&read)) return Refused(std::move(*refusal));
  const auto& claim = std::get<wire::SignatureClaim>(read);
  if (auto refusal = wire::CheckClaim(claim, options_.clock->Now(), ServicesOf(rule.door)))
    return Refused(std::move(*refusal));
  const auto credentials = options_.credentials->Now();
  const Credentials::Owner* owner = credentials->Find(claim.key_id);
  if (owner == nullptr) return Refused(wire::UnknownAccessKey());
  const wire::Digest key = signing_keys_.Of(owner->secret, claim.scope);
  auto caller = std::make_shared<Caller>(std::string(rule.action), owner->user, claim.key_id);

  std::string payload = StatedPayload(request, claim.presigned);
  if (payload.empty() && rule.body == BodyUse::kWhole && !claim.presigned) {
    // The hash is signed and not stated: the body says what it is.
    caller->VerifyLater();
    auto check = [&request, claim, key, caller = caller.get()](const std::string& digest) -> Result<void> {
      if (!wire::SignatureMatches(claim, key, PartsOf(request), digest)) {
        CountRefusal("InvalidSignatureException");
        return Error{ErrorCode::kUnauthenticated, wire::SignatureMismatch().message};
      }
      auto allowed = caller->MarkVerified();
      if (!allowed) CountRefusal("AccessDeniedException");
      return allowed;
    };
    request.checked_body = std::make_shared<HashedBody>(*request.body, std::move(check));
    request.body = request.checked_body.get();
    return caller;
  }
  // Producers sign a body that they stream as if there were none.
  const bool stated = !payload.empty();
  if (!stated) payload = wire::kEmptyPayloadHash;
  const auto chunked = wire::ChunkedPayloadOf(payload);
  const bool hashed = wire::IsHexDigest(payload);
  const bool unsigned_body = payload == wire::kUnsignedPayload;
  if (!chunked && !hashed && !unsigned_body) {
    return AwsError("InvalidSignatureException",
                    "X-Amz-Content-Sha256 must be the body's SHA-256 in lower case, UNSIGNED-PAYLOAD, or "
                    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD.");
  }
  if (rule.body == BodyUse::kWhole && (unsigned_body || chunked == wire::ChunkedPayload::kUnsignedTrailer)) {
    return AwsError("InvalidSignatureException",
                    "The body must be signed: " + payload + " is not taken here.");
  }
  if (!wire::SignatureMatches(claim, key, PartsOf(request), payload))
    return Refused(wire::SignatureMismatch());
  if (chunked && rule.body != BodyUse::kNone) {
    wire::SignedChunkReader reader(*chunked, claim, key);
    request.checked_body = std::make_shared<ChunkedBody>(*request.body, std::move(reader));
    request.body = request.checked_body.get();
    request.content_length.reset();  // it counts the chunks' heads as well
  } else if (hashed && (rule.body == BodyUse::kWhole || (stated && payload != wire::kEmptyPayloadHash))) {
    auto check = [payload](const std::string& digest) -> Result<void> {
      if (wire::EqualInConstantTime(digest, payload)) return {};
      CountRefusal("InvalidSignatureException");
      return Error{ErrorCode::kUnauthenticated, wire::SignatureMismatch().message};
    };
    request.checked_body = std::make_shared<HashedBody>(*request.body, std::move(check));
    request.body = request.checked_body.get();
  }
  return caller;
}

CallerResult AccessControl::CheckBasic(std::string_view credentials, const AccessRule& rule) const {
  const AwsError refused("InvalidSignatureException",
                         "There is no such access key, or its secret is another.");
  if (credentials.size() > kBasicBytesMax) return refused;
  const auto decoded = wire::DecodeBase64(credentials);
  if (!decoded) return refused;
  const std::string_view text = AsText(*decoded);
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return refused;
  const auto known = options_.credentials->Now();
  const Credentials::Owner* owner = known->Find(text.substr(0, colon));
  if (owner == nullptr || !wire::EqualInConstantTime(owner->secret, text.substr(colon + 1))) return refused;
  return std::make_shared<Caller>(std::string(rule.action), owner->user, std::string(text.substr(0, colon)));
}

CallerResult AccessControl::CheckSession(const Request& request, const AccessRule& rule) const {
  if (options_.sessions == nullptr) return NoCredentials();
  const auto authorization = request.headers.Find("Authorization");
  std::string_view token;
  bool cookie = false;
  if (authorization) {
    token = authorization->substr(7);
  } else if (auto query = request.target.Query("SessionToken"); query && request.method != "POST") {
    token = *query;
  } else if (auto cookies = request.headers.Find("Cookie")) {
    token = FindCookie(*cookies, kSessionCookie);
    cookie = true;
  }
  if (token.empty()) return NoCredentials();
  // A browser sends a cookie along whoever asks it to: another port of this host counts as the same site.
  if (cookie) {
    if (auto same = CheckSameOrigin(request); !same)
      return AwsError("InvalidSignatureException", same.error().message);
  }
  const auto credentials = options_.credentials->Now();
  auto holder = options_.sessions->Open(*credentials, token);
  if (!holder || !holder->GoodFor(request.target.path)) {
    return AwsError("ExpiredTokenException", "The session is over, or not good for this: log in again.");
  }
  return std::make_shared<Caller>(std::string(rule.action), holder->user, holder->key_id);
}

void AccessControl::Answered(const Request& request, const ObservedWriter& writer) {
  if (options_.audit == nullptr) return;
  // What nobody is asked about is not worth a line, unless it was turned away.
  const bool admitted = request.caller != nullptr;
  if (!admitted && writer.status() != 401 && writer.status() != 403 && writer.error_type().empty()) return;
  AuditEntry entry;
  entry.time = options_.clock->Now();
  if (admitted) {
    entry.user = request.caller->verified() ? request.caller->name() : "";
    entry.key_id = request.caller->key_id();
    entry.action = request.caller->action();
    entry.resource = request.caller->resource();
  }
  entry.peer = request.peer;
  entry.method = request.method;
  entry.path = request.target.path;
  entry.status = writer.status();
  entry.error = writer.error_type();
  entry.request_id = writer.request_id();
  options_.audit->Add(entry);
}

}  // namespace millrace::api
