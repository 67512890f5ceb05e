#include "fragments/coverage_ledger.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <condition_variable>
#include <cstdio>
#include <limits>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "base/log.h"
#include "fragments/gap_list.h"

namespace millrace {
namespace {

using storage::RecordLog;

constexpr Duration kWriteInterval = std::chrono::seconds(1);
constexpr Duration kPruneInterval = std::chrono::minutes(10);
// A stream may be made shortly after its camera was switched on.
constexpr Duration kStreamlessKept = std::chrono::hours(1);
// The server's own gaps are kept for the longest retention there is.
constexpr Duration kServerGapsKept = std::chrono::hours(87'600);

constexpr std::size_t kTimeDigits = 16;
constexpr std::uint64_t kSign = std::uint64_t{1} << 63;

std::string TimeDigits(Timestamp time) {
  std::array<char, kTimeDigits + 1> text{};
  std::snprintf(text.data(), text.size(), "%016llx",
                static_cast<unsigned long long>(static_cast<std::uint64_t>(time.ns) ^ kSign));
  return text.data();
}

Result<Timestamp> ParseTimeDigits(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (text.size() != kTimeDigits || error != std::errc() || end != text.data() + text.size()) {
    return Error{ErrorCode::kCorruption, "a gap's key that is no time"};
  }
  return Timestamp{static_cast<std::int64_t>(value ^ kSign)};
}

// A row's place: the empty name is the server's own.
using RowKey = std::pair<std::string, Timestamp>;

std::string MetadataKey(const RowKey& row) {
  if (row.first.empty()) return kServerDownMetadataPrefix + TimeDigits(row.second);
  return kGapMetadataPrefix + row.first + "/" + TimeDigits(row.second);
}

}  // namespace

class CoverageLedger::Impl {
 public:
  Impl(RecordLog& log, FragmentStore& store, Options options)
      : log_(log), store_(store), options_(std::move(options)) {
    door_->impl = this;
  }
  ~Impl();

  Result<void> Load();
  void Begin(const std::string& stream, GapCause cause, Timestamp start, std::string detail) {
    Change(stream, [&](GapList& list) { list.Begin(cause, start, std::move(detail)); });
  }
  void End(const std::string& stream, Timestamp at) {
    Change(stream, [&](GapList& list) { list.End(at); });
  }
  void Add(const std::string& stream, Gap gap) {
    Change(stream, [&](GapList& list) { list.Add(std::move(gap)); });
  }
  Result<std::vector<CoverageSpan>> Report(const std::string& stream, Timestamp start, Timestamp end,
                                           std::size_t limit);
  Result<void> Flush();
  std::function<void(const std::string&, Gap)> Adder() {
    return [door = door_](const std::string& stream, Gap gap) {
      const std::lock_guard lock(door->mutex);
      if (door->impl != nullptr) door->impl->Add(stream, std::move(gap));
    };
  }

 private:
  // What stays of the ledger for those who outlive it.
  struct Door {
    std::mutex mutex;  // taken before the ledger's
    Impl* impl;        // GUARDED_BY(mutex)
  };

  template <typename Edit>
  void Change(const std::string& stream, Edit edit) {
    const std::lock_guard lock(mutex_);
    edit(List(stream));
  }
  GapList& List(const std::string& stream);  // REQUIRES: mutex_ is held
  Result<void> LoadRows(std::string_view prefix);
  Result<void> WriteAlive();
  void Prune();
  void Run();

  RecordLog& log_;
  FragmentStore& store_;
  const Options options_;
  const std::shared_ptr<Door> door_ = std::make_shared<Door>();

  std::mutex write_mutex_;  // one writer at a time, so that a row's newest state is written last

  std::mutex mutex_;  // guards what follows; never held while the disk is waited for
  std::condition_variable wake_;
  bool stopped_ = false;
  std::map<std::string, GapList> lists_;
  std::set<RowKey> dirty_;  // at most two for every row there may be

  std::thread thread_;  // last: uses all of the above
};

GapList& CoverageLedger::Impl::List(const std::string& stream) {
  const auto at = lists_.find(stream);
  if (at != lists_.end()) return at->second;
  auto touched = [this, stream](Timestamp start) { dirty_.insert({stream, start}); };
  return lists_.emplace(stream, GapList(std::move(touched))).first->second;
}

Result<void> CoverageLedger::Impl::LoadRows(std::string_view prefix) {
  MILLRACE_ASSIGN_OR_RETURN(const auto entries, log_.ListMetadata(std::string(prefix)));
  for (const storage::MetadataEntry& entry : entries) {
    const std::string_view rest = std::string_view(entry.key).substr(prefix.size());
    const std::size_t slash = rest.rfind('/');  // names have none
    const bool of_stream = slash != std::string_view::npos;
    const auto start = ParseTimeDigits(of_stream ? rest.substr(slash + 1) : rest);
    auto gap = start ? DecodeGap(*start, entry.value) : Result<Gap>(start.error());
    if (!gap) {
      Log(LogLevel::kWarning, "a row of the coverage ledger cannot be read",
          {{"row", entry.key}, {"error", gap.error().ToString()}});
      continue;
    }
    const std::lock_guard lock(mutex_);
    List(std::string(of_stream ? rest.substr(0, slash) : std::string_view())).Load(std::move(*gap));
  }
  return {};
}

Result<void> CoverageLedger::Impl::Load() {
  MILLRACE_RETURN_IF_ERROR(LoadRows(kGapMetadataPrefix));
  MILLRACE_RETURN_IF_ERROR(LoadRows(kServerDownMetadataPrefix));
  const Timestamp now = options_.clock->Now();
  Timestamp alive = now;
  const auto entry = log_.GetMetadata(kAliveMetadataKey);
  if (entry && entry->value.size() == 8) {
    alive = Timestamp{static_cast<std::int64_t>(ReadBigEndian<std::uint64_t>(entry->value))};
  } else if (!entry && entry.error().code != ErrorCode::kNotFound) {
    return entry.error();
  }
  {
    const std::lock_guard lock(mutex_);
    // What was noted behind the last heartbeat shows that the server still ran.
    for (const auto& [stream, list] : lists_) alive = std::max(alive, list.LastChange());
    for (auto& [stream, list] : lists_) list.CloseAll(std::min(alive, now));
    if (alive < now) {
      List("").Add({.start = alive, .end = now, .cause = GapCause::kServerDown, .detail = {}});
    }
  }
  Prune();
  MILLRACE_RETURN_IF_ERROR(Flush());
  // Behind the rows: a stop in between finds the old time again.
  MILLRACE_RETURN_IF_ERROR(WriteAlive());
  thread_ = std::thread([this] { Run(); });
  return {};
}

CoverageLedger::Impl::~Impl() {
  {
    const std::lock_guard lock(door_->mutex);
    door_->impl = nullptr;
  }
  if (!thread_.joinable()) return;  // it did not open
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  wake_.notify_all();
  thread_.join();
  auto written = Flush();
  if (written) written = WriteAlive();
  if (!written) {
    Log(LogLevel::kWarning, "the coverage ledger could not be written",
        {{"error", written.error().ToString()}});
  }
}

Result<void> CoverageLedger::Impl::WriteAlive() {
  Bytes value;
  AppendBigEndian(value, static_cast<std::uint64_t>(options_.clock->Now().ns));
  auto version = log_.PutMetadata(kAliveMetadataKey, std::move(value));
  if (!version) return std::move(version).error();
  return {};
}

void CoverageLedger::Impl::Run() {
  auto alive_at = options_.clock->SteadyNow();
  auto pruned_at = alive_at;
  bool failing = false;
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, kWriteInterval, [this] { return stopped_; })) {
    lock.unlock();
    const auto now = options_.clock->SteadyNow();
    auto written = Flush();
    if (written && now - alive_at >= options_.heartbeat) {
      written = WriteAlive();
      alive_at = now;
    }
    if (!written && !failing) {
      Log(LogLevel::kWarning, "the coverage ledger could not be written; it is tried again",
          {{"error", written.error().ToString()}});
    }
    failing = !written;
    if (now - pruned_at >= kPruneInterval) {
      Prune();
      pruned_at = now;
    }
    lock.lock();
  }
}

Result<void> CoverageLedger::Impl::Flush() {
  const std::lock_guard writing(write_mutex_);
  for (;;) {
    RowKey row;
    std::optional<Gap> gap;
    {
      const std::lock_guard lock(mutex_);
      if (dirty_.empty()) return {};
      row = *dirty_.begin();
      dirty_.erase(dirty_.begin());
      const auto list = lists_.find(row.first);
      if (list != lists_.end()) gap = list->second.Find(row.second);
    }
    Result<void> written;
    if (gap) {
      auto version = log_.PutMetadata(MetadataKey(row), EncodeGap(*gap));
      if (!version) written = std::move(version).error();
    } else {
      written = log_.DeleteMetadata(MetadataKey(row));
      if (!written && written.error().code == ErrorCode::kNotFound) written = {};  // it was never written
    }
    if (!written) {
      const std::lock_guard lock(mutex_);
      dirty_.insert(std::move(row));
      return written;
    }
  }
}

void CoverageLedger::Impl::Prune() {
  const Timestamp now = options_.clock->Now();
  std::map<std::string, Duration> kept;
  for (const VideoStream& stream : store_.ListStreams()) {
    kept[stream.name] = stream.retention == Duration{0} ? kRingRetention : stream.retention;
  }
  const std::lock_guard lock(mutex_);
  for (auto at = lists_.begin(); at != lists_.end();) {
    GapList& list = at->second;
    const auto found = kept.find(at->first);
    if (at->first.empty()) {
      list.DropBefore(now - kServerGapsKept);
    } else if (found != kept.end()) {
      list.DropBefore(now - found->second);
    } else if (list.LastChange() < now - kStreamlessKept) {
      list.Clear();
    }
    const bool idle = list.empty() && !list.recording_since();
    at = idle ? lists_.erase(at) : std::next(at);
  }
}

Result<std::vector<CoverageSpan>> CoverageLedger::Impl::Report(const std::string& name, Timestamp start,
                                                               Timestamp end, std::size_t limit) {
  MILLRACE_ASSIGN_OR_RETURN(const VideoStream stream, store_.GetStream(name));
  CoverageFacts facts;
  facts.now = options_.clock->Now();
  facts.created = stream.created;
  facts.evicted_before = log_.Status().evicted_before;
  facts.kept_since = facts.now - (stream.retention == Duration{0} ? kRingRetention : stream.retention);
  {
    // Before the footage is looked up: a stream that starts meanwhile then has a gap too many rather than a
    // hole without a cause, and footage wins over gaps.
    const std::lock_guard lock(mutex_);
    for (const std::string& whose : {std::string(), name}) {
      const auto list = lists_.find(whose);
      if (list == lists_.end()) continue;
      for (const auto& [at, gap] : list->second.gaps()) facts.gaps.push_back(gap);
      if (!whose.empty()) facts.recording_since = list->second.recording_since();
    }
  }
  MILLRACE_ASSIGN_OR_RETURN(facts.recorded, store_.Coverage(name, start, end, limit));
  // Behind the last interval of a full answer nothing is known.
  if (facts.recorded.size() == limit && limit > 0) end = facts.recorded.back().end;
  std::vector<CoverageSpan> spans = MergeCoverage(facts, start, end);
  if (spans.size() > limit) spans.resize(limit);
  return spans;
}

Result<std::unique_ptr<CoverageLedger>> CoverageLedger::Open(RecordLog& log, FragmentStore& store,
                                                             Options options) {
  auto impl = std::make_unique<Impl>(log, store, std::move(options));
  MILLRACE_RETURN_IF_ERROR(impl->Load());
  return std::unique_ptr<CoverageLedger>(new CoverageLedger(std::move(impl)));
}

CoverageLedger::CoverageLedger(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CoverageLedger::~CoverageLedger() = default;

void CoverageLedger::BeginGap(const std::string& stream, GapCause cause, Timestamp start,
                              std::string detail) {
  impl_->Begin(stream, cause, start, std::move(detail));
}
void CoverageLedger::EndGap(const std::string& stream, Timestamp at) { impl_->End(stream, at); }
void CoverageLedger::Add(const std::string& stream, Gap gap) { impl_->Add(stream, std::move(gap)); }
std::function<void(const std::string&, Gap)> CoverageLedger::Adder() { return impl_->Adder(); }
Result<std::vector<CoverageSpan>> CoverageLedger::Report(const std::string& stream, Timestamp start,
                                                         Timestamp end, std::size_t limit) {
  return impl_->Report(stream, start, end, limit);
}
Result<void> CoverageLedger::Flush() { return impl_->Flush(); }

}  // namespace millrace
