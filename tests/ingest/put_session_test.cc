// Goal: what a producer was told is durable is there, whatever happens, once; and what is missing has a
// cause. Method: sessions on a log in memory whose disk waits, fails and loses power.
#include "ingest/put_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/embedded_log.h"
#include "tests/fragments/memory_log.h"
#include "tests/ingest/put_media_bytes.h"
#include "tests/storage/simulated_file_system.h"
#include "tests/wait.h"

namespace millrace::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint64_t kStart = 1'763'690'820'250;
using Kind = PutAck::Kind;

// Remembers what it hears.
class Gaps final : public GapListener {
 public:
  void BeginGap(const std::string&, GapCause cause, Timestamp, std::string) override {
    begun.push_back(cause);
  }
  void EndGap(const std::string&, Timestamp) override { ++ended; }
  void Add(const std::string&, Gap gap) override { added.push_back(std::move(gap)); }
  std::vector<GapCause> begun;
  std::vector<Gap> added;
  int ended = 0;
};

class PutSessionTest : public ::testing::Test {
 protected:
  void SetUp() override { Open(std::make_unique<MemoryLog>()); }
  void Open(std::unique_ptr<MemoryLog> log) {
    log_ = std::move(log);
    FragmentStore::Options options;
    options.retry_interval = std::chrono::milliseconds(5);
    options.held_bytes_max = 0;
    store_ = std::move(*FragmentStore::Open(*log_, options));
    stream_ = *store_->CreateStream("door", std::chrono::hours(24));
    streams_ = std::make_unique<PutStreams>(
        *store_, PutStreamsOptions{.gaps = &gaps_, .add_gap = [this](const std::string& name, Gap gap) {
                                     gaps_.Add(name, gap);
                                   }});
  }
  std::unique_ptr<PutSession> Session() {
    return std::make_unique<PutSession>(*streams_, stream_, AssemblerOptions{}, [] {});
  }
  static void Push(PutSession& session, const Bytes& bytes) {
    if (!session.Push(bytes)) session.Resume();
  }
  static std::vector<std::pair<Kind, std::uint64_t>> Acks(PutSession& session) {
    std::vector<std::pair<Kind, std::uint64_t>> acks;
    for (const PutAck& ack : session.TakeAcks()) acks.emplace_back(ack.kind, ack.timecode - kStart);
    return acks;
  }
  static std::pair<Kind, std::uint64_t> Of(Kind kind, std::uint64_t timecode) { return {kind, timecode}; }
  std::vector<FragmentFacts> Stored() { return *store_->List("door", {.order = FragmentOrder::kNumber}); }

  Gaps gaps_;
  std::unique_ptr<MemoryLog> log_;
  std::unique_ptr<FragmentStore> store_;
  VideoStream stream_;
  std::unique_ptr<PutStreams> streams_;
};

TEST_F(PutSessionTest, EachFragmentIsAcknowledgedThreeTimes) {
  const auto session = Session();
  Push(*session, Joined({MediaHead(), MediaCluster(kStart, "a")}));
  EXPECT_THAT(Acks(*session), ElementsAre(Of(Kind::kBuffering, 0)));
  Push(*session, MediaCluster(kStart + 800, "b"));
  EXPECT_THAT(Acks(*session),
              ElementsAre(Of(Kind::kReceived, 0), Of(Kind::kPersisted, 0), Of(Kind::kBuffering, 800)));
  session->End(PutEnd::kComplete);
  EXPECT_THAT(Acks(*session), ElementsAre(Of(Kind::kReceived, 800), Of(Kind::kPersisted, 800)));
  ASSERT_EQ(Stored().size(), 2U);
  EXPECT_EQ(Stored()[0].run, Stored()[1].run);
  EXPECT_EQ(gaps_.ended, 1);
  EXPECT_THAT(gaps_.begun, ElementsAre(GapCause::kDisabled));
  EXPECT_THAT(gaps_.added, IsEmpty());
}

TEST_F(PutSessionTest, NothingIsPersistedBeforeTheDiskSaysSo) {
  const auto session = Session();
  log_->HoldPuts();
  Push(*session, Joined({MediaHead(), MediaCluster(kStart, "a"), MediaCluster(kStart + 800, "b")}));
  EXPECT_THAT(Acks(*session),
              ElementsAre(Of(Kind::kBuffering, 0), Of(Kind::kReceived, 0), Of(Kind::kBuffering, 800)));
  EXPECT_FALSE(session->settled());
  EXPECT_GT(session->waiting_bytes(), 0U);
  log_->ReleasePuts();
  EXPECT_THAT(Acks(*session), ElementsAre(Of(Kind::kPersisted, 0)));
  EXPECT_TRUE(session->settled());
  EXPECT_EQ(session->waiting_bytes(), 0U);
}

TEST_F(PutSessionTest, RetentionZeroIsNeverPersisted) {
  stream_ = *store_->SetRetention("door", Duration{0});
  const auto session = Session();
  Push(*session, Joined({MediaHead(), MediaCluster(kStart, "a")}));
  session->End(PutEnd::kComplete);
  EXPECT_THAT(Acks(*session), ElementsAre(Of(Kind::kBuffering, 0), Of(Kind::kReceived, 0)));
  EXPECT_EQ(Stored().size(), 1U) << "for readers of the moment";
}

TEST_F(PutSessionTest, ADiskThatRefusesIsAnArchivalError) {
  const auto session = Session();
  log_->FailPuts(Error{ErrorCode::kNoSpace, "the disk is full"});
  Push(*session, Joined({MediaHead(), MediaCluster(kStart, "a"), MediaCluster(kStart + 800, "b")}));
  ASSERT_TRUE(WaitUntil([&] { return session->error().has_value(); }));
  EXPECT_EQ(session->error()->refusal.id, RefusalId::kArchival);
  EXPECT_EQ(session->error()->refusal.timecode, kStart);
  ASSERT_EQ(gaps_.added.size(), 1U);
  EXPECT_EQ(gaps_.added[0].cause, GapCause::kDiskRefused);
}

TEST_F(PutSessionTest, AProducerThatDiesLosesOnlyWhatWasNotWhole) {
  auto session = Session();
  Bytes bytes = Joined({MediaHead(), MediaCluster(kStart, "a"), MediaCluster(kStart + 800, "b")});
  bytes.resize(bytes.size() - 3);
  Push(*session, bytes);
  session.reset();
  ASSERT_EQ(Stored().size(), 1U);
  ASSERT_EQ(gaps_.added.size(), 1U);
  EXPECT_EQ(gaps_.added[0].cause, GapCause::kNetworkLoss);
  EXPECT_EQ(gaps_.added[0].start, Timestamp::FromMillis(kStart + 800));
  EXPECT_EQ(gaps_.added[0].end, Timestamp::FromMillis(kStart + 800 + 600));
  EXPECT_THAT(gaps_.begun, ElementsAre(GapCause::kNetworkLoss));

  // It sends again from the fragment that it knows to be persisted, or before.
  session = Session();
  Push(*session, Joined({MediaHead(), MediaCluster(kStart, "a"), MediaCluster(kStart + 800, "b")}));
  session->End(PutEnd::kComplete);
  const auto acks = session->TakeAcks();
  ASSERT_EQ(acks.size(), 6U);
  ASSERT_EQ(Stored().size(), 2U) << "nothing twice";
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(acks[i].number, Stored()[0].number) << "the stored one's";
  EXPECT_EQ(acks[2].kind, Kind::kPersisted);
  EXPECT_GT(Stored()[1].run, Stored()[0].run);
}

TEST_F(PutSessionTest, WhatIsResentWhileItIsOnItsWayIsNotStoredTwice) {
  log_->HoldPuts();
  auto session = Session();
  Push(*session, Joined({MediaHead(), MediaCluster(kStart, "a", testing::SizeForm::kKnown)}));
  session.reset();
  const auto again = Session();
  Push(*again, Joined({MediaHead(), MediaCluster(kStart, "a"), MediaCluster(kStart + 800, "b")}));
  EXPECT_THAT(Acks(*again),
              ElementsAre(Of(Kind::kBuffering, 0), Of(Kind::kReceived, 0), Of(Kind::kBuffering, 800)));
  log_->ReleasePuts();
  EXPECT_THAT(Acks(*again), ElementsAre(Of(Kind::kPersisted, 0)));
  EXPECT_EQ(Stored().size(), 1U);
}

TEST_F(PutSessionTest, OtherFramesAtTheSameTimeAreAFragmentOfTheirOwn) {
  for (const char* say : {"a", "b"}) {
    const auto session = Session();
    Push(*session, Joined({MediaHead(), MediaCluster(kStart, say)}));
    session->End(PutEnd::kComplete);
    EXPECT_THAT(Acks(*session),
                ElementsAre(Of(Kind::kBuffering, 0), Of(Kind::kReceived, 0), Of(Kind::kPersisted, 0)));
  }
  EXPECT_EQ(Stored().size(), 2U);
}

// The number that was given last is a stored fragment's: what starts with it is not to get that number too.
TEST_F(PutSessionTest, NoTwoFragmentsHaveOneNumber) {
  std::vector<std::unique_ptr<PutSession>>
      sessions;  // while one lives, the stream knows the number given last
  for (const char* say : {"a", "b", "c"}) {
    sessions.push_back(Session());
    Push(*sessions.back(), Joined({MediaHead(), MediaCluster(kStart, say)}));
    sessions.back()->End(PutEnd::kComplete);
    const auto acks = sessions.back()->TakeAcks();
    ASSERT_EQ(acks.size(), 3U);
    EXPECT_EQ(acks[1].number, Stored().back().number) << "received under its own number";
    EXPECT_EQ(acks[2].number, Stored().back().number);
  }
  const auto stored = Stored();
  ASSERT_EQ(stored.size(), 3U);
  EXPECT_LT(stored[0].number, stored[1].number);
  EXPECT_LT(stored[1].number, stored[2].number);
}

TEST_F(PutSessionTest, WhatAPauseCutOffAndThenComesWholeIsAFragmentOfItsOwn) {
  const auto older = Session();
  testing::MkvBuilder cut;
  cut.StartCluster(kStart, testing::SizeForm::kUnknown1).Simple(1, 0, true, "a picture 0");
  cut.Simple(2, 0, true, "a sound");
  Push(*older, Joined({MediaHead(), cut.Take()}));
  older->End(PutEnd::kIdle);
  const auto newer = Session();
  Push(*newer, Joined({MediaHead(), MediaCluster(kStart, "a")}));
  newer->End(PutEnd::kComplete);
  const auto stored = Stored();
  ASSERT_EQ(stored.size(), 2U);
  EXPECT_LT(stored[0].number, stored[1].number);
  EXPECT_EQ(ParseFragment(store_->Read("door", stored[0].number)->mkv)->frames.size(), 2U);
  EXPECT_EQ(ParseFragment(store_->Read("door", stored[1].number)->mkv)->frames.size(), 5U);
}

TEST_F(PutSessionTest, ANewerProducerTakesOver) {
  const auto older = Session();
  Push(*older, Joined({MediaHead(), MediaCluster(kStart, "old")}));
  const auto newer = Session();
  Push(*newer, Joined({MediaHead(), MediaCluster(kStart + 800, "new")}));
  // The older one completes what it has begun, and begins nothing more.
  Push(*older, MediaCluster(kStart + 800, "old"));
  ASSERT_TRUE(older->error());
  EXPECT_EQ(older->error()->refusal.id, RefusalId::kStreamRead);
  EXPECT_THAT(Acks(*older),
              ElementsAre(Of(Kind::kBuffering, 0), Of(Kind::kReceived, 0), Of(Kind::kPersisted, 0)));
  newer->End(PutEnd::kComplete);
  ASSERT_EQ(Stored().size(), 2U);
  EXPECT_EQ(Stored()[0].start, Timestamp::FromMillis(kStart));
  older->End(PutEnd::kBroken);
  EXPECT_THAT(gaps_.begun, ElementsAre(GapCause::kDisabled)) << "the stream was fed by the newer one";
}

TEST_F(PutSessionTest, ARefusalIsToldWithItsFragment) {
  const auto session = Session();
  Push(*session, Joined({MediaHead(), MediaCluster(kStart + 800, "a"), MediaCluster(kStart, "back")}));
  ASSERT_TRUE(session->error());
  EXPECT_EQ(session->error()->refusal.id, RefusalId::kTimecodeGoesBack);
  EXPECT_TRUE(session->error()->number);
  EXPECT_EQ(Stored().size(), 1U) << "what was whole is stored";
  session->End(PutEnd::kBroken);
  EXPECT_THAT(gaps_.begun, ElementsAre(GapCause::kUndecodable));
}

TEST_F(PutSessionTest, ADeletedStreamIsNotActive) {
  const auto session = Session();
  ASSERT_TRUE(store_->DeleteStream("door"));
  Push(*session, Joined({MediaHead(), MediaCluster(kStart, "a")}));
  ASSERT_TRUE(session->error());
  EXPECT_EQ(session->error()->refusal.id, RefusalId::kStreamNotActive);
}

TEST_F(PutSessionTest, ASilentProducersLastFragmentIsKept) {
  const auto session = Session();
  Push(*session, Joined({MediaHead(), MediaCluster(kStart, "a")}));
  session->End(PutEnd::kIdle);
  EXPECT_EQ(Stored().size(), 1U);
  EXPECT_THAT(gaps_.begun, ElementsAre(GapCause::kSilent));
}

// Power is lost again and again while a producer sends; what was acknowledged is there at the next start.
TEST(PutSessionPowerLoss, WhatWasPersistedIsThere) {
  std::size_t acknowledged = 0;
  for (std::uint64_t loss = 20; loss < 140; loss += 12) {
    storage::SimulatedFileSystem disk;
    std::vector<FragmentNumber> persisted;
    const auto open = [](storage::FileSystem& file_system) {
      storage::EmbeddedLogOptions options;
      options.path = "/data";
      options.files = &file_system;
      options.reserve_bytes = 0;
      return storage::EmbeddedLog::Open(options);
    };
    {
      auto log = open(disk);
      ASSERT_TRUE(log) << log.error().ToString();
      FragmentStore::Options options;
      options.shards = 1;
      options.held_bytes_max = 0;
      auto store = FragmentStore::Open(**log, options);
      ASSERT_TRUE(store);
      const auto stream = (*store)->CreateStream("door", std::chrono::hours(24));
      ASSERT_TRUE(stream);
      disk.LosePowerAt(disk.calls() + loss);
      PutStreams streams(**store, {});
      PutSession session(streams, *stream, {}, [] {});
      Bytes bytes = MediaHead();
      for (std::uint64_t i = 0; i < 60 && !session.error(); ++i) {
        const Bytes cluster = MediaCluster(kStart + 800 * i, std::to_string(i));
        bytes.insert(bytes.end(), cluster.begin(), cluster.end());
        if (!session.Push(bytes)) session.Resume();
        bytes.clear();
        if (i % 3 == 2) WaitUntil([&] { return session.settled(); });
        for (const PutAck& ack : session.TakeAcks()) {
          if (ack.kind == Kind::kPersisted) persisted.push_back(ack.number);
        }
      }
    }
    acknowledged += persisted.size();
    const auto after = disk.Crash(storage::LossMode::kSectors, loss);
    auto log = open(*after);
    ASSERT_TRUE(log) << log.error().ToString();
    auto store = FragmentStore::Open(**log, {});
    ASSERT_TRUE(store);
    for (const FragmentNumber& number : persisted) {
      const auto fragment = (*store)->Read("door", number);
      ASSERT_TRUE(fragment) << "power lost at " << loss << ": " << fragment.error().ToString();
      EXPECT_TRUE(ParseFragment(fragment->mkv));
    }
  }
  EXPECT_GT(acknowledged, 20U);
}

}  // namespace
}  // namespace millrace::test
