#include "fragments/live_feed.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/fragments/frames.h"

namespace millrace {
namespace {

using test::VideoFrame;

class LiveFeedTest : public testing::Test {
 protected:
  explicit LiveFeedTest() { Make(1'000'000); }
  void Make(std::size_t bytes_max) {
    LiveFeed::Options options;
    options.bytes_max = bytes_max;
    options.clock = &clock_;
    feed_ = std::make_unique<LiveFeed>(options);
  }
  static FragmentNumber Number(std::uint64_t counter) { return {.counter = counter, .server_ms = counter}; }
  void Open(std::uint64_t counter) { feed_->Open(Number(counter), 1, true, {test::VideoTrack()}); }
  void Add(std::uint64_t counter, int frames, std::size_t bytes = 100) {
    for (int i = 0; i < frames; ++i) feed_->Add(Number(counter), VideoFrame(i * 40, i == 0, bytes));
  }
  void Close(std::uint64_t counter) {
    FragmentFacts facts;
    facts.number = Number(counter);
    feed_->Close(facts);
  }

  ManualClock clock_{Timestamp::FromMillis(test::kStartMs)};
  std::unique_ptr<LiveFeed> feed_;
};

TEST_F(LiveFeedTest, WhatIsStoredCostsNothingWhereNobodyReads) {
  for (std::uint64_t n = 1; n <= 3; ++n) {
    Open(n);
    Add(n, 3);
    Close(n);
  }
  feed_->SetPersisted(Number(1));
  EXPECT_EQ(feed_->Fragments().size(), 2u);
  EXPECT_FALSE(feed_->Find(Number(1)));
  EXPECT_EQ(feed_->NewestPersisted(), Number(1));
  auto reader = feed_->Subscribe([] {});
  feed_->SetPersisted(Number(2));
  EXPECT_EQ(feed_->Fragments().size(), 2u);  // the reader may be on its way from the log
  reader.reset();
  feed_->DropExpired();
  EXPECT_EQ(feed_->Fragments().size(), 1u);
  feed_->SetPersisted(Number(3));
  EXPECT_EQ(feed_->bytes(), 0u);
  EXPECT_EQ(feed_->NewestPersisted(), Number(3));
}

TEST_F(LiveFeedTest, AFragmentGoesThroughItsStates) {
  const auto watching = feed_->Subscribe([] {});
  EXPECT_FALSE(feed_->live());
  Open(1);
  Add(1, 3);
  EXPECT_TRUE(feed_->live());
  EXPECT_EQ(feed_->Find(Number(1))->state, LiveState::kOpen);
  EXPECT_FALSE(feed_->Find(Number(1))->facts);
  EXPECT_EQ(feed_->Find(Number(1))->frames.size(), 3u);
  Close(1);
  EXPECT_FALSE(feed_->live());
  EXPECT_EQ(feed_->Find(Number(1))->state, LiveState::kClosed);
  EXPECT_TRUE(feed_->Find(Number(1))->facts);
  clock_.Advance(std::chrono::minutes(10));
  feed_->DropExpired();
  EXPECT_EQ(feed_->Fragments().size(), 1u);  // whatever the disk does
  feed_->SetPersisted(Number(1));
  EXPECT_EQ(feed_->Find(Number(1))->state, LiveState::kPersisted);
  clock_.Advance(std::chrono::seconds(9));
  EXPECT_EQ(feed_->Fragments().size(), 1u);
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_TRUE(feed_->Fragments().empty());
  EXPECT_EQ(feed_->bytes(), 0u);
}

TEST_F(LiveFeedTest, WhatIsNotThereOrOverIsIgnored) {
  const auto watching = feed_->Subscribe([] {});
  Add(7, 1);
  Close(7);
  feed_->SetFailed(Number(7));
  EXPECT_TRUE(feed_->Fragments().empty());
  Open(1);
  Close(1);
  Add(1, 5);
  EXPECT_TRUE(feed_->Find(Number(1))->frames.empty());
  feed_->SetFailed(Number(1));
  feed_->SetPersisted(Number(1));
  EXPECT_EQ(feed_->Find(Number(1))->state, LiveState::kFailed);
}

TEST_F(LiveFeedTest, ReadersGetEveryFrameOnce) {
  Open(1);
  Add(1, 2);
  LiveRead read = feed_->Read(std::nullopt, 100);
  EXPECT_EQ(read.frames.size(), 2u);
  EXPECT_TRUE(read.frames[0].frame.key_frame);
  read = feed_->Read(read.next, 100);
  EXPECT_TRUE(read.frames.empty());
  Add(1, 1);
  Open(2);
  Add(2, 4);
  read = feed_->Read(read.next, 100);
  EXPECT_EQ(read.frames.size(), 1u);  // the first may still grow
  Close(1);
  read = feed_->Read(read.next, 3);
  EXPECT_EQ(read.frames.size(), 3u);
  EXPECT_EQ(read.frames[0].number, Number(2));
  read = feed_->Read(read.next, 3);
  EXPECT_EQ(read.frames.size(), 1u);
  EXPECT_FALSE(read.skipped);
  EXPECT_TRUE(feed_->Read(read.next, 3).frames.empty());
}

TEST_F(LiveFeedTest, ASlowReaderIsMovedForwardAndTold) {
  Make(10'000);
  const auto watching = feed_->Subscribe([] {});
  Open(1);
  Add(1, 2);
  const LiveRead read = feed_->Read(std::nullopt, 1);
  Add(1, 10);
  Close(1);
  feed_->SetPersisted(Number(1));
  for (std::uint64_t n = 2; n < 30; ++n) {
    Open(n);
    Add(n, 10);
    Close(n);
    feed_->SetPersisted(Number(n));
    EXPECT_LE(feed_->bytes(), 10'000u);
  }
  const LiveRead moved = feed_->Read(read.next, 100);
  EXPECT_TRUE(moved.skipped);
  ASSERT_FALSE(moved.frames.empty());
  EXPECT_EQ(moved.frames[0].number, Number(29));
  EXPECT_TRUE(moved.frames[0].frame.key_frame);
}

TEST_F(LiveFeedTest, AReaderThatHadReadAllIsNotToldThatItMissedSomething) {
  Open(1);
  Add(1, 3);
  Close(1);
  const LiveRead read = feed_->Read(std::nullopt, 100);
  feed_->SetPersisted(Number(1));
  clock_.Advance(std::chrono::minutes(1));
  Open(2);
  Add(2, 3);
  const LiveRead next = feed_->Read(read.next, 100);
  EXPECT_FALSE(next.skipped);
  EXPECT_EQ(next.frames.size(), 3u);
}

TEST_F(LiveFeedTest, WhatIsDeletedGoesWhetherOpenOrWhole) {
  const auto watching = feed_->Subscribe([] {});
  for (std::uint64_t n = 1; n <= 5; ++n) Open(n);
  Add(1, 2);
  Close(1);
  Add(2, 3);  // pictures of 0 to 80 ms
  feed_->Add(Number(3), VideoFrame(500, true));
  Add(5, 1);
  const Timestamp before = Timestamp::FromMillis(test::kStartMs + 50);
  std::vector<std::uint64_t> asked;
  feed_->Drop([&](const FragmentFacts& facts) {
    asked.push_back(facts.number.counter);
    EXPECT_EQ(facts.server_start.millis(), facts.number.counter == 1 ? 0 : facts.number.server_ms);
    return facts.number.counter != 5 && facts.start < before && facts.end_time() >= Timestamp{};
  });
  std::sort(asked.begin(), asked.end());
  EXPECT_EQ(asked, (std::vector<std::uint64_t>{1, 2, 3, 5}));  // of 4 nothing is known yet
  std::vector<std::uint64_t> left;
  for (const LiveFragment& fragment : feed_->Fragments()) left.push_back(fragment.number.counter);
  EXPECT_EQ(left, (std::vector<std::uint64_t>{3, 4, 5}));
  // Its writer goes on with it: nothing comes of that.
  Add(2, 1);
  Close(2);
  feed_->SetPersisted(Number(2));
  EXPECT_FALSE(feed_->Find(Number(2)));
  EXPECT_FALSE(feed_->NewestPersisted());
}

// Goal: a reader who had read all of what was deleted is not told that it missed something.
TEST_F(LiveFeedTest, SeveralThatAreDeletedAtOnceWereReadToTheEnd) {
  const auto watching = feed_->Subscribe([] {});
  for (std::uint64_t n = 1; n <= 3; ++n) {
    Open(n);
    Add(n, 2);
    Close(n);
  }
  const LiveRead read = feed_->Read(std::nullopt, 100);
  ASSERT_EQ(read.next.number, Number(3));
  feed_->Drop([](const FragmentFacts&) { return true; });
  EXPECT_FALSE(feed_->Read(read.next, 100).skipped);
  Open(4);
  Add(4, 2);
  const LiveRead next = feed_->Read(read.next, 100);
  EXPECT_FALSE(next.skipped);
  EXPECT_EQ(next.frames.size(), 2u);
}

TEST_F(LiveFeedTest, IsBoundedEvenWhenAppendsHang) {
  Make(10'000);
  for (std::uint64_t n = 1; n < 50; ++n) {
    Open(n);
    Add(n, 10);
    Close(n);
    EXPECT_LE(feed_->bytes(), 10'000u);
  }
}

TEST_F(LiveFeedTest, SubscribersHearEveryChangeUntilTheyLetGo) {
  int heard = 0;
  auto subscription = feed_->Subscribe([&] { ++heard; });
  std::shared_ptr<void> self;
  int once = 0;
  self = feed_->Subscribe([&] {
    ++once;
    self.reset();
  });
  Open(1);
  Add(1, 2);
  Close(1);
  feed_->SetPersisted(Number(1));
  EXPECT_EQ(heard, 5);
  EXPECT_EQ(once, 1);
  subscription.reset();
  Open(2);
  EXPECT_EQ(heard, 5);
  auto outlives = feed_->Subscribe([&] { ++heard; });
  feed_.reset();
  outlives.reset();
}

// Goal: readers on several threads see whole frames in order while the writer writes, and nothing races.
TEST_F(LiveFeedTest, ReadersAndTheWriterRunAtOnce) {
  Make(200'000);
  const auto watching = feed_->Subscribe([] {});
  std::atomic<bool> done = false;
  std::vector<std::thread> readers;
  std::atomic<std::size_t> read_frames = 0;
  for (int r = 0; r < 3; ++r) {
    readers.emplace_back([&] {
      std::optional<LivePosition> position;
      std::atomic<int> heard = 0;
      const auto subscription = feed_->Subscribe([&] { ++heard; });
      bool last = false;
      do {
        last = done;
        const LiveRead read = feed_->Read(position, 50);
        FragmentNumber before{};
        for (const LiveRead::Item& item : read.frames) {
          EXPECT_LE(before, item.number);
          before = item.number;
          read_frames += item.frame.data.size() > 0 ? 1 : 0;
        }
        if (!read.frames.empty()) position = read.next;
        (void)feed_->Fragments();
      } while (!last);
    });
  }
  for (std::uint64_t n = 1; n <= 200; ++n) {
    Open(n);
    Add(n, 10, 500);
    Close(n);
    feed_->SetPersisted(Number(n));
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_GT(read_frames, 0u);
}

}  // namespace
}  // namespace millrace
