// Streams, writing and reading.
#include "fragments/log_fragment_store.h"

#include <algorithm>

#include "base/log.h"

namespace millrace {

using storage::AttributeQuery;
using storage::RecordInfo;

namespace {

// Bounds of numbers are written down this far ahead, and again when half of it is used up.
constexpr std::uint64_t kCountersAhead = 4096;
constexpr std::uint64_t kRunsAhead = 256;

constexpr std::size_t kCoveragePage = 1000;
constexpr Duration kRetentionMax = std::chrono::hours(87'600);

Result<void> CheckRetention(Duration retention) {
  if (retention >= Duration{0} && retention <= kRetentionMax) return {};
  return Error{ErrorCode::kInvalidArgument, "retention is 0 to 87600 hours"};
}

Duration LogRetention(Duration retention) { return retention == Duration{0} ? kRingRetention : retention; }

}  // namespace

// ---- streams

void LogFragmentStore::Describe(Stream& stream, const std::string& name, StoredStream stored) {
  stream.video = {.name = name, .created = stored.created, .retention = stored.settings.retention};
  stream.description =
      std::make_shared<const StreamDescription>(StreamDescription{.name = name,
                                                                  .created = stored.created,
                                                                  .revision = stored.revision,
                                                                  .settings = std::move(stored.settings)});
}

Result<LogFragmentStore::Stream*> LogFragmentStore::Find(const std::string& name) {
  const auto at = streams_.find(name);
  if (at == streams_.end()) return NoStream(name);
  return &at->second;
}

Result<LogFragmentStore::Stream*> LogFragmentStore::Find(const VideoStream& stream) {
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
Result<LogFragmentStore::Stream> LogFragmentStore::LoadStream(const std::string& name, StoredStream stored) {
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
  StreamDescriptionPtr after;
  {
    const std::lock_guard lock(mutex_);
    MILLRACE_ASSIGN_OR_RETURN(Stream * stream, Find(name));
    Describe(*stream, name, std::move(stored));
    after = stream->description;
  }
  if (retention != before->settings.retention) {
    // Where this fails, opening the store finishes it.
    MILLRACE_RETURN_IF_ERROR(log_.SetPartitionRetention(
        options_.data_stream, FragmentPartitionKey(name, before->created), LogRetention(retention)));
  }
  return after;
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

}  // namespace millrace
