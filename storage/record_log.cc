#include "storage/record_log.h"

#include <future>
#include <utility>

namespace millrace::storage {

Result<void> RecordLog::SetStreamEncryption(const std::string&, std::optional<std::string>) {
  return Error{ErrorCode::kUnsupported, "this log does not encrypt"};
}

Result<PutReceipt> PutAndWait(RecordLog& log, const std::string& stream, PutRecord record) {
  std::promise<Result<PutReceipt>> promise;
  auto receipt = promise.get_future();
  log.Put(stream, std::move(record),
          [&](Result<PutReceipt> result) { promise.set_value(std::move(result)); });
  return receipt.get();
}

}  // namespace millrace::storage
