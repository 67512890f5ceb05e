// The disk says no: failing syncs, a full disk, a stalled one, damage; and directories that are not to be
// opened.
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <fstream>
#include <map>

#include "storage/checker.h"
#include "storage/segment_walker.h"
#include "tests/storage/log_fixture.h"
#include "tests/storage/simulated_file_system.h"

namespace millrace::storage {
namespace {

class FaultTest : public testing::Test {
 protected:
  EmbeddedLogOptions Options() {
    EmbeddedLogOptions options;
    options.path = "/data";
    options.files = files_.get();
    options.clock = &clock_;
    options.sweep_interval = std::chrono::hours(1);
    options.segment_bytes = 30'000;
    options.index_write_buffer_bytes = 1 << 20;
    options.index_cache_bytes = 1 << 20;
    options.reserve_bytes = 0;
    return options;
  }
  void Open() { log_ = Get(EmbeddedLog::Open(Options())); }
  void OpenOver(std::unique_ptr<SimulatedFileSystem> disk) {
    log_.reset();
    files_ = std::move(disk);
    Open();
  }
  Result<PutReceipt> Put(std::uint64_t serial, std::size_t size = 2'000) {
    return PutAndWait(*log_, "s", MakeRecord("k", MakeData(size, serial), {{1, Number(serial)}}));
  }
  std::map<std::uint64_t, Bytes> Stored() {
    std::map<std::uint64_t, Bytes> stored;
    for (const Record& record : ReadAll(*log_, "s", ShardId{0})) {
      auto serial = ReadBigEndian<std::uint64_t>(record.info.Find(1));
      EXPECT_TRUE(stored.emplace(serial, Bytes(record.data.span().begin(), record.data.span().end())).second);
    }
    return stored;
  }
  static std::vector<std::uint64_t> Serials(const std::map<std::uint64_t, Bytes>& records) {
    std::vector<std::uint64_t> serials;
    for (const auto& [serial, data] : records) serials.push_back(serial);
    return serials;
  }
  void CheckIsClean() {
    log_.reset();
    auto report = CheckDataDirectory("/data", *files_, clock_);
    EXPECT_TRUE(report.ok()) << report.ToString();
  }

  std::unique_ptr<SimulatedFileSystem> files_ = std::make_unique<SimulatedFileSystem>();
  ManualClock clock_{kTestStart};
  std::unique_ptr<EmbeddedLog> log_;
};

TEST_F(FaultTest, SyncThatFailsStopsWritesUntilReopenedAndNothingAcknowledgedIsLost) {
  for (int failing = 0; failing < 22; ++failing) {
    SCOPED_TRACE("sync " + std::to_string(failing) + " fails");
    files_ = std::make_unique<SimulatedFileSystem>();
    Open();
    Get(log_->CreateStream("s", 1, kDay));
    std::atomic<int> syncs = 0;
    files_->SetFault([&](FileCall call, const std::string& path) -> std::optional<Error> {
      bool in_log = path.find("/log/") != std::string::npos;
      if (call != FileCall::kSync || !in_log || syncs++ != failing) return std::nullopt;
      return Error{ErrorCode::kIo, "syncing " + path + ": input/output error"};
    });
    std::map<std::uint64_t, Bytes> acknowledged;
    bool failed = false;
    bool stopped = false;
    for (std::uint64_t serial = 0; serial < 30; ++serial) {
      auto receipt = Put(serial);
      if (receipt) {
        EXPECT_FALSE(stopped) << "a put succeeded after a failed sync";
        acknowledged[serial] = MakeData(2'000, serial);
        continue;
      }
      failed = true;
      stopped = stopped || receipt.error().code == ErrorCode::kUnavailable;
      // A new segment that could not be synced is thrown away: that one put fails, and nothing is in doubt.
      EXPECT_EQ(receipt.error().code, stopped ? ErrorCode::kUnavailable : ErrorCode::kIo);
    }
    EXPECT_TRUE(failed);
    for (const auto& [serial, data] : acknowledged) EXPECT_TRUE(Stored()[serial] == data);  // reading goes on
    // Whether the cache survives (the process is started again) or not (the machine is), nothing is lost.
    log_.reset();
    files_->SetFault(nullptr);
    auto rebooted = files_->Crash(LossMode::kDropAll, 1);
    Open();
    auto stored = Stored();
    for (const auto& [serial, data] : acknowledged) EXPECT_TRUE(stored[serial] == data) << serial;
    EXPECT_LE(stored.size(), acknowledged.size() + 1);
    EXPECT_OK(Put(100));
    // What the restart has shown has to survive a power loss, though the sync of it had failed.
    stored = Stored();
    log_.reset();
    OpenOver(files_->Crash(LossMode::kDropAll, 2));
    EXPECT_EQ(Serials(Stored()), Serials(stored));
    EXPECT_TRUE(Stored() == stored);
    CheckIsClean();
    OpenOver(std::move(rebooted));
    stored = Stored();
    for (const auto& [serial, data] : acknowledged) EXPECT_TRUE(stored[serial] == data) << serial;
    CheckIsClean();
  }
}

TEST_F(FaultTest, FullDiskAtEveryWriteIsAnErrorOfItsOwnAndPasses) {
  for (int failing = 0; failing < 30; ++failing) {
    SCOPED_TRACE("write " + std::to_string(failing) + " finds the disk full");
    files_ = std::make_unique<SimulatedFileSystem>();
    Open();
    Get(log_->CreateStream("s", 1, kDay));
    std::atomic<int> writes = 0;
    std::atomic<bool> full = false;
    files_->SetFault([&](FileCall call, const std::string& path) -> std::optional<Error> {
      if (call != FileCall::kWrite) return std::nullopt;
      if (writes++ == failing) full = true;
      if (!full) return std::nullopt;
      return Error{ErrorCode::kNoSpace, "writing " + path + ": no space left on device"};
    });
    std::map<std::uint64_t, Bytes> acknowledged;
    std::uint64_t serial = 0;
    for (; serial < 20; ++serial) {
      auto receipt = Put(serial);
      if (receipt) {
        acknowledged[serial] = MakeData(2'000, serial);
      } else {
        EXPECT_EQ(receipt.error().code, ErrorCode::kNoSpace) << receipt.error().ToString();
        full = serial % 3 != 0;  // there is space again, sometimes at once
        writes = failing + 1;
      }
    }
    full = false;
    writes = failing + 1;
    EXPECT_OK(Put(1000));
    acknowledged[1000] = MakeData(2'000, 1000);
    EXPECT_EQ(Serials(Stored()), Serials(acknowledged));
    log_.reset();
    files_->SetFault(nullptr);
    Open();
    EXPECT_EQ(Serials(Stored()), Serials(acknowledged));
    EXPECT_TRUE(Stored() == acknowledged);
    CheckIsClean();
  }
}

TEST_F(FaultTest, ReserveIsKeptForDeletingAndDeletingMakesRoom) {
  auto options = Options();
  options.reserve_bytes = 4 << 20;
  options.budget_interval = std::chrono::hours(1);
  files_->SetCapacity(24 << 20);
  log_ = Get(EmbeddedLog::Open(options));
  EXPECT_OK(log_->Sweep());  // takes the larger part of the reserve
  Get(log_->CreateStream("s", 1, kDay));
  std::uint64_t serial = 0;
  Result<PutReceipt> receipt = Put(serial++, 1 << 20);
  while (receipt && serial < 100) receipt = Put(serial++, 1 << 20);
  EXPECT_EQ(CodeOf(receipt), ErrorCode::kNoSpace);
  EXPECT_GE(Get(files_->Space("/data")).free_bytes, 768u << 10);
  EXPECT_TRUE(files_->Has("/data/ballast"));
  EXPECT_OK(log_->PutMetadata("a/b/c", {1}));
  EXPECT_OK(log_->DeletePartition("s", "k"));
  EXPECT_OK(Put(serial++, 1 << 20));
}

TEST_F(FaultTest, StalledDiskIsBackPressureNotMemory) {
  auto options = Options();
  options.queue_bytes_max = 100'000;
  log_ = Get(EmbeddedLog::Open(options));
  Get(log_->CreateStream("s", 1, kDay));
  EXPECT_OK(Put(0));
  std::mutex mutex;
  std::condition_variable changed;
  bool stalled = true;
  // The stall is in the callback of a put: the writer waits there as it would in a sync.
  log_->Put("s", MakeRecord("k", {1}), [&](Result<PutReceipt>) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return !stalled; });
  });
  std::atomic<int> accepted = 0;
  std::vector<std::shared_ptr<std::promise<Result<PutReceipt>>>> promises;
  for (std::uint64_t i = 1; i <= 40; ++i) {
    auto promise = std::make_shared<std::promise<Result<PutReceipt>>>();
    promises.push_back(promise);
    log_->Put("s", MakeRecord("k", MakeData(10'000, i), {{1, Number(i)}}),
              [promise](Result<PutReceipt> result) { promise->set_value(std::move(result)); });
  }
  // Refusals come while the disk is still away.
  auto last = promises.back()->get_future().get();
  EXPECT_EQ(CodeOf(last), ErrorCode::kResourceExhausted);
  {
    std::lock_guard lock(mutex);
    stalled = false;
  }
  changed.notify_all();
  for (std::size_t i = 0; i + 1 < promises.size(); ++i) {
    if (promises[i]->get_future().get()) ++accepted;
  }
  EXPECT_GE(accepted, 8);
  EXPECT_LE(accepted, 10);
  EXPECT_OK(Put(99));
}

TEST_F(FaultTest, DamageOfAcknowledgedBytesIsReportedAndNeverServed) {
  Open();
  Get(log_->CreateStream("s", 1, kDay));
  std::vector<PutReceipt> receipts;
  for (std::uint64_t i = 0; i < 6; ++i) receipts.push_back(Get(Put(i)));
  log_.reset();
  // One byte in the data of the third record; the groups stand one after another from offset 64 on.
  std::uint64_t at = 64 + 2 * (40 + 56 + 1 + 11 + 2'000) + 40 + 56 + 12 + 500;
  files_->Damage("/data/log/00000002.log", [&](Bytes& bytes) { bytes[at] ^= 1; });
  Open();
  EXPECT_EQ(CodeOf(log_->Fetch("s", ShardId{0}, receipts[2].sequence_number)), ErrorCode::kCorruption);
  auto position = Get(log_->Seek("s", ShardId{0}, {}));
  auto batch = Get(log_->Read("s", position, {}));
  EXPECT_EQ(batch.records.size(), 2u);  // what is whole before it
  EXPECT_EQ(CodeOf(log_->Read("s", *batch.next, {})), ErrorCode::kCorruption);
  auto behind =
      Get(log_->Seek("s", ShardId{0}, {IteratorType::kAfterSequenceNumber, receipts[2].sequence_number, {}}));
  EXPECT_EQ(Get(log_->Read("s", behind, {})).records.size(), 3u);
  log_.reset();
  auto report = CheckDataDirectory("/data", *files_, clock_);
  EXPECT_EQ(report.problem_count, 1u) << report.ToString();
  EXPECT_THAT(report.problems[0], testing::AllOf(testing::HasSubstr("00000002.log"),
                                                 testing::HasSubstr(receipts[2].sequence_number.ToString()),
                                                 testing::HasSubstr("checksum")));
}

// The checker finds every kind of damage, wherever a byte is changed.
TEST_F(FaultTest, CheckerFindsAnyChangedByte) {
  Open();
  Get(log_->CreateStream("s", 1, kDay));
  for (std::uint64_t i = 0; i < 4; ++i) Get(Put(i, 200));
  log_.reset();
  std::size_t size = 0;
  files_->Damage("/data/log/00000002.log", [&](Bytes& bytes) { size = bytes.size(); });
  for (std::size_t at = 0; at < size; at += 3) {
    files_->Damage("/data/log/00000002.log", [&](Bytes& bytes) { bytes[at] ^= 0x10; });
    auto report = CheckDataDirectory("/data", *files_, clock_);
    EXPECT_FALSE(report.ok()) << "byte " << at << " of " << size;
    files_->Damage("/data/log/00000002.log", [&](Bytes& bytes) { bytes[at] ^= 0x10; });
  }
  EXPECT_TRUE(CheckDataDirectory("/data", *files_, clock_).ok());
}

TEST_F(FaultTest, LostSegmentOrLostEndIsDamageWithAName) {
  Open();
  Get(log_->CreateStream("s", 1, kDay));
  for (std::uint64_t i = 0; i < 40; ++i) Get(Put(i));
  log_.reset();
  auto lose = [&](const std::function<void(FileSystem&)>& what, const std::string& name) {
    auto copy = files_->Crash(LossMode::kKeepAll, 0);
    what(*copy);
    auto options = Options();
    options.files = copy.get();
    auto opened = EmbeddedLog::Open(options);
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().code, ErrorCode::kCorruption);
    EXPECT_THAT(opened.error().message,
                testing::AllOf(testing::HasSubstr(name), testing::HasSubstr("millrace check")));
    EXPECT_FALSE(CheckDataDirectory("/data", *copy, clock_).ok());
  };
  lose([](FileSystem& disk) { EXPECT_OK(disk.Remove("/data/log/00000003.log")); }, "00000003.log");
  lose([](FileSystem& disk) { EXPECT_OK(disk.Remove("/data/log/00000001.control")); }, "control");
  lose(
      [](FileSystem& disk) {
        EXPECT_OK(Get(disk.Open("/data/log/00000004.log", OpenMode::kReadWrite))->Truncate(5'000));
      },
      "00000004.log");
}

// Opening and checking agree: what the one refuses, the other calls damage; what the one goes on from, the
// other does not.
TEST_F(FaultTest, DamageOfTheOnlyControlSegmentIsFoundByOpeningAndByChecking) {
  Open();
  Get(log_->CreateStream("s", 1, kDay));  // no data segment yet
  for (std::uint64_t i = 0; i < 4; ++i)
    EXPECT_OK(log_->PutMetadata("m/" + std::to_string(i), MakeData(100, i)));
  log_.reset();
  std::size_t size = 0;
  files_->Damage("/data/log/00000001.control", [&](Bytes& bytes) { size = bytes.size(); });
  auto compare = [&](const std::string& what, bool damage, const std::function<void(Bytes&)>& change) {
    SCOPED_TRACE(what);
    auto copy = files_->Crash(LossMode::kKeepAll, 0);
    copy->Damage("/data/log/00000001.control", change);
    auto report = CheckDataDirectory("/data", *copy, clock_);
    auto options = Options();
    options.files = copy.get();
    auto opened = EmbeddedLog::Open(options);
    EXPECT_EQ(opened.has_value(), report.ok()) << report.ToString();
    EXPECT_EQ(opened.has_value(), !damage) << report.ToString();
    if (damage) {
      EXPECT_EQ(CodeOf(opened), ErrorCode::kCorruption);
      EXPECT_THAT(report.ToString(), testing::HasSubstr("00000001.control"));
    }
  };
  compare("as it was", false, [](Bytes&) {});
  for (std::size_t at = 0; at < size; at += 7) {
    compare("byte " + std::to_string(at), true, [at](Bytes& bytes) { bytes[at] ^= 0x10; });
  }
  for (std::size_t end = 0; end < size; end += 31) {
    compare("cut at " + std::to_string(end), true, [end](Bytes& bytes) { bytes.resize(end); });
  }
  compare("a torn group behind its end", false, [](Bytes& bytes) { bytes.resize(bytes.size() + 20, 0x55); });
}

// ---- directories

TEST(DataDirectoryTest, RefusesWhatItShouldNotTouch) {
  TemporaryDirectory directory;
  auto open = [&](const std::string& path) {
    EmbeddedLogOptions options;
    options.path = path;
    return EmbeddedLog::Open(options);
  };
  auto write = [](const std::string& path, const std::string& text) { std::ofstream(path) << text; };

  std::string foreign = directory.path() + "/foreign";
  std::filesystem::create_directory(foreign);
  write(foreign + "/photo.jpg", "x");
  auto opened = open(foreign);
  EXPECT_EQ(CodeOf(opened), ErrorCode::kFailedPrecondition);
  EXPECT_THAT(opened.error().message, testing::HasSubstr("photo.jpg"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(foreign), {}), 1);  // nothing was left in it

  std::string good = directory.path() + "/good/";
  {
    auto log = Get(open(good));
    auto second = open(good);
    EXPECT_EQ(CodeOf(second), ErrorCode::kFailedPrecondition);
    EXPECT_THAT(second.error().message, testing::HasSubstr(std::to_string(::getpid())));
  }
  EXPECT_TRUE(open(good).has_value());

  write(good + "MILLRACE", "millrace data directory\nformat 7\nstore 0123456789abcdef\n");
  opened = open(good);
  EXPECT_EQ(CodeOf(opened), ErrorCode::kUnsupported);
  EXPECT_THAT(opened.error().message, testing::HasSubstr("7"));
  for (const char* text :
       {"", "rubbish", "millrace data directory\n", "millrace data directory\nformat x\nstore 1\n",
        "millrace data directory\nformat 1\nstore xyz\n",
        "millrace data directory\nformat 1\nstore 0123456789abcde\n"}) {
    write(good + "MILLRACE", text);
    EXPECT_EQ(CodeOf(open(good)), ErrorCode::kCorruption) << text;
  }
  EXPECT_EQ(CodeOf(open("")), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(open(directory.path() + "/no/such/parent")), ErrorCode::kNotFound);
  EXPECT_FALSE(CheckDataDirectory(directory.path() + "/nothing").ok());
}

TEST(DataDirectoryTest, AnotherStoresSegmentIsNotTaken) {
  TemporaryDirectory directory;
  auto make = [&](const std::string& name) {
    EmbeddedLogOptions options;
    options.path = directory.path() + "/" + name;
    return EmbeddedLog::Open(options);
  };
  for (const char* name : {"a", "b"}) {
    auto log = Get(make(name));
    Get(log->CreateStream("s", 1, kDay));
    Get(PutAndWait(*log, "s", MakeRecord("k", {1, 2, 3})));
  }
  std::filesystem::copy_file(directory.path() + "/a/log/00000002.log",
                             directory.path() + "/b/log/00000002.log",
                             std::filesystem::copy_options::overwrite_existing);
  std::filesystem::remove_all(directory.path() + "/b/index");
  EXPECT_EQ(CodeOf(make("b")), ErrorCode::kCorruption);
}

// ---- bad requests

class RequestTest : public LogTest {};

TEST_F(RequestTest, BadOnesAreRefusedEachOnItsOwn) {
  Open();
  for (const std::string& name :
       {std::string(), std::string("a b"), std::string("ä"), std::string(129, 'a'), std::string("a/b")}) {
    EXPECT_EQ(CodeOf(log_->CreateStream(name, 1, kDay)), ErrorCode::kInvalidArgument) << name;
  }
  EXPECT_EQ(CodeOf(log_->CreateStream("s", 0, kDay)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(log_->CreateStream("s", 10'001, kDay)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(log_->CreateStream("s", 1, Duration{-1})), ErrorCode::kInvalidArgument);
  Get(log_->CreateStream("s", 1, kDay));
  EXPECT_EQ(CodeOf(log_->CreateStream("s", 1, kDay)), ErrorCode::kAlreadyExists);
  EXPECT_EQ(CodeOf(log_->SetRetention("s", Duration{-1})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(log_->SetRetention("none", kDay)), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(log_->SetPartitionRetention("s", "", kDay)), ErrorCode::kInvalidArgument);

  std::vector<PutRecord> records;
  records.push_back(MakeRecord("good", {1}));
  records.push_back(MakeRecord("", {1}));
  records.push_back(MakeRecord(std::string(kPartitionKeyBytesMax + 1, 'k'), {1}));
  records.push_back(MakeRecord("k", {1}, {{1, Bytes{1}}, {1, Bytes{2}}}));
  records.push_back(MakeRecord("k", {1}, {{1, Bytes(kIndexedAttributeBytesMax + 1)}}));
  records.push_back(MakeRecord("k", {1}, {{99, Bytes(kAttributesBytesMax)}}));
  records.push_back(MakeRecord("k", Bytes(kRecordBytesMax + 1)));
  records.push_back(MakeRecord("good", {2}));
  auto results = PutManyAndWait(*log_, "s", std::move(records));
  ASSERT_EQ(results.size(), 8u);
  for (std::size_t i = 0; i < 8; ++i) {
    if (i == 0 || i == 7) {
      EXPECT_TRUE(results[i].has_value());
    } else {
      EXPECT_EQ(CodeOf(results[i]), ErrorCode::kInvalidArgument) << i;
    }
  }
  EXPECT_LT(results[0]->sequence_number, results[7]->sequence_number);
  EXPECT_TRUE(PutManyAndWait(*log_, "s", {}).empty());
  EXPECT_EQ(CodeOf(PutAndWait(*log_, "none", MakeRecord("k", {1}))), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(log_->Find("s", "k", {16, {}, {}, false, 1})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(log_->Find("none", "k", {1, {}, {}, false, 1})), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(log_->DescribePartition("none", "k")), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(log_->Read("s", {ShardId{4}, {}}, {})), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(log_->Read("none", {ShardId{0}, {}}, {})), ErrorCode::kNotFound);
  // The largest there may be.
  auto receipt = Get(
      PutAndWait(*log_, "s", MakeRecord(std::string(kPartitionKeyBytesMax, 'k'), Bytes(kRecordBytesMax))));
  EXPECT_EQ(Get(log_->Fetch("s", receipt.shard, receipt.sequence_number)).size(), kRecordBytesMax);
}

TEST_F(RequestTest, AttributeValuesKeepTheirOrderWhateverTheirBytes) {
  Open();
  Get(log_->CreateStream("s", 1, kDay));
  std::vector<Bytes> values = {{}, {0}, {0, 0}, {0, 1}, {0, 255}, {1}, {1, 0}, {1, 0, 0}, {255}, {255, 255}};
  for (auto it = values.rbegin(); it != values.rend(); ++it) Put("s", "k", {1}, {{5, *it}});
  Put("s", "k2", {1}, {{5, Bytes{7}}});
  auto found = Get(log_->Find("s", "k", {5, {}, {}, false, 100}));
  ASSERT_EQ(found.size(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    EXPECT_EQ(Bytes(found[i].Find(5).begin(), found[i].Find(5).end()), values[i]);
  EXPECT_EQ(Get(log_->Find("s", "k", {5, Bytes{0, 0}, Bytes{1, 0}, false, 100})).size(), 5u);
  EXPECT_EQ(Get(log_->Find("s", "k", {5, Bytes{1, 0}, Bytes{1, 0}, true, 100})).size(), 1u);
  EXPECT_TRUE(Get(log_->Find("s", "k", {5, Bytes{2}, Bytes{1}, false, 100})).empty());
  EXPECT_TRUE(Get(log_->Find("s", "k", {5, {}, {}, false, 0})).empty());
}

}  // namespace
}  // namespace millrace::storage
