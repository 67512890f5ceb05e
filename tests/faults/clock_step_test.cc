// Goal: the server's own clock may be set, forward, back and by a second, while cameras are recorded: no
// frame is lost, no fragment's number goes back, and times follow the clock soon. Method: the real pipeline
// from camera-sim to the log on disk, in this process, with a clock whose wall time is the machine's and an
// error that the test sets. Two cameras: one whose sender reports are right, one without.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>

#include "fragments/fragment_store.h"
#include "ingest/camera_fleet.h"
#include "ingest/recorder_sink.h"
#include "parser/parse_fragment.h"
#include "storage/embedded_log.h"
#include "tests/ingest/clip_reader.h"
#include "tests/ingest/collectors.h"
#include "tests/ingest/sim_process.h"

namespace millrace::test {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

// The machine's clock with an error. Threads: any.
class WrongClock final : public Clock {
 public:
  Timestamp Now() const override { return SystemClock().Now() + Duration{error_ns_.load()}; }
  std::chrono::steady_clock::time_point SteadyNow() const override { return SystemClock().SteadyNow(); }
  void SetError(Duration error) { error_ns_ = error.count(); }

 private:
  std::atomic<std::int64_t> error_ns_{0};
};

class ClockStepTest : public testing::Test {
 protected:
  void SetUp() override {
    storage::EmbeddedLogOptions log_options;
    log_options.path = directory + "/log";
    log_options.clock = &clock;
    auto opened = storage::EmbeddedLog::Open(log_options);
    ASSERT_TRUE(opened) << opened.error().ToString();
    log = std::move(*opened);
    auto made = FragmentStore::Open(*log, {.shards = 1, .clock = &clock});
    ASSERT_TRUE(made) << made.error().ToString();
    store = std::move(*made);
    FleetOptions fleet_options;
    fleet_options.clock = &clock;
    // All fall silent to who stood still.
    fleet_options.silence_timeout = seconds(60);
    auto started = CameraFleet::Start(cameras, MakeRecorderSinks(*store, {.clock = &clock}), fleet_options);
    ASSERT_TRUE(started) << started.error().ToString();
    fleet = std::move(*started);
  }

  void Put(const std::string& name, int number) {
    CameraSettings settings;
    settings.name = settings.stream = name;
    settings.url = sim.Url(number);
    const auto put = fleet->Put(settings, std::nullopt);
    ASSERT_TRUE(put) << put.error().ToString();
  }
  std::vector<FragmentFacts> Fragments(const std::string& name) {
    FragmentQuery query;
    query.order = FragmentOrder::kNumber;
    auto found = store->List(name, query);
    return found ? std::move(*found) : std::vector<FragmentFacts>{};
  }
  // Times have come over to the clock: three fragments start near it.
  bool WaitNearClock(const std::string& name) {
    const std::size_t before = Fragments(name).size();
    return WaitUntil([&] {
      const auto all = Fragments(name);
      return all.size() >= before + 4 &&
             std::all_of(all.end() - 3, all.end(), [&](const FragmentFacts& f) { return IsNear(f); });
    });
  }
  // Of when it was opened; the machine may be busy.
  static bool IsNear(const FragmentFacts& facts) {
    return std::chrono::abs(facts.start - facts.server_start) < seconds(20);
  }

  void Check(const std::string& name, const ClipFrames& clip, std::size_t runs) {
    const auto fragments = Fragments(name);
    std::vector<std::string> video;
    std::uint64_t last_run = 0;
    std::size_t runs_seen = 0;
    std::size_t far = 0;
    for (std::size_t i = 0; i < fragments.size(); ++i) {
      const FragmentFacts& facts = fragments[i];
      if (facts.run != last_run) ++runs_seen;
      if (i > 0) {
        EXPECT_GT(facts.number, fragments[i - 1].number);
      }
      if (i > 0 && facts.run == last_run) {
        EXPECT_EQ(facts.start, fragments[i - 1].end_time()) << name << " " << i;
      }
      EXPECT_LE(facts.duration, seconds(11));
      EXPECT_TRUE(facts.independent);
      last_run = facts.run;
      if (!IsNear(facts)) ++far;
      const auto fragment = store->Read(name, facts.number);
      ASSERT_TRUE(fragment) << fragment.error().ToString();
      const auto parsed = ParseFragment(fragment->mkv);
      ASSERT_TRUE(parsed) << parsed.error().ToString();
      for (const ParsedFrame& frame : parsed->frames) {
        if (frame.track == 1) video.push_back(SlicesOf(frame.data));
      }
    }
    EXPECT_EQ(runs_seen, runs) << name;
    EXPECT_LE(far, 8U) << name;  // until a step is believed, and the key frame after it
    EXPECT_GT(video.size(), 8U * 25U);
    EXPECT_EQ(StretchFault(video, clip.video), "") << name;
    EXPECT_EQ(video.front(), clip.video.front());
  }

  const std::string directory = MakeTempDir(testing::TempDir());
  const std::string clip_path = directory + "/clip.mp4";
  SimProcess sim{{"--cameras", "2", "--fault", "no-sr@2", "--report-interval", "1", "--duration", "10",
                  "--dump", clip_path}};
  WrongClock clock;
  MemoryStore cameras;
  std::unique_ptr<storage::EmbeddedLog> log;
  std::unique_ptr<FragmentStore> store;
  std::unique_ptr<CameraFleet> fleet;
};

TEST_F(ClockStepTest, TimesFollowTheServersClockAndNothingIsLost) {
  Put("reports", 1);
  Put("silent", 2);
  for (const Duration error : {Duration{0}, Duration{hours(1)}, Duration{0}, Duration{-hours(1)}}) {
    clock.SetError(error);
    EXPECT_TRUE(WaitNearClock("reports"));
    EXPECT_TRUE(WaitNearClock("silent"));
  }
  EXPECT_EQ(fleet->Get("reports")->state, CameraState::kRecording);
  EXPECT_EQ(fleet->Get("reports")->attempts, 1U);
  EXPECT_EQ(fleet->Get("reports")->clock_jumps, 3U);
  EXPECT_EQ(fleet->Get("silent")->attempts, 1U);
  fleet->Stop();

  const ClipFrames clip = ReadClip(clip_path);
  Check("reports", clip, 4);
  Check("silent", clip, 4);
  // What was recorded by the wrong clocks is found by the times that they gave.
  for (const FragmentFacts& facts : Fragments("reports")) {
    EXPECT_TRUE(store->FindContaining("reports", facts.start));
  }
}

// As a server that was started with a wrong clock which is then set, or over a leap second.
TEST_F(ClockStepTest, ASecondIsWorkedOffWithinTheRun) {
  Put("silent", 2);
  EXPECT_TRUE(WaitNearClock("silent"));
  clock.SetError(-seconds(1));
  EXPECT_TRUE(WaitNearClock("silent"));
  clock.SetError(Duration{0});
  EXPECT_TRUE(WaitNearClock("silent"));
  EXPECT_EQ(fleet->Get("silent")->clock_jumps, 0U);
  fleet->Stop();
  Check("silent", ReadClip(clip_path), 1);
}

}  // namespace
}  // namespace millrace::test
