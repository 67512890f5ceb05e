#include "wire/signed_chunks.h"

#include <charconv>

#include "base/text.h"

namespace millrace::wire {
namespace {

constexpr std::size_t kLineBytesMax = 512;
constexpr std::size_t kTrailersBytesMax = 4096;
constexpr std::string_view kSignatureMark = ";chunk-signature=";
constexpr std::string_view kTrailerSignature = "x-amz-trailer-signature";

Error Malformed(std::string what) {
  return {ErrorCode::kInvalidArgument, "malformed body in chunks: " + std::move(what)};
}
Error Forged() { return {ErrorCode::kUnauthenticated, SignatureMismatch().message}; }

}  // namespace

std::optional<ChunkedPayload> ChunkedPayloadOf(std::string_view payload_hash) {
  if (payload_hash == "STREAMING-AWS4-HMAC-SHA256-PAYLOAD") return ChunkedPayload::kSigned;
  if (payload_hash == "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER") return ChunkedPayload::kSignedTrailer;
  if (payload_hash == "STREAMING-UNSIGNED-PAYLOAD-TRAILER") return ChunkedPayload::kUnsignedTrailer;
  return std::nullopt;
}

SignedChunkReader::SignedChunkReader(ChunkedPayload kind, const SignatureClaim& claim,
                                     const Digest& signing_key)
    : kind_(kind),
      signing_key_(signing_key),
      time_text_(claim.time_text),
      scope_(claim.scope.ToString()),
      previous_(claim.signature) {}

Result<Bytes> SignedChunkReader::Append(ByteSpan bytes) {
  if (state_ == State::kFailed) return Malformed("it failed before");
  if (state_ == State::kDone && !bytes.empty()) {
    state_ = State::kFailed;
    return Malformed("bytes follow its last chunk");
  }
  pending_.insert(pending_.end(), bytes.begin(), bytes.end());
  Bytes out;
  for (;;) {
    auto stepped = Step(out);
    if (!stepped) {
      state_ = State::kFailed;
      return std::move(stepped).error();
    }
    if (!*stepped) break;
  }
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(used_));
  used_ = 0;
  return out;
}

Result<bool> SignedChunkReader::Step(Bytes& out) {
  const ByteSpan left = ByteSpan(pending_).subspan(used_);
  switch (state_) {
    case State::kHead:
    case State::kTrailer: {
      const std::string_view text = AsText(left);
      const auto end = text.substr(0, kLineBytesMax).find("\r\n");
      if (end == std::string_view::npos) {
        if (left.size() >= kLineBytesMax) return Malformed("a line is too long");
        return false;
      }
      used_ += end + 2;
      const std::string line(text.substr(0, end));
      MILLRACE_RETURN_IF_ERROR(state_ == State::kHead ? ReadHead(line) : ReadTrailer(line));
      return true;
    }
    case State::kData:
      if (left.size() < chunk_bytes_ + 2) return false;
      if (left[chunk_bytes_] != '\r' || left[chunk_bytes_ + 1] != '\n')
        return Malformed("a chunk does not end where it says");
      MILLRACE_RETURN_IF_ERROR(EndChunk(out));
      return true;
    case State::kDone:
      if (!left.empty()) return Malformed("bytes follow its last chunk");
      return false;
    case State::kFailed:
      break;
  }
  return false;
}

Result<void> SignedChunkReader::ReadHead(std::string_view line) {
  const auto semicolon = line.find(';');
  const std::string_view size = line.substr(0, semicolon);
  const auto [end, ec] = std::from_chars(size.data(), size.data() + size.size(), chunk_bytes_, 16);
  if (size.empty() || ec != std::errc() || end != size.data() + size.size())
    return Malformed("a chunk's length is no hexadecimal number");
  if (chunk_bytes_ > kChunkBytesMax) {
    return Malformed("a chunk is larger than " + std::to_string(kChunkBytesMax) + " bytes");
  }
  if (kind_ != ChunkedPayload::kUnsignedTrailer) {
    const std::string_view rest = semicolon == std::string_view::npos ? "" : line.substr(semicolon);
    if (!rest.starts_with(kSignatureMark) || !IsHexDigest(rest.substr(kSignatureMark.size())))
      return Malformed("a chunk has no signature");
    chunk_signature_ = std::string(rest.substr(kSignatureMark.size()));
  }
  if (chunk_bytes_ > 0) {
    state_ = State::kData;
    return {};
  }
  // The last chunk is empty: what it signs is known already. Trailers or an empty line follow.
  Bytes none;
  MILLRACE_RETURN_IF_ERROR(EndChunk(none));
  state_ = State::kTrailer;
  return {};
}

Result<void> SignedChunkReader::EndChunk(Bytes& out) {
  const ByteSpan data = ByteSpan(pending_).subspan(used_, chunk_bytes_);
  if (kind_ != ChunkedPayload::kUnsignedTrailer) {
    const std::string text = std::string(kEmptyPayloadHash) + "\n" + Hex(Sha256Of(data));
    if (!EqualInConstantTime(Sign("AWS4-HMAC-SHA256-PAYLOAD", text), chunk_signature_)) return Forged();
    previous_ = chunk_signature_;
  }
  if (chunk_bytes_ == 0) return {};
  out.insert(out.end(), data.begin(), data.end());
  used_ += chunk_bytes_ + 2;
  state_ = State::kHead;
  return {};
}

Result<void> SignedChunkReader::ReadTrailer(std::string_view line) {
  if (line.empty()) {
    if (kind_ == ChunkedPayload::kSignedTrailer) {
      if (!trailer_signature_) return Malformed("its trailers have no signature");
      const std::string text = Hex(Sha256Of(AsBytes(trailers_)));
      if (!EqualInConstantTime(Sign("AWS4-HMAC-SHA256-TRAILER", text), *trailer_signature_)) return Forged();
    }
    state_ = State::kDone;
    return {};
  }
  if (kind_ == ChunkedPayload::kSigned) return Malformed("it has trailers that were not announced");
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return Malformed("a trailer has no name");
  const std::string name = ToAsciiLower(line.substr(0, colon));
  std::string_view value = line.substr(colon + 1);
  while (value.starts_with(' ')) value.remove_prefix(1);
  while (value.ends_with(' ')) value.remove_suffix(1);
  if (trailer_signature_) return Malformed("a trailer follows their signature");
  if (name == kTrailerSignature) {
    if (!IsHexDigest(value)) return Malformed("the signature of its trailers is malformed");
    trailer_signature_ = std::string(value);
    return {};
  }
  trailers_ += name + ":" + std::string(value) + "\n";
  if (trailers_.size() > kTrailersBytesMax) return Malformed("its trailers are too long");
  return {};
}

std::string SignedChunkReader::Sign(std::string_view algorithm, std::string_view text) const {
  std::string signed_text(algorithm);
  signed_text += "\n" + time_text_ + "\n" + scope_ + "\n" + previous_ + "\n" + std::string(text);
  return Hex(HmacSha256(signing_key_, signed_text));
}

}  // namespace millrace::wire
