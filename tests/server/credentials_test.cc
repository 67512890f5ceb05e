// The file with users and keys: what is taken, what is refused and where, that a change is taken while a
// wrong one changes nothing, and adding users by command.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "server/credentials_file.h"
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

class CredentialsFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "millrace-credentials-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    file_ = directory_ / "users.yaml";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  void Write(const std::string& text, ::mode_t mode = 0600) {
    const std::string part = file_.string() + ".part";
    std::ofstream(part) << text;
    ::chmod(part.c_str(), mode);
    std::filesystem::rename(part, file_);
  }
  std::string Read() {
    std::ifstream in(file_);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::filesystem::path directory_;
  std::filesystem::path file_;
  api::CredentialStore store_;
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

TEST_F(CredentialsFileTest, TakesAChangeAndKeepsTheOldWhereTheNewIsWrong) {
  Write(kGood);
  auto opened = CredentialsFile::Open(file_, store_, std::chrono::milliseconds(5));
  ASSERT_TRUE(opened) << opened.error().ToString();
  ASSERT_NE(store_.Now()->Find("MRANN"), nullptr);
  const std::string other = "users: [{name: eve, keys: [{id: MREVE, secret: a-secret-of-some-length}]}]";
  for (const auto& [bad, mode] : {std::pair<std::string, ::mode_t>{"users: {", 0600}, {other, 0644}}) {
    Write(bad, mode);
    // Another one behind it shows that it was looked at.
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_NE(store_.Now()->Find("MRANN"), nullptr);
    EXPECT_EQ(store_.Now()->Find("MREVE"), nullptr);
  }
  std::filesystem::remove(file_);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_NE(store_.Now()->Find("MRANN"), nullptr);
  Write(other);
  EXPECT_TRUE(test::WaitUntil([&] { return store_.Now()->Find("MREVE") != nullptr; }));
  EXPECT_EQ(store_.Now()->Find("MRANN"), nullptr);
}

TEST_F(CredentialsFileTest, UsersAreAddedBetweenTheLines) {
  auto first = AddUser(file_, "ann", {"administrator"});
  ASSERT_TRUE(first) << first.error().ToString();
  struct stat info {};
  ASSERT_EQ(::stat(file_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  Write("# mine\n" + Read() + "    # behind\npolicies:\n  p: {Statement: []}\n", 0640);
  auto second = AddUser(file_, "bob", {"p", "viewer"});
  ASSERT_TRUE(second) << second.error().ToString();
  EXPECT_THAT(Read(), HasSubstr("# mine\nusers:\n  - name: \"bob\""));
  EXPECT_THAT(Read(), HasSubstr("# behind\npolicies"));
  ASSERT_EQ(::stat(file_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640u);
  auto users = LoadCredentials(file_);
  ASSERT_TRUE(users) << users.error().ToString();
  ASSERT_EQ(users->size(), 2u);
  EXPECT_EQ((*users)[0].keys[0].id, second->id);
  EXPECT_EQ((*users)[0].keys[0].secret, second->secret);
  EXPECT_EQ((*users)[0].policies.size(), 2u);
  EXPECT_EQ((*users)[1].keys[0].secret, first->secret);

  const std::string before = Read();
  EXPECT_EQ(AddUser(file_, "bob", {}).error().code, ErrorCode::kAlreadyExists);
  EXPECT_THAT(AddUser(file_, "eve", {"nope"}).error().message, HasSubstr("there is no policy 'nope'"));
  EXPECT_FALSE(AddUser(file_, "e v e", {}));
  EXPECT_FALSE(AddUser(file_, "\"\n", {}));
  EXPECT_EQ(Read(), before);
  Write("users: []\n");
  EXPECT_FALSE(AddUser(file_, "eve", {}));
  EXPECT_EQ(Read(), "users: []\n");
  Write("users:\n- name: ann\n");
  EXPECT_TRUE(AddUser(file_, "eve", {}));
  EXPECT_EQ(LoadCredentials(file_)->size(), 2u);
}

}  // namespace
}  // namespace millrace::server
