// Bodies in signed chunks ("aws-chunked"), as uploads of unknown length send them: each chunk carries a
// signature that builds on the one before, so what was taken so far is known to be right.
//
//   400;chunk-signature=<64 hexadecimal digits>\r\n<1024 bytes>\r\n … 0;chunk-signature=…\r\n[trailers]\r\n
//
// Kinds, by the request's X-Amz-Content-Sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD, the same with -TRAILER,
// and STREAMING-UNSIGNED-PAYLOAD-TRAILER, whose chunks have no signature.
// Specification: docs.aws.amazon.com, "Signature Calculations for the Authorization Header: Transferring
// Payload in Multiple Chunks".
//
// Errors:  kUnauthenticated (a signature is another), kInvalidArgument (malformed; a chunk over the limit).
//          After an error the reader is finished.
// Threads: one owner at a time.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "wire/signature_claim.h"

namespace millrace::wire {

enum class ChunkedPayload { kSigned, kSignedTrailer, kUnsignedTrailer };
// None: the word is none of the three.
std::optional<ChunkedPayload> ChunkedPayloadOf(std::string_view payload_hash);

class SignedChunkReader {
 public:
  static constexpr std::size_t kChunkBytesMax = 1024 * 1024;

  // `claim` is the request's own, which has been checked: the first chunk's signature builds on its.
  SignedChunkReader(ChunkedPayload kind, const SignatureClaim& claim, const Digest& signing_key);

  // Takes bytes as they came; gives those of the chunks that they completed and that are right. An empty
  // chunk must have come before the end of the bytes: see done.
  Result<Bytes> Append(ByteSpan bytes);
  // The last chunk and its trailers were read.
  bool done() const { return state_ == State::kDone; }

 private:
  enum class State { kHead, kData, kTrailer, kDone, kFailed };

  Result<bool> Step(Bytes& out);  // false: more bytes are needed
  Result<void> ReadHead(std::string_view line);
  Result<void> EndChunk(Bytes& out);
  Result<void> ReadTrailer(std::string_view line);
  std::string Sign(std::string_view algorithm, std::string_view text) const;

  const ChunkedPayload kind_;
  const Digest signing_key_;
  const std::string time_text_;
  const std::string scope_;
  std::string previous_;  // the signature before
  State state_ = State::kHead;
  Bytes pending_;  // bytes that are not used up
  std::size_t used_ = 0;
  std::size_t chunk_bytes_ = 0;
  std::string chunk_signature_;
  std::string trailers_;  // in canonical form
  std::optional<std::string> trailer_signature_;
};

}  // namespace millrace::wire
