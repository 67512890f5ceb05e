// Goal: what is for a storage session reaches it and nobody else, and its own messages reach its client; a
// session that is over leaves nothing. Method: the hub alone.
#include <gmock/gmock.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "api/signaling/signaling_hub.h"
#include "api/signaling/storage_signaling.h"
#include "wire/base64.h"

namespace millrace::api {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const SignalingHub::ChannelKey kDoor{"door", Timestamp::FromMillis(1)};
constexpr Duration kTtl = seconds(60);

ClientSignal Signal(std::string action, std::string recipient = "") {
  return {std::move(action), std::move(recipient), "eA==", ""};
}

// "SDP_OFFER from v1".
std::vector<std::string> Came(SignalingHub::Member& member) {
  std::vector<std::string> came;
  for (const auto& message : member.Take().messages)
    came.push_back(message.signal.action + " from " + message.sender);
  return came;
}

class StorageMembersTest : public ::testing::Test {
 protected:
  SignalingHub::MemberPtr Join(const std::string& client_id) {
    return *hub_.Join(kDoor, client_id, kTtl, [] {});
  }
  Result<SignalingHub::MemberPtr> JoinStorage(const std::string& client_id) {
    now_ += seconds(1);
    return hub_.JoinStorage(
        kDoor, client_id, kTtl, [this] { ++told_; }, now_);
  }

  SignalingHub hub_{{.inbox_max = 4, .waiting_max = 3}};
  SignalingHub::TimePoint now_ = std::chrono::steady_clock::now();
  int told_ = 0;
};

TEST_F(StorageMembersTest, ASessionAndItsMasterTalkWithoutNames) {
  const auto master = Join("");
  const auto viewer = Join("v1");
  const auto session = *JoinStorage("");
  ASSERT_TRUE(hub_.Send(*session, Signal("SDP_OFFER")));
  EXPECT_THAT(Came(*master), ElementsAre("SDP_OFFER from "));
  ASSERT_TRUE(hub_.Send(*master, Signal("SDP_ANSWER")));
  ASSERT_TRUE(hub_.Send(*master, Signal("ICE_CANDIDATE")));
  EXPECT_THAT(Came(*session), ElementsAre("SDP_ANSWER from ", "ICE_CANDIDATE from "));
  EXPECT_EQ(told_, 2);
  // The master still talks with whom it names, and is talked to.
  ASSERT_TRUE(hub_.Send(*master, Signal("SDP_ANSWER", "v1")));
  EXPECT_THAT(Came(*viewer), ElementsAre("SDP_ANSWER from "));
  ASSERT_TRUE(hub_.Send(*viewer, Signal("SDP_OFFER")));
  EXPECT_THAT(Came(*master), ElementsAre("SDP_OFFER from v1"));
  EXPECT_THAT(Came(*session), IsEmpty());
}

TEST_F(StorageMembersTest, AMasterWithoutASessionMustNameSomebody) {
  const auto master = Join("");
  auto session = *JoinStorage("");
  EXPECT_TRUE(hub_.Send(*master, Signal("SDP_ANSWER")));
  // A session makes the offer itself.
  EXPECT_EQ(hub_.Send(*master, Signal("SDP_OFFER")).error().code, ErrorCode::kInvalidArgument);
  session.reset();
  EXPECT_EQ(hub_.Send(*master, Signal("SDP_ANSWER")).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(StorageMembersTest, AViewersAnswersAreItsSessionsAndItsOffersTheMasters) {
  const auto master = Join("");
  const auto viewer = Join("v1");
  const auto other = Join("v2");
  const auto session = *JoinStorage("v1");
  ASSERT_TRUE(hub_.Send(*session, Signal("SDP_OFFER")));
  EXPECT_THAT(Came(*viewer), ElementsAre("SDP_OFFER from "));
  EXPECT_THAT(Came(*other), IsEmpty());
  ASSERT_TRUE(hub_.Send(*viewer, Signal("SDP_ANSWER")));
  ASSERT_TRUE(hub_.Send(*viewer, Signal("SDP_OFFER")));
  ASSERT_TRUE(hub_.Send(*other, Signal("ICE_CANDIDATE")));
  EXPECT_THAT(Came(*session), ElementsAre("SDP_ANSWER from v1"));
  EXPECT_THAT(Came(*master), ElementsAre("SDP_OFFER from v1", "ICE_CANDIDATE from v2"));
}

TEST_F(StorageMembersTest, TheOfferWaitsForAMasterUntilTheSessionIsOver) {
  auto session = *JoinStorage("");
  ASSERT_TRUE(hub_.Send(*session, Signal("SDP_OFFER")));
  ASSERT_TRUE(hub_.Send(*session, Signal("ICE_CANDIDATE")));
  {
    const auto master = Join("");
    EXPECT_THAT(Came(*master), SizeIs(2));
  }
  ASSERT_TRUE(hub_.Send(*session, Signal("ICE_CANDIDATE")));
  session.reset();
  EXPECT_THAT(Came(*Join("")), IsEmpty());
}

TEST_F(StorageMembersTest, JoiningAnewTakesThePlaceAndTheOffersWithIt) {
  const auto before = *JoinStorage("");
  ASSERT_TRUE(hub_.Send(*before, Signal("SDP_OFFER")));
  const auto after = *JoinStorage("");
  EXPECT_TRUE(before->ended());
  EXPECT_FALSE(before->Take().closed);
  EXPECT_EQ(told_, 1);
  EXPECT_EQ(hub_.Send(*before, Signal("ICE_CANDIDATE")).error().code, ErrorCode::kUnavailable);
  ASSERT_TRUE(hub_.Send(*after, Signal("SDP_OFFER")));
  const auto master = Join("");
  EXPECT_THAT(Came(*master), SizeIs(1));
  ASSERT_TRUE(hub_.Send(*master, Signal("SDP_ANSWER")));
  EXPECT_THAT(Came(*before), IsEmpty());
  EXPECT_THAT(Came(*after), SizeIs(1));
}

// The one before is still connected, and recorded.
TEST_F(StorageMembersTest, WhatEndsTheRecordingEndsTheSessionsBeforeToo) {
  const auto before = *JoinStorage("");
  const auto after = *JoinStorage("");
  const auto of_viewer = *JoinStorage("v1");
  const auto master = Join("");
  hub_.EndStorage(kDoor);
  for (const auto& session : {before, after, of_viewer}) EXPECT_TRUE(session->Take().closed);
  EXPECT_FALSE(master->ended());
  hub_.EndStorage({"yard", kDoor.created});

  const auto again = *JoinStorage("");
  hub_.EndChannel(kDoor);
  EXPECT_TRUE(again->Take().closed);
  EXPECT_TRUE(master->Take().closed);
}

TEST_F(StorageMembersTest, JoiningIsNotForEverySecondOfManyTimes) {
  const auto join = [&](milliseconds later) {
    now_ += later;
    return hub_.JoinStorage(
        kDoor, "", kTtl, [] {}, now_);
  };
  const auto first = join(milliseconds(0));
  const auto second = join(milliseconds(0));
  ASSERT_TRUE(first && second);
  const auto third = join(milliseconds(0));
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, ErrorCode::kResourceExhausted);
  EXPECT_FALSE((*second)->ended());
  EXPECT_TRUE(join(milliseconds(600)));
}

// Its two sessions may be let go of at once, and nobody else be there.
TEST_F(StorageMembersTest, HowOftenItWasJoinedOutlastsTheSessions) {
  now_ += std::chrono::hours(1);  // the clock of those that leave is behind
  const auto join = [&](milliseconds later) {
    now_ += later;
    return hub_.JoinStorage(
        kDoor, "", kTtl, [] {}, now_);
  };
  EXPECT_TRUE(join(milliseconds(0)));
  EXPECT_TRUE(join(milliseconds(0)));
  EXPECT_FALSE(join(milliseconds(0)));
  EXPECT_TRUE(join(milliseconds(600)));
}

TEST_F(StorageMembersTest, WhatCameBeforeTheOfferIsNotTaken) {
  const auto answer = [&](const std::string& sdp) {
    const std::string json = boost::json::serialize(boost::json::object{{"sdp", sdp}});
    return ClientSignal{"SDP_ANSWER", "",
                        wire::EncodeBase64({reinterpret_cast<const std::uint8_t*>(json.data()), json.size()}),
                        ""};
  };
  const auto master = Join("");
  StorageSignaling session(hub_, *JoinStorage(""));
  ASSERT_TRUE(hub_.Send(*master, answer("v=0")));
  EXPECT_THAT(session.Take(false).answers, IsEmpty());
  ASSERT_TRUE(hub_.Send(*master, answer("v=0")));
  session.SendOffer("v=0");
  EXPECT_THAT(session.Take(false).answers, IsEmpty());
  ASSERT_TRUE(hub_.Send(*master, answer("v=1")));
  ASSERT_TRUE(hub_.Send(*master, answer("v=2")));
  EXPECT_THAT(session.Take(false).answers, ElementsAre("v=1", "v=2"));
}

TEST_F(StorageMembersTest, ASessionsInboxIsBounded) {
  const auto master = Join("");
  const auto session = *JoinStorage("");
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(hub_.Send(*master, Signal("ICE_CANDIDATE")));
  EXPECT_EQ(hub_.Send(*master, Signal("ICE_CANDIDATE")).error().code, ErrorCode::kResourceExhausted);
}

}  // namespace
}  // namespace millrace::api
