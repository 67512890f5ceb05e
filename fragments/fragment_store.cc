#include "fragments/fragment_store.h"

#include <utility>

#include "fragments/fragment_record.h"
#include "fragments/log_fragment_store.h"
#include "fragments/stream_settings.h"

namespace millrace {

Result<LoggedFragment> DescribeRecord(const storage::RecordInfo& record) {
  LoggedFragment logged;
  MILLRACE_RETURN_IF_ERROR(
      ParseFragmentPartitionKey(record.partition_key, logged.stream, logged.stream_created));
  MILLRACE_ASSIGN_OR_RETURN(logged.facts, FactsOf(record));
  return logged;
}

Result<void> CheckKeepsFootage(const VideoStream& stream) {
  if (stream.retention > Duration{0}) return {};
  return Error{ErrorCode::kFailedPrecondition,
               "stream '" + stream.name +
                   "' is live only (its retention is 0): there is no recorded time to play, clip or export. "
                   "Watch it live, or give it a retention (retention_hours of its camera, "
                   "UpdateDataRetention); what is recorded from then on is kept"};
}

namespace {

Error KeepsNothing() { return Error{ErrorCode::kUnsupported, "this store deletes and holds no ranges"}; }

}  // namespace

Result<DeletedFootage> FragmentStore::DeleteFootage(const std::string&, const FootageRange&) {
  return KeepsNothing();
}
Result<FootageHold> FragmentStore::PlaceHold(const std::string&, FootageHold) { return KeepsNothing(); }
Result<std::vector<FootageHold>> FragmentStore::ListHolds(const std::string&) {
  return std::vector<FootageHold>{};
}
Result<void> FragmentStore::ReleaseHold(const std::string&, const std::string&) { return KeepsNothing(); }
std::shared_ptr<void> FragmentStore::OnDeletion(DeletionListener) { return nullptr; }

Result<VideoStream> FragmentStore::CreateStream(const std::string& name, Duration retention) {
  StreamSettings settings;
  settings.retention = retention;
  return CreateStream(name, std::move(settings));
}

Result<VideoStream> FragmentStore::SetRetention(const std::string& name, Duration retention) {
  MILLRACE_ASSIGN_OR_RETURN(VideoStream stream, GetStream(name));
  if (stream.retention == retention) return stream;
  StreamUpdate update;
  update.change = [retention](StreamSettings& settings) -> Result<void> {
    settings.retention = retention;
    return {};
  };
  MILLRACE_ASSIGN_OR_RETURN(const StreamDescriptionPtr updated, UpdateStream(name, update));
  stream.created = updated->created;
  stream.retention = retention;
  return stream;
}

Result<std::unique_ptr<FragmentStore>> FragmentStore::Open(storage::RecordLog& log, Options options) {
  auto store = std::make_unique<LogFragmentStore>(log, std::move(options));
  MILLRACE_RETURN_IF_ERROR(store->Load());
  return std::unique_ptr<FragmentStore>(std::move(store));
}

}  // namespace millrace
