// Encryption at rest, as people meet it: a key in the configuration, a server that does not start without it,
// and `millrace check`.
#include "server/encryption.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "storage/embedded_log.h"
#include "tests/server/command_line.h"

namespace millrace::server::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

const std::string kKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const std::string kOtherKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHAA=";

class EncryptionTest : public CommandLineTest {
 protected:
  std::string WriteKey(const std::string& name, const std::string& text, ::mode_t mode = 0600) {
    const std::string path = (directory_ / name).string();
    std::ofstream(path) << text << "\n";
    ::chmod(path.c_str(), mode);
    return path;
  }
  std::string WriteConfig(const std::string& encryption) {
    const std::string path = (directory_ / "millrace.yaml").string();
    std::ofstream(path) << "encryption:\n" << encryption;
    return path;
  }
};

TEST_F(EncryptionTest, AServerStartsWithItsKeyAlone) {
  const std::string key = WriteKey("key", kKey);
  const std::string config = WriteConfig("  master_key_file: " + key + "\n");
  Serve({"--config", config});
  EXPECT_THAT(server_->err(), Not(HasSubstr(kKey)));
  EXPECT_EQ(StopServer(), 0);
  EXPECT_THAT(ReadAll(directory_ / "data/MILLRACE"), HasSubstr("format 2"));

  const std::vector<std::string> serve = {"serve", "--listen", "127.0.0.1:0"};
  auto with = [&](const std::string& file) {
    std::vector<std::string> arguments = serve;
    arguments.insert(arguments.end(), {"--config", file});
    return Run(arguments);
  };
  Outcome without = Run(serve);
  EXPECT_EQ(without.code, 5);
  EXPECT_THAT(without.err,
              MatchesRegex("millrace: stream 'millrace-[a-z]+' is encrypted[^\n]*no master key[^\n]*\n"));
  const std::string other = WriteKey("other", "another " + kOtherKey);
  EXPECT_EQ(with(WriteConfig("  master_key_file: " + other + "\n")).code, 5);
  const std::string wrong = WriteKey("wrong", "this " + kOtherKey);
  EXPECT_EQ(with(WriteConfig("  master_key_file: " + (directory_ / "none").string() + "\n")).code, 3);
  WriteKey("open", kKey, 0644);
  Outcome readable = with(WriteConfig("  master_key_file: " + (directory_ / "open").string() + "\n"));
  EXPECT_EQ(readable.code, 5);
  EXPECT_THAT(readable.err, HasSubstr("chmod 600"));

  // Nothing of that has harmed anything; a new key takes over from the old one, which may go then.
  const std::string both = WriteKey("both", "new " + kOtherKey + "\n" + kKey);
  Serve({"--config", WriteConfig("  master_key_file: " + both + "\n")});
  EXPECT_EQ(StopServer(), 0);
  const std::string fresh = WriteKey("fresh", "new " + kOtherKey);
  Serve({"--config", WriteConfig("  master_key_file: " + fresh + "\n")});
  EXPECT_EQ(StopServer(), 0);
  Outcome mistaken = with(WriteConfig("  master_key_file: " + WriteKey("false", "new " + kKey) + "\n"));
  EXPECT_EQ(mistaken.code, 2);
  EXPECT_THAT(mistaken.err, HasSubstr("is not the one that wrapped the data key"));

  EXPECT_EQ(Run({"check"}).code, 0);
  Outcome checked = Run({"check", "--json", "--master-key-file", fresh});
  EXPECT_EQ(checked.code, 0) << checked.out;
  EXPECT_THAT(checked.out, HasSubstr(R"("opened":true)"));
  for (const std::vector<std::string>& more : {std::vector<std::string>{}, {"--repair"}}) {
    std::vector<std::string> check = {"check", "--master-key-file", wrong};
    check.insert(check.end(), more.begin(), more.end());
    Outcome refused = Run(check);
    EXPECT_EQ(refused.code, 5);
    EXPECT_EQ(refused.out, "");
    EXPECT_THAT(refused.err, HasSubstr("does not hold"));
  }
  EXPECT_EQ(Run({"check", "--repair", "--master-key-file", fresh}).code, 0);
  EXPECT_EQ(Run({"check", "--master-key-file", fresh, "--master-key-env", "KEY"}).code, 2);
}

TEST_F(EncryptionTest, TheKeyComesFromTheEnvironmentToo) {
  extra_environment_.push_back("OUR_MASTER_KEY=" + kKey);
  const std::string config = WriteConfig("  master_key_env: OUR_MASTER_KEY\n");
  Serve({"--config", config});
  EXPECT_EQ(StopServer(), 0);
  EXPECT_EQ(Run({"check", "--master-key-env", "OUR_MASTER_KEY"}).code, 0);
  extra_environment_.pop_back();
  Outcome unset = Run({"serve", "--listen", "127.0.0.1:0", "--config", config});
  EXPECT_EQ(unset.code, 3);
  EXPECT_THAT(unset.err, HasSubstr("OUR_MASTER_KEY is not set"));
}

TEST_F(EncryptionTest, WhatIsThereIsSwitchedAsConfigured) {
  EncryptionConfig config;
  config.master_key_file = WriteKey("key", kKey);
  auto keys = LoadMasterKeys(config);
  ASSERT_TRUE(keys) << keys.error().ToString();
  storage::EmbeddedLogOptions options;
  options.path = (directory_ / "data").string();
  options.reserve_bytes = 0;
  options.master_keys = *keys;
  auto opened = storage::EmbeddedLog::Open(options);
  ASSERT_TRUE(opened) << opened.error().ToString();
  storage::RecordLog& log = **opened;
  for (const char* name : {"millrace-fragments", "orders", "secrets"}) {
    ASSERT_TRUE(log.CreateStream(name, 1, std::chrono::hours(1)));
  }
  ASSERT_TRUE(log.SetStreamEncryption("secrets", "alias/mine"));
  auto is_encrypted = [&](const char* name) { return log.DescribeStream(name)->encryption.has_value(); };
  ASSERT_TRUE(SettleEncryption(config, log));
  EXPECT_TRUE(is_encrypted("millrace-fragments"));
  EXPECT_FALSE(is_encrypted("orders"));  // whoever made it did not ask for it
  EXPECT_EQ(log.DescribeStream("millrace-fragments")->encryption->data_key, 1u);
  ASSERT_TRUE(SettleEncryption(config, log));  // changes nothing
  EXPECT_EQ(log.DescribeStream("millrace-fragments")->encryption->data_key, 1u);
  config.fragments = false;
  ASSERT_TRUE(SettleEncryption(config, log));
  EXPECT_FALSE(is_encrypted("millrace-fragments"));
  EXPECT_TRUE(is_encrypted("secrets"));
  EXPECT_EQ(log.DescribeStream("secrets")->encryption->key_name, "alias/mine");
}

}  // namespace
}  // namespace millrace::server::testing
