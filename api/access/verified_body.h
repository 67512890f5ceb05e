// A request's body that is checked while it is read: the end is given only when all of it is what was signed,
// so whoever reads to the end before he acts never acts on something else.
//
// Errors:  kUnauthenticated: it is not; kInvalidArgument: malformed chunks; those of the body beneath. They
//          are given again at each further read.
// Threads: as the request.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "api/http/http.h"
#include "wire/digest.h"
#include "wire/signed_chunks.h"

namespace millrace::api {

// Hashes what goes by. `check` is told the hash at the end, once.
class HashedBody final : public BodySource {
 public:
  using Check = std::function<Result<void>(const std::string& hex_digest)>;
  HashedBody(BodySource& beneath, Check check) : beneath_(beneath), check_(std::move(check)) {}

  net::awaitable<Result<Bytes>> Read(
      std::optional<std::chrono::steady_clock::time_point> until = std::nullopt) override;
  net::awaitable<Result<void>> GoAhead() override { return beneath_.GoAhead(); }

 private:
  BodySource& beneath_;
  const Check check_;
  wire::Sha256 hash_;
  std::optional<Result<Bytes>> over_;  // what each further read gives
};

// Takes the body out of its signed chunks, each one checked before it is given.
class ChunkedBody final : public BodySource {
 public:
  ChunkedBody(BodySource& beneath, wire::SignedChunkReader reader)
      : beneath_(beneath), reader_(std::move(reader)) {}

  net::awaitable<Result<Bytes>> Read(
      std::optional<std::chrono::steady_clock::time_point> until = std::nullopt) override;
  net::awaitable<Result<void>> GoAhead() override { return beneath_.GoAhead(); }

 private:
  BodySource& beneath_;
  wire::SignedChunkReader reader_;
  std::optional<Result<Bytes>> over_;
};

}  // namespace millrace::api
