// Deleting and holding footage; the ring of retention 0.
#include <algorithm>
#include <span>

#include "base/log.h"
#include "fragments/log_fragment_store.h"

namespace millrace {

using storage::AttributeQuery;
using storage::RecordInfo;

namespace {

// A ring is measured after this part of its bytes.
constexpr std::uint64_t kRingSteps = 16;

Error HeldBy(const FootageHold& hold) {
  return {ErrorCode::kFailedPrecondition,
          "hold '" + hold.id + "' keeps footage of this range (from " + FormatRfc3339(hold.start) +
              (hold.end == FootageHold::kOpenEnd ? " on" : " to " + FormatRfc3339(hold.end)) +
              "): delete what lies outside of it, or release the hold"};
}

}  // namespace

Result<std::shared_ptr<std::mutex>> LogFragmentStore::FootageMutex(const std::string& name) {
  const std::lock_guard lock(mutex_);
  MILLRACE_ASSIGN_OR_RETURN(const Stream* stream, Find(name));
  return stream->footage_mutex;
}

Result<void> LogFragmentStore::CheckNotHeld(const std::string& name, const FootageRange& range,
                                            const std::vector<FootageHold>& holds) {
  if (holds.empty()) return {};
  std::vector<FootageSpan> spans = {{range.start, range.end}};
  if (range.clock == FootageClock::kServer) {
    MILLRACE_ASSIGN_OR_RETURN(const std::string key, PartitionKey(name));
    MILLRACE_ASSIGN_OR_RETURN(SelectedFootage selected,
                              SelectFootage(log_, options_.data_stream, key, range));
    spans = std::move(selected.spans);
  }
  for (const FootageHold& hold : holds) {
    const bool apart = std::ranges::all_of(
        spans, [&](const FootageSpan& span) { return span.end <= hold.start || hold.end <= span.start; });
    if (!apart) return HeldBy(hold);
  }
  return {};
}

Result<void> LogFragmentStore::DeleteStored(const VideoStream& video, const FootageTaking& taking,
                                            DeletedFootage& deleted) {
  const std::string key = FragmentPartitionKey(video.name, video.created);
  {
    const std::lock_guard lock(mutex_);
    MILLRACE_ASSIGN_OR_RETURN(Stream * stream, Find(video));
    if (const FootageHold* hold = stream->under_way.HoldOf(taking)) return HeldBy(*hold);
    stream->under_way.BeginDeletion(taking);
  }
  const auto remove = [&]() -> Result<void> {
    MILLRACE_ASSIGN_OR_RETURN(SelectedFootage selected,
                              SelectFootage(log_, options_.data_stream, key, taking.range));
    MILLRACE_ASSIGN_OR_RETURN(const storage::RemovedRecords removed,
                              log_.DeleteRecords(options_.data_stream, key, selected.ranges));
    deleted = {removed.records, removed.data_bytes, std::move(selected.spans)};
    return {};
  };
  auto removed = remove();
  if (!removed) {
    const std::lock_guard lock(mutex_);
    if (const auto stream = Find(video)) (*stream)->under_way.TakeBackDeletion();
  }
  return removed;
}

Result<void> LogFragmentStore::DeleteUnderWay(const VideoStream& video, const FootageTaking& taking,
                                              DeletedFootage& deleted) {
  const std::string key = FragmentPartitionKey(video.name, video.created);
  std::vector<FragmentNumber> met;
  std::shared_ptr<LiveFeed> live;
  {
    const std::lock_guard lock(mutex_);
    MILLRACE_ASSIGN_OR_RETURN(Stream * stream, Find(video));
    met = stream->under_way.ConfirmDeletion(options_.clock->SteadyNow());
    live = stream->live;
  }
  const auto taken = [&](const FragmentFacts& facts) { return taking.Takes(facts); };
  // Before its appends end: what was deleted is not announced as stored.
  if (live) live->Drop(taken);
  appender_.Drop(key, [&](const storage::PutRecord& record) {
    for (const storage::Attribute& attribute : record.attributes) {
      if (attribute.id != kFactsAttribute) continue;
      const auto facts = DecodeFacts(attribute.value);
      return facts && taken(*facts);
    }
    return false;
  });
  {
    std::unique_lock lock(mutex_);
    const bool settled = settled_.wait_for(lock, options_.deletion_wait, [&] {
      const auto stream = Find(video);
      return !stream || !(*stream)->under_way.AnyOf(met);
    });
    if (!settled) {
      return Error{ErrorCode::kUnavailable,
                   "what was stored of the range is deleted, but more of it is on its way to the disk, which "
                   "does not answer: that may still be stored; try again"};
    }
  }
  // What came to be stored while the rest was deleted.
  const auto remove = [&](std::span<const FragmentNumber> numbers) -> Result<void> {
    MILLRACE_ASSIGN_OR_RETURN(const SelectedFootage late,
                              SelectFragments(log_, options_.data_stream, key, numbers));
    if (late.ranges.empty()) return {};
    MILLRACE_ASSIGN_OR_RETURN(const storage::RemovedRecords removed,
                              log_.DeleteRecords(options_.data_stream, key, late.ranges));
    deleted.fragments += removed.records;
    deleted.bytes += removed.data_bytes;
    deleted.spans.insert(deleted.spans.end(), late.spans.begin(), late.spans.end());
    return {};
  };
  for (std::size_t at = 0; at < met.size(); at += storage::kRangesMax) {
    const std::size_t count = std::min(met.size() - at, storage::kRangesMax);
    if (auto removed = remove(std::span(met).subspan(at, count)); !removed) {
      return WithContext(std::move(removed).error(),
                         "what was stored of the range is deleted, but not what came to be stored meanwhile; "
                         "try again");
    }
  }
  deleted.spans = JoinSpans(std::move(deleted.spans));
  return {};
}

Result<DeletedFootage> LogFragmentStore::DeleteFootage(const std::string& name, const FootageRange& range) {
  if (range.end <= range.start) {
    return Error{ErrorCode::kInvalidArgument, "the range is empty: its end is not after its start"};
  }
  MILLRACE_ASSIGN_OR_RETURN(const auto footage_mutex, FootageMutex(name));
  const std::lock_guard footage(*footage_mutex);
  MILLRACE_ASSIGN_OR_RETURN(const VideoStream video, GetStream(name));
  FootageTaking taking{.range = range, .newest = {}, .holds = {}};
  MILLRACE_ASSIGN_OR_RETURN(taking.holds, ListHolds(name));
  MILLRACE_RETURN_IF_ERROR(CheckNotHeld(name, range, taking.holds));
  {
    const std::lock_guard lock(mutex_);
    MILLRACE_ASSIGN_OR_RETURN(const Stream* stream, Find(video));
    taking.newest.counter = stream->counter;
  }
  DeletedFootage deleted;
  auto outcome = DeleteStored(video, taking, deleted);
  if (outcome) outcome = DeleteUnderWay(video, taking, deleted);
  {
    // Also where it failed: it may be gone for readers all the same.
    const std::lock_guard lock(listeners_mutex_);
    for (const auto& [id, listener] : listeners_) listener(video);
  }
  if (!outcome) return WithContext(std::move(outcome).error(), "footage of stream '" + name + "'");
  return deleted;
}

Result<FootageHold> LogFragmentStore::PlaceHold(const std::string& name, FootageHold hold) {
  MILLRACE_RETURN_IF_ERROR(CheckFootageHold(hold));
  MILLRACE_ASSIGN_OR_RETURN(const auto footage_mutex, FootageMutex(name));
  const std::lock_guard footage(*footage_mutex);
  const std::lock_guard control(control_mutex_);
  MILLRACE_ASSIGN_OR_RETURN(const std::string key, PartitionKey(name));
  auto placed = log_.PlaceHold(options_.data_stream, key, ToLogHold(hold));
  if (!placed && placed.error().code == ErrorCode::kAlreadyExists) {
    return Error{ErrorCode::kAlreadyExists,
                 "stream '" + name + "' has a hold '" + hold.id +
                     "' of other times: release it, or place this one under another id"};
  }
  if (!placed) return std::move(placed).error();
  hold.placed = placed->created;
  return hold;
}

Result<std::vector<FootageHold>> LogFragmentStore::ListHolds(const std::string& name) {
  MILLRACE_ASSIGN_OR_RETURN(const std::string key, PartitionKey(name));
  MILLRACE_ASSIGN_OR_RETURN(const auto in_log, log_.ListHolds(options_.data_stream, key));
  std::vector<FootageHold> holds;
  for (const storage::Hold& one : in_log) {
    MILLRACE_ASSIGN_OR_RETURN(FootageHold hold, FromLogHold(one));
    holds.push_back(std::move(hold));
  }
  return holds;
}

Result<void> LogFragmentStore::ReleaseHold(const std::string& name, const std::string& id) {
  MILLRACE_ASSIGN_OR_RETURN(const auto footage_mutex, FootageMutex(name));
  const std::lock_guard footage(*footage_mutex);
  const std::lock_guard control(control_mutex_);
  MILLRACE_ASSIGN_OR_RETURN(const std::string key, PartitionKey(name));
  auto released = log_.ReleaseHold(options_.data_stream, key, id);
  if (!released && released.error().code == ErrorCode::kNotFound) {
    return Error{ErrorCode::kNotFound, "stream '" + name + "' has no hold '" + id + "'"};
  }
  return released;
}

std::shared_ptr<void> LogFragmentStore::OnDeletion(DeletionListener deleted) {
  const std::lock_guard lock(listeners_mutex_);
  const std::uint64_t id = next_listener_++;
  listeners_[id] = std::move(deleted);
  return std::shared_ptr<void>(nullptr, [this, id](void*) {
    const std::lock_guard letting_go(listeners_mutex_);
    listeners_.erase(id);
  });
}

// ---- the ring of retention 0

void LogFragmentStore::NoteStored(Stream& stream, std::uint64_t bytes) {
  if (stream.video.retention != Duration{0}) return;
  stream.ring_bytes += bytes;
  if (stream.measuring || stream.ring_bytes < options_.ring_bytes_max / kRingSteps) return;
  stream.measuring = true;
  jobs_.Add([this, video = stream.video] { TrimRing(video); });
}

void LogFragmentStore::TrimRing(const VideoStream& video) {
  {
    const std::lock_guard lock(mutex_);
    const auto stream = Find(video);
    if (!stream) return;
    (*stream)->ring_bytes = 0;
    (*stream)->measuring = false;
  }
  if (auto trimmed = TrimRingOf(FragmentPartitionKey(video.name, video.created)); !trimmed) {
    Log(LogLevel::kWarning, "a live-only stream keeps more than its ring until the next fragments",
        {{"stream", video.name}, {"error", trimmed.error().ToString()}});
  }
}

Result<void> LogFragmentStore::TrimRingOf(const std::string& partition_key) {
  MILLRACE_ASSIGN_OR_RETURN(const auto kept, log_.DescribePartition(options_.data_stream, partition_key));
  if (kept.data_bytes <= options_.ring_bytes_max) return {};
  AttributeQuery query;
  query.attribute = kNumberAttribute;
  query.descending = true;
  query.limit = kListMax;
  MILLRACE_ASSIGN_OR_RETURN(const auto newest_first, Query(partition_key, query));
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < newest_first.size(); ++i) {
    bytes += newest_first[i].data_bytes;
    if (bytes <= options_.ring_bytes_max || i == 0) continue;
    return log_.TrimPartition(options_.data_stream, partition_key, newest_first[i - 1].arrival);
  }
  return {};
}

}  // namespace millrace
