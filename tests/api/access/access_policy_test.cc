// Policies, wildcards, credentials, and the audit log's file.
#include "api/access/access_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "api/access/access_rules.h"
#include "api/access/audit_log.h"
#include "api/access/credentials.h"
#include "api/access/sessions.h"

namespace millrace::api {
namespace {

using ::testing::HasSubstr;

struct WildcardCase {
  const char* pattern;
  const char* text;
  bool matches;
};

TEST(AccessPolicy, Wildcards) {
  for (const auto& [pattern, text, matches] : std::vector<WildcardCase>{{"*", "", true},
                                                                        {"*", "anything:at/all", true},
                                                                        {"", "", true},
                                                                        {"", "a", false},
                                                                        {"a", "", false},
                                                                        {"a?c", "abc", true},
                                                                        {"a?c", "ac", false},
                                                                        {"?", "", false},
                                                                        {"a*", "a", true},
                                                                        {"a*c", "abbc", true},
                                                                        {"a*c", "abbcd", false},
                                                                        {"*door", "stream/backdoor", true},
                                                                        {"*a*b*", "xxaxxbxx", true},
                                                                        {"*a*b*", "xxbxxaxx", false},
                                                                        {"**", "x", true},
                                                                        {"a*?", "a", false},
                                                                        {"[a]", "a", false},
                                                                        {"Door", "door", false}}) {
    EXPECT_EQ(MatchesWildcards(pattern, text, false), matches) << pattern << " " << text;
  }
  EXPECT_TRUE(MatchesWildcards("KINESIS:put*", "kinesis:PutRecord", true));
  EXPECT_FALSE(MatchesWildcards(std::string(200, '*') + "b", std::string(5000, 'a'), false));
}

Decision Ask(std::vector<PolicyStatement> statements, const char* action, const char* resource) {
  const Policies policies{std::make_shared<const Policy>(Policy{"p", std::move(statements)})};
  return Decide(policies, action, resource);
}

TEST(AccessPolicy, NothingIsAllowedUnlessSaid) {
  EXPECT_EQ(Decide({}, "a:b", "*"), Decision::kNotAllowed);
  EXPECT_EQ(Ask({}, "a:b", "*"), Decision::kNotAllowed);
  EXPECT_EQ(Ask({{true, {"a:*"}, {"x"}}}, "a:b", "x"), Decision::kAllowed);
  EXPECT_EQ(Ask({{true, {"a:*"}, {"x"}}}, "a:b", "y"), Decision::kNotAllowed);
  EXPECT_EQ(Ask({{true, {"a:*"}, {"x"}}}, "b:b", "x"), Decision::kNotAllowed);
  EXPECT_EQ(Ask({{true, {"a:*"}, {}}}, "a:b", "x"), Decision::kNotAllowed);
}

TEST(AccessPolicy, DenyWinsWhereverItStands) {
  const PolicyStatement allow{true, {"*"}, {"*"}};
  const PolicyStatement deny{false, {"a:Delete*"}, {"x/*"}};
  EXPECT_EQ(Ask({allow, deny}, "a:DeleteIt", "x/1"), Decision::kDenied);
  EXPECT_EQ(Ask({deny, allow}, "a:DeleteIt", "x/1"), Decision::kDenied);
  EXPECT_EQ(Ask({deny, allow}, "a:DeleteIt", "y/1"), Decision::kAllowed);
  const Policies two{std::make_shared<const Policy>(Policy{"p", {allow}}),
                     std::make_shared<const Policy>(Policy{"q", {deny}})};
  EXPECT_EQ(Decide(two, "a:DeleteIt", "x/1"), Decision::kDenied);
}

TEST(AccessRules, AreOneForEachRoute) {
  for (const AccessRule& rule : AccessRules()) {
    EXPECT_EQ(FindAccessRule(rule.method, rule.pattern), &rule) << rule.method << " " << rule.pattern;
    if (rule.door == Door::kOwn) {
      EXPECT_NE(rule.action.find(':'), std::string_view::npos) << rule.pattern;
      EXPECT_TRUE(rule.resource == "*" || rule.resource.find('{') != std::string_view::npos) << rule.pattern;
    }
  }
  EXPECT_EQ(FindAccessRule("HEAD", "/v1/cameras"), FindAccessRule("GET", "/v1/cameras"));
  EXPECT_EQ(FindAccessRule("PATCH", "/v1/cameras"), nullptr);
  EXPECT_EQ(FindAccessRule("GET", ""), nullptr);
}

TEST(Credentials, NamesAndKeysAreThereOnce) {
  CredentialStore store;
  EXPECT_TRUE(store.Replace({{"a", {{"1", "s"}, {"2", "s"}}, {}}}));
  const auto before = store.Now();
  EXPECT_FALSE(store.Replace({{"a", {}, {}}, {"a", {}, {}}}));
  EXPECT_FALSE(store.Replace({{"a", {{"1", "s"}}, {}}, {"b", {{"1", "t"}}, {}}}));
  EXPECT_EQ(store.Now(), before);
  EXPECT_TRUE(store.AddBuiltIn({"c", {{"3", "s"}}, {}}));
  EXPECT_TRUE(store.Replace({}));
  EXPECT_EQ(store.Now()->Find("1"), nullptr);
  ASSERT_NE(store.Now()->Find("3"), nullptr);
  EXPECT_EQ(store.Now()->Find("3")->user->name, "c");
  EXPECT_FALSE(store.Replace({{"c", {}, {}}}));
}

TEST(Credentials, NewKeysDiffer) {
  const wire::AccessKey a = MakeAccessKey();
  const wire::AccessKey b = MakeAccessKey();
  EXPECT_EQ(a.id.size(), 20u);
  EXPECT_EQ(a.secret.size(), 40u);
  EXPECT_NE(a.id, b.id);
  EXPECT_NE(a.secret, b.secret);
}

TEST(Sessions, FindsItsCookie) {
  EXPECT_EQ(FindCookie("a=1; s=2; t=3", "s"), "2");
  EXPECT_EQ(FindCookie("s=2", "s"), "2");
  EXPECT_EQ(FindCookie("xs=2;s=", "s"), "");
  EXPECT_EQ(FindCookie("", "s"), "");
  EXPECT_EQ(FindCookie("s", "s"), "");
  EXPECT_EQ(FindCookie(";;s=a=b;", "s"), "a=b");
}

class AuditLogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "millrace-audit-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    file_ = directory_ / "audit.log";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  static AuditEntry Entry(int number) {
    AuditEntry entry;
    entry.time = Timestamp::FromSeconds(number);
    entry.action = "a:" + std::to_string(number);
    entry.status = 200;
    return entry;
  }
  std::string Read(const std::string& suffix = "") {
    std::ifstream in(file_.string() + suffix);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  bool IsThere(const std::string& suffix) { return std::filesystem::exists(file_.string() + suffix); }

  std::filesystem::path directory_;
  std::filesystem::path file_;
};

TEST_F(AuditLogTest, GoesOnWhereItWas) {
  for (int i = 0; i < 2; ++i) {
    auto log = AuditLog::Open({.file = file_});
    ASSERT_TRUE(log) << log.error().ToString();
    (*log)->Add(Entry(i));
  }
  EXPECT_EQ(Read(),
            "{\"time\":\"1970-01-01T00:00:00.000Z\",\"action\":\"a:0\",\"status\":200}\n"
            "{\"time\":\"1970-01-01T00:00:01.000Z\",\"action\":\"a:1\",\"status\":200}\n");
}

TEST_F(AuditLogTest, RotatesByItsSize) {
  auto log = AuditLog::Open({.file = file_, .bytes_max = 300, .keep = 2});
  ASSERT_TRUE(log);
  for (int i = 0; i < 40; ++i) (*log)->Add(Entry(i));
  (*log)->Flush();
  EXPECT_THAT(Read(), HasSubstr("a:39"));
  for (const char* suffix : {"", ".1", ".2"}) {
    EXPECT_TRUE(IsThere(suffix)) << suffix;
    EXPECT_LE(Read(suffix).size(), 300u) << suffix;
    EXPECT_TRUE(Read(suffix).ends_with("}\n")) << suffix;
  }
  EXPECT_FALSE(IsThere(".3"));
  // Nothing is lost between two files.
  std::string all = Read(".2") + Read(".1") + Read();
  int next = 39;
  for (auto at = all.rfind("a:"); at != std::string::npos && at > 0; at = all.rfind("a:", at - 1)) {
    EXPECT_EQ(std::stoi(all.substr(at + 2)), next--);
  }
  EXPECT_LT(next, 32);
}

TEST_F(AuditLogTest, SaysWhatItLost) {
  // A directory in the file's place: nothing can be written until it is gone.
  auto log = AuditLog::Open({.file = file_, .bytes_max = 1, .keep = 0});
  ASSERT_TRUE(log);
  (*log)->Add(Entry(0));
  (*log)->Flush();
  std::filesystem::remove(file_);
  std::filesystem::create_directory(file_);
  for (int i = 1; i < 4; ++i) (*log)->Add(Entry(i));
  (*log)->Flush();
  std::filesystem::remove(file_);
  (*log)->Add(Entry(4));
  (*log)->Flush();
  EXPECT_THAT(Read(), HasSubstr("\"dropped\":3}\n"));
  EXPECT_THAT(Read(), HasSubstr("a:4"));
}

TEST_F(AuditLogTest, KeepsToItsSizeWhereItCannotBePutAside) {
  // A directory in the place of the file before it, which a file cannot be renamed over.
  std::filesystem::create_directory(file_.string() + ".1");
  auto log = AuditLog::Open({.file = file_, .bytes_max = 300, .keep = 1});
  ASSERT_TRUE(log);
  for (int i = 0; i < 40; ++i) {
    (*log)->Add(Entry(i));
    (*log)->Flush();
  }
  EXPECT_LE(Read().size(), 300u);
  EXPECT_THAT(Read(), HasSubstr("a:0"));
  std::filesystem::remove(file_.string() + ".1");
  (*log)->Add(Entry(40));
  (*log)->Flush();
  EXPECT_THAT(Read(".1"), HasSubstr("a:0"));
  EXPECT_THAT(Read(), HasSubstr("\"dropped\":"));
  EXPECT_THAT(Read(), HasSubstr("a:40"));
}

TEST_F(AuditLogTest, AFileThatCannotBePutAsidePushesNoOthersOut) {
  std::ofstream(file_.string() + ".1") << "one";
  std::ofstream(file_.string() + ".2") << "two";
  std::filesystem::create_directory(file_.string() + ".3");
  auto log = AuditLog::Open({.file = file_, .bytes_max = 1, .keep = 3});
  ASSERT_TRUE(log);
  for (int i = 0; i < 10; ++i) (*log)->Add(Entry(i));
  (*log)->Flush();
  EXPECT_EQ(Read(".1"), "one");
  EXPECT_EQ(Read(".2"), "two");
}

TEST_F(AuditLogTest, TakesAnyBytes) {
  AuditEntry entry = Entry(1);
  entry.path = "/\"\n\x01\xff" + std::string(5000, 'x');
  const std::string line = ToAuditLine(entry);
  EXPECT_LT(line.size(), 3000u);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(line.find('\xff'), std::string::npos);
}

TEST_F(AuditLogTest, RefusesAFileThatCannotBeWritten) {
  std::filesystem::create_directory(file_);
  auto log = AuditLog::Open({.file = file_});
  ASSERT_FALSE(log);
  EXPECT_THAT(log.error().message, HasSubstr("audit.log"));
}

}  // namespace
}  // namespace millrace::api
