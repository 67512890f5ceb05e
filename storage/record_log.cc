#include "storage/record_log.h"

#include <future>
#include <utility>

namespace millrace::storage {

Result<void> RecordLog::SetStreamEncryption(const std::string&, std::optional<std::string>) {
  return Error{ErrorCode::kUnsupported, "this log does not encrypt"};
}

Result<Timestamp> RecordLog::StreamCreated(const std::string& name) {
  MILLRACE_ASSIGN_OR_RETURN(const StreamDescription stream, DescribeStream(name));
  return stream.created;
}

namespace {

Error NoMarks() { return Error{ErrorCode::kUnsupported, "this log deletes and holds no single records"}; }

}  // namespace

Result<RemovedRecords> RecordLog::DeleteRecords(const std::string&, const std::string&,
                                                const std::vector<AttributeRange>&) {
  return NoMarks();
}
Result<void> RecordLog::TrimPartition(const std::string&, const std::string&, Timestamp) { return NoMarks(); }
Result<Hold> RecordLog::PlaceHold(const std::string&, const std::string&, Hold) { return NoMarks(); }
Result<std::vector<Hold>> RecordLog::ListHolds(const std::string&, const std::string&) {
  return std::vector<Hold>{};
}
Result<void> RecordLog::ReleaseHold(const std::string&, const std::string&, const std::string&) {
  return NoMarks();
}

Result<PutReceipt> PutAndWait(RecordLog& log, const std::string& stream, PutRecord record) {
  std::promise<Result<PutReceipt>> promise;
  auto receipt = promise.get_future();
  log.Put(stream, std::move(record),
          [&](Result<PutReceipt> result) { promise.set_value(std::move(result)); });
  return receipt.get();
}

}  // namespace millrace::storage
