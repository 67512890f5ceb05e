// Users and keys are changed by command as an editor would: the other lines stay as they were, in every way
// that a file may be written; where that cannot be, the file stays.
#include "server/user_file.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>
#include <thread>

#include "server/credentials_file.h"
#include "tests/server/credentials_fixture.h"

namespace millrace::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class UserFileTest : public CredentialsTest {
 protected:
  // "ann: K1 K2; bob:"; what is wrong, where it is.
  std::string Listed() {
    auto users = LoadCredentials(file_);
    if (!users) return users.error().message;
    std::string text;
    for (const api::User& user : *users) {
      text += (text.empty() ? "" : "; ") + user.name + ":";
      for (const auto& key : user.keys) text += " " + key.id;
    }
    return text;
  }
  static std::string Key(const std::string& id) {
    return "{id: " + id + ", secret: a-secret-of-some-length}";
  }
};

TEST_F(UserFileTest, UsersAreAddedBetweenTheLines) {
  auto first = AddUser(file_, "ann", {"administrator"});
  ASSERT_TRUE(first) << first.error().ToString();
  EXPECT_EQ(Mode(), 0600u);
  Write("# mine\n" + Read() + "    # behind\npolicies:\n  p: {Statement: []}\n", 0640);
  auto second = AddUser(file_, "bob", {"p", "viewer"});
  ASSERT_TRUE(second) << second.error().ToString();
  EXPECT_THAT(Read(), HasSubstr("# mine\nusers:\n  - name: \"bob\""));
  EXPECT_THAT(Read(), HasSubstr("# behind\npolicies"));
  EXPECT_EQ(Mode(), 0640u);
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

// However the user is written, the new key is there, and all other lines are as they were.
TEST_F(UserFileTest, AKeyIsAdded) {
  const std::string others = "\n  - name: bob  # away\n    keys:\n      - " + Key("B") + "\n";
  for (const std::string& user : std::vector<std::string>{
           "  - name: ann\n    keys:\n      - id: A\n        secret: a-secret-of-some-length",
           "  - name: ann  # {the boss}\n    keys:\n    - " + Key("A") + "  # old",
           "  - name: ann\n    keys: [" + Key("A") + "]",
           "  - {name: ann, keys: [" + Key("A") + "], policies: [viewer]}",
           "  - keys: [" + Key("A") + "]\n    policies: viewer\n    name: 'ann'",
           "  - name: ann\n    keys: [\n      " + Key("A") + ",\n    ]", "  - name: ann", "  - {name: ann}",
           "  - name: ann\n    keys: []", "  - name: ann\n    keys:", "  - name: ann\n    policies: []"}) {
    Write("# ours\nusers:\n" + user + others);
    const std::string before = Read();
    const std::string listed = Listed();
    const auto key = AddKey(file_, "ann");
    ASSERT_TRUE(key) << user << "\n" << key.error().message;
    std::string wanted = listed;
    wanted.insert(4, " " + key->id);
    EXPECT_EQ(Listed(), wanted) << Read();
    EXPECT_EQ(LoadCredentials(file_)->front().keys.front().secret, key->secret);
    EXPECT_THAT(Read(), HasSubstr(others));
    EXPECT_THAT(Read(), HasSubstr("# ours\nusers:\n"));
    // And out again: as if nothing had been, but for an empty list.
    ASSERT_TRUE(RemoveKey(file_, "ann", key->id)) << Read();
    EXPECT_EQ(Listed(), listed);
    if (listed.starts_with("ann: A")) {
      EXPECT_EQ(Read(), before);
    }
  }
}

TEST_F(UserFileTest, AKeyIsRemoved) {
  const std::string block =
      "      - id: A\n        secret: a-secret-of-some-length\n      # the new one\n"
      "      - id: B  # by hand\n        secret: 'a-secret-of-some-length'\n";
  struct Case {
    std::string keys, key, left;
  };
  for (const auto& [keys, key, left] : std::vector<Case>{
           {"\n" + block, "A",
            "\n      # the new one\n      - id: B  # by hand\n        secret: 'a-secret-of-some-length'\n"},
           {"\n" + block, "B",
            "\n      - id: A\n        secret: a-secret-of-some-length\n      # the new one\n"},
           {" [" + Key("A") + ", " + Key("B") + "]\n", "A", " [" + Key("B") + "]\n"},
           {" [" + Key("A") + ", " + Key("B") + "]\n", "B", " [" + Key("A") + "]\n"},
           {" [{id: A, secret: 'a}-\"secret''of]length'}, " + Key("B") + "]\n", "A", " [" + Key("B") + "]\n"},
           {" [{id: A, secret: \"a}-secret\\\"of]length\"}, # }]\n     " + Key("B") + "]\n", "B",
            " [{id: A, secret: \"a}-secret\\\"of]length\"}, # }]\n     ]\n"},
           {"\n    - " + Key("A") + "\n    - " + Key("B") + "\n", "B", "\n    - " + Key("A") + "\n"}}) {
    const std::string head = "users:\n  - name: ann\n    keys:";
    const std::string rest = "    policies: [viewer]\n# the end";
    Write(head + keys + rest);
    const auto removed = RemoveKey(file_, "ann", key);
    ASSERT_TRUE(removed) << keys << removed.error().message;
    EXPECT_EQ(Read(), head + left + rest);
  }
}

TEST_F(UserFileTest, AUserIsRemoved) {
  const std::string ann =
      "  - name: ann\n    keys: [" + Key("A") + "]\n\n    # of ann\n    policies: [viewer]\n";
  const std::string bob = "  # who is away\n  - keys:\n      - " + Key("B") + "\n    name: bob\n\n";
  Write("users:\n" + ann + bob + "policies: {}\n");
  ASSERT_TRUE(RemoveUser(file_, "ann"));
  EXPECT_EQ(Read(), "users:\n" + bob + "policies: {}\n");
  Write("users:\n" + ann + bob + "policies: {}\n");
  ASSERT_TRUE(RemoveUser(file_, "bob"));
  EXPECT_EQ(Read(), "users:\n" + ann + "  # who is away\n\npolicies: {}\n");
  // As wide as `users` itself, and the last of the file, without an end of line.
  Write("users:\n- {name: ann, keys: [" + Key("A") + "]}\n- name: bob\n  keys: [" + Key("B") + "]");
  ASSERT_TRUE(RemoveUser(file_, "bob"));
  EXPECT_EQ(Listed(), "ann: A");
  Write("users: [{name: ann, keys: [" + Key("A") + "]}, {name: bob}]\n", 0640);
  ASSERT_TRUE(RemoveUser(file_, "bob"));
  EXPECT_EQ(Read(), "users: [{name: ann, keys: [" + Key("A") + "]}]\n");
  EXPECT_EQ(Mode(), 0640u);
}

TEST_F(UserFileTest, TheFileStaysWhereNothingCanBeDone) {
  const auto stays = [&](const std::string& text, const auto& change, ErrorCode code, const char* says) {
    Write(text);
    const auto done = change();
    ASSERT_FALSE(done) << Read();
    EXPECT_EQ(done.error().code, code) << done.error().message;
    EXPECT_THAT(done.error().message, HasSubstr(says));
    EXPECT_THAT(done.error().message, Not(HasSubstr("a-secret")));
    EXPECT_EQ(Read(), text);
  };
  const std::string one = "users:\n  - name: ann\n    keys: [" + Key("A") + "]\n  - name: bob\n";
  const auto add = [&] { return AddKey(file_, "ann"); };
  const auto remove = [&] { return RemoveUser(file_, "ann"); };
  stays(
      one, [&] { return AddKey(file_, "eve"); }, ErrorCode::kNotFound, "there is no user 'eve'");
  stays(
      one, [&] { return RemoveKey(file_, "eve", "A"); }, ErrorCode::kNotFound, "there is no user 'eve'");
  stays(
      one, [&] { return RemoveKey(file_, "bob", "A"); }, ErrorCode::kNotFound, "has no key 'A'");
  stays(
      one, [&] { return RemoveUser(file_, ""); }, ErrorCode::kNotFound, "there is no user");
  // With the last key the server would keep what it had, and the key would be good for ever.
  stays(
      one, [&] { return RemoveKey(file_, "ann", "A"); }, ErrorCode::kFailedPrecondition, "the last key");
  stays(one, remove, ErrorCode::kFailedPrecondition, "the last key");
  // Both have it, or nobody: that is for an editor.
  const std::string shared =
      "users:\n  - {name: ann, keys: &k []}\n  - {name: bob, keys: *k}\n  - {name: c, keys: [" + Key("C") +
      "]}\n";
  stays(shared, add, ErrorCode::kInvalidArgument, "");
  stays("users:\n  - ? name\n    : ann\n    ? keys\n    : [" + Key("A") + "]\n", remove,
        ErrorCode::kFailedPrecondition, "");
  stays("users: {", add, ErrorCode::kInvalidArgument, "not YAML");
  stays("", add, ErrorCode::kNotFound, "there is no user 'ann'");
  Write(one, 0644);
  EXPECT_EQ(add().error().code, ErrorCode::kFailedPrecondition);
  std::filesystem::remove(file_);
  EXPECT_EQ(add().error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(file_));
  file_ = directory_ / "nowhere" / "users.yaml";
  EXPECT_FALSE(AddUser(file_, "ann", {}));
}

// None of several changes at a time is lost.
TEST_F(UserFileTest, ChangesWaitForEachOther) {
  ASSERT_TRUE(AddUser(file_, "ann", {}));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this, i] {
      for (int k = 0; k < 5; ++k) {
        EXPECT_TRUE(AddKey(file_, "ann"));
        EXPECT_TRUE(AddUser(file_, "user" + std::to_string(i) + "-" + std::to_string(k), {}));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto users = LoadCredentials(file_);
  ASSERT_TRUE(users) << users.error().ToString();
  EXPECT_EQ(users->size(), 21u);
  std::set<std::string> ids;
  for (const api::User& user : *users) {
    for (const auto& key : user.keys) ids.insert(key.id);
  }
  EXPECT_EQ(ids.size(), 41u);
}

}  // namespace
}  // namespace millrace::server
