// The file with users and keys: what is taken, what is refused and where, and that a change is taken while a
// wrong one, or half of one, changes nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/metrics.h"
#include "server/credentials_file.h"
#include "server/process_key.h"
#include "server/webhooks.h"
#include "tests/server/credentials_fixture.h"
#include "tests/wait.h"

namespace millrace::server {
namespace {

using ::testing::HasSubstr;

constexpr char kGood[] = R"(
# who may call
users:
  - name: ann
    keys: [{id: MRANN, secret: a-secret-of-some-length}]
    policies: administrator
  - name: bob
    keys:
      - {id: MRBOB1, secret: a-secret-of-some-length}
      - {id: MRBOB2, secret: a-secret-of-some-length}
    policies: [doors, viewer]
  - name: no-key-yet
policies:
  doors:
    Version: "2012-10-17"
    Statement:
      - {Sid: all, Effect: Allow, Action: "kinesis:*", Resource: "arn:aws:kinesis:*:*:stream/door-*"}
      - Effect: Deny
        Action: ["kinesis:DeleteStream"]
        Resource: ["*"]
)";

TEST(CredentialsFile, ReadsUsersKeysAndPolicies) {
  auto users = ParseCredentials(kGood, "f");
  ASSERT_TRUE(users) << users.error().ToString();
  ASSERT_EQ(users->size(), 3u);
  EXPECT_EQ((*users)[0].keys[0].secret, "a-secret-of-some-length");
  EXPECT_EQ((*users)[1].keys.size(), 2u);
  const auto& policies = (*users)[1].policies;
  using api::Decision;
  const std::string door = "arn:aws:kinesis:us-east-1:000000000000:stream/door-1";
  EXPECT_EQ(api::Decide(policies, "kinesis:PutRecord", door), Decision::kAllowed);
  EXPECT_EQ(api::Decide(policies, "kinesis:DeleteStream", door), Decision::kDenied);
  EXPECT_EQ(api::Decide(policies, "kinesis:PutRecord", "arn:aws:kinesis:us-east-1:0:stream/yard"),
            Decision::kNotAllowed);
  EXPECT_EQ(api::Decide(policies, "millrace:GetCamera", "x"), Decision::kAllowed);
  EXPECT_EQ(api::Decide(policies, "millrace:PutCamera", "x"), Decision::kNotAllowed);
  EXPECT_EQ(api::Decide((*users)[0].policies, "anything:AtAll", "*"), Decision::kAllowed);
  EXPECT_TRUE((*users)[2].policies.empty());
  EXPECT_TRUE(ParseCredentials("", "f"));
}

TEST(CredentialsFile, AViewerLooksAtWhatIsShownAndNoMore) {
  auto users = ParseCredentials(
      "users: [{name: v, policies: viewer}, {name: w, policies: [viewer, logs]}]\n"
      "policies: {logs: {Statement: {Effect: Allow, Action: 'kinesis:Get*',"
      " Resource: '*'}}}\n",
      "f");
  ASSERT_TRUE(users) << users.error().ToString();
  const auto may = [&](std::size_t user, const char* action, const char* resource) {
    return api::Decide((*users)[user].policies, action, resource) == api::Decision::kAllowed;
  };
  EXPECT_TRUE(may(0, "millrace:GetMetrics", "*"));
  EXPECT_FALSE(may(0, "millrace:GetBackup", "*"));
  EXPECT_TRUE(may(0, "kinesis:ListStreams", "*"));
  EXPECT_TRUE(may(0, "kinesis:GetRecords", "arn:aws:kinesis:us-east-1:000000000000:stream/door"));
  for (const char* own : {"arn:aws:kinesis:us-east-1:000000000000:stream/millrace-fragments",
                          "arn:aws-cn:kinesis:cn-north-1:000000000000:stream/millrace-faces",
                          "arn:aws:kinesis:us-east-1:0:stream/millrace-faces/consumer/c:1"}) {
    EXPECT_FALSE(may(0, "kinesis:GetRecords", own)) << own;
    EXPECT_FALSE(may(0, "kinesis:SubscribeToShard", own)) << own;
    EXPECT_TRUE(may(1, "kinesis:GetRecords", own)) << own;  // what else allows it, allows it
  }
}

TEST(ProcessKey, AWebhookReadsItsAnalyzersInEveryPartition) {
  WebhookSettings settings;
  settings.analyzers = {"motion"};
  api::CredentialStore store;
  const auto key = AddProcessKey(store, "millrace-webhook-a", Webhooks::PermissionsOf(settings));
  ASSERT_TRUE(key) << key.error().ToString();
  const auto now = store.Now();
  const auto* owner = now->Find(key->id);
  ASSERT_NE(owner, nullptr);
  EXPECT_EQ(owner->secret, key->secret);
  const auto may = [&](std::string_view action, std::string_view resource) {
    return api::Decide(owner->user->policies, action, resource) == api::Decision::kAllowed;
  };
  for (const char* arn : {"arn:aws:kinesis:us-east-1:0:", "arn:aws-cn:kinesis:cn-north-1:0:",
                          "arn:aws-us-gov:kinesis:us-gov-west-1:0:"}) {
    EXPECT_TRUE(may("kinesis:GetRecords", std::string(arn) + "stream/millrace-motion")) << arn;
    EXPECT_FALSE(may("kinesis:GetRecords", std::string(arn) + "stream/millrace-faces")) << arn;
    EXPECT_FALSE(may("kinesis:PutRecords", std::string(arn) + "stream/millrace-motion")) << arn;
  }
  EXPECT_TRUE(may("millrace:RunApplication", "arn:aws:millrace:us-east-1:0:application/millrace-webhook-a"));
  EXPECT_FALSE(may("millrace:RunApplication", "arn:aws:millrace:us-east-1:0:application/millrace-webhook-b"));
}

// What the sample says of the vault holds for every action there is.
TEST(CredentialsFile, TheSampleKeepsTheVaultToItself) {
  std::ifstream in(std::string(MILLRACE_SOURCE_DIR) + "/samples/users.yaml");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  auto users = ParseCredentials(text, "users.yaml");
  ASSERT_TRUE(users) << users.error().ToString();
  const auto screen = std::find_if(users->begin(), users->end(),
                                   [](const api::User& user) { return user.name == "lobby-screen"; });
  ASSERT_NE(screen, users->end());
  const auto may = [&](std::string_view action, const std::string& resource) {
    return api::Decide(screen->policies, action, resource) == api::Decision::kAllowed;
  };
  const std::string own = "arn:aws:millrace:us-east-1:000000000000:";
  EXPECT_TRUE(may("millrace:GetCamera", own + "camera/door"));
  EXPECT_TRUE(may("millrace:PlayStream", own + "stream/door"));
  EXPECT_FALSE(may("millrace:GetBackup", "*"));
  for (const char* action : {"GetCamera", "GetStream", "PlayStream", "ExportStream", "ListFaces"}) {
    EXPECT_FALSE(may("millrace:" + std::string(action), own + "camera/vault")) << action;
    EXPECT_FALSE(may("millrace:" + std::string(action), own + "stream/vault")) << action;
  }
  EXPECT_FALSE(may("kinesisvideo:GetMedia", "arn:aws:kinesisvideo:us-east-1:0:stream/vault/17"));
  for (const char* stream : {"millrace-fragments", "millrace-faces"})
    EXPECT_FALSE(may("kinesis:GetRecords", "arn:aws:kinesis:us-east-1:0:stream/" + std::string(stream)));
}

TEST(CredentialsFile, RefusesWhatItDoesNotUnderstand) {
  const std::string user = "users: [{name: a, keys: [{id: K, secret: a-secret-of-some-length}]}]\n";
  const auto policy = [](const std::string& statement) {
    return "policies:\n  p:\n    Statement: [" + statement + "]\n";
  };
  struct Case {
    std::string text, error;
  };
  for (const auto& [text, error] : std::vector<Case>{
           {"users: {", "f:1: not YAML"},
           {"user: []", "f:1: 'user' is not known in the file; did you mean 'users'?"},
           {"users: {}", "'users' must be a list"},
           {"users: [a]", "a user must be a mapping"},
           {"users:\n  - keys: []", "f:2: a user must have 'name'"},
           {"users: [{name: 'a b'}]", "a user's name must be"},
           {"users: [{name: a}, {name: a}]", "user 'a' is there twice"},
           {"users: [{name: a, name: b}]", "set twice"},
           {"users: [{name: a, key: {}}]", "'key' is not known in a user; did you mean 'keys'?"},
           {"users: [{name: a, keys: [{id: K}]}]", "a key must have 'secret'"},
           {"users: [{name: a, keys: [{id: K, secret: short}]}]", "at least 16"},
           {"users: [{name: a, keys: [{id: K/x, secret: a-secret-of-some-length}]}]", "a key's id must be"},
           {"users: [{name: a, policies: [nope]}]", "there is no policy 'nope'"},
           {user + "policies: []", "'policies' must be names"},
           {user + "policies: {viewer: {Statement: []}}", "'viewer' cannot be a policy's name"},
           {user + "policies: {p: {}}", "a policy must have 'Statement'"},
           {user + policy("{Effect: Allow, Action: '*'}"), "a statement must have 'Resource'"},
           {user + policy("{Effect: allow, Action: '*', Resource: '*'}"), "'Effect' must be Allow or Deny"},
           {user + policy("{Effect: Allow, Action: PutRecord, Resource: '*'}"), "is no action"},
           {user + policy("{Effect: Allow, Action: [], Resource: '*'}"), "must have 'Action'"},
           // What would narrow a statement and is not understood must not be passed over.
           {user + policy("{Effect: Allow, Action: '*', Resource: '*', Condition: {}}"),
            "'Condition' is not known in a statement"},
           {user + policy("{Effect: Allow, NotAction: '*', Resource: '*'}"), "'NotAction' is not known"}}) {
    auto users = ParseCredentials(text, "f");
    ASSERT_FALSE(users) << text;
    EXPECT_THAT(users.error().message, HasSubstr(error)) << text;
    EXPECT_THAT(users.error().message, ::testing::Not(HasSubstr("a-secret"))) << text;
  }
}

class CredentialsFileTest : public CredentialsTest {
 protected:
  // Nothing but the test looks at the file.
  void Start() {
    auto opened = CredentialsFile::Open(file_, store_, std::chrono::hours(1));
    ASSERT_TRUE(opened) << opened.error().ToString();
    opened_ = std::move(*opened);
  }
  bool Knows(std::string_view key_id) const { return store_.Now()->Find(key_id) != nullptr; }
  static double Reloads(const char* result) {
    return GetCounter("millrace_credentials_reloads_total", "", {{"result", result}}).Value();
  }

  api::CredentialStore store_;
  std::unique_ptr<CredentialsFile> opened_;
};

TEST_F(CredentialsFileTest, OthersMayNotReadOrChangeIt) {
  for (const ::mode_t mode : {0604, 0644, 0602, 0620, 0660}) {
    Write(kGood, mode);
    auto opened = CredentialsFile::Open(file_, store_);
    ASSERT_FALSE(opened) << mode;
    EXPECT_EQ(opened.error().code, ErrorCode::kFailedPrecondition);
    EXPECT_THAT(opened.error().message, HasSubstr("run chmod 600"));
  }
  for (const ::mode_t mode : {0600, 0400, 0640}) {
    Write(kGood, mode);
    EXPECT_TRUE(CredentialsFile::Open(file_, store_)) << mode;
  }
}

TEST_F(CredentialsFileTest, WithoutAnyKeyNothingStarts) {
  EXPECT_EQ(CredentialsFile::Open(file_, store_).error().code, ErrorCode::kNotFound);
  Write("users: [{name: a}]");
  EXPECT_THAT(CredentialsFile::Open(file_, store_).error().message, HasSubstr("no user has a key"));
}

constexpr char kEve[] = "users: [{name: eve, keys: [{id: MREVE, secret: a-secret-of-some-length}]}]";

TEST_F(CredentialsFileTest, KeepsWhatWasWhereTheNewIsWrong) {
  Write(kGood);
  Start();
  ASSERT_TRUE(Knows("MRANN"));
  const double refused = Reloads("refused");
  double times = 0;
  const auto keeps = [&] {
    opened_->Look();
    opened_->Look();
    EXPECT_EQ(Reloads("refused"), refused + ++times);
    EXPECT_TRUE(Knows("MRANN"));
    EXPECT_FALSE(Knows("MREVE"));
  };
  Write("users: {");
  keeps();
  Write(kEve, 0644);  // others can read it
  keeps();
  // Nobody could call any more: not even with what was in force before.
  for (const char* keyless : {"users: [{name: eve}]", "", "policies: {}"}) {
    Write(keyless);
    keeps();
  }
  std::filesystem::remove(file_);
  keeps();
  // What is refused is refused once.
  opened_->Look();
  EXPECT_EQ(Reloads("refused"), refused + times);
}

TEST_F(CredentialsFileTest, WhatIsStillWrittenIsNotRead) {
  Write(kGood);
  Start();
  // In its place, as editors do: each part of it would do as a file.
  const std::string whole =
      "users:\n  - name: eve\n    keys: [{id: MREVE, secret: a-secret-of-some-length}]\n";
  const std::string more = "  - name: mal\n    keys: [{id: MRMAL, secret: a-secret-of-some-length}]\n";
  std::ofstream out(file_, std::ios::trunc);
  out << whole << std::flush;
  opened_->Look();
  EXPECT_TRUE(Knows("MRANN"));
  EXPECT_FALSE(Knows("MREVE"));
  out << more << std::flush;
  opened_->Look();
  EXPECT_TRUE(Knows("MRANN"));
  EXPECT_FALSE(Knows("MREVE"));
  opened_->Look();
  EXPECT_FALSE(Knows("MRANN"));
  EXPECT_TRUE(Knows("MREVE"));
  EXPECT_TRUE(Knows("MRMAL"));
}

TEST_F(CredentialsFileTest, IsLookedAtAllTheTime) {
  Write(kGood);
  auto opened = CredentialsFile::Open(file_, store_, std::chrono::milliseconds(5));
  ASSERT_TRUE(opened) << opened.error().ToString();
  Write(kEve);
  EXPECT_TRUE(test::WaitUntil([&] { return Knows("MREVE"); }));
  EXPECT_FALSE(Knows("MRANN"));
}

}  // namespace
}  // namespace millrace::server
