#include "api/aws/token_key.h"

#include <algorithm>

namespace millrace::api {
namespace {

constexpr char kKeyMetadata[] = "local/api/token_key";  // never in a backup: storage/backup.h
// Where it was in earlier versions, whose backups give it away: it is not good any more.
constexpr char kExposedKeyMetadata[] = "api/tokens/key";

}  // namespace

Result<wire::TokenSealer> OpenTokenSealer(storage::RecordLog& log) {
  auto exposed = log.GetMetadata(kExposedKeyMetadata);
  if (exposed) {
    MILLRACE_RETURN_IF_ERROR(log.DeleteMetadata(kExposedKeyMetadata));
  } else if (exposed.error().code != ErrorCode::kNotFound) {
    return std::move(exposed).error();
  }
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
