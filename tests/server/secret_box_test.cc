// Sealed secrets open with their key and context alone.
#include "server/secret_box.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

namespace millrace::server {
namespace {

class SecretBoxTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "millrace-secret-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::filesystem::path directory_;
};

TEST_F(SecretBoxTest, OpensWhatItSealedAlsoAfterAReopen) {
  auto box = SecretBox::Open(directory_ / "key");
  ASSERT_TRUE(box) << box.error().ToString();
  for (const std::string& secret : {std::string(), std::string("pw"), std::string(5000, 'x')}) {
    Bytes sealed = box->Seal(secret, "door");
    EXPECT_EQ(secret.size() > 1 ? AsText(sealed).find(secret) : std::string::npos, std::string::npos);
    EXPECT_NE(sealed, box->Seal(secret, "door"));  // another nonce each time
    auto again = SecretBox::Open(directory_ / "key");
    ASSERT_TRUE(again);
    auto opened = again->Unseal(sealed, "door");
    ASSERT_TRUE(opened);
    EXPECT_EQ(*opened, secret);
  }
}

TEST_F(SecretBoxTest, RefusesEveryChangedByteAndEveryLength) {
  auto box = SecretBox::Open(directory_ / "key");
  ASSERT_TRUE(box);
  Bytes sealed = box->Seal("secret", "door");
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    Bytes changed = sealed;
    changed[i] ^= 1;
    EXPECT_FALSE(box->Unseal(changed, "door")) << i;
    EXPECT_FALSE(box->Unseal(ByteSpan(sealed).first(i), "door")) << i;
  }
}

TEST_F(SecretBoxTest, RefusesAnotherContextAndAnotherKey) {
  auto box = SecretBox::Open(directory_ / "key");
  auto other = SecretBox::Open(directory_ / "other");
  ASSERT_TRUE(box && other);
  Bytes sealed = box->Seal("secret", "door");
  EXPECT_FALSE(box->Unseal(sealed, "yard"));
  EXPECT_FALSE(other->Unseal(sealed, "door"));
}

TEST_F(SecretBoxTest, RefusesAKeyThatIsNone) {
  for (const char* text : {"", "short", "0123456789012345678901234567890123456789"}) {
    std::ofstream(directory_ / "key") << text;
    ASSERT_EQ(::chmod((directory_ / "key").c_str(), 0600), 0);
    auto box = SecretBox::Open(directory_ / "key");
    ASSERT_FALSE(box);
    EXPECT_EQ(box.error().code, ErrorCode::kCorruption);
  }
  EXPECT_FALSE(SecretBox::Open(directory_ / "no/where"));
}

}  // namespace
}  // namespace millrace::server
