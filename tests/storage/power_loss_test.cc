// Goal: whatever moment the power goes, everything acknowledged is there after reopening, byte for byte, and
// nothing else but whole records that were on their way. Method: a script of operations runs over the
// simulated disk once for every call it makes to it; at that call the power goes. Several disks that may be
// left are then opened, read and compared with what the script was told, and checked.
#include <gmock/gmock.h>

#include <cstdlib>
#include <map>
#include <set>

#include "storage/checker.h"
#include "tests/storage/log_fixture.h"
#include "tests/storage/simulated_file_system.h"

namespace millrace::storage {
namespace {

// More runs where there is time: MILLRACE_POWER_LOSS_SEEDS=20.
std::uint64_t SeedsFromEnvironment(std::uint64_t otherwise) {
  const char* text = std::getenv("MILLRACE_POWER_LOSS_SEEDS");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

// Streams are encrypted, some of the time, and their keys change often.
enum class Encryption { kNone, kFirstKey, kSecondKey };

std::shared_ptr<const MasterKeys> KeysOf(Encryption encryption) {
  switch (encryption) {
    case Encryption::kNone:
      return nullptr;
    case Encryption::kFirstKey:
      return MakeMasterKeys({"key-1"});
    case Encryption::kSecondKey:
      return MakeMasterKeys({"key-2", "key-1"});
  }
  return nullptr;
}

EmbeddedLogOptions SmallOptions(FileSystem& files, const Clock& clock, Encryption encryption) {
  EmbeddedLogOptions options;
  options.path = "/data";
  options.files = &files;
  options.clock = &clock;
  options.segment_bytes = 40'000;  // so that segments are sealed and made
  options.control_bytes = 2'000;   // and snapshots are taken
  options.sweep_interval = std::chrono::hours(1);
  options.index_write_buffer_bytes = 1 << 20;
  options.index_cache_bytes = 1 << 20;
  options.reserve_bytes = 0;
  options.master_keys = KeysOf(encryption);
  options.data_key_records_max = 5;
  if (options.master_keys) options.encrypt_new_stream = [](const std::string& name) { return name != "c"; };
  return options;
}

// What the script was told.
struct Told {
  std::map<std::string, Bytes> acknowledged;  // by a record's own name, its partition key's suffix
  std::map<std::string, Bytes> on_their_way;
  std::set<std::string> purged;  // may be there or not: the purge was on its way
  std::set<std::string> gone;    // must not be there
  std::map<std::string, Bytes> metadata;
  std::map<std::string, Bytes> metadata_on_its_way;
  std::set<std::string> batch_on_its_way;  // records of one batch: all of them are there, or none
  std::string batch_metadata;              // and its metadata is as on its way, or as before
  std::set<std::string> streams;
  std::set<std::string> streams_on_their_way;  // may exist or not
};

class Script {
 public:
  Script(FileSystem& files, ManualClock& clock, Told& told, Encryption encryption)
      : files_(files), clock_(clock), told_(told), encryption_(encryption) {}

  // Stops at the first thing that fails.
  bool Run() {
    return Open() && Create("a", 2) && PutSome("a", "x", 5, 300) && PutSome("a", "y", 3, 9'000) &&
           Meta("m/1", 40) && Many("a", "z", 6, 1'500) && Split("a") && PutSome("a", "x", 3, 17'000) &&
           Meta("m/2", 900) && Create("c", 1, std::chrono::hours(1)) && Batch(2, 700) && Encrypt("c", true) &&
           Batch(3, 9'000) && Meta("m/1", 900) && Batch(0, 50) && Purge("a", "y") &&
           PutSome("a", "y", 2, 5'000) && Close() && RotateMasterKey() && Open() && Encrypt("c", false) &&
           Create("b", 1) && PutSome("b", "w", 3, 12'000) && Delete("b") && Sweep() &&
           Many("a", "z", 8, 6'000) && Expire() && Batch(2, 4'000) && Encrypt("c", true) &&
           PutSome("a", "x", 2, 100) && Meta("m/2", 100) && Sweep() && Batch(1, 30) &&
           PutSome("a", "v", 2, 0) && Close();
  }

 private:
  bool Open() {
    auto log = EmbeddedLog::Open(SmallOptions(files_, clock_, encryption_));
    if (log) log_ = std::move(*log);
    return log.has_value();
  }
  bool Close() {
    log_.reset();
    return true;
  }
  bool Create(const std::string& name, std::uint32_t shards, Duration retention = kDay) {
    told_.streams_on_their_way.insert(name);
    if (!log_->CreateStream(name, shards, retention)) return false;
    told_.streams_on_their_way.erase(name);
    told_.streams.insert(name);
    return true;
  }
  bool Delete(const std::string& name) {
    told_.streams.erase(name);
    told_.streams_on_their_way.insert(name);
    if (!log_->DeleteStream(name)) return false;
    told_.streams_on_their_way.erase(name);
    std::erase_if(told_.acknowledged,
                  [&](const auto& record) { return record.first.starts_with(name + "/"); });
    return true;
  }
  bool PutSome(const std::string& stream, const std::string& key, int count, std::size_t size) {
    for (int i = 0; i < count; ++i) {
      if (!PutBatch(stream, key, 1, size + static_cast<std::size_t>(i))) return false;
    }
    return true;
  }
  bool Many(const std::string& stream, const std::string& key, int count, std::size_t size) {
    return PutBatch(stream, key, count, size);
  }
  bool PutBatch(const std::string& stream, const std::string& key, int count, std::size_t size) {
    clock_.Advance(std::chrono::milliseconds(10));
    std::vector<PutRecord> records;
    std::vector<std::string> names;
    for (int i = 0; i < count; ++i) {
      Bytes data = MakeData(size + static_cast<std::size_t>(i), ++serial_);
      names.push_back(stream + "/" + key + "/" + std::to_string(serial_));
      told_.on_their_way[names.back()] = data;
      Bytes name = Bytes(names.back().begin(), names.back().end());
      records.push_back(MakeRecord(key, std::move(data), {{1, Number(serial_)}, {200, std::move(name)}}));
    }
    auto results = PutManyAndWait(*log_, stream, std::move(records));
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (!results[i]) return false;
      told_.acknowledged[names[i]] = std::move(told_.on_their_way[names[i]]);
      told_.on_their_way.erase(names[i]);
    }
    return true;
  }
  bool Meta(const std::string& key, std::size_t size) {
    Bytes value = MakeData(size, ++serial_);
    told_.metadata_on_its_way[key] = value;
    if (!log_->PutMetadata(key, value)) return false;
    told_.metadata_on_its_way.erase(key);
    told_.metadata[key] = value;
    return true;
  }
  // One metadata change, and `count` records for each of two streams whose segments are apart.
  bool Batch(int count, std::size_t size) {
    clock_.Advance(std::chrono::milliseconds(10));
    CommitBatch batch;
    Bytes value = MakeData(60, ++serial_);
    told_.metadata_on_its_way["batch"] = value;
    told_.batch_metadata = "batch";
    batch.metadata.push_back({"batch", value, std::nullopt});
    for (int i = 0; i < 2 * count; ++i) {
      std::string stream = i % 2 == 0 ? "a" : "c";
      Bytes data = MakeData(size + static_cast<std::size_t>(i), ++serial_);
      std::string name = stream + "/batch/" + std::to_string(serial_);
      told_.on_their_way[name] = data;
      told_.batch_on_its_way.insert(name);
      batch.records.push_back(
          {stream, MakeRecord("batch", std::move(data),
                              {{1, Number(serial_)}, {200, Bytes(name.begin(), name.end())}})});
    }
    if (!log_->Commit(std::move(batch))) return false;
    for (const std::string& name : told_.batch_on_its_way) {
      told_.acknowledged[name] = std::move(told_.on_their_way[name]);
      told_.on_their_way.erase(name);
    }
    told_.batch_on_its_way.clear();
    told_.batch_metadata.clear();
    told_.metadata_on_its_way.erase("batch");
    told_.metadata["batch"] = value;
    return true;
  }
  bool Split(const std::string& stream) {
    return log_->SplitShard(stream, ShardId{0}, HashKey{std::uint64_t{1} << 62, 0}).has_value();
  }
  bool Purge(const std::string& stream, const std::string& key) {
    std::string prefix = stream + "/" + key + "/";
    std::vector<std::string> names;
    for (const auto& [name, data] : told_.acknowledged) {
      if (name.starts_with(prefix)) names.push_back(name);
    }
    for (const std::string& name : names) told_.purged.insert(name);
    if (!log_->DeletePartition(stream, key)) return false;
    Gone(names);
    return true;
  }
  bool Expire() {
    std::vector<std::string> names;
    for (const auto& [name, data] : told_.acknowledged) names.push_back(name);
    clock_.Advance(kDay + std::chrono::seconds(1));
    Gone(names);
    return true;
  }
  bool Sweep() { return log_->Sweep().has_value(); }
  bool Encrypt(const std::string& stream, bool on) {
    if (encryption_ == Encryption::kNone) return true;
    std::optional<std::string> key_name;
    if (on) key_name = "key";
    return log_->SetStreamEncryption(stream, key_name).has_value();
  }
  bool RotateMasterKey() {
    if (encryption_ == Encryption::kFirstKey) encryption_ = Encryption::kSecondKey;
    return true;
  }
  void Gone(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      told_.acknowledged.erase(name);
      told_.purged.erase(name);
      told_.gone.insert(name);
    }
  }

  FileSystem& files_;
  ManualClock& clock_;
  Told& told_;
  Encryption encryption_;
  std::unique_ptr<EmbeddedLog> log_;
  std::uint64_t serial_ = 0;
};

void ReadEverything(EmbeddedLog& log, std::map<std::string, Bytes>& found) {
  for (const std::string& stream : log.ListStreams()) {
    for (const ShardDescription& shard : Get(log.DescribeStream(stream)).shards) {
      SequenceNumber last;
      for (Record& record : ReadAll(log, stream, shard.id)) {
        EXPECT_LT(last, record.info.sequence_number);
        last = record.info.sequence_number;
        std::string name(AsText(record.info.Find(200)));
        EXPECT_TRUE(found.emplace(name, Bytes(record.data.span().begin(), record.data.span().end())).second)
            << name << " is there twice";
        auto by_attribute =
            Get(log.Find(stream, record.info.partition_key,
                         {1, record.info.attributes[0].value, record.info.attributes[0].value, false, 9}));
        EXPECT_EQ(by_attribute.size(), 1u) << name;
      }
    }
  }
}

void Verify(SimulatedFileSystem& disk, ManualClock& clock, const Told& told, bool encrypted) {
  // Whichever key wraps what: both are there, as they are until the new one has taken over.
  const Encryption encryption = encrypted ? Encryption::kSecondKey : Encryption::kNone;
  auto opened = EmbeddedLog::Open(SmallOptions(disk, clock, encryption));
  ASSERT_TRUE(opened.has_value()) << opened.error().ToString();
  auto log = std::move(*opened);
  std::map<std::string, Bytes> found;
  ReadEverything(*log, found);
  for (const auto& [name, data] : told.acknowledged) {
    if (told.purged.contains(name)) continue;
    if (!told.streams.contains(name.substr(0, name.find('/')))) continue;
    ASSERT_TRUE(found.contains(name)) << name << " was acknowledged and is lost";
    EXPECT_EQ(found[name], data) << name << " is damaged";
  }
  for (const auto& [name, data] : found) {
    EXPECT_FALSE(told.gone.contains(name)) << name << " has come back";
    auto wanted = told.acknowledged.find(name);
    auto maybe = told.on_their_way.find(name);
    ASSERT_TRUE(wanted != told.acknowledged.end() || maybe != told.on_their_way.end())
        << name << " was never put";
    if (wanted == told.acknowledged.end()) {
      EXPECT_EQ(data, maybe->second) << name << " is half there";
    }
  }
  std::size_t of_batch = 0;
  for (const std::string& name : told.batch_on_its_way) of_batch += found.contains(name) ? 1 : 0;
  if (!told.batch_metadata.empty()) {
    auto entry = log->GetMetadata(told.batch_metadata);
    bool changed = entry && entry->value == told.metadata_on_its_way.at(told.batch_metadata);
    EXPECT_EQ(of_batch, changed ? told.batch_on_its_way.size() : 0) << "a batch is partly there";
  }
  for (const auto& [key, value] : told.metadata) {
    auto entry = log->GetMetadata(key);
    ASSERT_TRUE(entry.has_value()) << key << " is lost";
    auto on_its_way = told.metadata_on_its_way.find(key);
    EXPECT_TRUE(entry->value == value ||
                (on_its_way != told.metadata_on_its_way.end() && entry->value == on_its_way->second))
        << key;
  }
  std::set<std::string> streams;
  for (const std::string& stream : log->ListStreams()) streams.insert(stream);
  for (const std::string& stream : told.streams)
    EXPECT_TRUE(streams.contains(stream)) << stream << " is lost";
  for (const std::string& stream : streams) {
    EXPECT_TRUE(told.streams.contains(stream) || told.streams_on_their_way.contains(stream)) << stream;
  }
  // It goes on: and numbers go on from where they were (ReadEverything checked the order).
  if (streams.contains("a")) {
    EXPECT_OK(
        PutAndWait(*log, "a", MakeRecord("x", {1, 2, 3}, {{1, Number(9'999)}, {200, {'n', 'e', 'w'}}})));
    found.clear();
    ReadEverything(*log, found);
    EXPECT_TRUE(found.contains("new"));
  }
  log.reset();
  CheckReport report =
      CheckDataDirectory("/data", disk, clock, encrypted ? MakeMasterKeys({"key-2"}) : nullptr);
  EXPECT_TRUE(report.ok()) << report.ToString();
  EXPECT_THAT(report.notes, testing::IsEmpty()) << report.ToString();
}

struct LossCase {
  std::string name;
  LossMode mode;
  bool encrypted = false;
};

class PowerLoss : public testing::TestWithParam<LossCase> {};

TEST_P(PowerLoss, AtEveryCall) {
  const Encryption encryption = GetParam().encrypted ? Encryption::kFirstKey : Encryption::kNone;
  std::uint64_t calls = 0;
  {
    SimulatedFileSystem files;
    ManualClock clock(kTestStart);
    Told told;
    ASSERT_TRUE(Script(files, clock, told, encryption).Run());
    calls = files.calls();
  }
  bool random = GetParam().mode != LossMode::kDropAll && GetParam().mode != LossMode::kKeepAll;
  std::uint64_t seeds = random ? SeedsFromEnvironment(2) : 1;
  for (std::uint64_t call = 0; call < calls; ++call) {
    SimulatedFileSystem files;
    ManualClock clock(kTestStart);
    Told told;
    files.LosePowerAt(call);
    bool finished = Script(files, clock, told, encryption).Run();
    EXPECT_TRUE(finished || files.power_lost());
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
      SCOPED_TRACE("power lost at call " + std::to_string(call) + ", seed " +
                   std::to_string(call * 1000 + seed));
      auto disk = files.Crash(GetParam().mode, call * 1000 + seed);
      Verify(*disk, clock, told, GetParam().encrypted);
      if (HasFailure()) return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, PowerLoss,
                         testing::Values(LossCase{"DropAll", LossMode::kDropAll},
                                         LossCase{"KeepAll", LossMode::kKeepAll},
                                         LossCase{"TornPrefix", LossMode::kTornPrefix},
                                         LossCase{"Sectors", LossMode::kSectors},
                                         LossCase{"Blocks", LossMode::kBlocks},
                                         LossCase{"DropAllEncrypted", LossMode::kDropAll, true},
                                         LossCase{"SectorsEncrypted", LossMode::kSectors, true}),
                         [](const auto& tested) { return tested.param.name; });

// Power goes again while the log recovers from the first time.
TEST(PowerLossTwice, WhileRecovering) {
  const Encryption none = Encryption::kNone;
  for (std::uint64_t call = 40; call < 400; call += 23) {
    SimulatedFileSystem files;
    ManualClock clock(kTestStart);
    Told told;
    files.LosePowerAt(call);
    Script(files, clock, told, none).Run();
    for (std::uint64_t second = 0; second < 40; second += 3) {
      auto disk = files.Crash(LossMode::kSectors, call);
      disk->LosePowerAt(second);
      { auto opened = EmbeddedLog::Open(SmallOptions(*disk, clock, none)); }
      auto again = disk->Crash(LossMode::kSectors, second);
      SCOPED_TRACE("power lost at calls " + std::to_string(call) + " and " + std::to_string(second));
      Verify(*again, clock, told, false);
      if (HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace millrace::storage
