// Who gets which message, who takes whose place, what waits for how long.
#include "api/signaling/signaling_hub.h"

#include <gmock/gmock.h>

namespace millrace::api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const SignalingHub::ChannelKey kDoor{"door", Timestamp::FromMillis(1)};
constexpr Duration kTtl = std::chrono::seconds(60);

ClientSignal Signal(std::string action, std::string payload, std::string recipient = "") {
  return {std::move(action), std::move(recipient), std::move(payload), ""};
}

// What came, as it is written to a WebSocket.
std::vector<std::string> Texts(SignalingHub::Member& member) {
  std::vector<std::string> texts;
  for (const auto& message : member.Take().messages)
    texts.push_back(ServerSignal(message.signal, message.sender));
  return texts;
}

class SignalingHubTest : public ::testing::Test {
 protected:
  SignalingHub::MemberPtr Join(const std::string& client_id, const SignalingHub::ChannelKey& key = kDoor) {
    auto member = hub_.Join(key, client_id, kTtl, [this] { ++told_; });
    EXPECT_TRUE(member) << member.error().ToString();
    return member ? std::move(*member) : nullptr;
  }

  SignalingHub hub_{{.viewers_max = 3, .inbox_max = 4, .waiting_max = 3, .channel_max = 6, .held_max = 8}};
  int told_ = 0;
};

TEST_F(SignalingHubTest, ViewersReachTheMasterAndTheMasterTheViewerItNames) {
  const auto master = Join("");
  const auto first = Join("v1");
  const auto second = Join("v2");
  ASSERT_TRUE(hub_.Send(*first, Signal("SDP_OFFER", "b2Zm")));
  EXPECT_EQ(told_, 1);
  EXPECT_THAT(Texts(*master), ElementsAre(HasSubstr(R"("senderClientId":"v1")")));
  ASSERT_TRUE(hub_.Send(*master, Signal("SDP_ANSWER", "YW5z", "v1")));
  EXPECT_THAT(Texts(*first), ElementsAre(R"({"messageType":"SDP_ANSWER","messagePayload":"YW5z"})"));
  EXPECT_THAT(Texts(*first), IsEmpty());
  EXPECT_THAT(Texts(*second), IsEmpty());
}

TEST_F(SignalingHubTest, ChannelsDoNotHearEachOther) {
  const auto master = Join("");
  const auto other = Join("v1", {"yard", Timestamp::FromMillis(1)});
  const auto again = Join("v1", {"door", Timestamp::FromMillis(2)});
  ASSERT_TRUE(hub_.Send(*other, Signal("SDP_OFFER", "b2Zm")));
  ASSERT_TRUE(hub_.Send(*again, Signal("SDP_OFFER", "b2Zm")));
  EXPECT_THAT(Texts(*master), IsEmpty());
}

TEST_F(SignalingHubTest, RecipientsAreNamedByMastersAlone) {
  const auto master = Join("");
  const auto viewer = Join("v1");
  EXPECT_EQ(hub_.Send(*master, Signal("SDP_OFFER", "eA==")).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(hub_.Send(*viewer, Signal("SDP_OFFER", "eA==", "v2")).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(SignalingHubTest, TheNewestConnectionTakesThePlace) {
  const auto before = Join("");
  const auto viewer = Join("v1");
  const auto after = Join("");
  EXPECT_TRUE(before->ended());
  EXPECT_FALSE(after->ended());
  EXPECT_EQ(told_, 1);
  ASSERT_TRUE(hub_.Send(*viewer, Signal("SDP_OFFER", "b2Zm")));
  EXPECT_THAT(Texts(*before), IsEmpty());
  EXPECT_THAT(Texts(*after), SizeIs(1));
  EXPECT_EQ(hub_.Send(*before, Signal("SDP_ANSWER", "eA==", "v1")).error().code, ErrorCode::kUnavailable);
}

// The one before leaves late: the place is not its own any more.
TEST_F(SignalingHubTest, LeavingDoesNotTakeTheNewestOnesPlace) {
  auto before = Join("");
  const auto viewer = Join("v1");
  const auto after = Join("");
  before.reset();
  ASSERT_TRUE(hub_.Send(*viewer, Signal("SDP_OFFER", "b2Zm")));
  EXPECT_THAT(Texts(*after), SizeIs(1));
}

TEST_F(SignalingHubTest, WhatIsForSomebodyAwayWaits) {
  const auto viewer = Join("v1");
  ASSERT_TRUE(hub_.Send(*viewer, Signal("SDP_OFFER", "b2Zm")));
  ASSERT_TRUE(hub_.Send(*viewer, Signal("ICE_CANDIDATE", "Y2Fu")));
  const auto master = Join("");
  EXPECT_EQ(told_, 1);
  EXPECT_THAT(Texts(*master), ElementsAre(HasSubstr("SDP_OFFER"), HasSubstr("ICE_CANDIDATE")));
}

TEST_F(SignalingHubTest, ItWaitsForTheMessageLifetimeAlone) {
  const auto viewer = Join("v1");
  const auto long_ago = std::chrono::steady_clock::now() - kTtl;
  ASSERT_TRUE(hub_.Send(*viewer, Signal("SDP_OFFER", "b2Zm"), long_ago));
  EXPECT_THAT(Texts(*Join("")), IsEmpty());
}

TEST_F(SignalingHubTest, ANewerOfferTakesTheOlderOnesPlaceWithItsCandidates) {
  const auto first = Join("v1");
  const auto second = Join("v2");
  ASSERT_TRUE(hub_.Send(*first, Signal("SDP_OFFER", "b25l")));
  ASSERT_TRUE(hub_.Send(*first, Signal("ICE_CANDIDATE", "b25l")));
  ASSERT_TRUE(hub_.Send(*second, Signal("SDP_OFFER", "dHdv")));
  ASSERT_TRUE(hub_.Send(*first, Signal("SDP_OFFER", "bmV3")));
  EXPECT_THAT(Texts(*Join("")), ElementsAre(HasSubstr("dHdv"), HasSubstr("bmV3")));
}

TEST_F(SignalingHubTest, QueuesAreBounded) {
  const auto viewer = Join("v1");
  const auto master = Join("");
  const auto send = [&](const SignalingHub::MemberPtr& from, const std::string& to = "") {
    const auto sent = hub_.Send(*from, Signal("ICE_CANDIDATE", "eA==", to));
    return sent ? ErrorCode::kInternal : sent.error().code;
  };
  constexpr ErrorCode kSent = ErrorCode::kInternal;
  for (int i = 0; i < 4; ++i) ASSERT_EQ(send(viewer), kSent);
  EXPECT_EQ(send(viewer), ErrorCode::kResourceExhausted);  // for one that does not take them
  for (const char* away : {"v2", "v3"}) {
    for (int i = 0; i < 3; ++i) ASSERT_EQ(send(master, away), kSent);
    EXPECT_EQ(send(master, away), ErrorCode::kResourceExhausted);  // for one that is away
  }
  EXPECT_EQ(send(master, "v4"), ErrorCode::kResourceExhausted);  // of the channel
  const auto other = Join("", {"yard", Timestamp::FromMillis(1)});
  for (int i = 0; i < 2; ++i) ASSERT_EQ(send(other, "v1"), kSent);
  EXPECT_EQ(send(other, "v1"), ErrorCode::kResourceExhausted);  // of all channels
  EXPECT_THAT(Texts(*Join("v2")), SizeIs(3));
  EXPECT_EQ(send(other, "v1"), kSent);
}

// One viewer cannot take the room of the others' offers.
TEST_F(SignalingHubTest, EachSenderHasRoomOfItsOwn) {
  const auto first = Join("v1");
  const auto second = Join("v2");
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(hub_.Send(*first, Signal("ICE_CANDIDATE", "eA==")));
  EXPECT_EQ(hub_.Send(*first, Signal("ICE_CANDIDATE", "eA==")).error().code, ErrorCode::kResourceExhausted);
  EXPECT_TRUE(hub_.Send(*second, Signal("SDP_OFFER", "eA==")));
}

TEST_F(SignalingHubTest, ViewersAreCounted) {
  const auto master = Join("");
  std::vector<SignalingHub::MemberPtr> viewers{Join("v1"), Join("v2"), Join("v3")};
  EXPECT_EQ(hub_.Join(kDoor, "v4", kTtl, [] {}).error().code, ErrorCode::kResourceExhausted);
  viewers.pop_back();
  EXPECT_TRUE(hub_.Join(kDoor, "v4", kTtl, [] {}));
}

TEST_F(SignalingHubTest, ADeletedChannelsConnectionsEnd) {
  const auto master = Join("");
  const auto viewer = Join("v1");
  hub_.EndChannel(kDoor);
  EXPECT_TRUE(master->ended());
  EXPECT_TRUE(viewer->ended());
  EXPECT_EQ(told_, 2);
  EXPECT_FALSE(Join("")->ended());
}

}  // namespace
}  // namespace millrace::api
