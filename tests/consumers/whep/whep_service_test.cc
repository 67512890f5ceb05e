// Goal: what producers put can be watched while they put, as far as WebRTC carries it; once they have ended
// that nothing is recorded is said. Method: PutMedia's sessions into a store in memory, and a clock that is
// set.
#include "consumers/whep/whep_service.h"

#include <gtest/gtest.h>

#include "ingest/put_session.h"
#include "tests/fragments/memory_log.h"
#include "tests/ingest/put_media_bytes.h"
#include "tests/wait.h"

namespace millrace::test {
namespace {

constexpr std::uint64_t kStart = 1'763'690'820'250;

class WhepServiceTest : public ::testing::Test {
 protected:
  WhepServiceTest() {
    FragmentStore::Options options;
    options.clock = &clock_;
    store_ = std::move(*FragmentStore::Open(log_, options));
    stream_ = *store_->CreateStream("door", std::chrono::hours(24));
    streams_ = std::make_unique<PutStreams>(*store_, PutStreamsOptions{.clock = &clock_});
    service_ = std::make_unique<WhepService>(*store_, settings_, WhepOptions{.clock = &clock_});
  }
  Error Refusal() {
    const auto opened = service_->Open("door", "v=0", [](const Result<std::string>&) {});
    EXPECT_FALSE(opened);
    return opened ? Error{ErrorCode::kInternal, ""} : opened.error();
  }
  static void PutTwo(PutSession& session) {
    const Bytes bytes = Joined({MediaHead(), MediaCluster(kStart, "a"), MediaCluster(kStart + 800, "b")});
    if (!session.Push(bytes)) session.Resume();
  }
  // So many fragments are durable and out of the live feed.
  bool Stores(std::size_t count) {
    return WaitUntil([&] {
      return store_->List("door", {.order = FragmentOrder::kNumber})->size() == count &&
             (*store_->Live("door"))->Fragments().empty();
    });
  }

  ManualClock clock_{Timestamp::FromMillis(kStart)};
  MemoryLog log_;
  WebrtcSettings settings_;
  std::unique_ptr<FragmentStore> store_;
  VideoStream stream_;
  std::unique_ptr<PutStreams> streams_;
  std::unique_ptr<WhepService> service_;
};

TEST_F(WhepServiceTest, WhatProducersPutIsWatchedWhileTheyDo) {
  PutSession session(*streams_, stream_, AssemblerOptions{}, [] {});
  PutTwo(session);
  ASSERT_TRUE(Stores(1));
  // It is the offer that is wrong now.
  const Error putting = Refusal();
  EXPECT_EQ(putting.code, ErrorCode::kInvalidArgument) << putting.message;

  // It may have hung up without a word.
  clock_.Advance(std::chrono::minutes(1));
  EXPECT_EQ(Refusal().code, ErrorCode::kFailedPrecondition);
}

TEST_F(WhepServiceTest, NothingIsRecordedOnceTheProducerHasEnded) {
  PutSession session(*streams_, stream_, AssemblerOptions{}, [] {});
  PutTwo(session);
  session.End(PutEnd::kComplete);
  ASSERT_TRUE(Stores(2));
  EXPECT_EQ(Refusal().code, ErrorCode::kFailedPrecondition);
}

}  // namespace
}  // namespace millrace::test
