// Goal: a session is what was asked for, by the exact rules of membership; its token opens that and nothing
// else; and every bad request gets its right error. Method: raw requests to a real server over made-up
// fragments; players are in playback_player_test.cc.
#include <gmock/gmock.h>

#include "api/video_streams/playback_token.h"
#include "tests/api/video_streams/playback_server.h"

namespace millrace::api::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kOnDemand[] = R"("PlaybackMode":"ON_DEMAND",)";
constexpr char kReplay[] = R"("PlaybackMode":"LIVE_REPLAY",)";

class PlaybackTest : public PlaybackServerTest {
 protected:
  // A fragment of one second that starts so many seconds after kNow by the producer's clock, and was opened
  // `late` seconds after that. The clock stands there.
  std::string Put(double start, double late = 0, std::vector<TrackInfo> tracks = {}) {
    const Timestamp time = kNow + At(start);
    const Timestamp opened = time + At(late);
    if (opened > clock_.Now()) clock_.StepTo(opened);
    const auto number = store_->OpenFragment(stream_);
    EXPECT_TRUE(number);
    Fragment fragment = MakeFragment(*number, time);
    fragment.facts.server_start = opened;
    if (!tracks.empty()) fragment.facts.tracks = std::move(tracks);
    fragment.facts.tracks_id = TracksId(fragment.facts.tracks);
    std::promise<Result<FragmentNumber>> done;
    store_->Append(stream_, std::move(fragment),
                   [&](Result<FragmentNumber> result) { done.set_value(std::move(result)); });
    EXPECT_TRUE(done.get_future().get());
    return number->ToString();
  }
  static Duration At(double seconds) {
    return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
  }
  std::vector<std::string> PutSeconds(int count, double from = 0) {
    std::vector<std::string> numbers;
    for (int i = 0; i < count; ++i) numbers.push_back(Put(from + i));
    return numbers;
  }
  static std::string Hls(const char* type, double from, double to) {
    return Range("HLSFragmentSelector", type, from, to);
  }
  static std::string TokenOf(const std::string& address) {
    return address.substr(address.find("SessionToken=") + 13);
  }
};

TEST_F(PlaybackTest, AnAddressLeadsToPlaylistsOfEachTrack) {
  const auto numbers = PutSeconds(3);
  const std::string address = Address("");
  EXPECT_THAT(address, StartsWith("/hls/v1/getHLSMasterPlaylist.m3u8?SessionToken="));
  EXPECT_THAT(TokenOf(address), ::testing::MatchesRegex("[A-Za-z0-9_~-]+"));
  const RawAnswer master = Get(address);
  EXPECT_EQ(master.status, 200);
  EXPECT_EQ(master.Header("Content-Type"), "application/vnd.apple.mpegurl");
  EXPECT_THAT(master.body,
              AllOf(HasSubstr("CODECS=\"avc1.64001f,mp4a.40.2\""), HasSubstr("RESOLUTION=640x480"),
                    HasSubstr("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\""),
                    HasSubstr("AUDIO=\"audio\"\ngetHLSMediaPlaylist.m3u8?SessionToken=")));
  const std::string media = GetBeside(address, Uris(master.body)[0]).body;
  EXPECT_THAT(media, AllOf(HasSubstr("#EXT-X-TARGETDURATION:2\n"), HasSubstr("#EXT-X-MEDIA-SEQUENCE:0\n"),
                           HasSubstr("#EXT-X-MAP:URI=\"getMP4InitFragment.mp4?SessionToken="),
                           HasSubstr("#EXTINF:1.000,\ngetMP4MediaFragment.mp4?FragmentNumber=" + numbers[0]),
                           Not(HasSubstr("ENDLIST")), Not(HasSubstr("PROGRAM-DATE-TIME"))));
  EXPECT_THAT(Values(Uris(media), "FragmentNumber"), ElementsAreArray(numbers));
  const auto init = media.find("getMP4InitFragment");
  EXPECT_EQ(GetBeside(address, media.substr(init, media.find('"', init) - init)).Header("Content-Type"),
            "video/mp4");
}

TEST_F(PlaybackTest, RangesHoldWhatStartsInThemBothEndsIncluded) {
  const auto numbers = PutSeconds(10);
  clock_.Advance(std::chrono::hours(1));
  for (const char* type : {"SERVER_TIMESTAMP", "PRODUCER_TIMESTAMP"}) {
    // One that starts before and runs into it is left out, one that runs past it is whole.
    EXPECT_THAT(Listed(kOnDemand + Hls(type, 2, 5)),
                ElementsAre(numbers[2], numbers[3], numbers[4], numbers[5]));
    EXPECT_THAT(Listed(kOnDemand + Hls(type, 2.001, 4.999)), ElementsAre(numbers[3], numbers[4]));
    EXPECT_THAT(Listed(kOnDemand + Hls(type, -5, 100) + R"(,"MaxMediaPlaylistFragmentResults":2)"),
                ElementsAre(numbers[0], numbers[1]));
  }
  const std::string playlist = Playlist(kOnDemand + Hls("SERVER_TIMESTAMP", 0, 3));
  EXPECT_THAT(playlist, AllOf(HasSubstr("#EXT-X-PLAYLIST-TYPE:VOD\n"), HasSubstr("#EXT-X-ENDLIST\n"),
                              HasSubstr("#EXT-X-TARGETDURATION:1\n")));
}

TEST_F(PlaybackTest, ByProducerTimeTheNewestOfOneStartCounts) {
  const auto a = Put(0), b = Put(1), again = Put(1, 2), c = Put(2, 2);
  clock_.Advance(std::chrono::hours(1));
  EXPECT_THAT(Listed(kOnDemand + Hls("PRODUCER_TIMESTAMP", 0, 9)), ElementsAre(a, again, c));
  EXPECT_THAT(Listed(kOnDemand + Hls("SERVER_TIMESTAMP", 0, 9)), ElementsAre(a, b, again, c));
}

TEST_F(PlaybackTest, OfTwoUploadsOfAPeriodTheOlderIsPlayed) {
  std::vector<std::string> first;
  for (int i = 0; i < 4; ++i) first.push_back(Put(i));
  for (int i = 0; i < 4; ++i) (void)Put(i + 0.25, 3600);
  clock_.Advance(std::chrono::hours(2));
  EXPECT_THAT(Listed(kOnDemand + Hls("PRODUCER_TIMESTAMP", 0, 9)), ElementsAreArray(first));
}

TEST_F(PlaybackTest, LiveMovesOnAndItsNumbersWithIt) {
  PutSeconds(8);
  const std::string address = Address("");
  const std::string media = Uris(Get(address).body)[0];
  const auto listed = [&] { return GetBeside(address, media).body; };
  const std::string before = listed();
  EXPECT_EQ(Uris(before).size(), 5U);
  EXPECT_THAT(before, HasSubstr("#EXT-X-MEDIA-SEQUENCE:0\n"));
  const std::string next = Put(20);
  clock_.Advance(std::chrono::seconds(1));
  const std::string after = listed();
  EXPECT_THAT(after, AllOf(HasSubstr("#EXT-X-MEDIA-SEQUENCE:1\n"), HasSubstr(next)));
  EXPECT_EQ(Values(Uris(after), "FragmentNumber")[0], Values(Uris(before), "FragmentNumber")[1]);
  // Another server of the same log gives the same numbers.
  StopPlaying();
  Reopen();
  EXPECT_EQ(listed(), after);
}

TEST_F(PlaybackTest, AReplayGoesOnAtItsOwnPace) {
  const auto numbers = PutSeconds(20);
  clock_.StepTo(kNow + std::chrono::hours(1));
  const std::string members =
      kReplay + Hls("SERVER_TIMESTAMP", 2, 12) + R"(,"MaxMediaPlaylistFragmentResults":3)";
  const std::string address = Address(members);
  const std::string media = Uris(Get(address).body)[0];
  const auto listed = [&] { return Values(Uris(GetBeside(address, media).body), "FragmentNumber"); };
  EXPECT_THAT(listed(), ElementsAre(numbers[2], numbers[3], numbers[4]));
  clock_.Advance(std::chrono::milliseconds(999));
  EXPECT_THAT(listed(), ElementsAre(numbers[2], numbers[3], numbers[4]));
  clock_.Advance(std::chrono::milliseconds(1001));
  EXPECT_THAT(listed(), ElementsAre(numbers[4], numbers[5], numbers[6]));
  clock_.Advance(std::chrono::seconds(30));
  EXPECT_THAT(listed(), ElementsAre(numbers[10], numbers[11], numbers[12]));
  EXPECT_THAT(GetBeside(address, media).body,
              AllOf(HasSubstr("#EXT-X-MEDIA-SEQUENCE:8\n"), HasSubstr("#EXT-X-ENDLIST\n")));
}

TEST_F(PlaybackTest, DiscontinuitiesAndTimesAsTheyAreAskedFor) {
  PutSeconds(3);
  Put(10);
  clock_.Advance(std::chrono::hours(1));
  const auto marks = [&](const std::string& more, const char* type = "SERVER_TIMESTAMP") {
    const std::string playlist = Playlist(kOnDemand + Hls(type, -1, 20) + more);
    std::size_t count = 0;
    for (std::size_t at = 0; (at = playlist.find("#EXT-X-DISCONTINUITY\n", at)) != std::string::npos; ++at)
      ++count;
    return count;
  };
  EXPECT_EQ(marks(""), 3U);
  EXPECT_EQ(marks("", "PRODUCER_TIMESTAMP"), 0U);
  EXPECT_EQ(marks(R"(,"DiscontinuityMode":"NEVER")"), 0U);
  EXPECT_EQ(marks(R"(,"DiscontinuityMode":"ALWAYS")", "PRODUCER_TIMESTAMP"), 3U);
  EXPECT_EQ(marks(R"(,"DiscontinuityMode":"ON_DISCONTINUITY")"), 1U);
  EXPECT_THAT(
      Playlist(kOnDemand + Hls("PRODUCER_TIMESTAMP", -1, 20) + R"(,"DisplayFragmentTimestamp":"ALWAYS")"),
      HasSubstr("#EXT-X-PROGRAM-DATE-TIME:" + FormatRfc3339(kNow) + "\n#EXTINF"));
}

TEST_F(PlaybackTest, ManifestsSayPeriodsTimesAndNumbers) {
  const auto first = Put(0);
  Put(1);
  Put(10, 0.5);
  clock_.Advance(std::chrono::hours(1));
  const std::string address =
      Address(kOnDemand + Range("DASHFragmentSelector", "SERVER_TIMESTAMP", 0, 60) +
                  R"(,"DisplayFragmentTimestamp":"ALWAYS","DisplayFragmentNumber":"ALWAYS")",
              "DASH");
  const RawAnswer manifest = Get(address);
  EXPECT_EQ(manifest.Header("Content-Type"), "application/dash+xml");
  char shown[64];
  std::snprintf(shown, sizeof(shown), " d=\"1000\" kvs:ts=\"%.3f\"",
                static_cast<double>(kNow.millis()) / 1000);
  EXPECT_THAT(manifest.body, AllOf(HasSubstr("type=\"static\" mediaPresentationDuration=\"PT3.000S\""),
                                   HasSubstr("<Period id=\"1\" start=\"PT0.000S\">"),
                                   HasSubstr("<Period id=\"3\" start=\"PT2.000S\">"),
                                   HasSubstr("<S t=\"" + std::to_string(kNow.millis()) + "\"" + shown +
                                             " kvs:fn=\"" + first + "\"/>")));
  const std::string live = Get(Address("", "DASH")).body;
  EXPECT_THAT(live, AllOf(HasSubstr("type=\"dynamic\""), HasSubstr("minimumUpdatePeriod="),
                          HasSubstr("availabilityStartTime=\"1970-01-01T00:00:00.000Z\"")));
}

TEST_F(PlaybackTest, WhatCannotBePlayedIsRefusedInTheModelsWords) {
  EXPECT_THAT(Begin("").Fault(), StartsWith("ResourceNotFoundException: no fragments found"));
  EXPECT_THAT(Begin("", "HLS", "nothing").Fault(), StartsWith("ResourceNotFoundException"));
  Put(0);
  clock_.Advance(std::chrono::hours(1));
  EXPECT_THAT(Begin(kOnDemand + Hls("SERVER_TIMESTAMP", 100, 200)).Fault(),
              StartsWith("ResourceNotFoundException"));
  ASSERT_TRUE(store_->CreateStream("ring", Duration{0}));
  EXPECT_THAT(Begin("", "HLS", "ring").Fault(), StartsWith("NoDataRetentionException"));
  TrackInfo vp8 = VideoTrack();
  vp8.codec = Codec::kVp8;
  Put(4000, 0, {vp8});
  EXPECT_THAT(Begin("").Fault(), StartsWith("UnsupportedStreamMediaTypeException"));
  EXPECT_THAT(Begin("", "DASH").Fault(), StartsWith("UnsupportedStreamMediaTypeException"));
  TrackInfo bare = VideoTrack();
  bare.codec_private.clear();
  Put(4001, 0, {bare});
  EXPECT_THAT(Begin("").Fault(), StartsWith("MissingCodecPrivateDataException"));
  TrackInfo broken = VideoTrack();
  broken.codec_private = {0, 0, 0, 1};
  Put(4002, 0, {broken});
  EXPECT_THAT(Begin("").Fault(), StartsWith("InvalidCodecPrivateDataException"));
}

TEST_F(PlaybackTest, BadRequestsAreRefused) {
  Put(0);
  clock_.Advance(std::chrono::hours(1));
  for (const std::string& members : {
           std::string(R"("PlaybackMode":"REWIND")"),
           std::string(R"("PlaybackMode":"ON_DEMAND")"),
           std::string(R"("PlaybackMode":"LIVE_REPLAY")"),
           std::string(R"("Expires":299)"),
           std::string(R"("Expires":43201)"),
           std::string(R"("MaxMediaPlaylistFragmentResults":0)"),
           std::string(R"("MaxMediaPlaylistFragmentResults":5001)"),
           std::string(R"("ContainerFormat":"AVI")"),
           std::string(R"("DiscontinuityMode":"SOMETIMES")"),
           std::string(R"("DisplayFragmentTimestamp":true)"),
           std::string(R"("HLSFragmentSelector":{"FragmentSelectorType":"MY_CLOCK"})"),
           Hls("SERVER_TIMESTAMP", 0, 1),
           kOnDemand + Hls("SERVER_TIMESTAMP", 5, 5),
           kOnDemand + Hls("SERVER_TIMESTAMP", 5, 1),
           kOnDemand + Hls("SERVER_TIMESTAMP", 0, 100'000),
           std::string(R"("StreamARN":"arn:aws:kinesisvideo:us-east-1:000000000000:stream/other/1")"),
       }) {
    const AwsAnswer answer = Begin(members);
    EXPECT_GE(answer.status(), 400) << members;
    EXPECT_LT(answer.status(), 500) << members << answer.raw.body;
  }
  EXPECT_THAT(Rest("/getHLSStreamingSessionURL", "{}").Fault(), StartsWith("InvalidArgumentException"));
  EXPECT_EQ(Rest("/getDASHStreamingSessionURL", "[]").status(), 400);
}

TEST_F(PlaybackTest, TheAddressIsAtTheConfiguredEndpoint) {
  PutSeconds(1);
  StopPlaying();
  identity_.endpoint = "https://video.example:8443";
  Reopen();
  EXPECT_THAT(Begin("").Text("HLSStreamingSessionURL"),
              StartsWith("https://video.example:8443/hls/v1/getHLSMasterPlaylist.m3u8?SessionToken="));
}

TEST_F(PlaybackTest, ATokenOpensItsSessionAndNothingElse) {
  const auto numbers = PutSeconds(10);
  clock_.StepTo(kNow + std::chrono::hours(1));
  const std::string address = Address(kOnDemand + Hls("SERVER_TIMESTAMP", 2, 4));
  const std::string token = TokenOf(address);
  const auto refused = [&](const std::string& target) {
    const AwsAnswer answer = Parse(Get(target));
    EXPECT_EQ(answer.status(), 403) << target << answer.raw.body;
    EXPECT_THAT(answer.Fault(), StartsWith("NotAuthorizedException: ")) << target;
  };
  const std::string fragment = "/hls/v1/getMP4MediaFragment.mp4?TrackNumber=1&SessionToken=" + token;
  // Outside of its range; of the other container; of the other protocol.
  refused(fragment + "&FragmentNumber=" + numbers[1]);
  refused(fragment + "&FragmentNumber=" + numbers[5]);
  refused("/hls/v1/getTSFragment.ts?SessionToken=" + token + "&FragmentNumber=" + numbers[3]);
  refused("/dash/v1/getDASHManifest.mpd?SessionToken=" + token);
  refused("/hls/v1/getHLSMasterPlaylist.m3u8?SessionToken=" + TokenOf(Address("", "DASH")));
  // None, somebody's, a changed one, one of another purpose, one too long.
  refused("/hls/v1/getHLSMasterPlaylist.m3u8");
  refused("/hls/v1/getHLSMasterPlaylist.m3u8?SessionToken=");
  refused("/hls/v1/getHLSMasterPlaylist.m3u8?SessionToken=AAAA");
  refused("/hls/v1/getHLSMasterPlaylist.m3u8?SessionToken=" + std::string(5000, 'A'));
  for (std::size_t i = 0; i < token.size(); i += 13) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    refused("/hls/v1/getHLSMasterPlaylist.m3u8?SessionToken=" + changed);
  }
  const wire::TokenSealer foreign(wire::TokenSealer::MakeKey());
  PlaybackSession session;
  session.stream = "door";
  session.expires = kNow + std::chrono::hours(10);
  refused("/hls/v1/getHLSMasterPlaylist.m3u8?SessionToken=" + SealPlaybackToken(foreign, session));
  // Of a stream that was made again.
  ASSERT_TRUE(store_->DeleteStream("door"));
  ASSERT_TRUE(store_->CreateStream("door", std::chrono::hours(1)));
  EXPECT_EQ(Get(address).status, 404);
}

TEST_F(PlaybackTest, ASessionEndsWhenItsTimeIsOver) {
  PutSeconds(2);
  const std::string address = Address(R"("Expires":300)");
  const std::string media = Uris(Get(address).body)[0];
  clock_.Advance(std::chrono::seconds(299));
  EXPECT_EQ(GetBeside(address, media).status, 200);
  clock_.Advance(std::chrono::seconds(1));
  for (const RawAnswer& answer : {Get(address), GetBeside(address, media)}) {
    EXPECT_EQ(answer.status, 403);
    EXPECT_THAT(answer.body, HasSubstr("the streaming session has expired"));
  }
}

TEST_F(PlaybackTest, HostileParametersAreErrors) {
  const auto numbers = PutSeconds(2);
  const std::string token = TokenOf(Address(""));
  const std::string media = "/hls/v1/getHLSMediaPlaylist.m3u8?SessionToken=" + token;
  const std::string init = "/hls/v1/getMP4InitFragment.mp4?SessionToken=" + token;
  const std::string fragment = "/hls/v1/getMP4MediaFragment.mp4?SessionToken=" + token;
  const std::string good = fragment + "&TrackNumber=1&FragmentNumber=" + numbers[1];
  for (const std::string& target : {
           media,
           media + "&TrackNumber=",
           media + "&TrackNumber=0",
           media + "&TrackNumber=-1",
           media + "&TrackNumber=33",
           media + "&TrackNumber=4294967296",
           media + "&TrackNumber=1x",
           init,
           init + "&TrackNumber=1&SequenceNumber=-1",
           init + "&TrackNumber=1&SequenceNumber=99999999999999999999",
           init + "&TrackNumber=1&SequenceNumber=0",
           fragment,
           fragment + "&FragmentNumber=5&TrackNumber=1",
           fragment + "&FragmentNumber=%00&TrackNumber=1",
           good + "&Piece=1",
           good + "&Pieces=0",
           good + "&Piece=0&Pieces=4294967295",
           good + "&Piece=5&Pieces=5",
           fragment + "&TrackNumber=3&FragmentNumber=" + numbers[1],
           fragment + "&TrackNumber=1&Time=-1",
           fragment + "&TrackNumber=1&Time=9223372036854775807",
           fragment + "&TrackNumber=1&Time=",
           fragment + "&TrackNumber=1&From=1&Time=12345",
       }) {
    const RawAnswer answer = Get(target);
    EXPECT_GE(answer.status, 400) << target;
    EXPECT_LT(answer.status, 500) << target << answer.body;
  }
  EXPECT_EQ(Get(good + "&_HLS_msn=5&junk=%3Cscript%3E").status, Get(good).status);
}

TEST_F(PlaybackTest, PagesOfAnyOriginMayPlay) {
  PutSeconds(2);
  const std::string address = Address("");
  const std::string foreign = "Origin: https://player.example\r\nSec-Fetch-Site: cross-site\r\n";
  const RawAnswer answer = Get(address, foreign);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.Header("Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(Get("/hls/v1/getHLSMasterPlaylist.m3u8", foreign).Header("Access-Control-Allow-Origin"), "*");
  RawClient client(server_->port());
  client.Send("OPTIONS " + address + " HTTP/1.1\r\nHost: player.example\r\n" + foreign +
              "Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: range\r\n\r\n");
  const RawAnswer preflight = client.Receive();
  EXPECT_EQ(preflight.status, 200);
  EXPECT_EQ(preflight.Header("Access-Control-Allow-Headers"), "range");
}

// Where users are configured the operation asks who calls, and what it gives asks nobody.
class PlaybackWithUsers : public PlaybackTest {
 protected:
  PlaybackWithUsers() { credentials_ = &store_of_users_; }
  CredentialStore store_of_users_;
};

TEST_F(PlaybackWithUsers, TheTokenAloneAuthorizes) {
  PutSeconds(2);
  EXPECT_EQ(Begin("").status(), 403);
  PlaybackSession session;
  session.stream = "door";
  session.stream_created = stream_.created;
  session.expires = clock_.Now() + std::chrono::hours(1);
  ASSERT_TRUE(playback_->Begin(session));
  EXPECT_EQ(
      Get("/hls/v1/getHLSMasterPlaylist.m3u8?SessionToken=" + SealPlaybackToken(*sealer_, session)).status,
      200);
  EXPECT_EQ(Get("/hls/v1/getHLSMasterPlaylist.m3u8").status, 403);
}

}  // namespace
}  // namespace millrace::api::testing
