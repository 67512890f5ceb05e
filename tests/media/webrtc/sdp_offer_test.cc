// Goal: of what a browser offers only what is accepted reaches webrtcbin, the rest comes back rejected in its
// place, and what is no offer is refused with the right kind of error. Method: offers made of lines.
#include "media/webrtc/sdp_offer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace millrace::test {
namespace {

const char kSession[] = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";
const char kTransport[] =
    "c=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\n"
    "a=fingerprint:sha-256 00:11\r\na=setup:actpass\r\na=rtcp-mux\r\n";

std::string Video(const std::string& types, const std::string& maps, const std::string& mid = "0",
                  const std::string& direction = "sendonly") {
  return "m=video 9 UDP/TLS/RTP/SAVPF " + types + "\r\n" + kTransport + "a=mid:" + mid +
         "\r\na=" + direction + "\r\n" + maps;
}
std::string Opus(const std::string& mid = "1", const std::string& direction = "sendonly") {
  return "m=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\n" + std::string(kTransport) + "a=mid:" + mid +
         "\r\na=" + direction + "\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:63 red/48000/2\r\n";
}
const char kVp8[] = "a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 goog-remb\r\n";
const char kRtx[] = "a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n";
std::string H264(const std::string& type, const std::string& parameters) {
  return "a=rtpmap:" + type + " H264/90000\r\na=fmtp:" + type + " " + parameters + "\r\n";
}

SdpAcceptance Publisher() {
  return {
      .receive = true, .video = {{Codec::kH264}, {Codec::kVp8}, {Codec::kVp9}}, .audio = {{Codec::kOpus}}};
}

TEST(SdpOfferTest, OneCodecOfEachSectionGoesOn) {
  const std::string text = std::string(kSession) + "a=group:BUNDLE 0 1\r\n" +
                           Video("96 97 45", std::string(kVp8) + kRtx + "a=rtpmap:45 AV1/90000\r\n" +
                                                 "a=extmap:4 urn:3gpp:video-orientation\r\n" +
                                                 "a=candidate:1 1 udp 1 192.0.2.9 5000 typ host\r\n" +
                                                 "a=candidate:2 1 udp 1 5f2e.local 5000 typ host\r\n") +
                           Opus();
  const auto offer = SdpOffer::Read(text, Publisher());
  ASSERT_TRUE(offer) << offer.error().message;
  ASSERT_EQ(offer->media().size(), 2U);
  EXPECT_EQ(offer->media()[0].codec, Codec::kVp8);
  EXPECT_EQ(offer->media()[1].codec, Codec::kOpus);
  EXPECT_EQ(offer->ice_ufrag(), "abcd");
  const std::string& filtered = offer->filtered();
  EXPECT_NE(filtered.find("m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n"), std::string::npos) << filtered;
  EXPECT_NE(filtered.find("a=rtcp-fb:96 nack\r\n"), std::string::npos);
  EXPECT_NE(filtered.find("192.0.2.9"), std::string::npos);
  for (const char* gone : {"AV1", "goog-remb", "orientation", ".local", "red/"})
    EXPECT_EQ(filtered.find(gone), std::string::npos) << gone;
}

TEST(SdpOfferTest, H264IsTakenBeforeWhatThePeerPrefersWhenItCanCarryKeyFrames) {
  const std::string baseline = "packetization-mode=1;profile-level-id=42e01f";
  const auto text = [&](const std::string& parameters) {
    return std::string(kSession) + Video("96 102", kVp8 + H264("102", parameters));
  };
  const auto taken = SdpOffer::Read(text(baseline), Publisher());
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->media()[0].codec, Codec::kH264);
  EXPECT_EQ(taken->media()[0].format_parameters, baseline);
  const auto single = SdpOffer::Read(text("packetization-mode=0;profile-level-id=42e01f"), Publisher());
  ASSERT_TRUE(single);
  EXPECT_EQ(single->media()[0].codec, Codec::kVp8);
}

TEST(SdpOfferTest, AViewerGetsTheProfileOfTheStream) {
  const std::string text =
      std::string(kSession) + Video("102 104",
                                    H264("102", "packetization-mode=1;profile-level-id=42e01f") +
                                        H264("104", "packetization-mode=1;profile-level-id=640032"),
                                    "0", "recvonly");
  for (const auto& [profile, type] : {std::pair{"640028", 104U}, {"42c01e", 102U}, {"4d0028", 102U}}) {
    const auto offer =
        SdpOffer::Read(text, {.receive = false, .video = {{Codec::kH264, profile}}, .audio = {}});
    ASSERT_TRUE(offer);
    EXPECT_EQ(offer->media()[0].payload_type, type) << profile;
  }
}

TEST(SdpOfferTest, WhatIsNotTakenIsRejectedInItsPlace) {
  const std::string text = std::string(kSession) + "a=group:BUNDLE 0 1 2\r\n" +
                           "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n" + kTransport +
                           "a=mid:2\r\n" + Opus("1", "recvonly") + Video("96", kVp8, "0", "recvonly");
  const auto offer = SdpOffer::Read(text, {.receive = false, .video = {{Codec::kVp8}}, .audio = {}});
  ASSERT_TRUE(offer) << offer.error().message;
  const std::string made =
      "v=0\r\ns=-\r\na=group:BUNDLE 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=sendonly\r\n";
  const auto answer = offer->MakeAnswer(made, {{"candidate:1 1 UDP 1 192.0.2.1 5000 typ host"}});
  ASSERT_TRUE(answer);
  const std::size_t data = answer->find("m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n");
  const std::size_t audio = answer->find("m=audio 0 UDP/TLS/RTP/SAVPF 111\r\n");
  const std::size_t video = answer->find("m=video 9 ");
  ASSERT_NE(video, std::string::npos) << *answer;
  EXPECT_LT(data, audio) << *answer;
  EXPECT_LT(audio, video) << *answer;
  EXPECT_NE(answer->find("a=candidate:1 1 UDP 1 192.0.2.1 5000 typ host\r\na=end-of-candidates\r\n"),
            std::string::npos);
  EXPECT_FALSE(offer->MakeAnswer("v=0\r\n", {}));
}

struct BadOffer {
  const char* name;
  std::string text;
  ErrorCode code;
};

class BadOfferTest : public testing::TestWithParam<BadOffer> {};

TEST_P(BadOfferTest, IsRefused) {
  const auto offer = SdpOffer::Read(GetParam().text, Publisher());
  ASSERT_FALSE(offer);
  EXPECT_EQ(offer.error().code, GetParam().code) << offer.error().message;
  EXPECT_FALSE(offer.error().message.empty());
}

std::string Without(std::string text, const std::string& part) {
  return text.erase(text.find(part), part.size());
}

std::vector<BadOffer> BadOffers() {
  const std::string session = kSession;
  const std::string good = session + Video("96", kVp8);
  constexpr ErrorCode kBad = ErrorCode::kInvalidArgument;
  constexpr ErrorCode kUnfit = ErrorCode::kUnsupported;
  return {
      {"Empty", "", kBad},
      {"NoSdp", "hello", kBad},
      {"Json", "{\"sdp\": \"v=0\"}", kBad},
      {"NoMedia", session, kBad},
      {"AnotherVersion", "v=1\r\n" + good.substr(5), kBad},
      {"ControlBytes", good + std::string("a=x\0y\r\n", 7), kBad},
      {"NotUtf8", good + "a=\xff\xfe\r\n", kBad},
      {"TooLong", good + std::string(kSdpBytesMax, 'a'), kBad},
      {"TooManySections",
       [&] {
         std::string text = session;
         for (int i = 0; i < 17; ++i) text += Video("96", kVp8, std::to_string(i));
         return text;
       }(),
       kBad},
      {"TwoOfOneMid", session + Video("96", kVp8) + Opus("0"), kBad},
      {"CutMediaLine", session + "m=video 9\r\n", kBad},
      {"NoMid", Without(good, "a=mid:0\r\n"), kBad},
      {"NoFingerprint", Without(good, "a=fingerprint:sha-256 00:11\r\n"), kBad},
      {"NoIce", Without(good, "a=ice-ufrag:abcd\r\n"), kBad},
      {"ShortIce",
       [&] {
         std::string text = good;
         return text.replace(text.find("ufrag:abcd"), 10, "ufrag:a\"b");
       }(),
       kBad},
      {"MapOfNoType", session + Video("96", "a=rtpmap:x VP8/90000\r\n"), kBad},
      {"MapOfNoRate", session + Video("96", "a=rtpmap:96 VP8\r\n"), kBad},
      {"RateZero", session + Video("96", "a=rtpmap:96 VP8/0\r\n"), kBad},
      {"AnotherCodec", session + Video("45", "a=rtpmap:45 AV1/90000\r\n"), kUnfit},
      {"PictureRefusedSoundTaken",
       session + "a=group:BUNDLE 0 1\r\n" + Video("45", "a=rtpmap:45 AV1/90000\r\n") + Opus(), kUnfit},
      {"NothingIsSent", session + Video("96", kVp8, "0", "recvonly"), kUnfit},
      {"PlainRtp",
       [&] {
         std::string text = good;
         return text.replace(text.find("UDP/TLS/RTP/SAVPF"), 17, "RTP/AVP");
       }(),
       kUnfit},
      {"NoRtcpMux", Without(good, "a=rtcp-mux\r\n"), kUnfit},
      {"NotBundled", session + Video("96", kVp8) + Opus(), kUnfit},
  };
}

INSTANTIATE_TEST_SUITE_P(All, BadOfferTest, testing::ValuesIn(BadOffers()),
                         [](const auto& each) { return std::string(each.param.name); });

TEST(IceFragmentTest, KeepsCandidatesThatAreNumericUdpAddresses) {
  const auto fragment = ReadIceFragment(
      "a=ice-ufrag:abcd\r\na=ice-pwd:secret\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
      "a=candidate:1 1 UDP 1 192.0.2.9 5000 typ host\r\n"
      "a=candidate:2 1 udp 1 2001:db8::1 5000 typ host\r\n"
      "a=candidate:3 1 tcp 1 192.0.2.9 9 typ host tcptype active\r\n"
      "a=candidate:4 1 udp 1 evil.example 5000 typ host\r\n"
      "a=candidate:5 1 udp 1 192.0.2.9 0 typ host\r\n"
      "a=candidate:6 1 udp 1 192.0.2.9 70000 typ host\r\n"
      "a=candidate:7 2 udp 1 192.0.2.9 5000 typ host\r\n"
      "a=candidate:8 1 udp\r\na=end-of-candidates\r\n");
  ASSERT_TRUE(fragment);
  EXPECT_EQ(fragment->ufrag, "abcd");
  EXPECT_EQ(fragment->pwd, "secret");
  ASSERT_EQ(fragment->candidates.size(), 2U);
  EXPECT_EQ(fragment->candidates[1].text, "candidate:2 1 udp 1 2001:db8::1 5000 typ host");
}

TEST(IceFragmentTest, BoundsCandidates) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "a=candidate:1 1 udp 1 192.0.2.9 5000 typ host\r\n";
  const auto fragment = ReadIceFragment(text);
  ASSERT_TRUE(fragment);
  EXPECT_EQ(fragment->candidates.size(), kIceCandidatesMax);
  for (const char* bad : {"", "?", "{}", "candidate:1"}) EXPECT_FALSE(ReadIceFragment(bad)) << bad;
}

TEST(SdpOfferTest, APayloadTypeHasOneMeaning) {
  for (const std::string& section : {Video("96 96", kVp8), Video("96 97 97", std::string(kVp8) + kRtx),
                                     Video("96", std::string(kVp8) + "a=rtpmap:96 VP9/90000\r\n"),
                                     Video("96", std::string(kVp8) + kVp8)}) {
    const auto offer = SdpOffer::Read(kSession + section, Publisher());
    ASSERT_FALSE(offer) << section;
    EXPECT_EQ(offer.error().code, ErrorCode::kInvalidArgument) << section;
  }
}

TEST(SdpOfferTest, ARefusalNamesSomeOfManyCodecs) {
  std::string types;
  std::string maps;
  for (int type = 0; type < 128; ++type) {
    types += (type == 0 ? "" : " ") + std::to_string(type);
    maps += "a=rtpmap:" + std::to_string(type) + " codec-number-" + std::to_string(type) + "/90000\r\n";
  }
  const auto offer = SdpOffer::Read(kSession + Video(types, maps), Publisher());
  ASSERT_FALSE(offer);
  EXPECT_EQ(offer.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(offer.error().message.find("codec-number-0"), std::string::npos);
  EXPECT_LT(offer.error().message.size(), 500U);
}

}  // namespace
}  // namespace millrace::test
