// Logging in over HTTP: what a right key gets, and how long whoever guesses waits. Waiting is counted, not
// done.
#include <gmock/gmock.h>

#include "api/access/failed_logins.h"
#include "api/access/sessions.h"
#include "api/v1/services.h"
#include "base/metrics.h"
#include "tests/api/http/server_fixture.h"

namespace millrace::api::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class SessionTest : public ServerTest {
 protected:
  void SetUp() override {
    User ann{"ann", {{"MRANN", "ann's secret of some length"}}, {}};
    ASSERT_TRUE(credentials_.Replace({ann}));
    ServerTest::SetUp();
  }
  void AddRoutes() override {
    AddSessionRoutes(router_,
                     {&credentials_, sessions_, clock_, [this](Duration wait) -> net::awaitable<void> {
                        const std::lock_guard lock(mutex_);
                        waits_.push_back(wait);
                        co_return;
                      }});
  }
  RawAnswer LogIn(const std::string& id, const std::string& secret, const std::string& headers = "") {
    const std::string body = R"({"access_key_id":")" + id + R"(","secret_access_key":")" + secret + R"("})";
    return Ask("POST /v1/session HTTP/1.1\r\nHost: localhost\r\n" + headers +
               "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  }
  std::vector<Duration> Waits() {
    const std::lock_guard lock(mutex_);
    return waits_;
  }
  RawAnswer Right() { return LogIn("MRANN", "ann's secret of some length"); }
  RawAnswer Wrong() { return LogIn("MRANN", "another secret"); }

  CredentialStore credentials_;
  const wire::TokenSealer sealer_{wire::TokenSealer::MakeKey()};
  ManualClock clock_{Timestamp::FromSeconds(1'795'240'800)};
  const Sessions sessions_{sealer_, clock_};
  std::mutex mutex_;
  std::vector<Duration> waits_;  // GUARDED_BY(mutex_)
};

TEST_F(SessionTest, ARightKeyGetsACookieAtOnce) {
  const RawAnswer answer = Right();
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, HasSubstr(R"("user":"ann")"));
  EXPECT_THAT(answer.Header("Set-Cookie"), StartsWith("millrace_session="));
  EXPECT_THAT(answer.Header("Set-Cookie"), HasSubstr("HttpOnly; SameSite=Strict"));
  EXPECT_THAT(Waits(), IsEmpty());
}

TEST_F(SessionTest, AWrongOneWaitsWhateverIsWrong) {
  const RawAnswer secret = Wrong();
  const RawAnswer id = LogIn("MRBOB", "another secret");
  for (const RawAnswer& answer : {secret, id}) {
    EXPECT_EQ(answer.status, 401);
    EXPECT_EQ(answer.Header("Set-Cookie"), "");
  }
  EXPECT_EQ(secret.body, id.body);
  EXPECT_THAT(Waits(), ElementsAre(std::chrono::milliseconds(500), std::chrono::milliseconds(500)));
}

TEST_F(SessionTest, WhoGuessesOnIsNotListenedTo) {
  for (int i = 0; i < FailedLogins::kFailuresMax; ++i) ASSERT_EQ(Wrong().status, 401);
  const auto refused = [] {
    return GetCounter("millrace_api_refused_total", "", {{"reason", "TooManyFailedLogins"}}).Value();
  };
  const double before = refused();
  // Not even when it is right: else the answer would tell.
  for (const RawAnswer& answer : {Wrong(), Right()}) {
    EXPECT_EQ(answer.status, 429);
    EXPECT_EQ(answer.Header("Retry-After"), "6");
    EXPECT_EQ(answer.Header("Set-Cookie"), "");
    EXPECT_THAT(answer.body, HasSubstr("try again in 6 s"));
  }
  EXPECT_EQ(refused(), before + 2);
  EXPECT_EQ(Waits().size(), static_cast<std::size_t>(FailedLogins::kFailuresMax));
  clock_.Advance(FailedLogins::kFailureEvery);
  EXPECT_EQ(Right().status, 200);
  EXPECT_EQ(Wrong().status, 401);
  EXPECT_EQ(Wrong().status, 429);
}

TEST_F(SessionTest, MistakesAreNoGuesses) {
  for (int i = 0; i < 2 * FailedLogins::kFailuresMax; ++i) {
    EXPECT_EQ(LogIn("MRANN\",\"x\":\"", "").status, 400);
    EXPECT_EQ(LogIn("MRANN", "x", "Sec-Fetch-Site: cross-site\r\n").status, 403);
  }
  EXPECT_THAT(Waits(), IsEmpty());
  EXPECT_EQ(Right().status, 200);
}

}  // namespace
}  // namespace millrace::api::testing
