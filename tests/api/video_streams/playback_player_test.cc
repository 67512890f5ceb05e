// Goal: what a player shows of a session is the recorded footage, frame by frame, in every mode and
// container. Method: real H.264 with B-frames and AAC is recorded; ffmpeg plays the address that the
// operation gave.
#include <gmock/gmock.h>

#include <optional>

#include "fragments/fragment_builder.h"
#include "tests/api/video_streams/playback_server.h"
#include "tests/consumers/test_media.h"

namespace millrace::api::testing {
namespace {

using millrace::testing::CommandResult;
using millrace::testing::MakeMedia;
using millrace::testing::MediaOptions;
using millrace::testing::RunCommand;
using millrace::testing::TemporaryDirectory;
using millrace::testing::TestMedia;

// Appends what a builder makes.
class StoreSink final : public FragmentSink {
 public:
  StoreSink(FragmentStore& store, VideoStream stream) : store_(store), stream_(std::move(stream)) {}
  Result<std::uint64_t> OpenRun() override { return store_.OpenRun(stream_); }
  Result<FragmentNumber> OpenFragment(std::uint64_t, bool, const std::vector<TrackInfo>&) override {
    return store_.OpenFragment(stream_);
  }
  void AddFrame(const FragmentNumber&, const Frame&) override {}
  void CloseFragment(Fragment fragment, std::vector<Frame>) override {
    std::promise<Result<FragmentNumber>> done;
    store_.Append(stream_, std::move(fragment),
                  [&](Result<FragmentNumber> result) { done.set_value(std::move(result)); });
    const auto appended = done.get_future().get();
    EXPECT_TRUE(appended) << appended.error().ToString();
  }

 private:
  FragmentStore& store_;
  const VideoStream stream_;
};

class PlaybackPlayer : public PlaybackServerTest {
 protected:
  // A run, at the pace of its own time.
  void Record(const TestMedia& media, BuilderLimits limits = {}) {
    StoreSink sink(*store_, stream_);
    FragmentBuilder builder(sink, limits);
    ASSERT_TRUE(builder.StartRun(media.tracks, ClockSource::kCamera));
    for (const Frame& frame : media.frames) {
      clock_.StepTo(std::max(clock_.Now(), frame.pts));
      ASSERT_TRUE(builder.Push(frame));
    }
    builder.EndRun();
  }
  TestMedia RecordSeconds(int seconds, Timestamp start = kNow) {
    const MediaOptions options{.seconds = seconds, .key_frame_interval = 25};
    TestMedia media = MakeMedia(files_, options, start);
    Record(media);
    return media;
  }

  std::string Url(const std::string& address) {
    return "http://127.0.0.1:" + std::to_string(server_->port()) + address;
  }
  // Hashes of what ffmpeg shows, up to `count` frames of the stream ("v", "a"); it may say nothing.
  std::vector<std::string> Play(const std::string& address, const std::string& stream, std::size_t count,
                                const std::string& options = "") {
    const CommandResult result =
        RunCommand(files_, "ffmpeg -nostdin -v error " + options + " -i \"" + Url(address) +
                               "\" -map 0:" + stream + " -fps_mode passthrough -frames:" + stream + " " +
                               std::to_string(count) + " -f framemd5 -");
    EXPECT_EQ(result.exit_code, 0) << result.errors;
    EXPECT_EQ(result.errors, "");
    std::vector<std::string> hashes;
    std::istringstream lines(result.output);
    for (std::string line; std::getline(lines, line);) {
      if (!line.empty() && line[0] != '#') hashes.push_back(line.substr(line.rfind(',') + 2));
    }
    return hashes;
  }
  // `live`: the player would wait for more, so it is asked for what its decoder gives without that, and
  // begins with the first segment of all or of this many.
  void ExpectPlays(const std::string& address, const TestMedia& media, std::optional<int> live = std::nullopt,
                   std::size_t joined = 0) {
    constexpr std::size_t kHeldBack = 30;
    const bool hls = address.starts_with("/hls");
    const std::string options = live && hls ? "-live_start_index " + std::to_string(*live) : "";
    for (const auto& [stream, all] : {std::pair("v", &media.video_md5), std::pair("a", &media.audio_md5)}) {
      std::vector<std::string> source;
      for (const std::string& hash : *all) source.push_back(hash.substr(hash.find_first_not_of(' ')));
      if (live) source.resize(source.size() - kHeldBack);
      const auto played = Play(address, stream, source.size(), options);
      EXPECT_EQ(played.size(), source.size()) << stream;
      for (std::size_t i = 0; i < std::min(played.size(), source.size()); ++i) {
        // A decoder of sound lets what it heard fade into what it is given.
        if (joined != 0 && i == joined && *stream == 'a') continue;
        ASSERT_EQ(played[i], source[i]) << stream << " " << i;
      }
    }
  }

  static std::string OnDemand(const char* member = "HLSFragmentSelector", double from = -1, double to = 60) {
    return R"("PlaybackMode":"ON_DEMAND",)" + Range(member, "PRODUCER_TIMESTAMP", from, to);
  }

  TemporaryDirectory files_;
};

constexpr char kTs[] = R"(,"ContainerFormat":"MPEG_TS")";
constexpr char kAll[] = R"(,"MaxMediaPlaylistFragmentResults":100)";

TEST_F(PlaybackPlayer, OnDemandPlaysFrameForFrame) {
  const TestMedia media = RecordSeconds(6);
  clock_.Advance(std::chrono::minutes(2));
  ExpectPlays(Address(OnDemand()), media);
  ExpectPlays(Address(OnDemand() + kTs), media);
  ExpectPlays(Address(OnDemand("DASHFragmentSelector"), "DASH"), media);
}

TEST_F(PlaybackPlayer, LivePlaysFrameForFrame) {
  const TestMedia media = RecordSeconds(6);
  // From the first segment that is listed, and no more than there is.
  ExpectPlays(Address(&kAll[1]), media, 0);
  ExpectPlays(Address(std::string(&kAll[1]) + kTs), media, 0);
  ExpectPlays(Address(R"("MaxManifestFragmentResults":100)", "DASH"), media, 0);
}

TEST_F(PlaybackPlayer, AReplayPlaysFrameForFrame) {
  const TestMedia media = RecordSeconds(6);
  clock_.Advance(std::chrono::minutes(2));
  const std::string members =
      R"("PlaybackMode":"LIVE_REPLAY",)" + Range("HLSFragmentSelector", "SERVER_TIMESTAMP", -1, 60) + kAll;
  ExpectPlays(Address(members + R"(,"DiscontinuityMode":"NEVER")"), media, 0);
  ExpectPlays(Address(members + kTs + R"(,"DiscontinuityMode":"ON_DISCONTINUITY")"), media, 0);
}

TEST_F(PlaybackPlayer, PiecesOfLongFragmentsPlayFrameForFrame) {
  RecordSeconds(4);  // one a second: that is what the session's target duration is made for
  BuilderLimits limits;
  limits.duration_min = std::chrono::seconds(6);
  const std::string live = Address(std::string(&kAll[1]) + R"(,"DiscontinuityMode":"ON_DISCONTINUITY")");
  const std::string ts = Address(std::string(&kAll[1]) + kTs);
  const TestMedia media =
      MakeMedia(files_, {.seconds = 12, .key_frame_interval = 25}, kNow + std::chrono::minutes(1));
  Record(media, limits);
  const std::string playlist = GetBeside(live, Uris(Get(live).body)[0]).body;
  EXPECT_THAT(playlist, ::testing::HasSubstr("#EXT-X-TARGETDURATION:2\n"));
  EXPECT_THAT(playlist, ::testing::HasSubstr("&Piece=2&Pieces=3\n"));
  for (const std::string& line : Uris(playlist)) EXPECT_EQ(GetBeside(live, line).status, 200) << line;
  // The last twelve seconds: six pieces.
  ExpectPlays(live, media, -6);
  ExpectPlays(ts, media, -6);
}

TEST_F(PlaybackPlayer, TwoRunsFollowEachOther) {
  const TestMedia first = RecordSeconds(3);
  TestMedia both = RecordSeconds(3, kNow + std::chrono::seconds(30));
  const std::size_t joined = first.audio_md5.size();
  both.video_md5.insert(both.video_md5.begin(), first.video_md5.begin(), first.video_md5.end());
  both.audio_md5.insert(both.audio_md5.begin(), first.audio_md5.begin(), first.audio_md5.end());
  clock_.Advance(std::chrono::minutes(2));
  const std::string mode = R"(,"DiscontinuityMode":"ON_DISCONTINUITY")";
  ExpectPlays(Address(OnDemand() + mode), both, std::nullopt, joined);
  ExpectPlays(Address(OnDemand() + mode + kTs), both, std::nullopt, joined);
  const std::string dash = Address(OnDemand("DASHFragmentSelector"), "DASH");
  const std::string manifest = Get(dash).body;
  EXPECT_THAT(manifest, ::testing::HasSubstr("<Period id=\"1\" start=\"PT0.000S\">"));
  EXPECT_THAT(manifest, ::testing::ContainsRegex("<Period id=\"4\" start=\"PT3.0[0-9]*S\">"));
}

}  // namespace
}  // namespace millrace::api::testing
