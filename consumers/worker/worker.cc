#include "consumers/worker/worker.h"

#include <unistd.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <random>
#include <set>
#include <utility>

#include "base/log.h"
#include "consumers/worker/lease_share.h"
#include "wire/base64.h"

namespace millrace {
namespace {

using std::chrono::steady_clock;

constexpr auto kFlushSkippedAfter = std::chrono::seconds(2);
constexpr auto kTroublePause = std::chrono::milliseconds(500);
constexpr int kCommitTries = 5;
constexpr char kShardEnd[] = "SHARD_END";

std::string MakeOwner() {
  char host[64] = "worker";
  ::gethostname(host, sizeof(host) - 1);
  std::random_device random;
  std::string name;
  for (const char* c = host; *c != 0; ++c) {
    bool plain =
        (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || *c == '-';
    name.push_back(plain ? *c : '-');
  }
  return name + "-" + std::to_string(::getpid()) + "-" + std::to_string(random() % 1'000'000);
}

std::string Text(const boost::json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}
bool Flag(const boost::json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_bool() && value->get_bool();
}
std::uint64_t Count(const boost::json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_int64() ? static_cast<std::uint64_t>(value->get_int64()) : 0;
}
// Seconds with a fraction, as AWS's JSON has times.
Timestamp Seconds(const boost::json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || !value->is_number()) return {};
  boost::system::error_code ec;
  double seconds = value->to_number<double>(ec);
  return Timestamp::FromMillis(static_cast<std::int64_t>(seconds * 1000 + 0.5));
}

bool ServerIsAway(ErrorCode code) {
  return code == ErrorCode::kUnavailable || code == ErrorCode::kDeadlineExceeded ||
         code == ErrorCode::kResourceExhausted || code == ErrorCode::kNoSpace || code == ErrorCode::kIo;
}

}  // namespace

Worker::Worker(WorkerOptions options)
    : options_(std::move(options)), client_(options_.endpoint), lease_client_(options_.endpoint) {
  thread_ = std::thread([this] { RunLeases(); });
}

Result<std::unique_ptr<Worker>> Worker::Start(WorkerOptions options) {
  if (options.application.empty() || options.stream.empty() || options.read_ahead_records == 0 ||
      options.lease_length < std::chrono::seconds(1)) {
    return Error{ErrorCode::kInvalidArgument,
                 "a worker needs an application, a stream, and a lease of a second"};
  }
  if (options.owner.empty()) options.owner = MakeOwner();
  return std::unique_ptr<Worker>(new Worker(std::move(options)));
}

Worker::~Worker() { Close(); }

void Worker::Close() {
  if (!thread_.joinable()) return;
  Stop();
  thread_.join();
  for (const auto& [shard, lease] : leases_) {
    boost::json::object body;
    body["stream"] = options_.stream;
    body["shard"] = shard;
    body["owner"] = options_.owner;
    body["counter"] = lease.counter;
    if (!client_.Own("POST", Path("leases/release"), &body)) break;  // they run out
  }
}

void Worker::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
}

std::string Worker::trouble() const {
  std::lock_guard lock(mutex_);
  return trouble_;
}
std::size_t Worker::shards() const {
  std::lock_guard lock(mutex_);
  return leases_.size();
}

std::string Worker::Path(const char* what) const {
  return "/v1/applications/" + options_.application + "/" + what;
}

void Worker::Note(const Result<void>& outcome) {
  std::string text = outcome ? std::string() : outcome.error().ToString();
  bool news = false;
  {
    std::lock_guard lock(mutex_);
    news = !text.empty() && trouble_.empty();
    trouble_ = text;
  }
  if (news)
    Log(LogLevel::kWarning, "the worker waits", {{"application", options_.application}, {"error", text}});
}

// ---- leases

void Worker::RunLeases() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    balance_now_ = false;
    lock.unlock();
    Note(RenewAndBalance());
    lock.lock();
    bool troubled = !trouble_.empty();
    changed_.notify_all();
    auto pause = troubled ? Duration(kTroublePause) : options_.lease_length / 3;
    changed_.wait_for(lock, pause, [this] { return stopping_ || balance_now_; });
  }
}

Result<void> Worker::RenewAndBalance() {
  boost::json::array list;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [shard, lease] : leases_) {
      boost::json::object each;
      each["stream"] = options_.stream;
      each["shard"] = shard;
      each["counter"] = lease.counter;
      list.push_back(std::move(each));
    }
  }
  if (!list.empty()) {
    boost::json::object body;
    body["owner"] = options_.owner;
    body["leases"] = std::move(list);
    MILLRACE_ASSIGN_OR_RETURN(auto answer, lease_client_.Own("POST", Path("leases/renew"), &body));
    if (const auto* lost = answer.if_contains("lost"); lost != nullptr && lost->is_array()) {
      std::lock_guard lock(mutex_);
      for (const auto& each : lost->get_array()) {
        if (!each.is_object()) continue;
        auto found = leases_.find(Text(each.get_object(), "shard"));
        if (found == leases_.end() || found->second.counter != Count(each.get_object(), "counter")) continue;
        Log(LogLevel::kInfo, "a lease is another worker's now", {{"shard", found->first}});
        leases_.erase(found);
      }
    }
  }
  boost::json::object body;
  body["stream"] = options_.stream;
  body["start"] = options_.start;
  MILLRACE_ASSIGN_OR_RETURN(auto answer, lease_client_.Own("POST", Path("begin"), &body));
  const auto* leases = answer.if_contains("leases");
  if (leases == nullptr || !leases->is_array())
    return Error{ErrorCode::kInternal, "an answer without leases"};
  std::vector<SeenLease> seen;
  for (const auto& value : leases->get_array()) {
    if (!value.is_object()) continue;
    const auto& object = value.get_object();
    seen.push_back({Text(object, "shard"), Text(object, "owner"), Count(object, "counter"),
                    Flag(object, "expired"), Flag(object, "ready")});
  }
  std::set<std::string> held;
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return {};
    for (const auto& [shard, lease] : leases_) held.insert(shard);
  }
  for (const LeaseWish& wish : ChooseLeases(seen, options_.owner, held)) {
    auto taken = Take(wish.shard, wish.steal_counter);
    // Another worker was faster: the next look shows what is left.
    if (!taken && taken.error().code != ErrorCode::kFailedPrecondition) return taken;
  }
  return {};
}

Result<void> Worker::Take(const std::string& shard, std::optional<std::uint64_t> steal_counter) {
  boost::json::object body;
  body["stream"] = options_.stream;
  body["shard"] = shard;
  body["owner"] = options_.owner;
  body["seconds"] = std::chrono::duration<double>(options_.lease_length).count();
  if (steal_counter) body["steal_counter"] = *steal_counter;
  MILLRACE_ASSIGN_OR_RETURN(auto answer, lease_client_.Own("POST", Path("leases/take"), &body));
  std::string checkpoint = Text(answer, "checkpoint");
  if (checkpoint == kShardEnd) return {};
  Lease lease;
  lease.counter = Count(answer, "counter");
  lease.suspect = Flag(answer, "suspect");
  lease.checkpoint.sequence_number = checkpoint;
  if (answer.contains("sub_sequence")) lease.checkpoint.sub_sequence = Count(answer, "sub_sequence");
  std::lock_guard lock(mutex_);
  leases_[shard] = std::move(lease);
  return {};
}

// ---- reading

std::optional<WorkerRecord> Worker::Next(Duration wait) {
  auto until = steady_clock::now() + wait;
  while (true) {
    {
      std::lock_guard lock(mutex_);
      if (stopping_) return std::nullopt;
      for (const auto& [shard, lease] : leases_) {
        Held& held = reading_[shard];
        if (held.counter == lease.counter) continue;
        held = Held();
        held.counter = lease.counter;
        held.checkpoint = lease.checkpoint;
        held.suspect = lease.suspect;
      }
      std::erase_if(reading_, [this](const auto& held) {
        auto lease = leases_.find(held.first);
        return lease == leases_.end() || lease->second.counter != held.second.counter;
      });
    }
    FlushSkipped(false);
    if (auto record = TakeAhead()) return record;
    auto now = steady_clock::now();
    if (now >= until) return std::nullopt;
    auto wake = std::min(until, now + options_.poll_interval);
    for (const auto& [shard, held] : reading_) wake = std::min(wake, std::max(held.poll_at, now));
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, wake, [this] { return stopping_; });
  }
}

std::optional<WorkerRecord> Worker::TakeAhead() {
  std::vector<std::string> order;  // each shard in its turn
  for (auto it = reading_.upper_bound(last_shard_); it != reading_.end(); ++it) order.push_back(it->first);
  for (auto it = reading_.begin(); it != reading_.upper_bound(last_shard_); ++it) order.push_back(it->first);
  for (const std::string& shard : order) {
    Held* held = &reading_.at(shard);
    if (held->ahead.empty() && !held->aggregate && steady_clock::now() >= held->poll_at) {
      auto polled = Poll(shard, *held);
      if (!polled) Note(polled);
      auto still = reading_.find(shard);  // the lease may be lost by now
      if (still == reading_.end()) continue;
      held = &still->second;
    }
    for (;;) {
      auto one = TakeOne(shard, *held);
      if (!one) {
        Note(std::move(one).error());
        held->poll_at = steady_clock::now() + kTroublePause;
        break;
      }
      if (!*one) break;
      WorkerRecord& record = **one;
      if (!options_.wanted || options_.wanted(record)) {
        record.suspect = held->suspect;
        last_shard_ = shard;
        return std::move(record);
      }
      if (held->skipped.sequence_number.empty()) held->skipped_since = steady_clock::now();
      held->skipped = PlaceOf(record);
    }
  }
  return std::nullopt;
}

Worker::Place Worker::PlaceOf(const WorkerRecord& record) {
  return {record.sequence_number, record.last_of_record ? std::nullopt : record.sub_sequence};
}

Result<std::optional<WorkerRecord>> Worker::TakeOne(const std::string& shard, Held& held) {
  for (;;) {
    if (held.aggregate) {
      Aggregate& aggregate = *held.aggregate;
      while (aggregate.next < aggregate.parts.size()) {
        const std::uint64_t index = aggregate.next++;
        const wire::UserRecord& part = aggregate.parts[index];
        if (!wire::BelongsTo(part, held.hash_keys.first, held.hash_keys.last)) continue;
        WorkerRecord record;
        record.shard = shard;
        record.sequence_number = aggregate.record.sequence_number;
        record.sub_sequence = index;
        record.last_of_record = index + 1 == aggregate.parts.size();
        record.partition_key = part.partition_key;
        record.arrival = aggregate.record.arrival;
        record.data.assign(part.data.begin(), part.data.end());
        return std::optional<WorkerRecord>(std::move(record));
      }
      // Its last ones were left out: nothing but this says that the record is done.
      if (held.skipped.sequence_number.empty()) held.skipped_since = steady_clock::now();
      held.skipped = {aggregate.record.sequence_number, std::nullopt};
      held.aggregate.reset();
    }
    if (held.ahead.empty()) return std::optional<WorkerRecord>();
    MILLRACE_ASSIGN_OR_RETURN(const bool aggregated, BeginAggregate(shard, held, held.ahead.front()));
    if (!aggregated) {
      WorkerRecord record = std::move(held.ahead.front());
      held.ahead.pop_front();
      return std::optional<WorkerRecord>(std::move(record));
    }
    held.ahead.pop_front();
  }
}

Result<bool> Worker::BeginAggregate(const std::string& shard, Held& held, WorkerRecord& record) {
  if (!options_.deaggregate) return false;
  auto parts = wire::ReadAggregatedRecord(record.data);
  if (!parts) return false;
  MILLRACE_RETURN_IF_ERROR(FindHashKeys(shard, held));
  Aggregate aggregate;
  aggregate.record = std::move(record);  // its bytes stay where they are, and `parts` in them
  aggregate.parts = std::move(*parts);
  const Place& done = held.checkpoint;
  if (done.sub_sequence && done.sequence_number == aggregate.record.sequence_number) {
    aggregate.next =
        static_cast<std::size_t>(std::min<std::uint64_t>(*done.sub_sequence + 1, aggregate.parts.size()));
  }
  held.aggregate = std::move(aggregate);
  return true;
}

Result<void> Worker::FindHashKeys(const std::string& shard, Held& held) {
  boost::json::object request;
  request["StreamName"] = options_.stream;
  while (held.hash_keys.first.empty()) {
    MILLRACE_ASSIGN_OR_RETURN(auto answer, client_.DataStreams("ListShards", request));
    const auto* shards = answer.if_contains("Shards");
    if (shards == nullptr || !shards->is_array())
      return Error{ErrorCode::kInternal, "an answer without shards"};
    for (const auto& value : shards->get_array()) {
      if (!value.is_object() || Text(value.get_object(), "ShardId") != shard) continue;
      const auto* range = value.get_object().if_contains("HashKeyRange");
      if (range == nullptr || !range->is_object()) break;
      held.hash_keys = {Text(range->get_object(), "StartingHashKey"),
                        Text(range->get_object(), "EndingHashKey")};
    }
    const std::string token = Text(answer, "NextToken");
    if (held.hash_keys.first.empty() && token.empty()) {
      return Error{ErrorCode::kNotFound, "shard " + shard + " is gone"};
    }
    request = {};
    request["NextToken"] = token;
  }
  return {};
}

Result<void> Worker::Poll(const std::string& shard, Held& held) {
  held.poll_at = steady_clock::now() + options_.poll_interval;
  if (held.read_to_end) {
    // Everything that was read is done: Next is called when what it gave before is.
    held.poll_at = steady_clock::now() + kTroublePause;
    auto ended = CommitTo(shard, {kShardEnd, std::nullopt}, {});
    if (!ended) return ended;
    std::lock_guard lock(mutex_);
    leases_.erase(shard);
    balance_now_ = true;
    changed_.notify_all();
    return {};
  }
  auto read = ReadOn(shard, held);
  if (!read) {
    held.poll_at = steady_clock::now() + kTroublePause;
    // An iterator that is too old, or of a server that is gone: from the last record that was read, anew.
    held.iterator.clear();
  }
  return read;
}

Result<void> Worker::ReadOn(const std::string& shard, Held& held) {
  if (held.iterator.empty()) {
    boost::json::object request;
    request["StreamName"] = options_.stream;
    request["ShardId"] = shard;
    const bool begun = !held.read_to.empty();
    const std::string& after = begun ? held.read_to : held.checkpoint.sequence_number;
    // Of an aggregated record that is done in part, the rest is still to come.
    const bool again = !begun && held.checkpoint.sub_sequence;
    request["ShardIteratorType"] = after.empty() ? "TRIM_HORIZON"
                                   : again       ? "AT_SEQUENCE_NUMBER"
                                                 : "AFTER_SEQUENCE_NUMBER";
    if (!after.empty()) request["StartingSequenceNumber"] = after;
    MILLRACE_ASSIGN_OR_RETURN(auto answer, client_.DataStreams("GetShardIterator", request));
    held.iterator = Text(answer, "ShardIterator");
  }
  boost::json::object request;
  request["ShardIterator"] = held.iterator;
  request["Limit"] = options_.read_ahead_records;
  MILLRACE_ASSIGN_OR_RETURN(auto answer, client_.DataStreams("GetRecords", request));
  const auto* records = answer.if_contains("Records");
  if (records == nullptr || !records->is_array())
    return Error{ErrorCode::kInternal, "an answer without records"};
  for (const auto& value : records->get_array()) {
    if (!value.is_object()) return Error{ErrorCode::kInternal, "a record that is none"};
    const auto& object = value.get_object();
    WorkerRecord record;
    record.shard = shard;
    record.sequence_number = Text(object, "SequenceNumber");
    record.partition_key = Text(object, "PartitionKey");
    record.arrival = Seconds(object, "ApproximateArrivalTimestamp");
    MILLRACE_ASSIGN_OR_RETURN(record.data, wire::DecodeBase64(Text(object, "Data")));
    held.read_to = record.sequence_number;
    held.ahead.push_back(std::move(record));
  }
  if (records->get_array().size() == options_.read_ahead_records) held.poll_at = steady_clock::now();
  held.iterator = Text(answer, "NextShardIterator");
  held.read_to_end = held.iterator.empty();
  if (held.read_to_end) held.poll_at = steady_clock::now();
  Note({});
  return {};
}

// ---- committing

Result<void> Worker::CommitTo(const std::string& shard, const Place& checkpoint,
                              const std::vector<WorkerResult>& results) {
  auto found = reading_.find(shard);
  if (found == reading_.end()) {
    return Error{ErrorCode::kFailedPrecondition, "the lease of " + shard + " is another worker's now"};
  }
  boost::json::object body;
  body["stream"] = options_.stream;
  body["shard"] = shard;
  body["owner"] = options_.owner;
  body["counter"] = found->second.counter;
  body["checkpoint"] = checkpoint.sequence_number;
  if (checkpoint.sub_sequence) body["sub_sequence"] = *checkpoint.sub_sequence;
  boost::json::array records;
  for (const WorkerResult& result : results) {
    boost::json::object record;
    record["stream"] = result.stream;
    record["partition_key"] = result.partition_key;
    record["data"] = wire::EncodeBase64(AsBytes(result.data));
    if (!result.key.empty()) record["key"] = result.key;
    if (result.time) record["time"] = FormatRfc3339(*result.time);
    records.push_back(std::move(record));
  }
  body["records"] = std::move(records);
  auto answer = client_.Own("POST", Path("commit"), &body);
  if (answer) {
    found->second.skipped = {};
    return {};
  }
  if (answer.error().code == ErrorCode::kFailedPrecondition) {
    std::lock_guard lock(mutex_);
    auto lease = leases_.find(shard);
    if (lease != leases_.end() && lease->second.counter == found->second.counter) leases_.erase(lease);
    reading_.erase(found);
  }
  return std::move(answer).error();
}

Result<void> Worker::Commit(const WorkerRecord& record, const std::vector<WorkerResult>& results) {
  for (int i = 1;; ++i) {
    auto committed = CommitTo(record.shard, PlaceOf(record), results);
    if (committed) {
      reading_.at(record.shard).suspect = false;
      return committed;
    }
    if (!ServerIsAway(committed.error().code) || i == kCommitTries) return committed;
    Note(committed);
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, kTroublePause * i, [this] { return stopping_; })) return committed;
  }
}

void Worker::GiveUp(const WorkerRecord& record) {
  reading_.erase(record.shard);
  std::lock_guard lock(mutex_);
  leases_.erase(record.shard);
}

Result<std::uint64_t> Worker::Attempt(const WorkerRecord& record, const std::string& what) {
  FlushSkipped(true);  // a later checkpoint would forget the attempt
  auto found = reading_.find(record.shard);
  if (found == reading_.end())
    return Error{ErrorCode::kFailedPrecondition, "the lease is another worker's now"};
  boost::json::object body;
  body["stream"] = options_.stream;
  body["shard"] = record.shard;
  body["owner"] = options_.owner;
  body["counter"] = found->second.counter;
  body["what"] = what;
  MILLRACE_ASSIGN_OR_RETURN(auto answer, client_.Own("POST", Path("leases/attempt"), &body));
  return Count(answer, "attempts");
}

void Worker::FlushSkipped(bool all) {
  std::vector<std::pair<std::string, Place>> due;
  for (const auto& [shard, held] : reading_) {
    bool old = steady_clock::now() - held.skipped_since >= kFlushSkippedAfter;
    if (!held.skipped.sequence_number.empty() && (all || old)) due.emplace_back(shard, held.skipped);
  }
  for (const auto& [shard, checkpoint] : due) {
    auto flushed = CommitTo(shard, checkpoint, {});
    if (!flushed && flushed.error().code != ErrorCode::kFailedPrecondition) {
      auto held = reading_.find(shard);
      if (held != reading_.end()) held->second.skipped_since = steady_clock::now();
      return Note(flushed);
    }
  }
}

}  // namespace millrace
