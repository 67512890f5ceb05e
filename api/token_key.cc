#include "api/token_key.h"

#include <algorithm>

namespace millrace::api {
namespace {

constexpr char kKeyMetadata[] = "api/tokens/key";

}  // namespace

Result<wire::TokenSealer> OpenTokenSealer(storage::RecordLog& log) {
  wire::TokenSealer::Key key{};
  auto entry = log.GetMetadata(kKeyMetadata);
  if (entry) {
    if (entry->value.size() != key.size()) {
      return Error{ErrorCode::kCorruption, "the key of the API's tokens has a wrong length"};
    }
    std::copy(entry->value.begin(), entry->value.end(), key.begin());
    return wire::TokenSealer(key);
  }
  if (entry.error().code != ErrorCode::kNotFound) return std::move(entry).error();
  key = wire::TokenSealer::MakeKey();
  MILLRACE_RETURN_IF_ERROR(log.PutMetadata(kKeyMetadata, Bytes(key.begin(), key.end()), 0));
  return wire::TokenSealer(key);
}

}  // namespace millrace::api
