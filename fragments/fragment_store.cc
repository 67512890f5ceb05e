#include "fragments/fragment_store.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <random>
#include <span>
#include <thread>
#include <utility>

#include "base/log.h"
#include "fragments/footage_deletion.h"
#include "fragments/fragment_appender.h"
#include "fragments/fragment_record.h"
#include "fragments/stored_stream.h"
#include "fragments/stream_settings.h"

namespace millrace {
namespace {

using storage::AttributeQuery;
using storage::RecordInfo;
using storage::RecordLog;

// Bounds of numbers are written down this far ahead, and again when half of it is used up.
constexpr std::uint64_t kCountersAhead = 4096;
constexpr std::uint64_t kRunsAhead = 256;

constexpr std::size_t kListMax = 10'000;
constexpr std::size_t kCoveragePage = 1000;
constexpr Duration kRetentionMax = std::chrono::hours(87'600);
constexpr Duration kSweepInterval = std::chrono::seconds(5);
constexpr std::uint64_t kRingSteps = 16;  // a ring is measured after this part of its bytes

struct Stream {
  VideoStream video;
  StreamDescriptionPtr description;  // `video` says the same, in short
  std::string partition_key;
  std::uint64_t counter = 0;  // the last that was given
  std::uint64_t run = 0;
  NumberBounds bounds;  // as written down, or about to be
  std::shared_ptr<LiveFeed> live;
  UnderWay under_way;
  std::uint64_t ring_bytes = 0;  // of retention 0: what was stored since the ring was measured
  bool measuring = false;        // a job is about to
};

Result<void> CheckRetention(Duration retention) {
  if (retention >= Duration{0} && retention <= kRetentionMax) return {};
  return Error{ErrorCode::kInvalidArgument, "retention is 0 to 87600 hours"};
}

void Describe(Stream& stream, const std::string& name, StoredStream stored) {
  stream.video = {.name = name, .created = stored.created, .retention = stored.settings.retention};
  stream.description =
      std::make_shared<const StreamDescription>(StreamDescription{.name = name,
                                                                  .created = stored.created,
                                                                  .revision = stored.revision,
                                                                  .settings = std::move(stored.settings)});
}

Duration LogRetention(Duration retention) { return retention == Duration{0} ? kRingRetention : retention; }

// Jobs that wait for the disk, on a thread of their own, so that opening a fragment does not.
class BackgroundJobs {
 public:
  // `idle` runs now and then.
  explicit BackgroundJobs(std::function<void()> idle) : idle_(std::move(idle)), thread_([this] { Run(); }) {}
  ~BackgroundJobs() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

  void Add(std::function<void()> job) {
    {
      const std::lock_guard lock(mutex_);
      jobs_.push_back(std::move(job));
    }
    wake_.notify_all();
  }

 private:
  void Run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait_for(lock, kSweepInterval, [this] { return stopped_ || !jobs_.empty(); });
      if (jobs_.empty() && stopped_) return;
      std::function<void()> job = idle_;
      if (!jobs_.empty()) {
        job = std::move(jobs_.front());
        jobs_.pop_front();
      }
      lock.unlock();
      job();
      job = nullptr;
      lock.lock();
    }
  }

  std::function<void()> idle_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;  // at most one or two a stream
  bool stopped_ = false;
  std::thread thread_;
};

class LogFragmentStore final : public FragmentStore {
 public:
  LogFragmentStore(RecordLog& log, Options options)
      : log_(log),
        options_(std::move(options)),
        random_(std::random_device{}()),
        jobs_([this] { Sweep(); }),
        appender_(log, {.data_stream = options_.data_stream,
                        .number_attribute = kNumberAttribute,
                        .held_bytes_max = options_.held_bytes_max,
                        .retry_interval = options_.retry_interval}) {}

  Result<void> Load();

  Result<VideoStream> CreateStream(const std::string& name, StreamSettings settings) override;
  Result<VideoStream> GetStream(const std::string& name) override;
  std::vector<VideoStream> ListStreams() override;
  Result<StreamDescriptionPtr> DescribeStream(const std::string& name) override;
  std::vector<StreamDescriptionPtr> FindStreams(const StreamQuery& query) override;
  Result<StreamDescriptionPtr> UpdateStream(const std::string& name, const StreamUpdate& update) override;
  Result<void> DeleteStream(const std::string& name, const StreamCondition& condition) override;
  Result<StreamUsage> Usage(const std::string& name) override;

  Result<FragmentNumber> OpenFragment(const VideoStream& stream) override;
  Result<std::uint64_t> OpenRun(const VideoStream& stream) override;
  void Append(const VideoStream& stream, Fragment fragment, AppendCallback done) override;

  Result<DeletedFootage> DeleteFootage(const std::string& name, const FootageRange& range) override;
  Result<FootageHold> PlaceHold(const std::string& name, FootageHold hold) override;
  Result<std::vector<FootageHold>> ListHolds(const std::string& name) override;
  Result<void> ReleaseHold(const std::string& name, const std::string& id) override;
  std::shared_ptr<void> OnDeletion(DeletionListener deleted) override;

  Result<std::vector<FragmentFacts>> List(const std::string& name, const FragmentQuery& query) override;
  Result<FragmentFacts> FindContaining(const std::string& name, Timestamp time) override;
  Result<FragmentFacts> Get(const std::string& name, const FragmentNumber& number) override;
  Result<Fragment> Read(const std::string& name, const FragmentNumber& number) override;
  Result<std::vector<CoverageInterval>> Coverage(const std::string& name, Timestamp start, Timestamp end,
                                                 std::size_t limit) override;
  Result<std::shared_ptr<LiveFeed>> Live(const std::string& name) override;

 private:
  static Error NoStream(const std::string& name) {
    return {ErrorCode::kNotFound, "stream '" + name + "' does not exist"};
  }
  // REQUIRES: mutex_ is held.
  Result<Stream*> Find(const std::string& name);
  Result<Stream*> Find(const VideoStream& stream);

  Result<std::string> PartitionKey(const std::string& name);
  Result<std::vector<RecordInfo>> Query(const std::string& partition_key, const AttributeQuery& query);
  Result<RecordInfo> FindRecord(const std::string& name, const FragmentNumber& number);
  Result<Stream> LoadStream(const std::string& name, StoredStream stored);
  // The stream as it is, if the condition holds. REQUIRES: control_mutex_ is held.
  Result<StreamDescriptionPtr> Check(const std::string& name, const StreamCondition& condition);
  Result<void> FinishDelete(const std::string& name, Timestamp created);
  void RenewBounds(Stream& stream);
  void Sweep();
  // None of these holds keeps footage that the range touches.
  Result<void> CheckNotHeld(const std::string& name, const FootageRange& range,
                            const std::vector<FootageHold>& holds);
  // What is stored of the range. An error leaves what is on its way to the log as it was.
  Result<void> DeleteStored(const VideoStream& stream, const FootageTaking& taking, DeletedFootage& deleted);
  // Then what is on its way to the log; what is still open will not be stored. Adds to `deleted`.
  Result<void> DeleteUnderWay(const VideoStream& stream, const FootageTaking& taking,
                              DeletedFootage& deleted);
  // After a fragment was stored. REQUIRES: mutex_ is held.
  void NoteStored(Stream& stream, std::uint64_t bytes);
  // Keeps the ring of retention 0 within its bytes.
  void TrimRing(const VideoStream& stream);
  Result<void> TrimRingOf(const std::string& partition_key);

  RecordLog& log_;
  const Options options_;
  std::mutex control_mutex_;  // one change of the set of streams at a time; taken before mutex_

  std::mutex mutex_;                 // guards what follows; never held while the disk is waited for
  std::condition_variable settled_;  // an append has ended
  std::map<std::string, Stream> streams_;
  std::mt19937 random_;

  std::mutex listeners_mutex_;  // held while they are called
  std::map<std::uint64_t, DeletionListener> listeners_;
  std::uint64_t next_listener_ = 0;

  BackgroundJobs jobs_;        // its thread uses all of the above
  FragmentAppender appender_;  // last: what it calls back uses all of the above
};

// ---- streams

Result<Stream*> LogFragmentStore::Find(const std::string& name) {
  const auto at = streams_.find(name);
  if (at == streams_.end()) return NoStream(name);
  return &at->second;
}

Result<Stream*> LogFragmentStore::Find(const VideoStream& stream) {
  MILLRACE_ASSIGN_OR_RETURN(Stream * found, Find(stream.name));
  if (found->video.created != stream.created) return NoStream(stream.name);
  return found;
}

Result<std::string> LogFragmentStore::PartitionKey(const std::string& name) {
  const std::lock_guard lock(mutex_);
  MILLRACE_ASSIGN_OR_RETURN(const Stream* stream, Find(name));
  return stream->partition_key;
}

Result<void> LogFragmentStore::Load() {
  if (const auto described = log_.DescribeStream(options_.data_stream); !described) {
    if (described.error().code != ErrorCode::kNotFound) return described.error();
    MILLRACE_RETURN_IF_ERROR(
        log_.CreateStream(options_.data_stream, options_.shards, kCameraRetentionDefault));
  }
  MILLRACE_ASSIGN_OR_RETURN(const auto entries, log_.ListMetadata(kStreamMetadataPrefix));
  for (const storage::MetadataEntry& entry : entries) {
    const std::string name = entry.key.substr(sizeof(kStreamMetadataPrefix) - 1);
    auto stored = DecodeStoredStream(entry.value);
    if (!stored) return WithContext(std::move(stored).error(), "stream '" + name + "'");
    if (stored->deleted) {
      MILLRACE_RETURN_IF_ERROR(FinishDelete(name, stored->created));
      continue;
    }
    MILLRACE_ASSIGN_OR_RETURN(Stream stream, LoadStream(name, std::move(*stored)));
    const std::lock_guard lock(mutex_);
    streams_.emplace(name, std::move(stream));
  }
  return {};
}

// Numbers go on behind the newest fragment that is stored; where none is, behind all that may have been
// given.
Result<Stream> LogFragmentStore::LoadStream(const std::string& name, StoredStream stored) {
  const Timestamp created = stored.created;
  const Duration kept = LogRetention(stored.settings.retention);
  Stream stream;
  Describe(stream, name, std::move(stored));
  stream.partition_key = FragmentPartitionKey(name, created);
  if (const auto entry = log_.GetMetadata(kNumbersMetadataPrefix + name)) {
    MILLRACE_ASSIGN_OR_RETURN(const NumberBounds bounds, DecodeBounds(entry->value));
    if (bounds.created == created) stream.bounds = bounds;
  } else if (entry.error().code != ErrorCode::kNotFound) {
    return entry.error();
  }
  // A change of it that was cut off between the two writes is finished.
  MILLRACE_ASSIGN_OR_RETURN(const storage::PartitionDescription in_log,
                            log_.DescribePartition(options_.data_stream, stream.partition_key));
  if (in_log.retention != kept) {
    MILLRACE_RETURN_IF_ERROR(log_.SetPartitionRetention(options_.data_stream, stream.partition_key, kept));
  }
  stream.bounds.created = created;
  stream.counter = stream.bounds.counter;
  stream.run = stream.bounds.run;
  AttributeQuery newest;
  newest.attribute = kNumberAttribute;
  newest.descending = true;
  newest.limit = 1;
  MILLRACE_ASSIGN_OR_RETURN(const auto records, Query(stream.partition_key, newest));
  if (!records.empty()) {
    MILLRACE_ASSIGN_OR_RETURN(const FragmentFacts facts, FactsOf(records.front()));
    stream.counter = facts.number.counter;
    stream.run = facts.run;
  }
  return stream;
}

Result<VideoStream> LogFragmentStore::CreateStream(const std::string& name, StreamSettings settings) {
  MILLRACE_RETURN_IF_ERROR(CheckStreamName(name));
  MILLRACE_RETURN_IF_ERROR(CheckRetention(settings.retention));
  const std::lock_guard control(control_mutex_);
  {
    const std::lock_guard lock(mutex_);
    if (streams_.contains(name)) {
      return Error{ErrorCode::kAlreadyExists, "stream '" + name + "' exists already"};
    }
  }
  Timestamp created = Timestamp::FromMillis(options_.clock->Now().millis());
  // A forerunner whose footage could not be taken away yet, or that was made in this very millisecond.
  if (const auto left = log_.GetMetadata(kStreamMetadataPrefix + name)) {
    MILLRACE_ASSIGN_OR_RETURN(const StoredStream old, DecodeStoredStream(left->value));
    if (!old.deleted) return Error{ErrorCode::kAlreadyExists, "stream '" + name + "' exists already"};
    MILLRACE_RETURN_IF_ERROR(FinishDelete(name, old.created));
    created = std::max(created, old.created + std::chrono::milliseconds(1));
  } else if (left.error().code != ErrorCode::kNotFound) {
    return left.error();
  }
  if (const auto left = log_.GetMetadata(kNumbersMetadataPrefix + name)) {
    const auto bounds = DecodeBounds(left->value);
    if (bounds) created = std::max(created, bounds->created + std::chrono::milliseconds(1));
  }
  StoredStream stored;
  stored.created = created;
  stored.settings = std::move(settings);
  Stream stream;
  stream.partition_key = FragmentPartitionKey(name, created);
  stream.bounds = {.created = created, .counter = kCountersAhead, .run = kRunsAhead};
  MILLRACE_RETURN_IF_ERROR(log_.SetPartitionRetention(options_.data_stream, stream.partition_key,
                                                      LogRetention(stored.settings.retention)));
  MILLRACE_RETURN_IF_ERROR(log_.PutMetadata(kNumbersMetadataPrefix + name, EncodeBounds(stream.bounds)));
  MILLRACE_RETURN_IF_ERROR(log_.PutMetadata(kStreamMetadataPrefix + name, EncodeStoredStream(stored)));
  Describe(stream, name, std::move(stored));
  const VideoStream video = stream.video;
  const std::lock_guard lock(mutex_);
  streams_.emplace(name, std::move(stream));
  return video;
}

Result<VideoStream> LogFragmentStore::GetStream(const std::string& name) {
  const std::lock_guard lock(mutex_);
  MILLRACE_ASSIGN_OR_RETURN(const Stream* stream, Find(name));
  return stream->video;
}

std::vector<VideoStream> LogFragmentStore::ListStreams() {
  const std::lock_guard lock(mutex_);
  std::vector<VideoStream> streams;
  for (const auto& [name, stream] : streams_) streams.push_back(stream.video);
  return streams;
}

Result<StreamDescriptionPtr> LogFragmentStore::DescribeStream(const std::string& name) {
  const std::lock_guard lock(mutex_);
  MILLRACE_ASSIGN_OR_RETURN(const Stream* stream, Find(name));
  return stream->description;
}

std::vector<StreamDescriptionPtr> LogFragmentStore::FindStreams(const StreamQuery& query) {
  const std::lock_guard lock(mutex_);
  std::vector<StreamDescriptionPtr> found;
  auto at =
      query.after < query.prefix ? streams_.lower_bound(query.prefix) : streams_.upper_bound(query.after);
  for (; at != streams_.end() && found.size() < query.limit && at->first.starts_with(query.prefix); ++at) {
    found.push_back(at->second.description);
  }
  return found;
}

Result<StreamDescriptionPtr> LogFragmentStore::Check(const std::string& name,
                                                     const StreamCondition& condition) {
  MILLRACE_ASSIGN_OR_RETURN(StreamDescriptionPtr stream, DescribeStream(name));
  if (condition.created && *condition.created != stream->created) return NoStream(name);
  if (condition.version && *condition.version != stream->Version()) {
    return Error{ErrorCode::kFailedPrecondition, "stream '" + name + "' is of version " + stream->Version() +
                                                     " now, not of version " + *condition.version};
  }
  return stream;
}

Result<StreamDescriptionPtr> LogFragmentStore::UpdateStream(const std::string& name,
                                                            const StreamUpdate& update) {
  const std::lock_guard control(control_mutex_);
  MILLRACE_ASSIGN_OR_RETURN(const StreamDescriptionPtr before, Check(name, update.condition));
  StoredStream stored;
  stored.created = before->created;
  stored.revision = before->revision + (update.keep_version ? 0 : 1);
  stored.settings = before->settings;
  MILLRACE_RETURN_IF_ERROR(update.change(stored.settings));
  const Duration retention = stored.settings.retention;
  MILLRACE_RETURN_IF_ERROR(CheckRetention(retention));
  MILLRACE_RETURN_IF_ERROR(log_.PutMetadata(kStreamMetadataPrefix + name, EncodeStoredStream(stored)));
  if (retention != before->settings.retention) {
    MILLRACE_RETURN_IF_ERROR(log_.SetPartitionRetention(
        options_.data_stream, FragmentPartitionKey(name, stored.created), LogRetention(retention)));
  }
  const std::lock_guard lock(mutex_);
  MILLRACE_ASSIGN_OR_RETURN(Stream * stream, Find(name));
  Describe(*stream, name, std::move(stored));
  return stream->description;
}

Result<void> LogFragmentStore::DeleteStream(const std::string& name, const StreamCondition& condition) {
  const std::lock_guard control(control_mutex_);
  MILLRACE_ASSIGN_OR_RETURN(const StreamDescriptionPtr stream, Check(name, condition));
  MILLRACE_ASSIGN_OR_RETURN(const auto holds, ListHolds(name));
  if (!holds.empty()) {
    return Error{ErrorCode::kFailedPrecondition, "footage of stream '" + name + "' is held by '" +
                                                     holds.front().id +
                                                     "': release its holds first (DELETE /v1/streams/" +
                                                     name + "/holds/" + holds.front().id + ")"};
  }
  // The tombstone first: if what follows is cut off, opening the store finishes it.
  StoredStream tombstone;
  tombstone.created = stream->created;
  tombstone.revision = stream->revision;
  tombstone.deleted = true;
  MILLRACE_RETURN_IF_ERROR(log_.PutMetadata(kStreamMetadataPrefix + name, EncodeStoredStream(tombstone)));
  {
    const std::lock_guard lock(mutex_);
    streams_.erase(name);
  }
  return FinishDelete(name, stream->created);
}

// The bounds of the numbers stay: they keep the creation time, which a stream of the same name must not
// share.
Result<void> LogFragmentStore::FinishDelete(const std::string& name, Timestamp created) {
  MILLRACE_RETURN_IF_ERROR(log_.DeletePartition(options_.data_stream, FragmentPartitionKey(name, created)));
  return log_.DeleteMetadata(kStreamMetadataPrefix + name);
}

Result<StreamUsage> LogFragmentStore::Usage(const std::string& name) {
  MILLRACE_ASSIGN_OR_RETURN(const std::string key, PartitionKey(name));
  MILLRACE_ASSIGN_OR_RETURN(const storage::PartitionDescription kept,
                            log_.DescribePartition(options_.data_stream, key));
  StreamUsage usage{.fragments = kept.records, .bytes = kept.data_bytes, .first = {}, .last = {}};
  AttributeQuery query;
  query.attribute = kProducerAttribute;
  query.limit = 1;
  for (const bool descending : {false, true}) {
    query.descending = descending;
    MILLRACE_ASSIGN_OR_RETURN(const auto records, Query(key, query));
    if (records.empty()) continue;
    MILLRACE_ASSIGN_OR_RETURN(const FragmentSpan span, DecodeFactsSpan(records[0].Find(kFactsAttribute)));
    (descending ? usage.last : usage.first) = descending ? span.end : span.start;
  }
  return usage;
}

// ---- writing

Result<FragmentNumber> LogFragmentStore::OpenFragment(const VideoStream& video) {
  const std::int64_t now_ms = options_.clock->Now().millis();
  const std::lock_guard lock(mutex_);
  MILLRACE_ASSIGN_OR_RETURN(Stream * stream, Find(video));
  const FragmentNumber number{.counter = ++stream->counter,
                              .server_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(now_ms, 0)),
                              .random = static_cast<std::uint32_t>(random_()) & 0x0FFF'FFFF};
  RenewBounds(*stream);
  return number;
}

Result<std::uint64_t> LogFragmentStore::OpenRun(const VideoStream& video) {
  const std::lock_guard lock(mutex_);
  MILLRACE_ASSIGN_OR_RETURN(Stream * stream, Find(video));
  ++stream->run;
  RenewBounds(*stream);
  return stream->run;
}

// Long before the bounds are reached; a disk that hangs delays only the next renewal.
void LogFragmentStore::RenewBounds(Stream& stream) {
  if (stream.counter + kCountersAhead / 2 <= stream.bounds.counter &&
      stream.run + kRunsAhead / 2 <= stream.bounds.run) {
    return;
  }
  stream.bounds.counter = std::max(stream.bounds.counter, stream.counter + kCountersAhead);
  stream.bounds.run = std::max(stream.bounds.run, stream.run + kRunsAhead);
  jobs_.Add([this, name = stream.video.name, bounds = stream.bounds] {
    const auto written = log_.PutMetadata(kNumbersMetadataPrefix + name, EncodeBounds(bounds));
    if (!written) {
      Log(LogLevel::kWarning, "bounds of fragment numbers could not be written",
          {{"stream", name}, {"error", written.error().ToString()}});
    }
  });
}

void LogFragmentStore::Append(const VideoStream& video, Fragment fragment, AppendCallback done) {
  const FragmentFacts& facts = fragment.facts;
  std::string key;
  bool deleted = false;
  std::shared_ptr<LiveFeed> live;
  {
    const std::lock_guard lock(mutex_);
    if (const auto stream = Find(video)) {
      key = (*stream)->partition_key;
      deleted = !(*stream)->under_way.Begin(facts);
      live = (*stream)->live;
    }
  }
  if (key.empty()) return done(NoStream(video.name));
  if (deleted) {
    // Before its appender marks it as stored there.
    if (live) live->Drop([&](const FragmentFacts& each) { return each.number == facts.number; });
    return done(facts.number);
  }
  storage::PutRecord record;
  record.partition_key = key;
  record.attributes = {{kNumberAttribute, facts.number.ToKey()},
                       {kProducerAttribute, TimeKey(facts.start)},
                       {kServerAttribute, TimeKey(facts.server_start)},
                       {kFactsAttribute, EncodeFacts(facts)},
                       {kProducerEndAttribute, TimeKey(facts.end_time())}};
  record.data = std::move(fragment.mkv);
  appender_.Append(std::move(record), [this, number = facts.number, bytes = facts.bytes, video,
                                       done = std::move(done)](Result<void> stored) {
    bool gone = true;
    {
      const std::lock_guard lock(mutex_);
      if (const auto stream = Find(video)) {
        gone = false;
        (*stream)->under_way.End(number);
        if (stored) NoteStored(**stream, bytes);
      }
    }
    settled_.notify_all();
    if (stored && gone) {
      // It became durable after the stream's footage was taken away: it goes after it.
      jobs_.Add([this, video] {
        const auto taken =
            log_.DeletePartition(options_.data_stream, FragmentPartitionKey(video.name, video.created));
        if (!taken) {
          Log(LogLevel::kWarning, "footage of a deleted stream stays until it expires",
              {{"stream", video.name}, {"error", taken.error().ToString()}});
        }
      });
    }
    if (gone) stored = NoStream(video.name);
    if (stored) {
      done(number);
    } else {
      done(std::move(stored).error());
    }
  });
}

// ---- reading

Result<std::vector<RecordInfo>> LogFragmentStore::Query(const std::string& partition_key,
                                                        const AttributeQuery& query) {
  return log_.Find(options_.data_stream, partition_key, query);
}

Result<std::vector<FragmentFacts>> LogFragmentStore::List(const std::string& name,
                                                          const FragmentQuery& query) {
  MILLRACE_ASSIGN_OR_RETURN(const std::string key, PartitionKey(name));
  AttributeQuery find;
  find.descending = query.descending;
  find.limit = std::min(query.limit, kListMax);
  if (query.order == FragmentOrder::kNumber) {
    find.attribute = kNumberAttribute;
    if (query.from_number) find.from = query.from_number->ToKey();
    if (query.to_number) find.to = query.to_number->ToKey();
  } else {
    find.attribute = query.order == FragmentOrder::kProducerTime ? kProducerAttribute : kServerAttribute;
    if (query.from) find.from = TimeKey(*query.from);
    if (query.to) find.to = TimeKey(*query.to);
  }
  MILLRACE_ASSIGN_OR_RETURN(const auto records, Query(key, find));
  std::vector<FragmentFacts> fragments;
  fragments.reserve(records.size());
  for (const RecordInfo& record : records) {
    MILLRACE_ASSIGN_OR_RETURN(FragmentFacts facts, FactsOf(record));
    fragments.push_back(std::move(facts));
  }
  return fragments;
}

Result<FragmentFacts> LogFragmentStore::FindContaining(const std::string& name, Timestamp time) {
  MILLRACE_ASSIGN_OR_RETURN(const std::string key, PartitionKey(name));
  // From the newest start at or before `time` backwards. Fragments of one run follow each other, so the first
  // is usually the one; runs may overlap where the producer's clock was set back, and then the newest wins.
  AttributeQuery query;
  query.attribute = kProducerAttribute;
  query.from = TimeKey(time - kFragmentDurationMax);
  query.to = TimeKey(time);
  query.descending = true;
  for (const std::size_t limit : {std::size_t{4}, kListMax}) {
    query.limit = limit;
    MILLRACE_ASSIGN_OR_RETURN(const auto records, Query(key, query));
    const RecordInfo* found = nullptr;
    for (const RecordInfo& record : records) {
      MILLRACE_ASSIGN_OR_RETURN(const FragmentSpan span, DecodeFactsSpan(record.Find(kFactsAttribute)));
      if (time < span.start || time >= span.end) continue;
      if (found == nullptr || std::ranges::lexicographical_compare(found->Find(kNumberAttribute),
                                                                   record.Find(kNumberAttribute))) {
        found = &record;
      }
    }
    if (found != nullptr) return FactsOf(*found);
    if (records.size() < limit) break;
  }
  return Error{ErrorCode::kNotFound, "stream '" + name + "' has no footage at " + FormatRfc3339(time)};
}

Result<RecordInfo> LogFragmentStore::FindRecord(const std::string& name, const FragmentNumber& number) {
  MILLRACE_ASSIGN_OR_RETURN(const std::string key, PartitionKey(name));
  AttributeQuery query;
  query.attribute = kNumberAttribute;
  query.from = query.to = number.ToKey();
  query.limit = 1;
  MILLRACE_ASSIGN_OR_RETURN(auto records, Query(key, query));
  if (records.empty()) {
    return Error{ErrorCode::kNotFound, "stream '" + name + "' has no fragment " + number.ToString()};
  }
  return std::move(records.front());
}

Result<FragmentFacts> LogFragmentStore::Get(const std::string& name, const FragmentNumber& number) {
  MILLRACE_ASSIGN_OR_RETURN(const RecordInfo record, FindRecord(name, number));
  return FactsOf(record);
}

Result<Fragment> LogFragmentStore::Read(const std::string& name, const FragmentNumber& number) {
  MILLRACE_ASSIGN_OR_RETURN(const RecordInfo record, FindRecord(name, number));
  MILLRACE_ASSIGN_OR_RETURN(FragmentFacts facts, FactsOf(record));
  MILLRACE_ASSIGN_OR_RETURN(SharedBytes mkv,
                            log_.Fetch(options_.data_stream, record.shard, record.sequence_number));
  return Fragment{.facts = std::move(facts), .mkv = std::move(mkv)};
}

Result<std::vector<CoverageInterval>> LogFragmentStore::Coverage(const std::string& name, Timestamp start,
                                                                 Timestamp end, std::size_t limit) {
  MILLRACE_ASSIGN_OR_RETURN(const std::string key, PartitionKey(name));
  std::vector<CoverageInterval> intervals;
  if (limit == 0 || end <= start) return intervals;
  AttributeQuery query;
  query.attribute = kProducerAttribute;
  query.from = TimeKey(start - kFragmentDurationMax);
  query.to = TimeKey(end);
  query.limit = kCoveragePage;
  std::size_t again = 0;  // records of the last page that the next one begins with
  for (;;) {
    MILLRACE_ASSIGN_OR_RETURN(const auto records, Query(key, query));
    Timestamp last{};
    std::size_t at_last = 0;
    for (std::size_t i = 0; i < records.size(); ++i) {
      MILLRACE_ASSIGN_OR_RETURN(FragmentSpan span, DecodeFactsSpan(records[i].Find(kFactsAttribute)));
      at_last = i > 0 && span.start == last ? at_last + 1 : 1;
      last = span.start;
      if (i < again || span.end <= start || span.start >= end) continue;
      span.start = std::max(span.start, start);
      span.end = std::min(span.end, end);
      if (!intervals.empty() && span.start - intervals.back().end < kCoverageGapMin) {
        intervals.back().end = std::max(intervals.back().end, span.end);
      } else {
        if (intervals.size() == limit) return intervals;
        intervals.push_back({.start = span.start, .end = span.end});
      }
    }
    if (records.size() < query.limit) return intervals;
    // The next page begins at the last one's time, with those that were read of it: several fragments may
    // have one start.
    query.from = TimeKey(last);
    again = at_last;
    query.limit = kCoveragePage + again;
  }
}

// ---- deleting and holding

Error HeldBy(const FootageHold& hold) {
  return {ErrorCode::kFailedPrecondition,
          "hold '" + hold.id + "' keeps footage of this range (from " + FormatRfc3339(hold.start) +
              (hold.end == FootageHold::kOpenEnd ? " on" : " to " + FormatRfc3339(hold.end)) +
              "): delete what lies outside of it, or release the hold"};
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
  const std::lock_guard control(control_mutex_);
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

// ---- live

Result<std::shared_ptr<LiveFeed>> LogFragmentStore::Live(const std::string& name) {
  const std::lock_guard lock(mutex_);
  MILLRACE_ASSIGN_OR_RETURN(Stream * stream, Find(name));
  if (!stream->live) {
    LiveFeed::Options options;
    options.clock = options_.clock;
    options.bytes_max = options_.live_bytes_max;
    stream->live = std::make_shared<LiveFeed>(options);
  }
  return stream->live;
}

void LogFragmentStore::Sweep() {
  std::vector<std::shared_ptr<LiveFeed>> feeds;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, stream] : streams_) {
      if (stream.live) feeds.push_back(stream.live);
    }
  }
  for (const auto& feed : feeds) feed->DropExpired();
}

}  // namespace

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
