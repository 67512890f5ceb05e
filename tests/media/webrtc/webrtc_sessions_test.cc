// Goal: sessions are answered, bounded, found by their names alone, let go when their peers are not there,
// and leave nothing behind. Method: another webrtcbin as the peer, on loopback; and offers that nobody stands
// behind.
#include "media/webrtc/webrtc_sessions.h"

#include <gtest/gtest.h>

#include <future>
#include <mutex>

#include "tests/media/webrtc/webrtc_ends.h"
#include "tests/wait.h"

namespace millrace::test {
namespace {

// Nobody's: what it says is well formed.
SdpOffer NobodysOffer() {
  std::string fingerprint = "00";
  for (int i = 1; i < 32; ++i) fingerprint += ":11";
  const std::string text =
      "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
      "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\n"
      "a=ice-pwd:abcdefghijklmnopqrstuv\r\na=fingerprint:sha-256 " +
      fingerprint +
      "\r\na=setup:actpass\r\na=rtcp-mux\r\na=mid:0\r\na=sendonly\r\na=rtpmap:96 VP8/90000\r\n"
      "a=rtcp-fb:96 nack\r\n";
  return *SdpOffer::Read(text, {.receive = true, .video = {{Codec::kVp8}}, .audio = {}});
}

struct Answer {
  std::mutex mutex;
  std::optional<Result<std::string>> value;
  bool there() {
    const std::lock_guard lock(mutex);
    return value.has_value();
  }
};

class WebrtcSessionsTest : public testing::Test {
 protected:
  WebrtcSessionsTest() { settings_.addresses = {"127.0.0.1"}; }
  std::shared_ptr<CountingSession> Make(WebrtcTimes times = PatientTimes()) {
    return std::make_shared<CountingSession>(settings_, times, "door");
  }
  static WebrtcSession::OnAnswer Into(const std::shared_ptr<Answer>& answer) {
    return [answer](Result<std::string> given) {
      const std::lock_guard lock(answer->mutex);
      EXPECT_FALSE(answer->value.has_value());
      answer->value = std::move(given);
    };
  }
  WebrtcSettings settings_;
};

TEST_F(WebrtcSessionsTest, WhatAPeerSendsComes) {
  WebrtcSessions sessions(4);
  Peer peer;
  const auto offer = SdpOffer::Read(peer.Offer(), {.receive = true, .video = {{Codec::kVp8}}, .audio = {}});
  ASSERT_TRUE(offer) << offer.error().message;
  const auto session = Make();
  const auto answer = std::make_shared<Answer>();
  const auto name = sessions.Open(session, *offer, Into(answer));
  ASSERT_TRUE(name) << name.error().message;
  ASSERT_TRUE(WaitUntil([&] { return answer->there(); }));
  ASSERT_TRUE(*answer->value) << answer->value->error().message;
  EXPECT_NE((**answer->value).find(" 127.0.0.1 "), std::string::npos) << **answer->value;
  EXPECT_EQ((**answer->value).find("sendrecv"), std::string::npos);
  peer.Take(**answer->value);
  ASSERT_TRUE(WaitUntil([&] { return session->packets > 10; }));
  EXPECT_EQ(sessions.Find("door", *name)->ice_ufrag, offer->ice_ufrag());
  EXPECT_EQ(sessions.Find("yard", *name).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(sessions.Remove("door", *name));
  EXPECT_EQ(sessions.Remove("door", *name).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(WaitUntil([&] { return sessions.size() == 0; }));
  EXPECT_EQ(session->stopped, 1);
}

TEST_F(WebrtcSessionsTest, APeerThatChangesItsSendersIsLetGo) {
  WebrtcSessions sessions(4);
  Peer peer;
  const auto offer = SdpOffer::Read(peer.Offer(), {.receive = true, .video = {{Codec::kVp8}}, .audio = {}});
  ASSERT_TRUE(offer) << offer.error().message;
  const auto session = Make();
  const auto answer = std::make_shared<Answer>();
  ASSERT_TRUE(sessions.Open(session, *offer, Into(answer)));
  ASSERT_TRUE(WaitUntil([&] { return answer->there(); }));
  ASSERT_TRUE(*answer->value) << answer->value->error().message;
  peer.Take(**answer->value);
  ASSERT_TRUE(WaitUntil([&] { return session->packets > 0; }));
  EXPECT_EQ(session->senders_max, 4U);
  peer.ChangeSenders();
  ASSERT_TRUE(WaitUntil([&] { return sessions.size() == 0; }));
  EXPECT_EQ(session->received, 1);
  EXPECT_EQ(session->stopped, 1);
  const auto why = session->Look(std::chrono::steady_clock::now());
  ASSERT_TRUE(why);
  EXPECT_EQ(why->code, ErrorCode::kUnsupported);
  EXPECT_NE(why->message.find("SSRC"), std::string::npos) << why->message;
}

TEST_F(WebrtcSessionsTest, ThereAreNoMoreThanMayBe) {
  WebrtcSessions sessions(1);
  const auto first = sessions.Open(Make(), NobodysOffer(), Into(std::make_shared<Answer>()));
  ASSERT_TRUE(first);
  const auto second = sessions.Open(Make(), NobodysOffer(), Into(std::make_shared<Answer>()));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kResourceExhausted);
  // While it still sets up: nothing may come of it any more.
  ASSERT_TRUE(sessions.Remove("door", *first));
  ASSERT_TRUE(WaitUntil([&] { return sessions.size() == 0; }));
  EXPECT_TRUE(sessions.Open(Make(), NobodysOffer(), Into(std::make_shared<Answer>())));
}

TEST_F(WebrtcSessionsTest, WhoDoesNotConnectIsLetGo) {
  WebrtcSessions sessions(4);
  // While one is being closed the others are not looked at: the candidates come in time on any machine.
  std::promise<void> go;
  const auto closing = Make();
  closing->on_stopped = [going = go.get_future().share()] { going.wait(); };
  const auto first = sessions.Open(closing, NobodysOffer(), Into(std::make_shared<Answer>()));
  ASSERT_TRUE(first);
  ASSERT_TRUE(sessions.Remove("door", *first));
  ASSERT_TRUE(WaitUntil([&] { return closing->stopped == 1; }));
  WebrtcTimes times;
  times.connecting_max = std::chrono::milliseconds(300);
  const auto session = Make(times);
  const auto name = sessions.Open(session, NobodysOffer(), Into(std::make_shared<Answer>()));
  ASSERT_TRUE(name);
  // Some that cannot be reached, and more than are believed.
  const std::vector<IceCandidate> candidates(kIceCandidatesMax + 8,
                                             {"candidate:1 1 UDP 1 127.0.0.1 9 typ host"});
  EXPECT_TRUE(sessions.AddCandidates("door", *name, candidates));
  go.set_value();
  ASSERT_TRUE(WaitUntil([&] { return sessions.size() == 0; }));
  EXPECT_EQ(sessions.AddCandidates("door", *name, candidates).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(session->stopped, 1);
}

TEST_F(WebrtcSessionsTest, AStopEndsAll) {
  WebrtcSessions sessions(4);
  const auto session = Make();
  ASSERT_TRUE(sessions.Open(session, NobodysOffer(), Into(std::make_shared<Answer>())));
  sessions.Stop();
  EXPECT_EQ(sessions.size(), 0U);
  EXPECT_EQ(session->stopped, 1);
  EXPECT_EQ(sessions.Open(Make(), NobodysOffer(), Into(std::make_shared<Answer>())).error().code,
            ErrorCode::kCancelled);
}

}  // namespace
}  // namespace millrace::test
