// Many threads at once, and a process that is killed.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <map>
#include <random>
#include <thread>

#include "storage/checker.h"
#include "storage/checkpoints.h"
#include "tests/storage/log_fixture.h"

namespace millrace::storage {
namespace {

using ConcurrencyTest = LogTest;

TEST_F(ConcurrencyTest, WritersReadersSweeperAndControlSideBySide) {
  auto options = Options();
  options.segment_bytes = 200'000;
  options.control_bytes = 20'000;
  options.sweep_interval = std::chrono::milliseconds(5);
  Open(options);
  Get(log_->CreateStream("s", 2, kDay));
  constexpr int kWriters = 8;
  constexpr std::uint64_t kPuts = 60;
  std::atomic<bool> done = false;
  std::array<std::atomic<std::uint64_t>, kWriters> acknowledged{};
  std::vector<std::thread> threads;
  for (int w = 0; w < kWriters; ++w) {
    threads.emplace_back([&, w] {
      std::string key = "writer" + std::to_string(w);
      for (std::uint64_t i = 0; i < kPuts; ++i) {
        auto receipt = PutAndWait(*log_, "s", MakeRecord(key, MakeData(100 + i * 150, i), {{1, Number(i)}}));
        ASSERT_TRUE(receipt.has_value()) << receipt.error().ToString();
        // Readable and findable before it is acknowledged.
        EXPECT_TRUE(log_->Fetch("s", receipt->shard, receipt->sequence_number).has_value());
        EXPECT_EQ(Get(log_->Find("s", key, {1, Number(i), Number(i), false, 2})).size(), 1u);
        ++acknowledged[static_cast<std::size_t>(w)];
      }
    });
  }
  for (int r = 0; r < 3; ++r) {
    threads.emplace_back([&] {
      while (!done) {
        for (const auto& shard : Get(log_->DescribeStream("s")).shards) {
          SequenceNumber last;
          for (const Record& record : ReadAll(*log_, "s", shard.id)) {
            EXPECT_LT(last, record.info.sequence_number);
            last = record.info.sequence_number;
          }
        }
      }
    });
  }
  threads.emplace_back([&] {  // waits for data as a consumer does
    auto position = Get(log_->Seek("s", ShardId{0}, {}));
    while (!done) {
      auto rung = std::make_shared<std::promise<void>>();
      auto waiting = log_->NotifyReadable("s", position, [rung] { rung->set_value(); });
      rung->get_future().wait_for(std::chrono::milliseconds(20));
      waiting.reset();
      auto batch = Get(log_->Read("s", position, {}));
      if (!batch.next) break;
      position = *batch.next;
    }
  });
  threads.emplace_back([&] {
    for (int i = 0; i < 40; ++i) {
      EXPECT_TRUE(log_->PutMetadata("m/" + std::to_string(i % 5), MakeData(300, 1)).has_value());
      EXPECT_TRUE(
          PutAndWait(*log_, "s", MakeRecord("purged", MakeData(9'000, 1), {{1, Number(1)}})).has_value());
      bool purged = i % 10 != 9 || log_->DeletePartition("s", "purged").has_value();
      EXPECT_TRUE(purged);
      bool split = i != 20 || log_->SplitShard("s", ShardId{0}, HashKey{1, 1}).has_value();
      EXPECT_TRUE(split);
    }
  });
  for (int w = 0; w < kWriters; ++w) threads[static_cast<std::size_t>(w)].join();
  threads.back().join();
  done = true;
  for (std::size_t t = kWriters; t + 1 < threads.size(); ++t) threads[t].join();
  std::map<std::string, std::uint64_t> counts;
  for (const auto& shard : Get(log_->DescribeStream("s")).shards) {
    for (const Record& record : ReadAll(*log_, "s", shard.id)) ++counts[record.info.partition_key];
  }
  for (int w = 0; w < kWriters; ++w) EXPECT_EQ(counts["writer" + std::to_string(w)], kPuts);
  EXPECT_EQ(counts["purged"], 0u);
  log_.reset();
  auto report = CheckDataDirectory(directory_.path() + "/data", PosixFileSystem(), clock_);
  EXPECT_TRUE(report.ok()) << report.ToString();
}

TEST_F(ConcurrencyTest, ClosingAnswersEveryPut) {
  for (int round = 0; round < 10; ++round) {
    Open();
    if (round == 0) Get(log_->CreateStream("s", 1, kDay));
    std::atomic<int> answered = 0;
    for (std::uint64_t i = 0; i < 50; ++i) {
      log_->Put("s", MakeRecord("k", MakeData(1'000, i)), [&](Result<PutReceipt> result) {
        EXPECT_TRUE(result.has_value());
        ++answered;
      });
    }
    log_.reset();
    EXPECT_EQ(answered, 50);
  }
}

TEST_F(ConcurrencyTest, OfManyWritersOfOneVersionOneWins) {
  Open();
  for (std::uint64_t version = 0; version < 10; ++version) {
    std::atomic<int> won = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        auto written = log_->PutMetadata("lease", {1}, version);
        if (written) ++won;
        EXPECT_TRUE(written.has_value() || written.error().code == ErrorCode::kFailedPrecondition);
      });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(won, 1);
  }
}

TEST_F(ConcurrencyTest, Checkpoints) {
  Open();
  Get(log_->CreateStream("s", 2, kDay));
  auto receipt = Put("s", "k", {1});
  Checkpoints faces(*log_, "faces");
  EXPECT_FALSE(Get(faces.Get("s", ShardId{0})).has_value());
  EXPECT_EQ(Get(faces.Set("s", ShardId{0}, receipt.sequence_number)), 1u);
  EXPECT_EQ(CodeOf(faces.Set("s", ShardId{0}, receipt.sequence_number, 7)), ErrorCode::kFailedPrecondition);
  Reopen();
  Checkpoints again(*log_, "faces");
  EXPECT_EQ(Get(again.Get("s", ShardId{0}))->sequence_number, receipt.sequence_number);
  EXPECT_EQ(Get(again.List("s")).size(), 1u);
  EXPECT_TRUE(Get(Checkpoints(*log_, "other").List("s")).empty());
  EXPECT_OK(again.Remove("s", ShardId{0}));
  EXPECT_FALSE(Get(again.Get("s", ShardId{0})).has_value());
  EXPECT_EQ(CodeOf(Checkpoints(*log_, "a/b").Get("s", ShardId{0})), ErrorCode::kInvalidArgument);
}

// ---- kill -9

// Puts numbered records until it is killed, and says each number that was acknowledged through the pipe.
[[noreturn]] void PutForEver(const std::string& path, int pipe) {
  EmbeddedLogOptions options;
  options.path = path;
  options.segment_bytes = 300'000;
  options.reserve_bytes = 0;
  auto log = EmbeddedLog::Open(options);
  if (!log) ::_exit(3);
  if ((*log)->ListStreams().empty() && !(*log)->CreateStream("s", 2, kDay)) ::_exit(4);
  std::uint64_t next =
      Get((*log)->DescribePartition("s", "k")).records + 1'000'000u * static_cast<std::uint64_t>(::getpid());
  for (;; next += 4) {
    std::vector<PutRecord> records;
    for (std::uint64_t i = next; i < next + 4; ++i) {
      records.push_back(MakeRecord("k", MakeData(1'000 + i % 7 * 3'000, i), {{1, Number(i)}}));
    }
    auto results = PutManyAndWait(**log, "s", std::move(records));
    for (std::uint64_t i = 0; i < 4; ++i) {
      if (!results[i]) ::_exit(5);
      std::uint64_t number = next + i;
      if (::write(pipe, &number, sizeof(number)) != sizeof(number)) ::_exit(6);
    }
  }
}

TEST(KillTest, NothingAcknowledgedIsLost) {
  // This program again, as the child: forked alone it would lack the threads that it had before.
  constexpr const char* kChild = "MILLRACE_TEST_KILL_CHILD";
  if (const char* child = std::getenv(kChild)) {
    std::string argument = child;
    auto space = argument.find(' ');
    PutForEver(argument.substr(space + 1), std::atoi(argument.c_str()));
  }
  TemporaryDirectory directory;
  std::string path = directory.path() + "/data";
  // More where there is time: MILLRACE_KILLS=200.
  const char* text = std::getenv("MILLRACE_KILLS");
  int kills = text != nullptr ? std::atoi(text) : 5;
  std::mt19937 random(20261121);
  std::vector<std::uint64_t> acknowledged;
  for (int kill = 0; kill < kills; ++kill) {
    int pipe[2];
    ASSERT_EQ(::pipe(pipe), 0);
    std::string variable = std::string(kChild) + "=" + std::to_string(pipe[1]) + " " + path;
    std::vector<char*> environment = {variable.data()};
    for (char** entry = environ; *entry != nullptr; ++entry) environment.push_back(*entry);
    environment.push_back(nullptr);
    pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(pipe[0]);
      ::execle("/proc/self/exe", "storage_tests", "--gtest_filter=KillTest.NothingAcknowledgedIsLost",
               nullptr, environment.data());
      ::_exit(7);
    }
    ::close(pipe[1]);
    // After a number of acknowledgements rather than after a time: no sleeping, and a slow machine is no
    // matter.
    std::size_t wanted = random() % 60;
    std::uint64_t number = 0;
    std::size_t got = 0;
    while (got < wanted && ::read(pipe[0], &number, sizeof(number)) == sizeof(number)) {
      acknowledged.push_back(number);
      ++got;
    }
    EXPECT_EQ(got, wanted) << "the child ended by itself";
    ::kill(child, SIGKILL);
    while (::read(pipe[0], &number, sizeof(number)) == sizeof(number)) acknowledged.push_back(number);
    ::close(pipe[0]);
    int status = 0;
    ::waitpid(child, &status, 0);

    EmbeddedLogOptions options;
    options.path = path;
    options.reserve_bytes = 0;
    auto log = Get(EmbeddedLog::Open(options));
    if (log->ListStreams().empty()) continue;
    std::map<std::uint64_t, Bytes> stored;
    for (std::uint32_t shard = 0; shard < 2; ++shard) {
      for (const Record& record : ReadAll(*log, "s", ShardId{shard})) {
        stored[ReadBigEndian<std::uint64_t>(record.info.Find(1))] =
            Bytes(record.data.span().begin(), record.data.span().end());
      }
    }
    for (std::uint64_t one : acknowledged) {
      ASSERT_TRUE(stored.contains(one)) << one << " is lost after kill " << kill;
      EXPECT_EQ(stored[one], MakeData(1'000 + one % 7 * 3'000, one));
    }
    log.reset();
    auto report = CheckDataDirectory(path);
    EXPECT_TRUE(report.ok()) << report.ToString();
  }
}

}  // namespace
}  // namespace millrace::storage
