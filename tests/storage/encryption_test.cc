// Encryption at rest, through the log: what is put comes back and lies nowhere in the clear; what was changed
// on the disk is found; keys that are missing, wrong, rotated or taken away do what they should, and nothing
// is damaged by any of it.
#include <gmock/gmock.h>

#include <atomic>
#include <functional>
#include <thread>

#include "storage/backup.h"
#include "storage/checker.h"
#include "storage/coding.h"
#include "storage/control_recovery.h"
#include "storage/crc32c.h"
#include "storage/repair.h"
#include "storage/segment_walker.h"
#include "tests/storage/log_fixture.h"
#include "tests/storage/simulated_file_system.h"

namespace millrace::storage {
namespace {

using testing::HasSubstr;

// A master key of 32 times the same byte, and an id of its own.
std::string KeyLine(const std::string& id, char digit) { return id + " " + std::string(64, digit) + "\n"; }
std::shared_ptr<const MasterKeys> Masters(const std::string& text) {
  return std::make_shared<const MasterKeys>(Get(MasterKeys::Parse(text, "the key file")));
}

const std::string kSecret = "the secret that nobody else may read";

class EncryptionTest : public testing::Test {
 protected:
  EmbeddedLogOptions Options() {
    EmbeddedLogOptions options;
    options.path = "/data";
    options.files = files_.get();
    options.clock = &clock_;
    options.sweep_interval = options.budget_interval = std::chrono::hours(1);
    options.index_write_buffer_bytes = 1 << 20;
    options.index_cache_bytes = 1 << 20;
    options.reserve_bytes = 0;
    options.master_keys = masters_;
    return options;
  }
  void Open() { log_ = Get(EmbeddedLog::Open(Options())); }
  void Reopen() {
    log_.reset();
    Open();
  }
  // What opening says without doing anything to the disk.
  Result<void> TryOpen(std::shared_ptr<const MasterKeys> masters) {
    log_.reset();
    EmbeddedLogOptions options = Options();
    options.master_keys = std::move(masters);
    auto opened = EmbeddedLog::Open(options);
    if (!opened) return std::move(opened).error();
    return {};
  }
  PutReceipt Put(const std::string& stream, const std::string& text, std::vector<Attribute> attributes = {}) {
    clock_.Advance(std::chrono::milliseconds(1));
    return Get(PutAndWait(*log_, stream,
                          MakeRecord("camera-1", Bytes(text.begin(), text.end()), std::move(attributes))));
  }
  std::vector<std::string> Texts(const std::string& stream) {
    std::vector<std::string> texts;
    for (const Record& record : ReadAll(*log_, stream, ShardId{0})) {
      texts.emplace_back(AsText(record.data.span()));
    }
    return texts;
  }
  std::vector<std::string> FilesOf(const std::string& directory) {
    std::vector<std::string> paths;
    for (const DirectoryEntry& entry : Get(files_->List(directory))) {
      paths.push_back(directory + "/" + entry.name);
    }
    return paths;
  }
  std::string TextOf(const std::string& path) {
    std::string text;
    files_->Damage(path, [&](Bytes& bytes) { text = AsText(bytes); });
    return text;
  }
  bool LiesInTheClear(std::string_view text) {
    for (const char* directory : {"/data", "/data/log", "/data/index"}) {
      for (const std::string& path : FilesOf(directory)) {
        if (path == "/data/log" || path == "/data/index" || path == "/data/damaged") continue;
        if (TextOf(path).find(text) != std::string::npos) return true;
      }
    }
    return false;
  }
  std::string DataSegment() {
    for (const std::string& path : FilesOf("/data/log")) {
      if (path.ends_with(".log")) return path;
    }
    return {};
  }
  CheckReport Check(std::shared_ptr<const MasterKeys> masters = nullptr) {
    log_.reset();
    return CheckDataDirectory("/data", *files_, clock_, std::move(masters));
  }
  // A log with one encrypted record.
  PutReceipt MakeOne() {
    Open();
    Get(log_->CreateStream("door", 1, kDay));
    EXPECT_OK(log_->SetStreamEncryption("door", "alias/aws/kinesis"));
    return Put("door", kSecret, {{1, Number(7)}, {200, {1, 2}}});
  }

  std::unique_ptr<SimulatedFileSystem> files_ = std::make_unique<SimulatedFileSystem>();
  ManualClock clock_{kTestStart};
  std::shared_ptr<const MasterKeys> masters_ = Masters(KeyLine("m1", '1'));
  std::unique_ptr<EmbeddedLog> log_;
};

TEST_F(EncryptionTest, GivesBackWhatWasPutAndNothingLiesInTheClear) {
  const PutReceipt receipt = MakeOne();
  EXPECT_TRUE(receipt.encrypted);
  for (int opening = 0; opening < 3; ++opening) {
    auto records = ReadAll(*log_, "door", ShardId{0});
    ASSERT_EQ(records.size(), 1u);
    EXPECT_EQ(AsText(records[0].data.span()), kSecret);
    EXPECT_TRUE(records[0].info.encrypted);
    EXPECT_EQ(records[0].info.data_bytes, kSecret.size());
    EXPECT_EQ(records[0].info.partition_key, "camera-1");
    EXPECT_EQ(records[0].info.attributes.size(), 2u);
    EXPECT_EQ(AsText(Get(log_->Fetch("door", ShardId{0}, receipt.sequence_number)).span()), kSecret);
    EXPECT_EQ(Get(log_->Find("door", "camera-1", {1, Number(7), Number(7), false, 9})).size(), 1u);
    EXPECT_EQ(Get(log_->DescribePartition("door", "camera-1")).data_bytes, kSecret.size());
    if (opening == 1) {  // and where the index is made again
      log_.reset();
      for (const std::string& path : FilesOf("/data/index")) EXPECT_OK(files_->Remove(path));
    }
    Reopen();
  }
  log_.reset();
  EXPECT_FALSE(LiesInTheClear(kSecret));
  EXPECT_FALSE(LiesInTheClear(kSecret.substr(3, 12)));
  EXPECT_TRUE(LiesInTheClear("camera-1"));  // as docs/decisions/0011 says
}

TEST_F(EncryptionTest, OfEverySizeAndInBatches) {
  Open();
  Get(log_->CreateStream("door", 2, kDay));
  Get(log_->CreateStream("plain", 1, kDay));
  EXPECT_OK(log_->SetStreamEncryption("door", ""));
  std::map<std::string, Bytes> wanted;
  std::vector<PutRecord> records;
  for (std::size_t size : {0u, 1u, 15u, 16u, 17u, 4095u, 4096u, 4097u, 300'000u}) {
    const std::string key = "key-" + std::to_string(size);
    wanted[key] = MakeData(size, size);
    records.push_back(MakeRecord(key, wanted[key]));
  }
  for (const auto& result : PutManyAndWait(*log_, "door", std::move(records))) EXPECT_OK(result);
  CommitBatch batch;
  for (int i = 0; i < 4; ++i) {
    const std::string key = "batch-" + std::to_string(i);
    wanted[key] = MakeData(500, 900u + static_cast<std::size_t>(i));
    batch.records.push_back({i == 3 ? "plain" : "door", MakeRecord(key, wanted[key])});
  }
  const CommitReceipt receipt = Get(log_->Commit(std::move(batch)));
  EXPECT_TRUE(receipt.records[0].encrypted);
  EXPECT_FALSE(receipt.records[3].encrypted);
  Reopen();
  std::map<std::string, Bytes> found;
  for (const auto& [stream, shards] : {std::pair("door", 2u), std::pair("plain", 1u)}) {
    for (std::uint32_t shard = 0; shard < shards; ++shard) {
      for (const Record& record : ReadAll(*log_, stream, ShardId{shard})) {
        EXPECT_EQ(record.info.encrypted, std::string_view(stream) == "door");
        found[record.info.partition_key] = Bytes(record.data.span().begin(), record.data.span().end());
      }
    }
  }
  EXPECT_EQ(found, wanted);
  auto report = Check(masters_);
  EXPECT_TRUE(report.ok()) << report.ToString();
  EXPECT_EQ(report.encrypted_records, 12u);
  EXPECT_TRUE(report.opened);
}

TEST_F(EncryptionTest, IsDescribedAndSwitchedOnAndOff) {
  Open();
  Get(log_->CreateStream("door", 1, kDay));
  EXPECT_FALSE(Get(log_->DescribeStream("door")).encryption.has_value());
  EXPECT_FALSE(Put("door", "before").encrypted);
  EXPECT_OK(log_->SetStreamEncryption("door", "alias/aws/kinesis"));
  auto encryption = Get(log_->DescribeStream("door")).encryption;
  ASSERT_TRUE(encryption.has_value());
  EXPECT_EQ(encryption->key_name, "alias/aws/kinesis");
  EXPECT_EQ(encryption->master_key_id, "m1");
  EXPECT_EQ(encryption->data_key, 1u);
  EXPECT_EQ(encryption->since, clock_.Now());
  EXPECT_TRUE(Put("door", "on").encrypted);
  EXPECT_OK(log_->SetStreamEncryption("door", std::nullopt));
  EXPECT_OK(log_->SetStreamEncryption("door", std::nullopt));  // it is so already
  EXPECT_FALSE(Get(log_->DescribeStream("door")).encryption.has_value());
  EXPECT_FALSE(Put("door", "off").encrypted);
  EXPECT_OK(log_->SetStreamEncryption("door", "again"));
  EXPECT_TRUE(Put("door", "on again").encrypted);
  Reopen();
  EXPECT_EQ(Get(log_->DescribeStream("door")).encryption->key_name, "again");
  EXPECT_EQ(Texts("door"), (std::vector<std::string>{"before", "on", "off", "on again"}));
  EXPECT_EQ(log_->MasterKeyIds(), std::vector<std::string>{"m1"});
  auto report = Check(masters_);
  EXPECT_TRUE(report.ok()) << report.ToString();
}

TEST_F(EncryptionTest, IsRefusedWhereItCannotBe) {
  masters_ = nullptr;
  Open();
  Get(log_->CreateStream("door", 1, kDay));
  EXPECT_TRUE(log_->MasterKeyIds().empty());
  EXPECT_EQ(CodeOf(log_->SetStreamEncryption("door", "key")), ErrorCode::kFailedPrecondition);
  EXPECT_OK(log_->SetStreamEncryption("door", std::nullopt));
  EXPECT_FALSE(Put("door", "plain").encrypted);
  EXPECT_THAT(TextOf("/data/MILLRACE"), HasSubstr("format 1\n"));  // as an older program can read it
  masters_ = Masters(KeyLine("m1", '1'));
  Reopen();
  EXPECT_THAT(TextOf("/data/MILLRACE"), HasSubstr("format 1\n"));
  EXPECT_EQ(CodeOf(log_->SetStreamEncryption("window", "key")), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(log_->SetStreamEncryption("door", std::string(kKeyNameBytesMax + 1, 'k'))),
            ErrorCode::kInvalidArgument);
  for (std::size_t i = 0; i < kDataKeysPerDayMax; ++i) EXPECT_OK(log_->SetStreamEncryption("door", "key"));
  EXPECT_EQ(CodeOf(log_->SetStreamEncryption("door", "key")), ErrorCode::kResourceExhausted);
  EXPECT_OK(log_->SetStreamEncryption("door", std::nullopt));  // that is no key
  clock_.Advance(kDay);
  EXPECT_OK(log_->SetStreamEncryption("door", "key"));
}

TEST_F(EncryptionTest, FromTheBeginningForStreamsThatAreToBe) {
  EmbeddedLogOptions options = Options();
  options.encrypt_new_stream = [](const std::string& name) { return name.starts_with("millrace-"); };
  log_ = Get(EmbeddedLog::Open(options));
  EXPECT_TRUE(Get(log_->CreateStream("millrace-faces", 1, kDay)).encryption.has_value());
  EXPECT_FALSE(Get(log_->CreateStream("door", 1, kDay)).encryption.has_value());
  EXPECT_TRUE(Put("millrace-faces", kSecret).encrypted);
  EXPECT_THAT(TextOf("/data/MILLRACE"), HasSubstr("format 2\n"));
  // Never by accident in the clear: what cannot be encrypted is not made.
  log_.reset();
  masters_ = nullptr;
  files_ = std::make_unique<SimulatedFileSystem>();
  options = Options();
  options.encrypt_new_stream = [](const std::string&) { return true; };
  log_ = Get(EmbeddedLog::Open(options));
  EXPECT_EQ(CodeOf(log_->CreateStream("door", 1, kDay)), ErrorCode::kFailedPrecondition);
  EXPECT_TRUE(log_->ListStreams().empty());
}

// ---- keys that are not there, or others

TEST_F(EncryptionTest, WithAMissingOrWrongKeyNothingOpensAndNothingChanges) {
  MakeOne();
  log_.reset();
  std::map<std::string, std::string> before;
  for (const std::string& path : FilesOf("/data/log")) before[path] = TextOf(path);
  const auto missing = TryOpen(nullptr);
  EXPECT_EQ(CodeOf(missing), ErrorCode::kFailedPrecondition);
  EXPECT_THAT(missing.error().message,
              testing::AllOf(HasSubstr("stream 'door' is encrypted, and no master key is"), HasSubstr("'m1'"),
                             HasSubstr("encryption.master_key_file")));
  const auto other = TryOpen(Masters(KeyLine("m2", '1')));
  EXPECT_EQ(CodeOf(other), ErrorCode::kFailedPrecondition);
  EXPECT_THAT(other.error().message,
              testing::AllOf(HasSubstr("'door'"), HasSubstr("'m1'"), HasSubstr("key file")));
  const auto wrong = TryOpen(Masters(KeyLine("m1", '2')));
  EXPECT_EQ(CodeOf(wrong), ErrorCode::kPermissionDenied);
  EXPECT_THAT(wrong.error().message, testing::AllOf(HasSubstr("'door'"), HasSubstr("'m1'")));
  for (const auto& [path, text] : before) EXPECT_EQ(TextOf(path), text) << path;
  EXPECT_EQ(FilesOf("/data/log").size(), before.size());
  Open();
  EXPECT_EQ(Texts("door"), std::vector<std::string>{kSecret});
}

TEST_F(EncryptionTest, KeysAreAskedForAsLongAsSomethingNeedsThem) {
  MakeOne();
  EXPECT_OK(log_->SetStreamEncryption("door", std::nullopt));
  EXPECT_EQ(CodeOf(TryOpen(nullptr)), ErrorCode::kFailedPrecondition);  // the record is still there
  Open();
  clock_.Advance(kDay + std::chrono::minutes(1));
  Put("door", "in the clear");  // into another segment: the first one was open for long enough
  EXPECT_OK(log_->Sweep());
  EXPECT_OK(TryOpen(nullptr));
  Open();
  EXPECT_OK(log_->SetStreamEncryption("door", "key"));
  EXPECT_OK(log_->DeleteStream("door"));
  EXPECT_OK(TryOpen(nullptr));  // what is deleted needs no key
}

TEST_F(EncryptionTest, ToolsThatMendOpenWithoutKeysAndTouchNothingEncrypted) {
  MakeOne();
  Get(log_->CreateStream("plain", 1, kDay));
  Put("plain", "anybody's");
  log_.reset();
  EmbeddedLogOptions options = Options();
  options.master_keys = nullptr;
  options.without_keys = true;
  log_ = Get(EmbeddedLog::Open(options));
  EXPECT_EQ(Texts("plain"), std::vector<std::string>{"anybody's"});
  auto batch = log_->Read("door", Get(log_->Seek("door", ShardId{0}, {})), {});
  EXPECT_EQ(CodeOf(batch), ErrorCode::kFailedPrecondition);
  ReadLimits heads;
  heads.with_data = false;
  EXPECT_EQ(Get(log_->Read("door", Get(log_->Seek("door", ShardId{0}, {})), heads)).records.size(), 1u);
  EXPECT_EQ(CodeOf(PutAndWait(*log_, "door", MakeRecord("k", {1}))), ErrorCode::kFailedPrecondition);
  EXPECT_TRUE(PutAndWait(*log_, "plain", MakeRecord("k", {1})).has_value());
  CommitBatch both;
  both.records.push_back({"plain", MakeRecord("k", {2})});
  both.records.push_back({"door", MakeRecord("k", {3})});
  EXPECT_EQ(CodeOf(log_->Commit(std::move(both))), ErrorCode::kFailedPrecondition);
  Reopen();
  EXPECT_EQ(Texts("door"), std::vector<std::string>{kSecret});
  EXPECT_EQ(Texts("plain").size(), 2u);
}

// ---- rotation

TEST_F(EncryptionTest, ANewMasterKeyWrapsAnewAndWritesNoRecordAgain) {
  MakeOne();
  EXPECT_OK(log_->SetStreamEncryption("door", "key"));  // a second data key
  Put("door", "second");
  log_.reset();
  const std::string segment = DataSegment();
  const std::string records = TextOf(segment);
  masters_ = Masters(KeyLine("m2", '2') + KeyLine("m1", '1'));
  Open();
  EXPECT_EQ(Get(log_->DescribeStream("door")).encryption->master_key_id, "m2");
  EXPECT_EQ(Get(log_->DescribeStream("door")).encryption->data_key, 2u);
  EXPECT_EQ(Texts("door"), (std::vector<std::string>{kSecret, "second"}));
  log_.reset();
  EXPECT_EQ(TextOf(segment), records);
  EXPECT_FALSE(LiesInTheClear("m1\x3c"));  // the old key's id, and the length of what it wrapped
  EXPECT_TRUE(LiesInTheClear("m2\x3c"));
  masters_ = Masters(KeyLine("m2", '2'));  // the old one can go
  Open();
  EXPECT_EQ(Texts("door"), (std::vector<std::string>{kSecret, "second"}));
  EXPECT_EQ(CodeOf(TryOpen(Masters(KeyLine("m1", '1')))), ErrorCode::kFailedPrecondition);
}

TEST_F(EncryptionTest, WhatAnOlderMasterKeyWrappedGoesEvenIfTheFirstOpeningCouldNotDoIt) {
  MakeOne();
  log_.reset();
  masters_ = Masters(KeyLine("m2", '2') + KeyLine("m1", '1'));
  files_->SetFault([](FileCall call, const std::string& path) -> std::optional<Error> {
    if (call != FileCall::kCreate || !path.ends_with(".control")) return std::nullopt;
    return Error{ErrorCode::kNoSpace, "the disk is full"};
  });
  Open();
  EXPECT_EQ(Get(log_->DescribeStream("door")).encryption->master_key_id, "m2");
  log_.reset();
  EXPECT_TRUE(LiesInTheClear("m1\x3c"));
  files_->SetFault(nullptr);
  masters_ = Masters(KeyLine("m2", '2'));
  Open();
  EXPECT_EQ(Texts("door"), std::vector<std::string>{kSecret});
  log_.reset();
  EXPECT_FALSE(LiesInTheClear("m1\x3c"));
  // Nothing is left to be done: the next opening writes no control segment.
  const auto before = FilesOf("/data/log");
  Open();
  log_.reset();
  EXPECT_EQ(FilesOf("/data/log"), before);
}

TEST_F(EncryptionTest, WhatAnOlderMasterKeyWrappedGoesWhereverTheFirstOpeningWasStopped) {
  MakeOne();
  log_.reset();
  masters_ = Masters(KeyLine("m2", '2') + KeyLine("m1", '1'));
  const auto whole = files_->Crash(LossMode::kKeepAll, 0);
  bool stopped = true;
  for (std::uint64_t call = 0; stopped; ++call) {
    SCOPED_TRACE(call);
    files_ = whole->Crash(LossMode::kKeepAll, 0);
    files_->LosePowerAt(files_->calls() + call);
    auto opened = EmbeddedLog::Open(Options());
    if (opened) opened->reset();
    stopped = files_->power_lost();
    files_ = files_->Crash(call % 2 == 0 ? LossMode::kKeepAll : LossMode::kDropAll, call);
    Open();
    EXPECT_EQ(Texts("door"), std::vector<std::string>{kSecret});
    log_.reset();
    EXPECT_FALSE(LiesInTheClear("m1\x3c"));
    if (testing::Test::HasFailure()) return;
  }
}

TEST_F(EncryptionTest, ANewDataKeyComesWithCountAgeAndByHand) {
  EmbeddedLogOptions options = Options();
  options.data_key_records_max = 3;
  options.data_key_age_max = std::chrono::hours(48);
  log_ = Get(EmbeddedLog::Open(options));
  Get(log_->CreateStream("door", 1, 10 * kDay));
  EXPECT_OK(log_->SetStreamEncryption("door", "key"));
  auto key = [&] { return Get(log_->DescribeStream("door")).encryption->data_key; };
  std::vector<std::string> wanted;
  for (int i = 0; i < 8; ++i) {
    wanted.push_back("record " + std::to_string(i));
    Put("door", wanted.back());
  }
  EXPECT_EQ(key(), 3u);
  clock_.Advance(std::chrono::hours(49));
  Put("door", wanted.emplace_back("by age"));
  EXPECT_EQ(key(), 4u);
  EXPECT_OK(log_->SetStreamEncryption("door", "key"));
  Put("door", wanted.emplace_back("by hand"));
  EXPECT_EQ(key(), 5u);
  EXPECT_EQ(Texts("door"), wanted);
  Reopen();
  EXPECT_EQ(Texts("door"), wanted);
  EXPECT_EQ(key(), 5u);
  auto report = Check(masters_);
  EXPECT_TRUE(report.ok()) << report.ToString();
}

TEST_F(EncryptionTest, DataKeysGoWithTheLastRecordThatTheyOpen) {
  MakeOne();
  Put("door", "still here");
  EXPECT_OK(log_->SetStreamEncryption("door", "key"));
  EXPECT_OK(log_->Sweep());
  EXPECT_EQ(Texts("door").size(), 2u);
  clock_.Advance(2 * kDay);
  Put("door", "new");
  EXPECT_OK(log_->Sweep());
  EXPECT_OK(log_->Sweep());
  EXPECT_EQ(Texts("door"), std::vector<std::string>{"new"});
  log_.reset();
  // Of the first data key nothing is left: with it, a copy of the records that went opens no more either.
  auto directory = Get(DataDirectory::OpenForLooking(*files_, "/data"));
  ControlState state;
  Get(FindControl(*files_, directory, Get(ListSegments(*files_, directory)), OpenMode::kRead, state));
  const auto& keys = state.FindStream("door")->data_keys;
  EXPECT_EQ(keys.size(), 1u);
  EXPECT_TRUE(keys.contains(2));
}

TEST_F(EncryptionTest, ADataKeysIdNeverComesAgain) {
  MakeOne();
  EXPECT_OK(log_->SetStreamEncryption("door", std::nullopt));
  clock_.Advance(kDay + std::chrono::minutes(1));
  Put("door", "in the clear");
  EXPECT_OK(log_->Sweep());  // of what the first key opened, nothing is left
  EXPECT_OK(log_->SetStreamEncryption("door", "key"));
  EXPECT_EQ(Get(log_->DescribeStream("door")).encryption->data_key, 2u);
  const PutReceipt receipt = Put("door", "sealed again");  // by a writer that has sealed with the first key
  EXPECT_EQ(Texts("door"), (std::vector<std::string>{"in the clear", "sealed again"}));
  EXPECT_EQ(AsText(Get(log_->Fetch("door", ShardId{0}, receipt.sequence_number)).span()), "sealed again");
  Reopen();
  EXPECT_EQ(Texts("door"), (std::vector<std::string>{"in the clear", "sealed again"}));
  auto report = Check(masters_);
  EXPECT_TRUE(report.ok()) << report.ToString();
}

// A clock that does something the first time the thread that asked for it looks at it.
class InterruptingClock final : public Clock {
 public:
  explicit InterruptingClock(const Clock& clock) : clock_(clock) {}
  void Interrupt(std::function<void()> action) {
    action_ = std::move(action);
    thread_ = std::this_thread::get_id();
  }
  bool done() const { return thread_.load() == std::thread::id(); }
  Timestamp Now() const override {
    if (thread_.load() == std::this_thread::get_id()) {
      thread_ = std::thread::id();
      action_();
    }
    return clock_.Now();
  }
  std::chrono::steady_clock::time_point SteadyNow() const override { return clock_.SteadyNow(); }

 private:
  const Clock& clock_;
  std::function<void()> action_;
  mutable std::atomic<std::thread::id> thread_;
};

// A reader that has looked at the stream, and not yet at its records, when the key changes and the next
// record comes.
TEST_F(EncryptionTest, AReadThatMeetsAnotherKeyOpensWhatItFinds) {
  InterruptingClock clock(clock_);
  EmbeddedLogOptions options = Options();
  options.clock = &clock;
  log_ = Get(EmbeddedLog::Open(options));
  Get(log_->CreateStream("door", 1, kDay));
  std::vector<std::string> wanted;
  Put("door", wanted.emplace_back("in the clear"));
  const std::vector<std::optional<std::string>> switches = {"on", "another", std::nullopt, "on again"};
  for (const auto& key_name : switches) {
    const ShardPosition start = Get(log_->Seek("door", ShardId{0}, {}));
    clock.Interrupt([&] {
      EXPECT_OK(log_->SetStreamEncryption("door", key_name));
      Put("door", wanted.emplace_back(key_name.value_or("off")));
    });
    const ReadBatch batch = Get(log_->Read("door", start, {}));
    EXPECT_TRUE(clock.done());
    std::vector<std::string> texts;
    for (const Record& record : batch.records) texts.emplace_back(AsText(record.data.span()));
    EXPECT_EQ(texts, wanted);
  }
  log_.reset();  // before its clock
}

// ---- changed on the disk

// Changes the one entry of the segment and makes its checksums right again, as somebody who knows the format
// would.
class TamperTest : public EncryptionTest {
 protected:
  struct Entry {
    EntryHeader header;
    std::string partition_key;
    Bytes attributes;
    Bytes seal;
    Bytes data;
  };
  // The entries of the one group of the data segment, before `change` and after.
  void Tamper(const std::function<void(std::vector<Entry>&)>& change) {
    log_.reset();
    const std::string path = DataSegment();
    auto file = Get(files_->Open(path, OpenMode::kRead));
    const Bytes marker = Get(ReadWholeFile(*files_, "/data/MILLRACE", 4096));
    const std::string hex = std::string(AsText(marker).substr(AsText(marker).find("store ") + 6, 16));
    const StoreId store = std::stoull(hex, nullptr, 16);
    const auto segment = static_cast<SegmentId>(std::stoul(path.substr(path.rfind('/') + 1)));
    const std::uint64_t size = Get(file->Size());
    struct Group {
      GroupHeader header;
      std::uint64_t offset;
      std::vector<Entry> entries;
    };
    std::vector<Group> groups;
    std::vector<Entry> all;
    SegmentWalker walker(*file, store, segment, kSegmentHeaderBytes, size);
    while (Get(walker.Next()) == WalkOutcome::kGroup) {
      groups.push_back({walker.group().header, walker.group().offset, {}});
      for (const WalkedEntry& walked : walker.group().entries) {
        Entry entry{walked.header, walked.partition_key, walked.attributes, walked.seal, {}};
        entry.data.resize(walked.header.data_bytes);
        Get(file->ReadAt(walked.data_offset(), entry.data));
        groups.back().entries.push_back(entry);
        all.push_back(std::move(entry));
      }
    }
    file.reset();
    change(all);
    std::size_t next = 0;
    files_->Damage(path, [&](Bytes& bytes) {
      bytes.resize(kSegmentHeaderBytes);
      for (Group& group : groups) {
        Bytes body;
        const std::uint64_t begin = bytes.size();
        for (std::size_t i = 0; i < group.entries.size(); ++i) {
          Entry& entry = all[next++];
          entry.header.data_bytes = entry.data.size();
          entry.header.data_crc = Crc32c(entry.data);
          entry.header.key_bytes = static_cast<std::uint16_t>(entry.partition_key.size());
          entry.header.attribute_bytes = static_cast<std::uint32_t>(entry.attributes.size());
          entry.header.sealed = !entry.seal.empty();
          AppendEntryHead(body, {store, segment, begin + kGroupHeaderBytes + body.size()}, entry.header,
                          AsBytes(entry.partition_key), entry.attributes, entry.seal);
          AppendRaw(body, entry.data);
        }
        group.header.body_bytes = body.size();
        AppendGroupHeader(bytes, {store, segment, begin}, group.header);
        AppendRaw(bytes, body);
      }
    });
    for (const std::string& index : FilesOf("/data/index")) EXPECT_OK(files_->Remove(index));
  }
  // What reading the first record gives.
  Result<ReadBatch> ReadFirst() {
    Open();
    ReadLimits one;
    one.records_max = 1;
    return log_->Read("door", Get(log_->Seek("door", ShardId{0}, {})), one);
  }
};

struct TamperCase {
  std::string name;
  std::function<void(EntryHeader&, std::string& key, Bytes& attributes, Bytes& seal, Bytes& data)> change;
};
class TamperOneField : public TamperTest, public testing::WithParamInterface<TamperCase> {};

TEST_P(TamperOneField, IsFoundWhenItIsRead) {
  MakeOne();
  Tamper([&](std::vector<Entry>& entries) {
    ASSERT_EQ(entries.size(), 1u);
    Entry& e = entries[0];
    GetParam().change(e.header, e.partition_key, e.attributes, e.seal, e.data);
  });
  auto read = ReadFirst();
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, ErrorCode::kCorruption) << read.error().ToString();
  auto found = Check(masters_);
  EXPECT_EQ(found.problem_count, 1u) << found.ToString();
  EXPECT_THAT(found.problems, testing::Contains(HasSubstr("stream 'door'")));
}

INSTANTIATE_TEST_SUITE_P(Fields, TamperOneField,
                         testing::Values(TamperCase{"Data", [](auto&, auto&, auto&, auto&,
                                                               Bytes& data) { data[3] ^= 1; }},
                                         TamperCase{"ShorterData", [](auto&, auto&, auto&, auto&,
                                                                      Bytes& data) { data.pop_back(); }},
                                         TamperCase{"LongerData", [](auto&, auto&, auto&, auto&,
                                                                     Bytes& data) { data.push_back(0); }},
                                         TamperCase{"NoData", [](auto&, auto&, auto&, auto&,
                                                                 Bytes& data) { data.clear(); }},
                                         TamperCase{"PartitionKey", [](auto&, auto& key, auto&, auto&,
                                                                       auto&) { key = "camera-2"; }},
                                         TamperCase{"Attribute", [](auto&, auto&, Bytes& attributes, auto&,
                                                                    auto&) { attributes[10] ^= 1; }},
                                         TamperCase{"CarriedAttribute",
                                                    [](auto&, auto&, Bytes& attributes, auto&, auto&) {
                                                      attributes.back() ^= 1;
                                                    }},
                                         TamperCase{"NoAttributes", [](auto&, auto&, Bytes& attributes, auto&,
                                                                       auto&) { attributes.clear(); }},
                                         TamperCase{"Arrival", [](EntryHeader& header, auto&, auto&, auto&,
                                                                  auto&) { header.arrival.ns -= 5; }},
                                         TamperCase{"Salt", [](auto&, auto&, auto&,
                                                               Bytes& seal, auto&) { seal[5] ^= 1; }},
                                         TamperCase{"Tag", [](auto&, auto&, auto&,
                                                              Bytes& seal, auto&) { seal[31] ^= 1; }},
                                         TamperCase{"DataKey", [](auto&, auto&, auto&,
                                                                  Bytes& seal, auto&) { seal[3] ^= 3; }},
                                         // As if it had never been encrypted.
                                         TamperCase{"NotSealed",
                                                    [](auto&, auto&, auto&, Bytes& seal, Bytes& data) {
                                                      seal.clear();
                                                      data = {'f', 'o', 'r', 'g', 'e', 'd'};
                                                    }}),
                         [](const auto& tested) { return tested.param.name; });

TEST_F(TamperTest, RecordsThatWereSwappedDoNotOpen) {
  MakeOne();
  Put("door", kSecret);
  Tamper([](std::vector<Entry>& entries) {
    ASSERT_EQ(entries.size(), 2u);
    std::swap(entries[0].data, entries[1].data);
    std::swap(entries[0].seal, entries[1].seal);
  });
  EXPECT_EQ(CodeOf(ReadFirst()), ErrorCode::kCorruption);
  EXPECT_EQ(Check(masters_).problem_count, 2u);
}

TEST_F(TamperTest, ARecordOfAnotherStreamDoesNotOpen) {
  MakeOne();
  Get(log_->CreateStream("window", 1, kDay));
  EXPECT_OK(log_->SetStreamEncryption("window", "key"));
  Put("window", kSecret);
  Tamper([](std::vector<Entry>& entries) {
    ASSERT_EQ(entries.size(), 2u);
    std::swap(entries[0].data, entries[1].data);
    std::swap(entries[0].seal, entries[1].seal);
  });
  EXPECT_EQ(CodeOf(ReadFirst()), ErrorCode::kCorruption);
}

TEST_F(TamperTest, NothingElseIsTouched) {
  MakeOne();
  Tamper([](std::vector<Entry>&) {});
  EXPECT_EQ(AsText(Get(ReadFirst()).records.at(0).data.span()), kSecret);
  EXPECT_TRUE(Check(masters_).ok());
}

// ---- formats

TEST_F(EncryptionTest, OlderProgramsRefuseAndOlderDirectoriesOpen) {
  Open();
  Get(log_->CreateStream("door", 1, kDay));
  Put("door", "old");
  Reopen();
  EXPECT_THAT(TextOf("/data/MILLRACE"), HasSubstr("format 1\n"));
  for (const std::string& path : FilesOf("/data/log")) EXPECT_EQ(TextOf(path)[11], 1) << path;
  EXPECT_OK(log_->SetStreamEncryption("door", "key"));
  EXPECT_THAT(TextOf("/data/MILLRACE"), HasSubstr("format 2\n"));
  Put("door", "new");
  Reopen();
  EXPECT_EQ(Texts("door"), (std::vector<std::string>{"old", "new"}));
  log_.reset();
  // And so does this program, of what comes after it.
  files_->Damage("/data/MILLRACE", [](Bytes& bytes) {
    std::string text(AsText(bytes));
    text.replace(text.find("format 2"), 8, "format 4");
    bytes.assign(text.begin(), text.end());
  });
  EXPECT_EQ(CodeOf(TryOpen(masters_)), ErrorCode::kUnsupported);
}

// ---- check, repair, backup

TEST_F(EncryptionTest, IsCheckedWithTheKeyAndWithout) {
  MakeOne();
  auto without = Check();
  EXPECT_TRUE(without.ok()) << without.ToString();
  EXPECT_EQ(without.encrypted_records, 1u);
  EXPECT_FALSE(without.opened);
  EXPECT_THAT(without.notes, testing::Contains(HasSubstr("without the master key")));
  auto with = Check(masters_);
  EXPECT_TRUE(with.ok()) << with.ToString();
  EXPECT_TRUE(with.opened);
  EXPECT_THAT(with.notes, testing::IsEmpty());
  auto wrong = Check(Masters(KeyLine("m1", '3')));
  EXPECT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.problem_count, 0u);  // that is no damage
  ASSERT_TRUE(wrong.refused.has_value());
  EXPECT_EQ(wrong.refused->code, ErrorCode::kPermissionDenied);
  EXPECT_THAT(wrong.refused->message, HasSubstr("not the one that wrapped"));
  files_->Damage(DataSegment(), [](Bytes& bytes) { bytes[bytes.size() - 3] ^= 1; });
  EXPECT_FALSE(Check().ok());  // a checksum needs no key
  // With keys that are not its own, nothing is mended.
  const std::string before = TextOf(DataSegment());
  auto mended = RepairDataDirectory("/data", *files_, clock_, Masters(KeyLine("m2", '3')));
  ASSERT_TRUE(mended.failed.has_value());
  EXPECT_EQ(mended.failed->code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(mended.mended, testing::IsEmpty());
  EXPECT_EQ(TextOf(DataSegment()), before);
}

TEST_F(EncryptionTest, IsMendedWithoutTheKey) {
  MakeOne();
  Put("door", "damaged here");
  Put("door", "whole");
  log_.reset();
  const std::string segment = DataSegment();
  const std::string before = TextOf(segment);
  files_->Damage(segment, [](Bytes& bytes) { bytes[bytes.size() / 2] ^= 1; });
  auto report = RepairDataDirectory("/data", *files_, clock_);
  EXPECT_TRUE(report.ok()) << report.ToString();
  EXPECT_EQ(report.lost.size(), 1u) << report.ToString();
  Open();
  EXPECT_EQ(Texts("door"), (std::vector<std::string>{kSecret, "whole"}));
  auto check = Check(masters_);
  EXPECT_TRUE(check.ok()) << check.ToString();
  // A marker that has to be made again is one that older programs refuse.
  files_->Damage("/data/MILLRACE", [](Bytes& bytes) { bytes.assign(5, 'x'); });
  report = RepairDataDirectory("/data", *files_, clock_, masters_);
  EXPECT_TRUE(report.ok()) << report.ToString();
  EXPECT_THAT(TextOf("/data/MILLRACE"), HasSubstr("format 3\n"));
  Open();
  EXPECT_EQ(Texts("door"), (std::vector<std::string>{kSecret, "whole"}));
}

TEST_F(EncryptionTest, ABackupHoldsNoKeysAndIsEncryptedAgainAfterwards) {
  MakeOne();
  const Bytes backup = Get(log_->Backup());
  EXPECT_EQ(AsText(backup).find("m1\x3c"), std::string_view::npos);
  EXPECT_EQ(backup[11], 2);  // the version: an older program would restore it in the clear
  EXPECT_EQ(Get(ReadBackup(backup)).streams, 1u);
  log_.reset();
  Get(RestoreBackup(backup, "/new", *files_, clock_));
  EmbeddedLogOptions options = Options();
  options.path = "/new";
  options.master_keys = nullptr;
  EXPECT_EQ(CodeOf(EmbeddedLog::Open(options)), ErrorCode::kFailedPrecondition);
  options.master_keys = Masters(KeyLine("another", '9'));
  log_ = Get(EmbeddedLog::Open(options));
  EXPECT_THAT(TextOf("/new/MILLRACE"), HasSubstr("format 2\n"));
  auto encryption = Get(log_->DescribeStream("door")).encryption;
  ASSERT_TRUE(encryption.has_value());
  EXPECT_EQ(encryption->key_name, "alias/aws/kinesis");
  EXPECT_EQ(encryption->data_key, 0u);
  EXPECT_TRUE(Put("door", kSecret).encrypted);
  EXPECT_EQ(Get(log_->DescribeStream("door")).encryption->master_key_id, "another");
  EXPECT_EQ(Texts("door"), std::vector<std::string>{kSecret});
  log_.reset();
  auto report = CheckDataDirectory("/new", *files_, clock_, options.master_keys);
  EXPECT_TRUE(report.ok()) << report.ToString();
}

TEST_F(EncryptionTest, APlainBackupIsAsItWas) {
  Open();
  Get(log_->CreateStream("door", 1, kDay));
  EXPECT_EQ(Get(log_->Backup())[11], 1);
}

}  // namespace
}  // namespace millrace::storage
