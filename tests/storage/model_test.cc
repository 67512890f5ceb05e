// Goal: whatever is done to the log, in whatever order, with power losses, failed syncs and full disks
// between, it holds what a simple model says: everything acknowledged is there, what was on its way is wholly
// there or not at all, and the checker finds nothing wrong. Method: random operations from a seed, on a
// simulated disk.
//
// A failure prints its seed: MILLRACE_MODEL_SEED=<seed> runs that one again; MILLRACE_MODEL_STEPS=<n> makes
// the runs longer or shorter.
#include "tests/storage/model.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "base/log.h"
#include "storage/checker.h"
#include "storage/checkpoints.h"
#include "tests/storage/log_fixture.h"
#include "tests/storage/simulated_file_system.h"

namespace millrace::storage {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t kStepsUsual = 400;
#else
constexpr std::uint64_t kStepsUsual = 2'500;
#endif
constexpr AttributeId kSerial = 200;  // carried, not indexed
const std::string kKeys[] = {"key-0", "key-1", "key-2", "key-3", "key-4", "key-5"};
constexpr LossMode kModes[] = {LossMode::kDropAll, LossMode::kKeepAll, LossMode::kTornPrefix,
                               LossMode::kSectors, LossMode::kBlocks};

std::uint64_t FromEnvironment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

Bytes ToBytes(ByteSpan bytes) { return Bytes(bytes.begin(), bytes.end()); }

class ModelRun {
 public:
  ModelRun(std::uint64_t seed, bool encrypted) : random_(seed), encrypted_(encrypted) {
    if (seed % 2 == 0) budget_ = 150'000 + Below(400'000);
  }

  void Run(std::uint64_t steps) {
    OpenLog();
    for (step_ = 0; step_ < steps && !testing::Test::HasFailure(); ++step_) {
      SCOPED_TRACE("step " + std::to_string(step_));
      Step();
      if (files_->power_lost()) Crash();
    }
    if (testing::Test::HasFailure()) return;
    Heal();
    CleanReopen();
  }

 private:
  enum class Fault { kNone, kPower, kSync, kFull };

  std::uint64_t Below(std::uint64_t limit) { return limit == 0 ? 0 : random_() % limit; }
  bool OneIn(std::uint64_t n) { return Below(n) == 0; }
  template <typename Map>
  auto Pick(Map& map) {
    return std::next(map.begin(), static_cast<std::ptrdiff_t>(Below(map.size())));
  }
  std::string RandomKey() { return kKeys[Below(std::size(kKeys))]; }
  Duration RandomRetention() {
    constexpr std::int64_t kMinutes[] = {1, 10, 60, 600, 1440};
    return std::chrono::minutes(kMinutes[Below(5)]);
  }

  EmbeddedLogOptions Options() {
    EmbeddedLogOptions options;
    options.path = "/data";
    options.files = files_.get();
    options.clock = &clock_;
    options.segment_bytes = 30'000;
    options.control_bytes = 4'000;
    options.sweep_interval = options.budget_interval =
        std::chrono::hours(1);  // sweeps are steps of their own
    options.budget.used_bytes_max = budget_;
    options.index_write_buffer_bytes = 1 << 20;
    options.index_cache_bytes = 1 << 20;
    options.reserve_bytes = 0;
    if (encrypted_) {
      options.master_keys = MasterKeysNow();
      options.data_key_records_max = 40;
      options.encrypt_new_stream = [](const std::string& name) { return name != "stream-2"; };
    }
    return options;
  }

  // The current one, and the one before it.
  std::shared_ptr<const MasterKeys> MasterKeysNow() const {
    std::vector<std::string> ids = {"key-" + std::to_string(master_key_ % 10)};
    if (master_key_ > 0) ids.push_back("key-" + std::to_string((master_key_ - 1) % 10));
    return MakeMasterKeys(ids);
  }

  // ---- one step

  void Step() {
    Tick(std::chrono::milliseconds(Below(2'000)));
    std::uint64_t which = Below(1000);
    if (model_.streams.empty() || which < 10) return CreateStream();
    if (which < 14) return DeleteStream();
    if (which < 300) return Put(1);
    if (which < 400) return Put(2 + Below(12));
    if (which < 440) return CommitBatchOf(Below(8));
    if (which < 560) return ReadShard();
    if (which < 680) return Find();
    if (which < 740) return Fetch();
    if (which < 755) return Split();
    if (which < 770) return Merge();
    if (which < 774) return SetEncryption();
    if (which < 780) return SetRetention();
    if (which < 795) return SetPartitionRetention();
    if (which < 805) return DeletePartition();
    if (which < 815) return DeleteRecords();
    if (which < 822) return PlaceHold();
    if (which < 828) return ReleaseHold();
    if (which < 880) return PutMetadata();
    if (which < 890) return DeleteMetadata();
    if (which < 920) return SetCheckpoint();
    if (which < 940) return Tick(std::chrono::minutes(Below(OneIn(4) ? 2'000 : 40)));
    if (which < 960) return Sweep();
    if (which < 965) return CleanReopen();
    if (which < 975) return BadRequests();
    if (which < 980) return Crash();
    if (fault_ == Fault::kFull) return Heal();
    if (fault_ == Fault::kNone) MakeFault();
  }

  void Tick(Duration by) {
    clock_.Advance(by);
    model_.Expire(clock_.Now());
  }

  void MakeFault() {
    switch (Below(3)) {
      case 0:
        fault_ = Fault::kPower;
        files_->LosePowerAt(files_->calls() + Below(80));
        break;
      case 1: {
        fault_ = Fault::kSync;
        auto left = std::make_shared<std::atomic<std::int64_t>>(static_cast<std::int64_t>(Below(12)));
        files_->SetFault([left](FileCall call, const std::string& path) -> std::optional<Error> {
          if (call != FileCall::kSync || (*left)-- != 0) return std::nullopt;
          return Error{ErrorCode::kIo, "syncing " + path + ": input/output error"};
        });
        break;
      }
      default:
        fault_ = Fault::kFull;
        files_->SetCapacity(files_->UsedBytes() + Below(40'000));
    }
  }

  // There is space again, and recording goes on by itself.
  void Heal() {
    if (fault_ == Fault::kPower) return Crash();
    bool was_full = fault_ == Fault::kFull;
    fault_ = Fault::kNone;
    files_->SetFault(nullptr);
    files_->SetCapacity(SimulatedFileSystem::kNever);
    if (was_full && !model_.streams.empty()) Put(1);
  }

  // ---- what may be in doubt

  // A change that the log said was made, or not. One that failed may yet have been made where the disk
  // failed; the next opening shows it.
  template <typename T, typename Change>
  void Settle(const Result<T>& result, Change change) {
    Model after = model_;
    change(after);
    if (result) {
      model_ = std::move(after);
      return;
    }
    const Error& error = result.error();
    if (files_->power_lost()) {
      other_ = std::move(after);  // Run sees the lost power
    } else if (fault_ == Fault::kFull) {
      EXPECT_EQ(error.code, ErrorCode::kNoSpace) << error.ToString();
    } else if (fault_ == Fault::kSync) {
      EXPECT_TRUE(error.code == ErrorCode::kIo || error.code == ErrorCode::kUnavailable) << error.ToString();
      other_ = std::move(after);
      AfterFailedSync();
    } else {
      ADD_FAILURE() << "step " << step_ << ": " << error.ToString();
    }
  }

  void AfterFailedSync() {
    if (OneIn(2)) return Crash();  // the machine is started again
    fault_ = Fault::kNone;
    files_->SetFault(nullptr);
    log_.reset();
    OpenLog();  // the process is
  }

  void Crash() {
    // Mostly at once, with what the index holds in memory; sometimes while the log is being closed, or after.
    if (!files_->power_lost() && !OneIn(3)) files_->LosePowerAt(files_->calls() + Below(4));
    log_.reset();
    fault_ = Fault::kNone;
    files_ = files_->Crash(kModes[Below(5)], random_());
    // Sometimes power goes again while the log recovers.
    if (OneIn(4)) {
      files_->LosePowerAt(Below(40));
      { auto opened = EmbeddedLog::Open(Options()); }
      files_ = files_->Crash(kModes[Below(5)], random_());
    }
    Check();
    OpenLog();
  }

  void CleanReopen() {
    if (fault_ == Fault::kPower) return Crash();
    log_.reset();
    if (files_->power_lost()) return Crash();
    bool whole = fault_ == Fault::kNone;
    fault_ = Fault::kNone;
    files_->SetFault(nullptr);
    files_->SetCapacity(SimulatedFileSystem::kNever);
    CheckReport report = Check();
    if (whole) {
      // An eviction that a power loss interrupted is finished by the next sweep.
      std::erase_if(report.notes, [](const std::string& note) { return note.find("evicted") != note.npos; });
      EXPECT_TRUE(report.notes.empty()) << report.ToString();
    }
    OpenLog();
  }

  CheckReport Check() {
    CheckReport report = CheckDataDirectory("/data", *files_, clock_, encrypted_ ? MasterKeysNow() : nullptr);
    bool made = files_->Has("/data/MILLRACE");
    if (made) {
      EXPECT_TRUE(report.ok()) << report.ToString();
    }
    return report;
  }

  void OpenLog() {
    // What an opening has wrapped anew stays so; one that failed has left the older key in use.
    if (encrypted_ && fault_ == Fault::kNone && !files_->power_lost() && rewrapped_ && OneIn(4)) {
      ++master_key_;
      rewrapped_ = false;
    }
    auto opened = EmbeddedLog::Open(Options());
    ASSERT_TRUE(opened.has_value()) << opened.error().ToString();
    log_ = std::move(*opened);
    rewrapped_ = true;
    Evict();
    model_.Expire(clock_.Now());
    std::string difference = Compare(model_);
    if (!difference.empty() && other_) {
      other_->Expire(clock_.Now());
      std::string second = Compare(*other_);
      if (second.empty()) model_ = *other_;
      if (!second.empty()) difference += "; nor is it what it would be after the last change: " + second;
      if (second.empty()) difference.clear();
    }
    EXPECT_TRUE(difference.empty()) << difference;
    CheckBatchIsWhole();
    other_.reset();
    on_their_way_.clear();
    batch_on_its_way_.reset();
  }

  // Of a batch that was on its way: all records are there (those that have not expired) and all metadata, or
  // nothing.
  void CheckBatchIsWhole() {
    if (!batch_on_its_way_) return;
    const auto& [serials, metadata] = *batch_on_its_way_;
    std::set<std::uint64_t> found;
    for (const auto& [name, stream] : model_.streams) {
      for (const auto& [id, shard] : stream.shards) {
        for (const auto& [number, record] : shard.records) {
          if (serials.contains(record.serial)) found.insert(record.serial);
        }
      }
    }
    EXPECT_TRUE(found.empty() || found == serials) << "a batch's records are partly there";
    if (found.empty()) return;
    for (const MetadataChange& change : metadata) {
      auto entry = model_.metadata.find(change.key);
      EXPECT_EQ(change.value.has_value(), entry != model_.metadata.end()) << change.key;
      if (change.value && entry != model_.metadata.end()) {
        EXPECT_EQ(entry->second.value, *change.value)
            << "a batch's records are there and its metadata is not";
      }
    }
  }

  // The first difference between the log and `model`; takes what was on its way, and is there, into it.
  std::string Compare(Model& model) {
    std::vector<std::string> names;
    for (const auto& [name, stream] : model.streams) names.push_back(name);
    if (names != log_->ListStreams()) return "other streams are there";
    for (auto& [name, stream] : model.streams) {
      std::string difference = CompareShards(name, stream);
      if (!difference.empty()) return "stream " + name + ": " + difference;
      for (auto& [id, shard] : stream.shards) {
        difference = CompareRecords(name, stream, id, shard);
        if (!difference.empty())
          return "stream " + name + ", shard " + std::to_string(id) + ": " + difference;
      }
    }
    auto metadata = Get(log_->ListMetadata(""));
    if (metadata.size() != model.metadata.size()) return "other metadata are there";
    for (const MetadataEntry& entry : metadata) {
      auto wanted = model.metadata.find(entry.key);
      if (wanted == model.metadata.end() || wanted->second.value != entry.value ||
          wanted->second.version != entry.version) {
        return "metadata " + entry.key + " is not as it was put";
      }
    }
    return {};
  }

  std::string CompareShards(const std::string& name, ModelStream& stream) {
    StreamDescription description = Get(log_->DescribeStream(name));
    if (description.retention != stream.retention) return "another retention";
    for (const std::string& key : kKeys) {
      auto own = stream.own_retention.find(key);
      std::optional<Duration> wanted;
      if (own != stream.own_retention.end()) wanted = own->second;
      if (Get(log_->DescribePartition(name, key)).retention != wanted) return "another retention of " + key;
      std::map<std::string, std::vector<AttributeRange>> holds;
      for (Hold& hold : Get(log_->ListHolds(name, key))) holds[hold.id] = std::move(hold.ranges);
      if (holds != stream.holds[key]) return "other holds of " + key;
    }
    std::set<std::uint32_t> there;
    for (const ShardDescription& shard : description.shards) {
      auto known = stream.shards.find(shard.id.index);
      if (known == stream.shards.end()) return shard.id.ToString() + " was never made";
      there.insert(shard.id.index);
      std::set<std::uint32_t> parents;
      if (shard.parent) parents.insert(shard.parent->index);
      if (shard.adjacent_parent) parents.insert(shard.adjacent_parent->index);
      if (shard.hash_keys != known->second.hash_keys || parents != known->second.parents ||
          shard.closed != known->second.closed) {
        return shard.id.ToString() + " is not as it was made";
      }
    }
    for (auto it = stream.shards.begin(); it != stream.shards.end();) {
      bool may_go = it->second.closed && it->second.records.empty() &&
                    *it->second.closed + stream.LongestRetention() < clock_.Now();
      if (!there.contains(it->first) && !may_go) return "shard " + std::to_string(it->first) + " is lost";
      it = there.contains(it->first) ? std::next(it) : stream.shards.erase(it);
    }
    return {};
  }

  std::string CompareRecords(const std::string& name, const ModelStream& stream, std::uint32_t id,
                             ModelShard& shard) {
    std::set<SequenceNumber> seen;
    SequenceNumber last;
    for (Record& record : ReadAll(*log_, name, ShardId{id})) {
      const SequenceNumber& number = record.info.sequence_number;
      if (number <= last) return "sequence numbers do not increase";
      last = number;
      seen.insert(number);
      auto known = shard.records.find(number);
      if (known == shard.records.end()) {
        ByteSpan serial = record.info.Find(kSerial);
        auto waiting = serial.size() == 8 ? on_their_way_.find(ReadBigEndian<std::uint64_t>(serial))
                                          : on_their_way_.end();
        bool wanted = waiting != on_their_way_.end() && waiting->second.first == stream.incarnation &&
                      stream.OpenShardOf(waiting->second.second.hash_key) == id;
        if (!wanted) return "record " + number.ToString() + " is gone, or was never put";
        known = shard.records.emplace(number, waiting->second.second).first;
        known->second.arrival = record.info.arrival;
      }
      if (!Same(known->second, record)) return "record " + number.ToString() + " is not what was put";
    }
    for (const auto& [number, record] : shard.records) {
      if (!seen.contains(number)) return "record " + number.ToString() + " of " + record.key + " is lost";
    }
    return {};
  }

  static bool Same(const ModelRecord& wanted, const RecordInfo& info) {
    return info.partition_key == wanted.key && info.attributes == wanted.attributes &&
           info.arrival == wanted.arrival && info.data_bytes == wanted.data.size();
  }
  static bool Same(const ModelRecord& wanted, const Record& record) {
    return Same(wanted, record.info) && ToBytes(record.data.span()) == wanted.data;
  }

  // ---- streams and shards

  void CreateStream() {
    std::string name = "stream-" + std::to_string(Below(3));
    auto shards = static_cast<std::uint32_t>(std::uint64_t{1} << Below(3));
    Duration retention = RandomRetention();
    auto created = log_->CreateStream(name, shards, retention);
    if (model_.streams.contains(name)) {
      if (Working()) {
        EXPECT_EQ(CodeOf(created), ErrorCode::kAlreadyExists);
      }
      return AfterRefusal(created);
    }
    Settle(created, [&](Model& model) {
      ModelStream& stream = model.streams[name];
      stream.incarnation = ++incarnations_;
      stream.retention = retention;
      for (std::uint32_t i = 0; i < shards; ++i) {  // powers of two: the ranges are plain shifts
        HashKey first{shards == 1 ? 0 : i * (~std::uint64_t{0} / shards + 1), 0};
        HashKey end{(i + 1) * (~std::uint64_t{0} / shards + 1), 0};
        stream.shards[i].hash_keys = {first, i + 1 == shards ? HashKey::Max() : end.Previous()};
      }
    });
  }
  void DeleteStream() {
    std::string name = Pick(model_.streams)->first;
    if (model_.streams[name].HasHolds()) return ExpectHeld(log_->DeleteStream(name));
    Settle(log_->DeleteStream(name), [&](Model& model) { model.streams.erase(name); });
  }
  void Split() {
    auto stream = Pick(model_.streams);
    if (stream->second.shards.size() > 24) return;
    auto [id, shard] = *Pick(stream->second.shards);
    const HashKeyRange& range = shard.hash_keys;
    HashKey at{range.starting.high / 2 + range.ending.high / 2 + 1, random_()};
    bool inside = range.starting.Next() < at && at < range.ending;
    auto split = log_->SplitShard(stream->first, ShardId{id}, at);
    if (shard.closed || !inside) {
      if (Working()) {
        EXPECT_EQ(CodeOf(split), shard.closed ? ErrorCode::kFailedPrecondition : ErrorCode::kInvalidArgument);
      }
      return AfterRefusal(split);
    }
    Settle(split, [&, name = stream->first, id = id](Model& model) {
      model.streams[name].Split(id, at, clock_.Now());
    });
  }
  void Merge() {
    auto stream = Pick(model_.streams);
    auto low = Pick(stream->second.shards);
    auto high = Pick(stream->second.shards);
    bool closed = low->second.closed || high->second.closed;
    bool adjacent = low->second.hash_keys.ending != HashKey::Max() &&
                    low->second.hash_keys.ending.Next() == high->second.hash_keys.starting;
    auto merged = log_->MergeShards(stream->first, ShardId{low->first}, ShardId{high->first});
    if (closed || !adjacent) {
      if (Working()) {
        EXPECT_EQ(CodeOf(merged), closed ? ErrorCode::kFailedPrecondition : ErrorCode::kInvalidArgument);
      }
      return AfterRefusal(merged);
    }
    Settle(merged, [&, name = stream->first, a = low->first, b = high->first](Model& model) {
      model.streams[name].Merge(a, b, clock_.Now());
    });
  }
  void SetEncryption() {
    if (!encrypted_) return;
    std::optional<std::string> key_name;
    if (!OneIn(3)) key_name = "key";
    auto set = log_->SetStreamEncryption(Pick(model_.streams)->first, key_name);
    if (!set && set.error().code == ErrorCode::kResourceExhausted) return;
    Settle(set, [](Model&) {});
  }
  void SetRetention() {
    std::string name = Pick(model_.streams)->first;
    Duration retention = RandomRetention();
    Settle(log_->SetRetention(name, retention), [&](Model& model) {
      model.streams[name].retention = retention;
      model.Expire(clock_.Now());
    });
  }
  void SetPartitionRetention() {
    std::string name = Pick(model_.streams)->first;
    std::string key = RandomKey();
    std::optional<Duration> retention;
    if (!OneIn(3)) retention = RandomRetention();
    Settle(log_->SetPartitionRetention(name, key, retention), [&](Model& model) {
      if (retention) model.streams[name].own_retention[key] = *retention;
      if (!retention) model.streams[name].own_retention.erase(key);
      model.Expire(clock_.Now());
    });
  }
  void DeletePartition() {
    std::string name = Pick(model_.streams)->first;
    std::string key = RandomKey();
    auto deleted = log_->DeletePartition(name, key);
    if (model_.streams[name].HasHolds(key)) return ExpectHeld(deleted);
    if (!deleted && fault_ == Fault::kFull && deleted.error().code == ErrorCode::kNoSpace) {
      // The purge may be durable and its sweep not: the log says which.
      Model after = model_;
      after.streams[name].DeletePartition(key);
      std::string difference = Compare(model_);
      if (difference.empty()) return;
      difference = Compare(after);
      EXPECT_TRUE(difference.empty()) << difference;
      model_ = std::move(after);
      return;
    }
    Settle(deleted, [&](Model& model) { model.streams[name].DeletePartition(key); });
  }
  // ---- deleting and holding by attribute

  template <typename T>
  void ExpectHeld(const Result<T>& result) {
    if (Working()) {
      EXPECT_EQ(CodeOf(result), ErrorCode::kFailedPrecondition);
    }
    AfterRefusal(result);
  }
  std::vector<AttributeRange> RandomRanges() {
    std::vector<AttributeRange> ranges(1 + Below(3));
    for (AttributeRange& range : ranges) {
      if (OneIn(4)) {
        range.attribute = 5;
        range.from = Bytes(Below(4), static_cast<std::uint8_t>(Below(3)));
      } else {
        range.attribute = 1;
        const std::uint64_t newest = serials_ / 3;
        const std::uint64_t from = newest - Below(std::min<std::uint64_t>(newest, 60) + 1);
        range.from = Number(from);
        if (!OneIn(5)) range.to = Number(from + Below(20));
      }
      if (OneIn(4)) range.at_least = Attribute{kSerial, Number(serials_ - Below(serials_ / 2 + 1))};
    }
    return ranges;
  }
  void DeleteRecords() {
    std::string name = Pick(model_.streams)->first;
    std::string key = RandomKey();
    const auto ranges = RandomRanges();
    const ModelStream& stream = model_.streams[name];
    const auto matching = stream.In(key, ranges);
    std::uint64_t bytes = 0;
    for (const ModelRecord* record : matching) bytes += record->data.size();
    auto deleted = log_->DeleteRecords(name, key, ranges);
    if (std::ranges::any_of(matching, [&](const ModelRecord* record) { return stream.IsHeld(*record); })) {
      return ExpectHeld(deleted);
    }
    if (deleted) {
      EXPECT_EQ(deleted->records, matching.size());
      EXPECT_EQ(deleted->data_bytes, bytes);
    }
    Settle(deleted, [&](Model& model) { model.streams[name].Delete(key, ranges); });
  }
  void PlaceHold() {
    // A hold keeps what has expired and is there still: the sweep takes it first, so that none comes back.
    Sweep();
    if (files_->power_lost() || !Working() || !log_) return;
    std::string name = Pick(model_.streams)->first;
    std::string key = RandomKey();
    Hold hold;
    hold.id = "hold-" + std::to_string(Below(3));
    hold.ranges = RandomRanges();
    auto& of_key = model_.streams[name].holds[key];
    const bool taken = of_key.contains(hold.id) && of_key[hold.id] != hold.ranges;
    auto placed = log_->PlaceHold(name, key, hold);
    if (taken) {
      if (Working()) {
        EXPECT_EQ(CodeOf(placed), ErrorCode::kAlreadyExists);
      }
      return AfterRefusal(placed);
    }
    Settle(placed, [&](Model& model) { model.streams[name].holds[key][hold.id] = hold.ranges; });
  }
  void ReleaseHold() {
    std::string name = Pick(model_.streams)->first;
    auto& holds = model_.streams[name].holds;
    if (holds.empty()) return;
    auto of_key = Pick(holds);
    if (of_key->second.empty()) return;
    std::string key = of_key->first;
    std::string id = Pick(of_key->second)->first;
    Settle(log_->ReleaseHold(name, key, id), [&](Model& model) {
      model.streams[name].holds[key].erase(id);
      model.Expire(clock_.Now());
      model.Evict(evicted_through_);
    });
  }

  // What the log has evicted is gone from the model too. It goes from the oldest on, and never comes back.
  void Evict() {
    auto before = log_->Status().evicted_before;
    const std::uint64_t through = before ? static_cast<std::uint64_t>(before->ns) - 1 : 0;
    EXPECT_GE(through, evicted_through_) << "what was evicted is there again";
    EXPECT_TRUE(budget_ || through == 0) << "records were evicted without a budget";
    evicted_through_ = through;
    model_.Evict(through);
    if (other_) other_->Evict(through);
  }

  void Sweep() {
    auto swept = log_->Sweep();
    if (files_->power_lost()) return;
    Evict();
    if (swept && budget_ && fault_ == Fault::kNone) {
      auto status = log_->Status();
      const bool held =
          std::ranges::any_of(model_.streams, [](const auto& stream) { return stream.second.HasHolds(); });
      EXPECT_TRUE(held || status.used_bytes <= *budget_ || status.oldest == std::nullopt)
          << status.used_bytes << " of " << *budget_;
    }
    Settle(swept, [](Model&) {});
    if (fault_ == Fault::kPower) return;  // it may go while we look
    std::string difference = Compare(model_);
    EXPECT_TRUE(difference.empty()) << difference;
    if (!swept) return;
    for (const auto& [name, stream] : model_.streams) {
      std::map<std::string, PartitionDescription> live;
      for (const auto& [id, shard] : stream.shards) {
        for (const auto& [number, record] : shard.records) {
          ++live[record.key].records;
          live[record.key].data_bytes += record.data.size();
        }
      }
      for (const std::string& key : kKeys) {
        auto usage = Get(log_->DescribePartition(name, key));
        EXPECT_EQ(usage.records, live[key].records) << name << " " << key << ": expired records are left";
        EXPECT_EQ(usage.data_bytes, live[key].data_bytes) << name << " " << key;
      }
    }
  }

  // The log does what it is asked, as far as a step can know.
  bool Working() const { return fault_ == Fault::kNone || fault_ == Fault::kFull; }
  // What cannot have changed anything may still have met the fault.
  template <typename T>
  void AfterRefusal(const Result<T>& result) {
    if (!result && result.error().code == ErrorCode::kUnavailable && !files_->power_lost() && !Working()) {
      AfterFailedSync();
    }
  }

  // ---- writing

  PutRecord RandomRecord(ModelRecord& record) {
    constexpr std::uint64_t kSizes[] = {0, 1, 100, 1'000, 5'000, 20'000};
    record.serial = ++serials_;
    record.key = RandomKey();
    record.data = MakeData(static_cast<std::size_t>(Below(kSizes[Below(6)] + 1)), record.serial);
    if (!OneIn(5)) record.attributes.push_back({1, Number(record.serial / 3)});
    if (OneIn(2)) record.attributes.push_back({5, Bytes(Below(4), static_cast<std::uint8_t>(Below(3)))});
    record.attributes.push_back({kSerial, Number(record.serial)});
    record.arrival = clock_.Now();
    PutRecord put = MakeRecord(record.key, record.data, record.attributes);
    record.hash_key = HashKey::FromPartitionKey(record.key);
    if (OneIn(4)) put.explicit_hash_key = record.hash_key = HashKey{random_(), random_()};
    return put;
  }
  void Acknowledged(ModelStream& stream, const ModelRecord& wanted, const PutReceipt& receipt) {
    EXPECT_EQ(receipt.shard.index, stream.OpenShardOf(wanted.hash_key));
    EXPECT_EQ(receipt.arrival, clock_.Now());
    SequenceNumber& newest = newest_[{stream.incarnation, receipt.shard.index}];
    EXPECT_LT(newest, receipt.sequence_number) << "a sequence number was used again";
    newest = receipt.sequence_number;
    stream.shards[receipt.shard.index].records[receipt.sequence_number] = wanted;
  }

  void Put(std::uint64_t count) {
    auto stream = Pick(model_.streams);
    std::vector<PutRecord> records;
    std::vector<ModelRecord> wanted;
    for (std::uint64_t i = 0; i < count; ++i) {
      ModelRecord record;
      records.push_back(RandomRecord(record));
      wanted.push_back(std::move(record));
    }
    auto results = PutManyAndWait(*log_, stream->first, std::move(records));
    Result<void> outcome;
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (!results[i]) {
        outcome = results[i].error();
        on_their_way_[wanted[i].serial] = {stream->second.incarnation, wanted[i]};
        continue;
      }
      Acknowledged(stream->second, wanted[i], *results[i]);
    }
    if (fault_ == Fault::kFull && !outcome) on_their_way_.clear();  // a full disk leaves nothing in doubt
    Settle(outcome, [](Model&) {});
  }

  // Records of any streams and up to three metadata changes; all of it, or nothing.
  void CommitBatchOf(std::uint64_t count) {
    CommitBatch batch;
    std::vector<std::pair<std::string, ModelRecord>> wanted;
    for (std::uint64_t i = 0; i < count; ++i) {
      ModelRecord record;
      std::string stream = Pick(model_.streams)->first;
      PutRecord put = RandomRecord(record);
      batch.records.push_back({stream, std::move(put)});
      wanted.emplace_back(stream, std::move(record));
    }
    bool refused = false;
    for (std::uint64_t i = Below(4); i > 0; --i) {
      std::string key = "room/what/" + std::to_string(i * 4 + Below(4));
      auto known = model_.metadata.find(key);
      std::uint64_t version = known == model_.metadata.end() ? 0 : known->second.version;
      MetadataChange change;
      change.key = key;
      if (!OneIn(4)) change.value = MakeData(static_cast<std::size_t>(Below(400)), ++serials_);
      if (OneIn(2)) change.expected_version = OneIn(6) ? version + 1 : version;
      refused = refused || change.expected_version.value_or(version) != version;
      batch.metadata.push_back(std::move(change));
    }
    if (OneIn(20)) {
      batch.records.push_back({"no-such-stream", MakeRecord("key-0", {1})});
      refused = true;
    }
    std::vector<MetadataChange> metadata = batch.metadata;
    auto committed = log_->Commit(std::move(batch));
    if (refused) {
      EXPECT_FALSE(committed.has_value());
      return AfterRefusal(committed);
    }
    auto make = [&](Model& model) {
      for (const MetadataChange& change : metadata) {
        if (change.value) model.PutMetadata(change.key, *change.value);
        if (!change.value) model.metadata.erase(change.key);
      }
    };
    if (!committed) {
      std::set<std::uint64_t> serials;
      if (fault_ != Fault::kFull) {
        for (const auto& [stream, record] : wanted) {
          on_their_way_[record.serial] = {model_.streams[stream].incarnation, record};
          serials.insert(record.serial);
        }
      }
      batch_on_its_way_ = {std::move(serials), metadata};
      return Settle(committed, make);
    }
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      Acknowledged(model_.streams[wanted[i].first], wanted[i].second, committed->records[i]);
    }
    Settle(committed, make);
  }

  void PutMetadata() {
    std::string key = "room/what/" + std::to_string(Below(12));
    Bytes value = MakeData(static_cast<std::size_t>(Below(400)), ++serials_);
    auto known = model_.metadata.find(key);
    std::uint64_t version = known == model_.metadata.end() ? 0 : known->second.version;
    std::optional<std::uint64_t> expected;
    if (OneIn(2)) expected = OneIn(4) ? version + 1 : version;
    auto put = log_->PutMetadata(key, value, expected);
    if (expected && *expected != version) {
      if (Working()) {
        EXPECT_EQ(CodeOf(put), ErrorCode::kFailedPrecondition);
      }
      return AfterRefusal(put);
    }
    if (put) {
      EXPECT_EQ(*put, version + 1);
    }
    Settle(put, [&](Model& model) { model.PutMetadata(key, value); });
  }
  void DeleteMetadata() {
    std::string key = "room/what/" + std::to_string(Below(12));
    Settle(log_->DeleteMetadata(key), [&](Model& model) { model.metadata.erase(key); });
  }
  void SetCheckpoint() {
    auto stream = Pick(model_.streams);
    auto shard = Pick(stream->second.shards);
    if (shard->second.records.empty()) return;
    SequenceNumber number = Pick(shard->second.records)->first;
    Checkpoints checkpoints(*log_, "app");
    auto set = checkpoints.Set(stream->first, ShardId{shard->first}, number);
    std::string key = "checkpoints/app/" + stream->first + "/" + ShardId{shard->first}.ToString();
    Settle(set, [&](Model& model) {
      model.PutMetadata(key, Bytes(number.bytes().begin(), number.bytes().end()));
    });
    if (!set || files_->power_lost()) return;
    auto got = Get(checkpoints.Get(model_.streams.empty() ? "" : key.substr(16, key.rfind('/') - 16),
                                   Get(ShardId::Parse(key.substr(key.rfind('/') + 1)))));
    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(got->sequence_number, number);
  }

  // ---- reading

  void ReadShard() {
    auto stream = Pick(model_.streams);
    auto shard = Pick(stream->second.shards);
    const auto& records = shard->second.records;
    IteratorStart start;
    start.type = static_cast<IteratorType>(Below(5));
    auto first = records.begin();
    if (start.type == IteratorType::kLatest) first = records.end();
    if (start.type == IteratorType::kAtSequenceNumber || start.type == IteratorType::kAfterSequenceNumber) {
      if (records.empty()) return;
      first = Pick(records);
      start.sequence_number = first->first;
      if (start.type == IteratorType::kAfterSequenceNumber) ++first;
    }
    if (start.type == IteratorType::kAtTimestamp) {
      start.timestamp = clock_.Now() - std::chrono::milliseconds(Below(60'000));
      if (!records.empty() && OneIn(2)) start.timestamp = Pick(records)->second.arrival;
      while (first != records.end() && first->second.arrival < start.timestamp) ++first;
    }
    auto position = log_->Seek(stream->first, ShardId{shard->first}, start);
    ReadLimits limits;
    limits.records_max = 1 + Below(20);
    limits.data_bytes_max = Below(20'000);
    limits.with_data = !OneIn(3);
    std::optional<ShardPosition> next;
    if (position) next = *position;
    while (position && next) {
      auto batch = log_->Read(stream->first, *next, limits);
      if (files_->power_lost()) return;
      ASSERT_TRUE(batch.has_value()) << batch.error().ToString();
      EXPECT_LE(batch->records.size(), limits.records_max);
      std::uint64_t bytes = 0;
      for (const Record& record : batch->records) {
        ASSERT_TRUE(first != records.end()) << "more records than were put";
        ASSERT_EQ(record.info.sequence_number, first->first);
        EXPECT_TRUE(limits.with_data ? Same(first->second, record) : Same(first->second, record.info));
        bytes += record.info.data_bytes;
        ++first;
      }
      if (batch->records.size() > 1) {
        EXPECT_LE(bytes, limits.data_bytes_max);
      }
      next = batch->next;
      if (!next) {
        EXPECT_TRUE(shard->second.closed.has_value());
        std::set<std::uint32_t> children;
        for (const auto& [id, other] : stream->second.shards) {
          if (other.parents.contains(shard->first)) children.insert(id);
        }
        std::set<std::uint32_t> given;
        for (const ShardDescription& child : batch->children) given.insert(child.id.index);
        EXPECT_EQ(given, children);
      }
      if (batch->records.empty()) break;
    }
    if (files_->power_lost()) return;
    // A sweep may have taken it while power was about to go, when the two are not compared.
    if (!position && fault_ == Fault::kPower && shard->second.closed && records.empty()) return;
    ASSERT_TRUE(position.has_value()) << position.error().ToString();
    EXPECT_TRUE(first == records.end()) << "records are missing";
    EXPECT_EQ(next.has_value(), !shard->second.closed.has_value());
  }

  void Find() {
    auto stream = Pick(model_.streams);
    std::string key = RandomKey();
    AttributeQuery query;
    query.attribute = OneIn(2) ? 1 : 5;
    auto bound = [&] {
      return query.attribute == 1 ? Number(Below(serials_ / 3 + 2))
                                  : Bytes(Below(4), static_cast<std::uint8_t>(Below(3)));
    };
    if (OneIn(2)) query.from = bound();
    if (OneIn(2)) query.to = bound();
    query.descending = OneIn(2);
    query.limit = 1 + Below(30);
    std::map<std::tuple<std::string, std::uint32_t, SequenceNumber>, const ModelRecord*> wanted;
    for (const auto& [id, shard] : stream->second.shards) {
      for (const auto& [number, record] : shard.records) {
        if (record.key != key) continue;
        for (const Attribute& attribute : record.attributes) {
          if (attribute.id != query.attribute) continue;
          if (query.from && AsText(attribute.value) < AsText(*query.from)) continue;
          if (query.to && AsText(*query.to) < AsText(attribute.value)) continue;
          wanted[{std::string(AsText(attribute.value)), id, number}] = &record;
        }
      }
    }
    std::vector<std::pair<SequenceNumber, const ModelRecord*>> expected;
    for (const auto& [place, record] : wanted) expected.emplace_back(std::get<2>(place), record);
    if (query.descending) std::reverse(expected.begin(), expected.end());
    expected.resize(std::min(expected.size(), query.limit));
    auto found = log_->Find(stream->first, key, query);
    if (files_->power_lost()) return;
    ASSERT_TRUE(found.has_value()) << found.error().ToString();
    ASSERT_EQ(found->size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ((*found)[i].sequence_number, expected[i].first) << i;
      EXPECT_TRUE(Same(*expected[i].second, (*found)[i])) << i;
    }
  }

  void Fetch() {
    auto stream = Pick(model_.streams);
    auto shard = Pick(stream->second.shards);
    if (shard->second.records.empty()) return;
    auto record = Pick(shard->second.records);
    auto data = log_->Fetch(stream->first, ShardId{shard->first}, record->first);
    auto fields = record->first.fields();
    ++fields.counter;
    SequenceNumber stranger = SequenceNumber::FromFields(fields);
    auto none = log_->Fetch(stream->first, ShardId{shard->first}, stranger);
    if (files_->power_lost()) return;
    ASSERT_TRUE(data.has_value()) << data.error().ToString();
    EXPECT_EQ(ToBytes(data->span()), record->second.data);
    if (!shard->second.records.contains(stranger)) {
      EXPECT_FALSE(none.has_value());
    }
  }

  void BadRequests() {
    if (!Working()) return;
    EXPECT_EQ(CodeOf(log_->SetRetention("no-such-stream", kDay)), ErrorCode::kNotFound);
    std::string name = Pick(model_.streams)->first;
    EXPECT_EQ(CodeOf(log_->SetRetention(name, Duration{-1})), ErrorCode::kInvalidArgument);
    EXPECT_EQ(CodeOf(log_->Seek(name, ShardId{9'999}, {})), ErrorCode::kNotFound);
    EXPECT_EQ(CodeOf(log_->SplitShard(name, ShardId{9'999}, HashKey{1, 1})), ErrorCode::kNotFound);
    EXPECT_EQ(CodeOf(log_->GetMetadata("room/what/none")), ErrorCode::kNotFound);
    EXPECT_FALSE(PutAndWait(*log_, name, MakeRecord("", {1})).has_value());
  }

  std::mt19937_64 random_;
  const bool encrypted_;
  int master_key_ = 0;
  bool rewrapped_ = false;  // nothing needs the master key before this one
  ManualClock clock_{kTestStart};
  std::unique_ptr<SimulatedFileSystem> files_ = std::make_unique<SimulatedFileSystem>();
  std::unique_ptr<EmbeddedLog> log_;
  Fault fault_ = Fault::kNone;
  std::optional<std::uint64_t> budget_;  // of every second seed
  std::uint64_t evicted_through_ = 0;
  Model model_;
  std::optional<Model> other_;  // if the change that failed was made after all
  // Records whose put failed in a way that leaves it open, by serial, with their stream's incarnation.
  std::map<std::uint64_t, std::pair<std::uint64_t, ModelRecord>> on_their_way_;
  std::optional<std::pair<std::set<std::uint64_t>, std::vector<MetadataChange>>> batch_on_its_way_;
  std::map<std::pair<std::uint64_t, std::uint32_t>, SequenceNumber> newest_;  // by incarnation and shard
  std::uint64_t incarnations_ = 0;
  std::uint64_t serials_ = 0;
  std::uint64_t step_ = 0;
};

struct ModelCase {
  std::uint64_t seed;
  bool encrypted;
};
class StorageModel : public testing::TestWithParam<ModelCase> {};

TEST_P(StorageModel, HoldsWhatTheModelSays) {
  std::uint64_t seed = FromEnvironment("MILLRACE_MODEL_SEED", GetParam().seed);
  std::uint64_t steps = FromEnvironment("MILLRACE_MODEL_STEPS", kStepsUsual);
  SCOPED_TRACE("MILLRACE_MODEL_SEED=" + std::to_string(seed) +
               " MILLRACE_MODEL_STEPS=" + std::to_string(steps));
  ModelRun(seed, GetParam().encrypted).Run(steps);
}

INSTANTIATE_TEST_SUITE_P(Seeds, StorageModel,
                         testing::Values(ModelCase{1, false}, ModelCase{2, false}, ModelCase{3, false},
                                         ModelCase{4, false}, ModelCase{5, true}, ModelCase{6, true}),
                         [](const auto& tested) {
                           return std::to_string(tested.param.seed) +
                                  (tested.param.encrypted ? "Encrypted" : "");
                         });

}  // namespace
}  // namespace millrace::storage
