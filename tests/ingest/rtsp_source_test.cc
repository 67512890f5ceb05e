// Goal: what a camera sends arrives frame by frame, with the camera's times, and what goes wrong is told by
// its kind. Method: the real camera-sim, whose clip is compared slice by slice with what came.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdlib>

#include "ingest/gst_rtsp_source.h"
#include "tests/ingest/clip_reader.h"
#include "tests/ingest/collectors.h"
#include "tests/ingest/sim_process.h"
#include "tests/kept_port.h"

namespace millrace::test {
namespace {

RtspSourceOptions OptionsFor(const std::string& url) {
  RtspSourceOptions options;
  options.name = "test";
  options.url = url;
  options.network_timeout = kPatience;
  return options;
}

std::size_t VideoFrames(const Received& r) { return r.runs.empty() ? 0 : r.runs[0].Of(1).size(); }

TEST(RtspSourceTest, PacketsThatMakeNoFrameAreBounded) {
  SimProcess sim({});
  CollectingEvents events;
  RtspSourceOptions options = OptionsFor(sim.Url(1));
  options.bytes_max = 2'000;  // less than a key frame takes
  const auto source = MakeGstRtspSource(options, events);
  ASSERT_TRUE(source->Start());
  ASSERT_TRUE(events.inbox.Wait([](const Received& r) { return r.ended.has_value(); }));
  source->Stop();
  EXPECT_EQ(events.inbox.Get().ended->code, ErrorCode::kCorruption);
  EXPECT_EQ(VideoFrames(events.inbox.Get()), 0U);
}

TEST(RtspSourceTest, LostPacketsAreToldOf) {
  SimProcess sim({"--fault", "loss=20"});
  CollectingEvents events;
  const auto source = MakeGstRtspSource(OptionsFor(sim.Url(1)), events);
  ASSERT_TRUE(source->Start());
  EXPECT_TRUE(events.inbox.Wait([](const Received& r) { return r.lost >= 10; }));
  source->Stop();
}

class TransportTest : public testing::TestWithParam<CameraTransport> {};

TEST_P(TransportTest, EveryFrameComesOnceWithTheCamerasTimes) {
  const std::string clip_path = MakeTempDir(testing::TempDir()) + "/clip.mp4";
  SimProcess sim({"--bframes", "2", "--duration", "1.28", "--dump", clip_path});
  const ClipFrames clip = ReadClip(clip_path);
  ASSERT_EQ(clip.video.size(), 32U);
  ASSERT_EQ(clip.audio.size(), 60U);

  CollectingEvents events;
  RtspSourceOptions options = OptionsFor(sim.Url(1));
  options.transport = GetParam();
  options.clock_difference_max = kPatience;  // a report that comes late looks like a clock that is wrong
  const auto source = MakeGstRtspSource(options, events);
  const Timestamp begin = SystemClock().Now();
  ASSERT_TRUE(source->Start());
  ASSERT_TRUE(events.inbox.Wait(
      [](const Received& r) { return VideoFrames(r) >= 80 && r.runs[0].Of(2).size() > 100; }));
  source->Stop();
  const Timestamp end = SystemClock().Now();

  const Received received = events.inbox.Get();
  EXPECT_FALSE(received.ended);
  EXPECT_EQ(received.corrected, 0U);
  ASSERT_EQ(received.runs.size(), 1U);
  const Received::Run& run = received.runs[0];
  EXPECT_EQ(run.clock, ClockSource::kCamera);
  ASSERT_EQ(run.tracks.size(), 2U);
  EXPECT_EQ(run.tracks[0].codec, Codec::kH264);
  EXPECT_EQ(run.tracks[0].width, 320U);
  EXPECT_EQ(run.tracks[0].height, 240U);
  EXPECT_FALSE(run.tracks[0].codec_private.empty());
  EXPECT_EQ(run.tracks[1].codec, Codec::kAac);
  EXPECT_EQ(run.tracks[1].number, 2U);
  EXPECT_EQ(run.tracks[1].sample_rate, 48000U);
  EXPECT_EQ(run.tracks[1].channels, 2U);

  std::vector<std::string> video;
  std::vector<Timestamp> times;
  for (const Frame& frame : run.Of(1)) {
    video.push_back(SlicesOf(frame.data.span()));
    times.push_back(frame.pts);
    // Both run on one machine: the camera's clock and the server's are the same. However late it came.
    EXPECT_GT(frame.pts, begin - std::chrono::seconds(5));
    EXPECT_LT(frame.pts, end + std::chrono::seconds(5));
  }
  EXPECT_EQ(StretchFault(video, clip.video), "");
  EXPECT_TRUE(run.Of(1)[0].key_frame);
  EXPECT_FALSE(run.Of(1)[1].key_frame);
  // B-frames: sent out of order, evenly spaced once sorted.
  EXPECT_FALSE(std::is_sorted(times.begin(), times.end()));
  std::sort(times.begin(), times.end());
  for (std::size_t i = 4; i + 4 < times.size(); ++i) {
    EXPECT_NEAR(static_cast<double>((times[i] - times[i - 1]).count()), 40e6, 1e6) << i;
  }
  std::vector<std::string> audio;
  for (const Frame& frame : run.Of(2)) {
    audio.emplace_back(AsText(frame.data.span()));
    EXPECT_TRUE(frame.key_frame);
    EXPECT_EQ(frame.duration.count(), 21'333'333);
  }
  EXPECT_GT(audio.size(), 100U);
  EXPECT_EQ(StretchFault(audio, clip.audio), "");
}

INSTANTIATE_TEST_SUITE_P(Transports, TransportTest,
                         testing::Values(CameraTransport::kTcp, CameraTransport::kUdp), [](const auto& each) {
                           return each.param == CameraTransport::kTcp ? "Tcp" : "Udp";
                         });

TEST(RtspSourceTest, VideoAloneIsARun) {
  SimProcess sim({"--no-audio", "--duration", "1"});
  CollectingEvents events;
  const auto source = MakeGstRtspSource(OptionsFor(sim.Url(1)), events);
  ASSERT_TRUE(source->Start());
  EXPECT_TRUE(events.inbox.Wait([](const Received& r) { return VideoFrames(r) >= 10; }));
  source->Stop();
  EXPECT_EQ(events.inbox.Get().runs.at(0).tracks.size(), 1U);
}

TEST(RtspSourceTest, TheEndOfTheStreamIsTold) {
  SimProcess sim({"--frames", "20", "--duration", "1"});
  CollectingEvents events;
  const auto source = MakeGstRtspSource(OptionsFor(sim.Url(1)), events);
  ASSERT_TRUE(source->Start());
  ASSERT_TRUE(events.inbox.Wait([](const Received& r) { return r.ended.has_value(); }));
  source->Stop();
  const Received received = events.inbox.Get();
  EXPECT_EQ(received.ended->code, ErrorCode::kUnavailable) << received.ended->message;
  EXPECT_EQ(VideoFrames(received), 20U);
}

TEST(RtspSourceTest, TheRightPasswordIsAccepted) {
  SimProcess sim({"--duration", "1"}, {"CAMERA_SIM_USER=ann", "CAMERA_SIM_PASSWORD=p:w %41/\"x"});
  CollectingEvents events;
  RtspSourceOptions options = OptionsFor(sim.Url(1));
  options.credentials = CameraCredentials{"ann", "p:w %41/\"x"};
  const auto source = MakeGstRtspSource(options, events);
  ASSERT_TRUE(source->Start());
  EXPECT_TRUE(events.inbox.Wait([](const Received& r) { return VideoFrames(r) >= 5; }));
  source->Stop();
}

struct FailureCase {
  const char* name;
  const char* path;
  std::optional<CameraCredentials> credentials;
  ErrorCode code;
};

class FailureTest : public testing::TestWithParam<FailureCase> {};

TEST_P(FailureTest, IsToldByItsKindAndWithoutSecrets) {
  SimProcess sim({"--duration", "1"}, {"CAMERA_SIM_USER=ann", "CAMERA_SIM_PASSWORD=right"});
  CollectingEvents events;
  RtspSourceOptions options = OptionsFor(sim.Url(1) + GetParam().path);
  options.credentials = GetParam().credentials;
  const auto source = MakeGstRtspSource(options, events);
  ASSERT_TRUE(source->Start());
  ASSERT_TRUE(events.inbox.Wait([](const Received& r) { return r.ended.has_value(); }));
  source->Stop();
  const Error error = *events.inbox.Get().ended;
  EXPECT_EQ(error.code, GetParam().code) << error.message;
  EXPECT_EQ(error.message.find("wrong-secret"), std::string::npos) << error.message;
}

INSTANTIATE_TEST_SUITE_P(
    Failures, FailureTest,
    testing::Values(FailureCase{"WrongPassword", "", CameraCredentials{"ann", "wrong-secret"},
                                ErrorCode::kUnauthenticated},
                    FailureCase{"WrongUser", "", CameraCredentials{"bob", "right"},
                                ErrorCode::kUnauthenticated},
                    FailureCase{"NoPassword", "", std::nullopt, ErrorCode::kUnauthenticated},
                    FailureCase{"NoSuchPath", "9", CameraCredentials{"ann", "right"}, ErrorCode::kNotFound}),
    [](const auto& each) { return each.param.name; });

// A listening socket that may take connections and never answers.
class DeafServer {
 public:
  DeafServer() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    if (::bind(socket_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(socket_, 8) != 0)
      std::abort();
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  ~DeafServer() { ::close(socket_); }
  DeafServer(const DeafServer&) = delete;
  DeafServer& operator=(const DeafServer&) = delete;
  std::string Url() const { return "rtsp://127.0.0.1:" + std::to_string(port_) + "/cam"; }

 private:
  int socket_;
  int port_ = 0;
};

TEST(RtspSourceTest, AServerThatNeverAnswersIsGivenUp) {
  DeafServer server;
  CollectingEvents events;
  RtspSourceOptions options = OptionsFor(server.Url());
  options.network_timeout = std::chrono::milliseconds(300);
  const auto source = MakeGstRtspSource(options, events);
  ASSERT_TRUE(source->Start());
  ASSERT_TRUE(events.inbox.Wait([](const Received& r) { return r.ended.has_value(); }));
  EXPECT_EQ(events.inbox.Get().ended->code, ErrorCode::kUnavailable);
  source->Stop();
}

TEST(RtspSourceTest, StopDoesNotWaitForAServerThatNeverAnswers) {
  DeafServer server;
  CollectingEvents events;
  RtspSourceOptions options = OptionsFor(server.Url());
  options.network_timeout = std::chrono::hours(1);
  const auto source = MakeGstRtspSource(options, events);
  ASSERT_TRUE(source->Start());
  source->Stop();
  EXPECT_EQ(events.inbox.Get().frames(), 0U);
  EXPECT_FALSE(events.inbox.Get().ended);
}

TEST(RtspSourceTest, AnUnreachablePortIsTold) {
  const KeptPort port;  // one that was let go of may be another program's by then
  CollectingEvents events;
  const auto source =
      MakeGstRtspSource(OptionsFor("rtsp://127.0.0.1:" + std::to_string(port.number()) + "/cam"), events);
  ASSERT_TRUE(source->Start());
  ASSERT_TRUE(events.inbox.Wait([](const Received& r) { return r.ended.has_value(); }));
  EXPECT_EQ(events.inbox.Get().ended->code, ErrorCode::kUnavailable);
  source->Stop();
}

TEST(RtspSourceTest, ACameraWithAWrongClockIsRecordedByArrival) {
  SimProcess sim({"--duration", "1", "--fault", "sr-shift=-1000000000"});
  CollectingEvents events;
  const auto source = MakeGstRtspSource(OptionsFor(sim.Url(1)), events);
  const Timestamp begin = SystemClock().Now();
  ASSERT_TRUE(source->Start());
  ASSERT_TRUE(events.inbox.Wait([](const Received& r) { return VideoFrames(r) >= 30; }));
  source->Stop();
  const Timestamp end = SystemClock().Now();
  const Received received = events.inbox.Get();
  EXPECT_EQ(received.runs[0].clock, ClockSource::kArrival);
  for (const Frame& frame : received.runs[0].frames) {
    EXPECT_GT(frame.pts, begin - std::chrono::seconds(3));
    EXPECT_LT(frame.pts, end + std::chrono::seconds(3));
  }
}

}  // namespace
}  // namespace millrace::test
