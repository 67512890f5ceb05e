// Goal: whoever keeps the causes of gaps hears each change of a camera once, with the right cause and from
// the right time. Method: a fleet over sources that do as told, and a listener that writes down what it
// hears.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "ingest/camera_fleet.h"
#include "tests/ingest/collectors.h"
#include "tests/ingest/fake_source.h"

namespace millrace::test {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::StartsWith;

class Notes final : public GapListener {
 public:
  void BeginGap(const std::string& stream, GapCause cause, Timestamp start, std::string detail) override {
    const std::lock_guard lock(mutex_);
    lines_.push_back(stream + " " + std::string(ToString(cause)));
    details_.push_back(std::move(detail));
    last_start_ = start;
  }
  void EndGap(const std::string& stream, Timestamp) override {
    const std::lock_guard lock(mutex_);
    lines_.push_back(stream + " recorded");
  }
  void Add(const std::string& stream, Gap gap) override {
    const std::lock_guard lock(mutex_);
    added_.emplace_back(stream, std::move(gap));
  }
  std::vector<std::pair<std::string, Gap>> added() const {
    const std::lock_guard lock(mutex_);
    return added_;
  }
  std::vector<std::string> lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }
  std::string last_detail() const {
    const std::lock_guard lock(mutex_);
    return details_.back();
  }
  Timestamp last_start() const {
    const std::lock_guard lock(mutex_);
    return last_start_;
  }
  bool Hears(const std::string& line) const {
    return WaitUntil([&] {
      const auto heard = lines();
      return !heard.empty() && heard.back() == line;
    });
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
  std::vector<std::string> details_;
  std::vector<std::pair<std::string, Gap>> added_;
  Timestamp last_start_;
};

constexpr Duration kSoon = std::chrono::milliseconds(300);

CameraSettings Settings(bool enabled = true) {
  CameraSettings settings;
  settings.name = "door";
  settings.url = "rtsp://camera.example/live";
  settings.stream = "door-stream";
  settings.enabled = enabled;
  return settings;
}

void Send(RtspSourceEvents& events) {
  events.OnRun({VideoTrack()}, ClockSource::kCamera);
  events.OnFrame(MakeFrame(1, true));
}

// Tries again after an hour, so that nothing follows what a test waits for. `silence_max`: also before the
// first frame.
struct Rig {
  explicit Rig(FakeSource::OnStart on_start, Duration silence_max = std::chrono::hours(1))
      : sources(std::move(on_start)) {
    FleetOptions options;
    options.backoff = {std::chrono::hours(1), std::chrono::hours(1)};
    options.gaps = &notes;
    options.silence_timeout = silence_max;
    options.first_frame_timeout = silence_max;
    fleet = *CameraFleet::Start(store, sinks.Factory(), options, sources.Factory());
  }
  Notes notes;
  MemoryStore store;
  SinkSet sinks;
  FakeSources sources;
  std::unique_ptr<CameraFleet> fleet;
};

struct EndCase {
  const char* name;
  ErrorCode code;
  bool sends;  // a frame before it ends
  const char* cause;
};
void PrintTo(const EndCase& c, std::ostream* out) { *out << c.name; }

class GapCauseTest : public testing::TestWithParam<EndCase> {};

TEST_P(GapCauseTest, AnEndBecomesACause) {
  Rig rig([](const RtspSourceOptions&, RtspSourceEvents& events) {
    if (GetParam().sends) Send(events);
    events.OnEnded(Error{GetParam().code, "as told"});
  });
  ASSERT_TRUE(rig.fleet->Put(Settings(), std::nullopt));
  ASSERT_TRUE(rig.notes.Hears(std::string("door-stream ") + GetParam().cause));
  EXPECT_EQ(rig.notes.lines().front(), "door-stream connecting");
  EXPECT_EQ(rig.notes.last_detail(), "as told");
}

INSTANTIATE_TEST_SUITE_P(
    Table, GapCauseTest,
    testing::Values(EndCase{"refused", ErrorCode::kUnavailable, false, "unreachable"},
                    EndCase{"no_such_path", ErrorCode::kNotFound, false, "unreachable"},
                    EndCase{"no_answer", ErrorCode::kDeadlineExceeded, false, "unreachable"},
                    EndCase{"lost", ErrorCode::kUnavailable, true, "network_loss"},
                    EndCase{"password", ErrorCode::kUnauthenticated, false, "unauthorized"},
                    EndCase{"password_while_recording", ErrorCode::kUnauthenticated, true, "unauthorized"},
                    EndCase{"codec", ErrorCode::kUnsupported, false, "undecodable"},
                    EndCase{"disk", ErrorCode::kNoSpace, false, "disk_refused"}),
    [](const auto& each) { return std::string(each.param.name); });

TEST(GapReportsTest, ACameraThatFallsSilentIsSilentSinceItsLastFrame) {
  Rig rig([](const RtspSourceOptions&, RtspSourceEvents& events) { Send(events); }, kSoon);
  ASSERT_TRUE(rig.fleet->Put(Settings(), std::nullopt));
  ASSERT_TRUE(rig.notes.Hears("door-stream silent"));
  EXPECT_THAT(rig.notes.lines(),
              ElementsAre("door-stream connecting", "door-stream recorded", "door-stream silent"));
  EXPECT_EQ(rig.notes.last_start(), rig.fleet->Get("door")->last_frame);
}

TEST(GapReportsTest, AHoleWithinAConnectionHasACause) {
  const Timestamp first = SystemClock().Now();
  Rig rig([first](const RtspSourceOptions&, RtspSourceEvents& events) {
    events.OnRun({VideoTrack()}, ClockSource::kCamera);
    const auto frame_at = [&](int ms) {
      Frame frame = MakeFrame(1, ms == 0);
      frame.arrival = first + std::chrono::milliseconds(ms);
      events.OnFrame(std::move(frame));
    };
    for (int ms = 0; ms <= 1000; ms += 100) frame_at(ms);
    frame_at(4000);
    frame_at(4100);
    events.OnLoss(TrackKind::kVideo, 3);
    frame_at(9100);
    frame_at(9200);
  });
  ASSERT_TRUE(rig.fleet->Put(Settings(), std::nullopt));
  ASSERT_TRUE(WaitUntil([&] { return rig.notes.added().size() == 2; }));
  const auto added = rig.notes.added();
  EXPECT_EQ(added[0].first, "door-stream");
  EXPECT_EQ(added[0].second.cause, GapCause::kSilent);
  EXPECT_EQ(added[0].second.start, first + std::chrono::seconds(1));
  EXPECT_EQ(added[0].second.end, first + std::chrono::seconds(4));
  EXPECT_EQ(added[1].second.cause, GapCause::kNetworkLoss);
  EXPECT_EQ(added[1].second.start, first + std::chrono::milliseconds(4100));
  EXPECT_TRUE(rig.sinks.Of("door").Wait([](const Received& r) { return r.lost == 1; }));
}

TEST(GapReportsTest, PicturesThatNobodyCanDecodeAreACause) {
  std::atomic<RtspSourceEvents*> camera{nullptr};
  Rig rig([&](const RtspSourceOptions&, RtspSourceEvents& events) {
    events.OnRun({VideoTrack()}, ClockSource::kCamera);
    events.OnFrame(MakeFrame(1, false));
    camera = &events;
  });
  ASSERT_TRUE(rig.fleet->Put(Settings(), std::nullopt));
  ASSERT_TRUE(rig.notes.Hears("door-stream undecodable"));
  camera.load()->OnFrame(MakeFrame(1, true));
  ASSERT_TRUE(WaitUntil([&] {
    const auto lines = rig.notes.lines();
    return std::count(lines.begin(), lines.end(), "door-stream recorded") == 1;
  }));
}

TEST(GapReportsTest, ACameraThatNeverSendsIsSilent) {
  Rig rig([](const RtspSourceOptions&, RtspSourceEvents&) {}, kSoon);
  ASSERT_TRUE(rig.fleet->Put(Settings(), std::nullopt));
  ASSERT_TRUE(rig.notes.Hears("door-stream silent"));
  EXPECT_THAT(rig.notes.lines(), ElementsAre("door-stream connecting", "door-stream silent"));
}

TEST(GapReportsTest, SwitchingOffAndRemovingAreCauses) {
  Rig rig([](const RtspSourceOptions&, RtspSourceEvents& events) {
    events.OnEnded(Error{ErrorCode::kUnavailable, "away"});
  });
  ASSERT_TRUE(rig.fleet->Put(Settings(false), std::nullopt));
  ASSERT_TRUE(rig.notes.Hears("door-stream disabled"));
  ASSERT_TRUE(rig.fleet->Put(Settings(true), std::nullopt));
  ASSERT_TRUE(rig.notes.Hears("door-stream unreachable"));
  ASSERT_TRUE(rig.fleet->Put(Settings(false), std::nullopt));
  ASSERT_TRUE(rig.notes.Hears("door-stream disabled"));
  EXPECT_THAT(rig.notes.lines(), ElementsAre("door-stream disabled", "door-stream connecting",
                                             "door-stream unreachable", "door-stream disabled"));
  ASSERT_TRUE(rig.fleet->Put(Settings(true), std::nullopt));
  ASSERT_TRUE(rig.notes.Hears("door-stream unreachable"));
  ASSERT_TRUE(rig.fleet->Remove("door"));
  EXPECT_EQ(rig.notes.lines().back(), "door-stream disabled");
  EXPECT_EQ(rig.notes.last_detail(), "the camera was removed");
}

TEST(GapReportsTest, ACameraThatChangesItsStreamLeavesTheOldOne) {
  Rig rig([](const RtspSourceOptions&, RtspSourceEvents& events) {
    events.OnEnded(Error{ErrorCode::kUnavailable, "away"});
  });
  ASSERT_TRUE(rig.fleet->Put(Settings(), std::nullopt));
  ASSERT_TRUE(rig.notes.Hears("door-stream unreachable"));
  CameraSettings moved = Settings();
  moved.stream = "other";
  ASSERT_TRUE(rig.fleet->Put(moved, std::nullopt));
  ASSERT_TRUE(rig.notes.Hears("other unreachable"));
  EXPECT_THAT(rig.notes.lines(),
              ElementsAre("door-stream connecting", "door-stream unreachable", "door-stream disabled",
                          "other connecting", "other unreachable"));
}

TEST(GapReportsTest, StoppingTheServerIsNoCauseOfACamera) {
  Rig rig([](const RtspSourceOptions&, RtspSourceEvents& events) {
    events.OnEnded(Error{ErrorCode::kUnavailable, "away"});
  });
  ASSERT_TRUE(rig.fleet->Put(Settings(), std::nullopt));
  ASSERT_TRUE(rig.notes.Hears("door-stream unreachable"));
  rig.fleet->Stop();
  EXPECT_EQ(rig.notes.lines().back(), "door-stream unreachable");
  EXPECT_THAT(rig.notes.lines(), Each(StartsWith("door-stream ")));
}

}  // namespace
}  // namespace millrace::test
