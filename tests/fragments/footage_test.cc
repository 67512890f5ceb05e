// Deleting stretches of footage, holding them, and the ring of retention 0.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <memory>

#include "fragments/fragment_store.h"
#include "storage/embedded_log.h"
#include "tests/fragments/memory_log.h"
#include "tests/fragments/real_media.h"
#include "tests/wait.h"

namespace millrace {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr Timestamp kNow = Timestamp::FromMillis(1'763'690'820'000);
Timestamp At(std::int64_t s) { return kNow + std::chrono::seconds(s); }

class FootageTest : public testing::Test {
 protected:
  void SetUp() override { Reopen(); }
  void Reopen() {
    store_.reset();
    log_.reset();
    storage::EmbeddedLogOptions options;
    options.path = directory_.Path("log");
    options.clock = &clock_;
    options.reserve_bytes = 0;
    options.sweep_interval = options.budget_interval = std::chrono::hours(1);
    auto log = storage::EmbeddedLog::Open(options);
    ASSERT_TRUE(log) << log.error().ToString();
    log_ = std::move(log).value();
    OpenStore(*log_);
  }
  void OpenStore(storage::RecordLog& log, Duration deletion_wait = test::kPatience) {
    FragmentStore::Options options;
    options.clock = &clock_;
    options.ring_bytes_max = 100'000;
    options.deletion_wait = deletion_wait;
    options.retry_interval = std::chrono::milliseconds(5);
    auto store = FragmentStore::Open(log, options);
    ASSERT_TRUE(store) << store.error().ToString();
    store_ = std::move(store).value();
  }
  VideoStream Create(const std::string& name, Duration retention = std::chrono::hours(24)) {
    return store_->CreateStream(name, retention).value();
  }
  Fragment Make(const FragmentNumber& number, std::int64_t start_s, std::int64_t duration_s,
                std::size_t bytes = 20'000) {
    Fragment fragment;
    fragment.facts.number = number;
    fragment.facts.start = At(start_s);
    fragment.facts.duration = std::chrono::seconds(duration_s);
    fragment.facts.server_start = At(start_s + 1000);
    fragment.facts.run = 1;
    fragment.facts.bytes = bytes;
    fragment.mkv = SharedBytes(Bytes(bytes, static_cast<std::uint8_t>('a' + number.counter % 26)));
    return fragment;
  }
  FragmentNumber Append(const VideoStream& stream, std::int64_t start_s, std::int64_t duration_s = 2,
                        std::size_t bytes = 20'000) {
    const FragmentNumber number = store_->OpenFragment(stream).value();
    std::promise<Result<FragmentNumber>> done;
    store_->Append(stream, Make(number, start_s, duration_s, bytes),
                   [&](Result<FragmentNumber> result) { done.set_value(std::move(result)); });
    auto result = done.get_future().get();
    EXPECT_TRUE(result) << result.error().ToString();
    return number;
  }
  // Of 2 s, and without waiting; into the live feed too, where one is given. A number: it was open before.
  std::future<Result<FragmentNumber>> AppendAside(const VideoStream& stream, std::int64_t start_s,
                                                  LiveFeed* live = nullptr,
                                                  std::optional<FragmentNumber> open = std::nullopt) {
    const FragmentNumber number = open ? *open : store_->OpenFragment(stream).value();
    Fragment fragment = Make(number, start_s, 2);
    if (live != nullptr) {
      live->Open(number, 1, true, {});
      live->Close(fragment.facts);
    }
    auto done = std::make_shared<std::promise<Result<FragmentNumber>>>();
    store_->Append(stream, std::move(fragment),
                   [done](Result<FragmentNumber> result) { done->set_value(std::move(result)); });
    return done->get_future();
  }
  std::vector<std::int64_t> Starts(const std::string& name) {
    std::vector<std::int64_t> starts;
    const auto listed = store_->List(name, {});
    for (const FragmentFacts& facts : listed.value()) {
      starts.push_back((facts.start - kNow) / std::chrono::seconds(1));
    }
    return starts;
  }
  FootageHold MakeHold(const std::string& id, std::int64_t start_s, std::optional<std::int64_t> end_s) {
    FootageHold hold;
    hold.id = id;
    hold.start = At(start_s);
    if (end_s) hold.end = At(*end_s);
    hold.reason = "case 7";
    hold.placed_by = "ann";
    return hold;
  }
  // How often the byte stands 64 times in a row in the files of the log.
  std::size_t Runs(char byte) {
    std::size_t runs = 0;
    for (const auto& file : std::filesystem::directory_iterator(directory_.Path("log/log"))) {
      std::ifstream in(file.path(), std::ios::binary);
      const std::string all((std::istreambuf_iterator<char>(in)), {});
      for (std::size_t at = 0; (at = all.find(std::string(64, byte), at)) != std::string::npos; at += 64)
        ++runs;
    }
    return runs;
  }

  test::TemporaryDirectory directory_;
  ManualClock clock_{kNow};
  test::MemoryLog memory_;
  std::unique_ptr<storage::EmbeddedLog> log_;
  std::unique_ptr<FragmentStore> store_;
};

TEST_F(FootageTest, EveryFragmentThatTouchesTheRangeGoes) {
  const VideoStream door = Create("door");
  const VideoStream yard = Create("yard");
  for (int s = 0; s < 20; s += 2) Append(door, s);
  Append(yard, 6);
  int told = 0;
  auto listening = store_->OnDeletion([&](const VideoStream& stream) {
    EXPECT_EQ(stream.name, "door");
    ++told;
  });
  const FragmentFacts in_it = store_->FindContaining("door", At(7)).value();
  auto deleted = store_->DeleteFootage("door", {At(5), At(10)});
  ASSERT_TRUE(deleted) << deleted.error().ToString();
  EXPECT_EQ(deleted->fragments, 3u);  // 4 to 6 reaches into it; 10 begins behind it
  EXPECT_EQ(deleted->bytes, 60'000u);
  EXPECT_THAT(deleted->spans, ElementsAre(FootageSpan{At(4), At(10)}));
  EXPECT_EQ(told, 1);
  listening.reset();
  EXPECT_THAT(Starts("door"), ElementsAre(0, 2, 10, 12, 14, 16, 18));
  EXPECT_THAT(Starts("yard"), ElementsAre(6));
  EXPECT_EQ(store_->Read("door", in_it.number).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_->FindContaining("door", At(7)).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_->Usage("door")->fragments, 7u);
  Reopen();
  EXPECT_THAT(Starts("door"), ElementsAre(0, 2, 10, 12, 14, 16, 18));
  // Again: there is nothing.
  EXPECT_EQ(store_->DeleteFootage("door", {At(5), At(10)})->fragments, 0u);
}

TEST_F(FootageTest, ByTheServersClockAsWell) {
  const VideoStream door = Create("door");
  for (int s = 0; s < 10; s += 2) Append(door, s);
  auto deleted = store_->DeleteFootage("door", {At(1003), At(1005), FootageClock::kServer});
  ASSERT_TRUE(deleted) << deleted.error().ToString();
  EXPECT_EQ(deleted->fragments, 2u);
  EXPECT_THAT(deleted->spans, ElementsAre(FootageSpan{At(2), At(6)}));
  EXPECT_THAT(Starts("door"), ElementsAre(0, 6, 8));
}

TEST_F(FootageTest, RunsThatOverlapAndFragmentsOfOneStartGoTogether) {
  const VideoStream door = Create("door");
  Append(door, 0, 10);
  Append(door, 4, 2);
  Append(door, 4, 2);
  Append(door, 2, 1);  // does not reach the range
  EXPECT_EQ(store_->DeleteFootage("door", {At(5), At(6)})->fragments, 3u);
  EXPECT_THAT(Starts("door"), ElementsAre(2));
}

TEST_F(FootageTest, MoreThanAPageGoesAtOnce) {
  const VideoStream door = Create("door");
  for (int s = 0; s < 2'300; ++s) Append(door, s, 1, 10);
  auto deleted = store_->DeleteFootage("door", {At(50), At(2'250)});
  ASSERT_TRUE(deleted) << deleted.error().ToString();
  EXPECT_EQ(deleted->fragments, 2'200u);
  EXPECT_THAT(deleted->spans, ElementsAre(FootageSpan{At(50), At(2'250)}));
  EXPECT_EQ(store_->Usage("door")->fragments, 100u);
}

TEST_F(FootageTest, NotAByteOfItIsLeftOnTheDisk) {
  const VideoStream door = Create("door");
  Append(door, 0);  // 'b'
  Append(door, 2);  // 'c'
  EXPECT_GT(Runs('c'), 100u);
  ASSERT_TRUE(store_->DeleteFootage("door", {At(2), At(4)}));
  EXPECT_EQ(Runs('c'), 0u);
  EXPECT_GT(Runs('b'), 100u);
}

TEST_F(FootageTest, AFragmentThatIsStillOpenIsNotStoredAfterwards) {
  const VideoStream door = Create("door");
  const FragmentNumber open = store_->OpenFragment(door).value();
  ASSERT_TRUE(store_->DeleteFootage("door", {At(0), At(10)}));
  std::promise<Result<FragmentNumber>> done;
  store_->Append(door, Make(open, 8, 4),
                 [&](Result<FragmentNumber> result) { done.set_value(std::move(result)); });
  EXPECT_EQ(done.get_future().get().value(), open);  // its producer is not to send it again
  EXPECT_THAT(Starts("door"), IsEmpty());
  // One that was opened afterwards is footage of its own.
  Append(door, 4);
  EXPECT_THAT(Starts("door"), ElementsAre(4));
}

TEST_F(FootageTest, TheLiveFeedLetsGoOfIt) {
  const VideoStream door = Create("door");
  auto live = store_->Live("door").value();
  auto subscription = live->Subscribe([] {});
  for (int s = 0; s < 4; s += 2) {
    const FragmentNumber number = store_->OpenFragment(door).value();
    live->Open(number, 1, true, {});
    live->Close(Make(number, s, 2).facts);
  }
  ASSERT_EQ(live->Fragments().size(), 2u);
  ASSERT_TRUE(store_->DeleteFootage("door", {At(0), At(1)}));
  ASSERT_EQ(live->Fragments().size(), 1u);
  EXPECT_EQ(live->Fragments()[0].facts->start, At(2));
}

TEST_F(FootageTest, BadRangesAreRefused) {
  Create("door");
  EXPECT_EQ(store_->DeleteFootage("door", {At(5), At(5)}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(store_->DeleteFootage("door", {At(5), At(4)}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(store_->DeleteFootage("none", {At(4), At(5)}).error().code, ErrorCode::kNotFound);
}

// ---- on its way to a disk that does not answer, or refuses

TEST_F(FootageTest, WaitsForWhatIsBeingStored) {
  OpenStore(memory_, std::chrono::milliseconds(50));
  const VideoStream door = Create("door");
  memory_.HoldPuts();
  auto done = AppendAside(door, 0);
  const auto refused = store_->DeleteFootage("door", {At(0), At(1)});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  memory_.ReleasePuts();
  EXPECT_TRUE(done.get());
  ASSERT_TRUE(store_->DeleteFootage("door", {At(0), At(1)}));
  EXPECT_THAT(Starts("door"), IsEmpty());
  store_.reset();
}

TEST_F(FootageTest, WhatTheDiskRefusedForNowIsNotTriedAgain) {
  OpenStore(memory_);
  const VideoStream door = Create("door");
  memory_.FailPuts(Error{ErrorCode::kNoSpace, "full"});
  auto first = AppendAside(door, 0);
  auto second = AppendAside(door, 2);
  ASSERT_TRUE(store_->DeleteFootage("door", {At(0), At(1)}));
  EXPECT_TRUE(first.get());
  memory_.FailPuts(std::nullopt);
  EXPECT_TRUE(second.get());
  EXPECT_THAT(Starts("door"), ElementsAre(2));
  store_.reset();
}

// Goal: a deletion that fails has taken nothing: neither what waits for the disk nor what is still open.
TEST_F(FootageTest, ADeletionThatFailsLosesNothing) {
  for (const ErrorCode code : {ErrorCode::kFailedPrecondition, ErrorCode::kIo, ErrorCode::kResourceExhausted,
                               ErrorCode::kUnavailable}) {
    SCOPED_TRACE(std::string(ToString(code)));
    OpenStore(memory_);
    const VideoStream door = Create("door");
    auto live = store_->Live("door").value();
    auto subscription = live->Subscribe([] {});
    memory_.FailPuts(Error{ErrorCode::kNoSpace, "full"});
    memory_.FailDeletions(Error{code, "made to fail"});
    auto queued = AppendAside(door, 0, live.get());
    const FragmentNumber open = store_->OpenFragment(door).value();
    live->Open(open, 1, true, {});
    const auto failed = store_->DeleteFootage("door", {At(0), At(10)});
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, code);
    EXPECT_EQ(live->Fragments().size(), 2u);
    memory_.FailPuts(std::nullopt);
    memory_.FailDeletions(std::nullopt);
    EXPECT_TRUE(queued.get());
    EXPECT_TRUE(AppendAside(door, 4, nullptr, open).get());
    EXPECT_THAT(Starts("door"), ElementsAre(0, 4));
    subscription.reset();
    ASSERT_TRUE(store_->DeleteStream("door"));
    store_.reset();
  }
}

TEST_F(FootageTest, WhatComesToBeStoredDuringADeletionGoesToo) {
  OpenStore(memory_);
  const VideoStream door = Create("door");
  EXPECT_TRUE(AppendAside(door, 0).get());
  const FragmentNumber open = store_->OpenFragment(door).value();
  memory_.AfterDeletion([&] {
    memory_.AfterDeletion(nullptr);
    EXPECT_TRUE(AppendAside(door, 2, nullptr, open).get());
    EXPECT_TRUE(AppendAside(door, 6).get());  // opened now: footage of its own
  });
  const auto deleted = store_->DeleteFootage("door", {At(0), At(10)});
  ASSERT_TRUE(deleted) << deleted.error().ToString();
  EXPECT_EQ(deleted->fragments, 2u);
  EXPECT_EQ(deleted->bytes, 40'000u);
  EXPECT_THAT(deleted->spans, ElementsAre(FootageSpan{At(0), At(4)}));
  EXPECT_THAT(Starts("door"), ElementsAre(6));
  store_.reset();
}

TEST_F(FootageTest, WhatIsDeletedBeforeItIsStoredIsNotShownAsStored) {
  OpenStore(memory_);
  const VideoStream door = Create("door");
  auto live = store_->Live("door").value();
  auto subscription = live->Subscribe([] {});
  memory_.FailPuts(Error{ErrorCode::kNoSpace, "full"});
  auto queued = AppendAside(door, 0, live.get());
  const FragmentNumber open = store_->OpenFragment(door).value();
  live->Open(open, 1, true, {});  // of no frames yet: it cannot be told that it will touch the range
  ASSERT_TRUE(store_->DeleteFootage("door", {At(0), At(10)}));
  ASSERT_EQ(live->Fragments().size(), 1u);
  live->Close(Make(open, 4, 2).facts);
  EXPECT_EQ(AppendAside(door, 4, nullptr, open).get().value(), open);
  live->SetPersisted(open);  // as its appender does
  live->SetPersisted(queued.get().value());
  EXPECT_TRUE(live->Fragments().empty());
  EXPECT_FALSE(live->NewestPersisted());
  subscription.reset();
  store_.reset();
}

// ---- holds

TEST_F(FootageTest, HeldFootageOutlivesRetentionDeletionAndItsStream) {
  const VideoStream door = Create("door", std::chrono::hours(1));
  for (int s = 0; s < 10; s += 2) Append(door, s);
  const FootageHold placed = store_->PlaceHold("door", MakeHold("case-7", 3, 5)).value();
  EXPECT_EQ(placed.placed, kNow);
  auto refused = store_->DeleteFootage("door", {At(4), At(9)});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(refused.error().message, HasSubstr("case-7"));
  // A fragment of which a part is held is held, though the ranges do not touch.
  refused = store_->DeleteFootage("door", {At(5), At(9)});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("case-7"));
  refused = store_->DeleteFootage("door", {At(1004), At(1005), FootageClock::kServer});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kFailedPrecondition);
  const auto kept = store_->DeleteStream("door");
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(kept.error().message, HasSubstr("case-7"));
  ASSERT_TRUE(store_->SetRetention("door", std::chrono::minutes(1)));
  clock_.Advance(std::chrono::hours(24));
  ASSERT_TRUE(log_->Sweep());
  EXPECT_THAT(Starts("door"), ElementsAre(2, 4));
  Reopen();
  EXPECT_THAT(Starts("door"), ElementsAre(2, 4));
  EXPECT_THAT(store_->ListHolds("door").value(), ElementsAre(placed));
  ASSERT_TRUE(store_->ReleaseHold("door", "case-7"));
  EXPECT_THAT(Starts("door"), IsEmpty());
  ASSERT_TRUE(store_->DeleteStream("door"));
}

// Goal: a fragment that begins in the range and reaches into a hold is kept, before it is stored as after.
TEST_F(FootageTest, AHoldKeepsWhatWaitsForTheDisk) {
  OpenStore(memory_);
  const VideoStream door = Create("door");
  ASSERT_TRUE(store_->PlaceHold("door", MakeHold("case-7", 5, 9)));
  memory_.FailPuts(Error{ErrorCode::kNoSpace, "full"});
  auto free = AppendAside(door, 2);
  auto held = AppendAside(door, 4);
  for (const FootageRange& range :
       {FootageRange{At(0), At(5)}, FootageRange{At(1000), At(1005), FootageClock::kServer}}) {
    const auto refused = store_->DeleteFootage("door", range);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kFailedPrecondition);
    EXPECT_THAT(refused.error().message, HasSubstr("case-7"));
  }
  memory_.FailPuts(std::nullopt);
  EXPECT_TRUE(free.get());
  EXPECT_TRUE(held.get());
  EXPECT_THAT(Starts("door"), ElementsAre(2, 4));
  store_.reset();
}

TEST_F(FootageTest, AHoldKeepsWhatIsStillOpen) {
  const VideoStream door = Create("door");
  ASSERT_TRUE(store_->PlaceHold("door", MakeHold("case-7", 5, 9)));
  const FragmentNumber held = store_->OpenFragment(door).value();
  const FragmentNumber free = store_->OpenFragment(door).value();
  ASSERT_TRUE(store_->DeleteFootage("door", {At(0), At(5)}));
  EXPECT_TRUE(AppendAside(door, 4, nullptr, held).get());
  EXPECT_TRUE(AppendAside(door, 3, nullptr, free).get());
  EXPECT_THAT(Starts("door"), ElementsAre(4));
}

TEST_F(FootageTest, AHoldMayLieInTheFutureOrBeOpen) {
  const VideoStream door = Create("door", std::chrono::hours(1));
  ASSERT_TRUE(store_->PlaceHold("door", MakeHold("ahead", 101, 103)));
  ASSERT_TRUE(store_->PlaceHold("door", MakeHold("open", 200, std::nullopt)));
  for (int s = 96; s < 108; s += 2) Append(door, s);
  Append(door, 199, 2);
  Append(door, 100'000);
  clock_.Advance(std::chrono::hours(24));
  ASSERT_TRUE(log_->Sweep());
  EXPECT_THAT(Starts("door"), ElementsAre(100, 102, 199, 100'000));
}

TEST_F(FootageTest, WhatTheOneHoldHasTheOtherMayNot) {
  Create("door");
  const FootageHold hold = MakeHold("h", 1, 2);
  ASSERT_TRUE(store_->PlaceHold("door", hold));
  FootageHold again = hold;
  again.reason = "another word";
  EXPECT_EQ(store_->PlaceHold("door", again)->placed, kNow);
  EXPECT_EQ(store_->ListHolds("door").value()[0].reason, "another word");
  EXPECT_EQ(store_->PlaceHold("door", MakeHold("h", 1, 3)).error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(store_->PlaceHold("none", hold).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_->ReleaseHold("door", "none").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_->ReleaseHold("none", "h").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_->ListHolds("none").error().code, ErrorCode::kNotFound);
}

struct BadHold {
  std::string name;
  std::string id;
  std::int64_t end_s;
  std::size_t reason_bytes;
};
class BadHoldTest : public testing::TestWithParam<BadHold> {};
TEST_P(BadHoldTest, IsRefused) {
  FootageHold hold;
  hold.id = GetParam().id;
  hold.start = At(5);
  hold.end = At(GetParam().end_s);
  hold.reason = std::string(GetParam().reason_bytes, 'x');
  EXPECT_EQ(CheckFootageHold(hold).error().code, ErrorCode::kInvalidArgument);
}
INSTANTIATE_TEST_SUITE_P(Cases, BadHoldTest,
                         testing::Values(BadHold{"no_id", "", 6, 0}, BadHold{"slash", "a/b", 6, 0},
                                         BadHold{"space", "a b", 6, 0},
                                         BadHold{"zero", std::string(1, '\0'), 6, 0},
                                         BadHold{"long_id", std::string(129, 'x'), 6, 0},
                                         BadHold{"empty", "h", 5, 0}, BadHold{"backwards", "h", 4, 0},
                                         BadHold{"long_reason", "h", 6, 1025}),
                         [](const auto& tested) { return tested.param.name; });

TEST(FootageHolds, NotesThatAreNoneOfOursAreNamed) {
  FootageHold hold;
  hold.id = "h";
  hold.start = At(1);
  hold.reason = "why";
  const storage::Hold log = ToLogHold(hold);
  EXPECT_EQ(FromLogHold(log).value(), hold);
  for (std::size_t bytes = 0; bytes < 22; ++bytes) {
    storage::Hold damaged = log;
    damaged.note.resize(bytes);
    EXPECT_EQ(FromLogHold(damaged).error().code, ErrorCode::kCorruption) << bytes;
  }
  storage::Hold newer = log;
  newer.note[0] = 9;
  EXPECT_EQ(FromLogHold(newer).error().code, ErrorCode::kUnsupported);
}

// ---- retention 0

TEST_F(FootageTest, TheRingHoldsItsBytesAndItsMinutes) {
  const VideoStream live = Create("live", Duration{0});
  for (int s = 0; s < 30; ++s) {
    clock_.Advance(std::chrono::seconds(1));
    Append(live, s, 1);  // 20 kB each of 100 kB
  }
  EXPECT_TRUE(test::WaitUntil([&] { return Starts("live").size() <= 6; }));
  const auto starts = Starts("live");
  ASSERT_GE(starts.size(), 4u);
  EXPECT_LE(starts.size(), 6u);
  EXPECT_EQ(starts.back(), 29);
  EXPECT_TRUE(test::WaitUntil([&] { return store_->Usage("live")->bytes <= 120'000u; }));
  clock_.Advance(std::chrono::minutes(6));
  EXPECT_THAT(Starts("live"), IsEmpty());
  Append(live, 400, 1, 300'000);  // larger than the ring: it is there all the same
  EXPECT_THAT(Starts("live"), ElementsAre(400));
}

TEST_F(FootageTest, OtherStreamsHaveNoRing) {
  const VideoStream door = Create("door");
  for (int s = 0; s < 30; ++s) Append(door, s, 1);
  EXPECT_EQ(Starts("door").size(), 30u);
}

}  // namespace
}  // namespace millrace
