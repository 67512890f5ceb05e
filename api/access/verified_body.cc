#include "api/access/verified_body.h"

namespace millrace::api {

net::awaitable<Result<Bytes>> HashedBody::Read(std::optional<std::chrono::steady_clock::time_point> until) {
  if (over_) co_return *over_;
  Result<Bytes> piece = co_await beneath_.Read(until);
  if (piece && !piece->empty()) {
    hash_.Add(*piece);
    co_return std::move(piece);
  }
  if (piece) {
    if (auto checked = check_(wire::Hex(hash_.Finish())); !checked) piece = std::move(checked).error();
  }
  over_ = piece;
  co_return std::move(piece);
}

net::awaitable<Result<Bytes>> ChunkedBody::Read(std::optional<std::chrono::steady_clock::time_point> until) {
  while (!over_) {
    Result<Bytes> piece = co_await beneath_.Read(until);
    if (!piece) {
      over_ = std::move(piece);
    } else if (piece->empty()) {
      over_ = reader_.done()
                  ? Result<Bytes>(Bytes())
                  : Result<Bytes>(Error{ErrorCode::kInvalidArgument, "the body ends before its last chunk"});
    } else {
      Result<Bytes> taken = reader_.Append(*piece);
      if (taken && !taken->empty()) co_return std::move(taken);
      if (!taken) over_ = std::move(taken);
    }
  }
  co_return *over_;
}

}  // namespace millrace::api
