// Hostile signatures: what a request says of its signature, and bodies in signed chunks.
//
// Checked beside memory errors: a claim that is read holds what the checks behind it rely on; nothing that is
// made up matches; chunks give the same bytes whole and byte by byte, and never more than came.
#include <string>
#include <vector>

#include "fuzz/fuzz_target.h"
#include "wire/signature_claim.h"
#include "wire/signed_chunks.h"

namespace millrace::fuzz {
namespace {

using namespace wire;

// The input's lines: "name: value" are headers, "name=value" the query's parameters.
void ReadClaimOf(std::string_view text) {
  std::vector<SignedParts::Field> headers;
  std::vector<SignedParts::Field> query;
  while (!text.empty() && headers.size() + query.size() < 64) {
    const auto end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (const auto colon = line.find(": "); colon != std::string_view::npos) {
      headers.emplace_back(line.substr(0, colon), line.substr(colon + 2));
    } else if (const auto equals = line.find('='); equals != std::string_view::npos) {
      query.emplace_back(line.substr(0, equals), line.substr(equals + 1));
    }
  }
  const ClaimOrRefusal read = ReadClaim(headers, query);
  const auto* claim = std::get_if<SignatureClaim>(&read);
  if (claim == nullptr) {
    FUZZ_CHECK(!std::get<SignatureRefusal>(read).type.empty(), "a refusal without a type");
    return;
  }
  FUZZ_CHECK(IsHexDigest(claim->signature), claim->signature);
  FUZZ_CHECK(!claim->signed_headers.empty() && !claim->key_id.empty(), claim->key_id);
  FUZZ_CHECK(claim->time_text.size() == 16, claim->time_text);
  constexpr std::string_view kServices[] = {"kinesis"};
  (void)CheckClaim(*claim, claim->time, kServices);
  SignedParts parts{"POST", "/a%2Fb", query, headers, "[::1]:4567"};
  FUZZ_CHECK(!SignatureMatches(*claim, SigningKey("a secret that nobody knows", claim->scope), parts,
                               kEmptyPayloadHash),
             claim->signature);
}

std::string ReadChunks(ByteSpan input, std::size_t step, ChunkedPayload kind) {
  SignatureClaim claim;
  claim.scope = {"20150830", "us-east-1", "kinesis"};
  claim.time_text = "20150830T123600Z";
  SignedChunkReader reader(kind, claim, Digest{});
  std::string out;
  for (std::size_t at = 0; at < input.size(); at += step) {
    auto got = reader.Append(input.subspan(at, std::min(step, input.size() - at)));
    if (!got) return "!";
    out += AsText(*got);
  }
  FUZZ_CHECK(out.size() <= input.size(), std::to_string(out.size()));
  return (reader.done() ? "done " : "more ") + out;
}

}  // namespace

std::vector<Seed> Seeds() {
  const std::string scope = "AKIDEXAMPLE/20150830/us-east-1/kinesis/aws4_request";
  const std::string digest(64, 'a');
  return {
      TextSeed("header",
               "X-Amz-Date: 20150830T123600Z\nX-Amz-Target: Kinesis_20131202.ListStreams\n"
               "Authorization: AWS4-HMAC-SHA256 Credential=" +
                   scope + ", SignedHeaders=host;x-amz-date;x-amz-target, Signature=" + digest),
      TextSeed("date", "Date: Sun, 30 Aug 2015 12:36:00 GMT\nAuthorization: AWS4-HMAC-SHA256 Credential=" +
                           scope + ",SignedHeaders=:authority;date,Signature=" + digest),
      TextSeed("query", "X-Amz-Algorithm=AWS4-HMAC-SHA256\nX-Amz-Credential=" + scope +
                            "\nX-Amz-Date=20150830T123600Z\nX-Amz-Expires=60\nX-Amz-SignedHeaders=host\n"
                            "X-Amz-Signature=" +
                            digest),
      TextSeed("signed_chunks",
               "5;chunk-signature=" + digest + "\r\nhello\r\n0;chunk-signature=" + digest + "\r\n\r\n"),
      TextSeed("unsigned_chunks", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:abc=\r\n\r\n")};
}

}  // namespace millrace::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  using namespace millrace::fuzz;
  const ByteSpan input(data, size);
  ReadClaimOf(AsText(input));
  for (const auto kind : {wire::ChunkedPayload::kSigned, wire::ChunkedPayload::kUnsignedTrailer}) {
    const std::string whole = ReadChunks(input, size + 1, kind);
    const std::string bytewise = ReadChunks(input, 1, kind);
    FUZZ_CHECK(whole == bytewise, whole + " against " + bytewise);
  }
  return 0;
}
