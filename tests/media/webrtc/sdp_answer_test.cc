// Goal: an answer decides nothing but what flows and how the peer is reached. Method: answers as browsers
// write them, to an offer as webrtcbin writes it; and each thing that is wrong with one.
#include "media/webrtc/sdp_answer.h"

#include <gmock/gmock.h>

#include "media/webrtc/sdp_lines.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

constexpr char kOffer[] =
    "v=0\r\no=- 1 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE video0 audio1\r\n"
    "m=video 9 UDP/TLS/RTP/SAVPF 96 98\r\na=mid:video0\r\na=recvonly\r\n"
    "m=audio 0 UDP/TLS/RTP/SAVPF 97\r\na=bundle-only\r\na=mid:audio1\r\na=recvonly\r\n";

SdpProposal Proposal() {
  SdpMedia video{TrackKind::kVideo, "", Codec::kH264, 96, 90'000, 0, "packetization-mode=1"};
  SdpMedia audio{TrackKind::kAudio, "", Codec::kOpus, 97, 48'000, 2, ""};
  return {.receive = true, .media = {video, audio}};
}

std::string Session() {
  return "v=0\r\no=- 7 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE video0 audio1\r\n";
}

std::string Transport() {
  std::string fingerprint = "00";
  for (int i = 1; i < 32; ++i) fingerprint += ":11";
  return "c=IN IP4 "
         "0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\na=fingerprint:sha-256 " +
         fingerprint + "\r\na=setup:active\r\na=rtcp-mux\r\n";
}
std::string Video() {
  return "m=video 9 UDP/TLS/RTP/SAVPF 96 98\r\n" + Transport() +
         "a=mid:video0\r\na=sendonly\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\n"
         "a=rtcp-fb:96 nack pli\r\na=rtpmap:98 rtx/90000\r\na=fmtp:98 apt=96\r\na=ssrc:7 cname:x\r\n";
}
std::string Audio() {
  return "m=audio 9 UDP/TLS/RTP/SAVPF 97\r\n" + Transport() +
         "a=mid:audio1\r\na=sendonly\r\na=rtpmap:97 opus/48000/2\r\na=ssrc:8 cname:x\r\n";
}

std::string With(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

Result<SdpAnswer> Read(const std::string& text) { return SdpAnswer::Read(text, kOffer, Proposal()); }

TEST(SdpAnswerTest, BothMediaFlow) {
  const auto answer = Read(Session() + Video() + Audio());
  ASSERT_TRUE(answer) << answer.error().message;
  ASSERT_THAT(answer->media(), SizeIs(2));
  EXPECT_EQ(answer->media()[0].payload_type, 96u);
  EXPECT_EQ(answer->media()[1].codec, Codec::kOpus);
  EXPECT_THAT(answer->filtered(), HasSubstr("a=group:BUNDLE video0 audio1\r\n"));
  EXPECT_THAT(answer->filtered(), Not(HasSubstr("inactive")));
}

// As who has no microphone answers, in the three ways that there are.
TEST(SdpAnswerTest, SoundMayBeLeftOut) {
  const std::string refused = "m=audio 0 UDP/TLS/RTP/SAVPF 97\r\na=mid:audio1\r\na=inactive\r\n";
  for (const std::string& audio :
       {refused, With(Audio(), "sendonly", "inactive"), With(Audio(), "sendonly", "recvonly")}) {
    const auto answer = Read(With(Session(), " audio1", "") + Video() + audio);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_THAT(answer->media(), SizeIs(1));
    // webrtcbin is shown both, on one transport.
    EXPECT_THAT(answer->filtered(), HasSubstr("a=group:BUNDLE video0 audio1\r\n"));
    EXPECT_THAT(answer->filtered(), HasSubstr("m=audio 9 UDP/TLS/RTP/SAVPF 97\r\n"));
    EXPECT_THAT(answer->filtered(),
                HasSubstr("a=inactive\r\na=rtcp-mux\r\na=mid:audio1\r\na=rtpmap:97 OPUS/48000/2"));
  }
}

TEST(SdpAnswerTest, AMasterSendsPictures) {
  const auto answer = Read(Session() + With(Video(), "m=video 9", "m=video 0") + Audio());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(answer.error().message, HasSubstr("video"));
}

struct Bad {
  std::string name;
  std::string text;
};

TEST(SdpAnswerTest, MidsAreRenamedAndNothingElse) {
  const auto mark = [](std::string_view mid) { return std::string(mid) + "-1"; };
  const std::string marked = WithOtherMids(kOffer, mark);
  std::string expected = With(kOffer, "BUNDLE video0 audio1", "BUNDLE video0-1 audio1-1");
  expected = With(With(expected, "mid:video0", "mid:video0-1"), "mid:audio1", "mid:audio1-1");
  EXPECT_EQ(marked, expected);
  EXPECT_EQ(SdpAnswer::Read(Session() + Video() + Audio(), marked, Proposal()).error().code,
            ErrorCode::kFailedPrecondition);
  EXPECT_TRUE(SdpAnswer::Read(WithOtherMids(Session() + Video() + Audio(), mark), marked, Proposal()));
}

TEST(SdpAnswerTest, WhatIsNoAnswerToTheOfferIsRefused) {
  const std::vector<Bad> bad{
      {"nothing", ""},
      {"no SDP", "hello"},
      {"no media", Session()},
      {"another mid", Session() + Video() + With(Audio(), "mid:audio1", "mid:1")},
      {"another payload type",
       Session() +
           With(With(With(With(Video(), "SAVPF 96", "SAVPF 100"), "rtpmap:96", "rtpmap:100"), "fmtp:96",
                     "fmtp:100"),
                "apt=96", "apt=100") +
           Audio()},
      {"another codec", Session() + With(Video(), "H264/90000", "VP8/90000") + Audio()},
      {"another order", Session() + Audio() + Video()},
      {"another setup", Session() + With(Video(), "setup:active", "setup:actpass") + Audio()},
      {"no setup", Session() + With(Video(), "a=setup:active\r\n", "") + Audio()},
      {"no fingerprint", Session() + With(Video(), "a=fingerprint", "a=x") + Audio()},
      {"no ICE", Session() + With(Video(), "a=ice-ufrag:abcd\r\n", "") + Audio()},
      {"no DTLS", Session() + With(Video(), "UDP/TLS/RTP/SAVPF", "RTP/AVP") + Audio()},
      {"not bundled", With(Session(), " audio1", "") + Video() + Audio()},
      {"twice the video", Session() + Video() + Video()},
  };
  for (const Bad& each : bad) {
    const auto answer = Read(each.text);
    EXPECT_FALSE(answer) << each.name;
    if (answer) continue;
    EXPECT_TRUE(answer.error().code == ErrorCode::kInvalidArgument ||
                answer.error().code == ErrorCode::kUnsupported)
        << each.name;
  }
}

}  // namespace
}  // namespace millrace
