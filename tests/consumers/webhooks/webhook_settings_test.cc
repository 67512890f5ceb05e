#include "consumers/webhooks/webhook_settings.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(WebhookUrl, IsAServerAndWhatIsAskedForThere) {
  const auto url = WebhookUrl::Parse("https://hooks.example:8443/door?token=s3cret");
  ASSERT_TRUE(url) << url.error().ToString();
  EXPECT_EQ(url->endpoint.host, "hooks.example");
  EXPECT_EQ(url->endpoint.port, 8443);
  EXPECT_TRUE(url->endpoint.tls);
  EXPECT_EQ(url->target, "/door?token=s3cret");
  EXPECT_EQ(url->ToString(), "https://hooks.example:8443/door") << "a query may be a secret";
}

TEST(WebhookUrl, HasAPathInAnyCase) {
  EXPECT_EQ(WebhookUrl::Parse("http://10.0.0.2")->target, "/");
  EXPECT_EQ(WebhookUrl::Parse("http://10.0.0.2?a=b")->target, "/?a=b");
  EXPECT_EQ(WebhookUrl::Parse("http://[::1]:80/x")->endpoint.host, "::1");
}

TEST(WebhookUrl, OthersAreRefused) {
  for (const char* bad : {"", "hooks.example/door", "ftp://hooks.example/", "http://", "http:///door",
                          "http://user:word@hooks.example/", "http://user@hooks.example/", "http://h/#part",
                          "http://h/a b", "http://h/\r\nX: y", "http://h:99999/", "http://h/\x80"}) {
    const auto url = WebhookUrl::Parse(bad);
    ASSERT_FALSE(url) << bad;
    EXPECT_EQ(url.error().code, ErrorCode::kInvalidArgument) << bad;
  }
  EXPECT_FALSE(WebhookUrl::Parse("http://h/" + std::string(3000, 'a')));
}

TEST(WebhookKey, IsWhatTheSecretStandsFor) {
  EXPECT_EQ(*WebhookKeyOf("sixteen letters!"), "sixteen letters!");
  EXPECT_EQ(*WebhookKeyOf("whsec_c2l4dGVlbiBsZXR0ZXJzIQ=="), "sixteen letters!");
}

TEST(WebhookKey, WeakAndDamagedOnesAreRefused) {
  EXPECT_FALSE(WebhookKeyOf(""));
  EXPECT_FALSE(WebhookKeyOf("short"));
  EXPECT_FALSE(WebhookKeyOf("whsec_c2hvcnQ="));
  EXPECT_FALSE(WebhookKeyOf("whsec_this is no base64, whatever"));
  EXPECT_FALSE(WebhookKeyOf(std::string(513, 'x')));
}

}  // namespace
}  // namespace millrace
