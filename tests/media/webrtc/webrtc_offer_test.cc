// Goal: a session that makes the offer itself gets what its peer sends, and ends, with the reason, whatever
// else the peer does. Method: another webrtcbin as the peer, on loopback; and peers that there are not.
#include <gmock/gmock.h>

#include <mutex>

#include "media/webrtc/webrtc_sessions.h"
#include "tests/media/webrtc/webrtc_ends.h"
#include "tests/wait.h"

namespace millrace::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// Keeps what is sent, and gives what the test says.
class TestSignaling final : public WebrtcSignaling {
 public:
  void SendOffer(const std::string& sdp) override {
    const std::lock_guard lock(mutex_);
    EXPECT_EQ(offer_, "");
    offer_ = sdp;
  }
  void SendCandidate(const IceCandidate& candidate) override {
    const std::lock_guard lock(mutex_);
    EXPECT_THAT(offer_, HasSubstr("a=mid:" + candidate.mid + "\r\n"));
    EXPECT_THAT(candidate.mid, StartsWith("video0-"));
    candidates_.push_back(candidate.text);
  }
  Signals Take(bool) override {
    const std::lock_guard lock(mutex_);
    return std::exchange(signals_, Signals());
  }

  std::string offer() const {
    const std::lock_guard lock(mutex_);
    return offer_;
  }
  std::vector<std::string> candidates() const {
    const std::lock_guard lock(mutex_);
    return candidates_;
  }
  void Give(Signals signals) {
    const std::lock_guard lock(mutex_);
    signals_ = std::move(signals);
  }

 private:
  mutable std::mutex mutex_;
  std::string offer_;
  std::vector<std::string> candidates_;
  Signals signals_;
};

SdpProposal Proposal() {
  return {.receive = true,
          .media = {{TrackKind::kVideo, "", Codec::kVp8, 96, 90'000, 0, ""},
                    {TrackKind::kAudio, "", Codec::kOpus, 97, 48'000, 2, ""}}};
}

class WebrtcOfferTest : public testing::Test {
 protected:
  WebrtcOfferTest() { settings_.addresses = {"127.0.0.1"}; }
  std::shared_ptr<CountingSession> Begin(WebrtcSessions& sessions, WebrtcTimes times) {
    auto session = std::make_shared<CountingSession>(settings_, times, "door");
    const auto offered = sessions.Offer(session, Proposal(), signaling_);
    EXPECT_TRUE(offered) << offered.error().message;
    return session;
  }
  std::shared_ptr<CountingSession> Offer(WebrtcSessions& sessions) {
    auto session = Begin(sessions, PatientTimes());
    EXPECT_TRUE(WaitUntil([&] { return signaling_->offer() != ""; }));
    return session;
  }

  WebrtcSettings settings_;
  std::shared_ptr<TestSignaling> signaling_ = std::make_shared<TestSignaling>();
};

// The peer has no sound: that part of the offer is left out.
TEST_F(WebrtcOfferTest, WhatThePeerSendsComes) {
  WebrtcSessions sessions(4);
  const auto session = Offer(sessions);
  EXPECT_THAT(signaling_->offer(), HasSubstr("a=recvonly"));
  EXPECT_THAT(signaling_->offer(), HasSubstr("a=setup:actpass"));
  EXPECT_THAT(signaling_->offer(), HasSubstr("a=rtcp-fb:96 nack pli"));
  EXPECT_THAT(signaling_->offer(), HasSubstr("a=mid:video0-"));
  Peer peer;
  WebrtcSignaling::Signals signals;
  // What answers another offer, though it takes nothing, ends nothing: the next one counts.
  signals.answers = {"v=0\r\ns=-\r\nm=video 0 x 0\r\na=mid:video0-another\r\n",
                     peer.Answer(signaling_->offer())};
  signaling_->Give(std::move(signals));
  ASSERT_TRUE(WaitUntil([&] { return !signaling_->candidates().empty(); }));
  for (const std::string& candidate : signaling_->candidates()) peer.Add(candidate);
  ASSERT_TRUE(WaitUntil([&] { return session->packets > 10; }));
  EXPECT_EQ(session->peer().media().size(), 1u);
  sessions.Stop();
  EXPECT_EQ(session->stopped, 1);
}

TEST_F(WebrtcOfferTest, APeerThatNeverAnswersIsLetGo) {
  WebrtcSessions sessions(1);
  WebrtcTimes times;
  times.connecting_max = std::chrono::milliseconds(300);
  const auto session = Begin(sessions, times);  // its time may be over before the offer is made
  ASSERT_TRUE(WaitUntil([&] { return sessions.size() == 0; }));
  EXPECT_EQ(session->stopped, 1);
}

TEST_F(WebrtcOfferTest, AnAnswerThatIsNoneEndsTheSession) {
  for (const char* text : {"", "hello", "v=0\r\ns=-\r\n"}) {
    WebrtcSessions sessions(1);
    signaling_ = std::make_shared<TestSignaling>();
    const auto session = Offer(sessions);
    WebrtcSignaling::Signals signals;
    signals.answers = {text};
    signaling_->Give(std::move(signals));
    ASSERT_TRUE(WaitUntil([&] { return sessions.size() == 0; })) << text;
    EXPECT_EQ(session->stopped, 1);
  }
}

TEST_F(WebrtcOfferTest, TheSignalingsEndIsTheSessions) {
  WebrtcSessions sessions(1);
  const auto session = Offer(sessions);
  WebrtcSignaling::Signals signals;
  signals.over = Error{ErrorCode::kCancelled, "nobody wants it"};
  signaling_->Give(std::move(signals));
  ASSERT_TRUE(WaitUntil([&] { return sessions.size() == 0; }));
  EXPECT_EQ(session->stopped, 1);
  // The session lets go of it.
  EXPECT_EQ(signaling_.use_count(), 1);
}

TEST_F(WebrtcOfferTest, ThereAreNoMoreThanMayBe) {
  WebrtcSessions sessions(1);
  const auto first = Offer(sessions);
  const auto second = sessions.Offer(std::make_shared<CountingSession>(settings_, WebrtcTimes(), "door"),
                                     Proposal(), std::make_shared<TestSignaling>());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kResourceExhausted);
}

}  // namespace
}  // namespace millrace::test
