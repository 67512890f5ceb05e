// Commands over https against a server that is open to others: users, and the certificate that it made
// itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/server/command_line.h"

namespace millrace::server {
namespace {

using testing::CommandLineTest;
using ::testing::HasSubstr;
using testing::Outcome;

// What stands behind `label` up to the end of the word.
std::string WordAfter(const std::string& text, const std::string& label) {
  const auto start = text.find(label);
  if (start == std::string::npos) return "";
  const auto word = start + label.size();
  return text.substr(word, text.find_first_of(" \n", word) - word);
}

TEST_F(CommandLineTest, CommandsSignOverHttpsAndTrustTheServersOwnCertificate) {
  Write("users.yaml",
        "users:\n  - {name: ann, keys: [{id: MRANN, secret: a-secret-of-some-length}], policies: "
        "administrator}\n");
  std::filesystem::permissions(directory_ / "users.yaml", std::filesystem::perms(0600));
  const auto config =
      Write("millrace.yaml",
            "tls: {listen: '127.0.0.1:0'}\nauth: {file: " + (directory_ / "users.yaml").string() + "}\n");
  Serve({"--config", config.string()});
  const std::string url = WordAfter(server_->err(), "TLS port url=");
  ASSERT_THAT(url, HasSubstr("https://127.0.0.1:")) << server_->err();
  endpoint_ = url;
  const std::string key = "MILLRACE_ACCESS_KEY_ID=MRANN";
  const std::string secret = "MILLRACE_SECRET_ACCESS_KEY=a-secret-of-some-length";
  const std::string certificate = (directory_ / "data/tls-certificate.pem").string();

  extra_environment_ = {key, secret};
  const Outcome untrusted = Run({"camera", "list"});
  EXPECT_EQ(untrusted.code, 2);
  EXPECT_THAT(untrusted.err, HasSubstr("MILLRACE_CA_FILE"));
  extra_environment_ = {key, secret, "MILLRACE_CA_FILE=" + directory_.string() + "/none.pem"};
  EXPECT_EQ(Run({"camera", "list"}).code, 3);

  extra_environment_ = {key, secret, "MILLRACE_CA_FILE=" + certificate};
  const Outcome listed = Run({"camera", "list"});
  EXPECT_EQ(listed.code, 0) << listed.err;
  EXPECT_THAT(listed.out, HasSubstr("No cameras"));
  EXPECT_EQ(Run({"stream", "create", "events"}).code, 0);
  EXPECT_THAT(Run({"stream", "list"}).out, HasSubstr("events"));

  extra_environment_ = {key, "MILLRACE_SECRET_ACCESS_KEY=another-one", "MILLRACE_CA_FILE=" + certificate};
  EXPECT_EQ(Run({"camera", "list"}).code, 2) << "the server's own refusal";
}

}  // namespace
}  // namespace millrace::server
