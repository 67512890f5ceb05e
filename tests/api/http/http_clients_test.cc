// Real clients against both ports: curl, with and without ALPN, and Node's HTTP/2 client, which the AWS SDK
// for JavaScript is built on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "api/http/self_signed.h"
#include "api/http/tls_context.h"
#include "tests/api/http/server_fixture.h"
#include "tests/wait.h"

namespace millrace::api {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class HttpClients : public testing::ServerTest {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "millrace-clients-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    const TlsFiles files{directory_ / "tls.crt", directory_ / "tls.key"};
    ASSERT_TRUE(EnsureSelfSigned(files, LocalNames({}), SystemClock()));
    auto context = TlsContext::Open(files);
    ASSERT_TRUE(context) << context.error().ToString();
    context_ = std::move(*context);
    options_.tls = TlsListener{"127.0.0.1", 0, context_.get()};
    testing::ServerTest::SetUp();
    // Clients that still send when they are refused have the time to read why.
    options_.limits.linger_timeout = test::kPatience;
    Start();
    plain_ = "http://localhost:" + std::to_string(server_->port());
    secure_ = "https://localhost:" + std::to_string(server_->tls_port());
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(directory_);
  }

  // What the command prints, errors too.
  static std::string Run(const std::string& command) {
    FILE* pipe = ::popen(
        ("timeout " + std::to_string(test::kPatience.count()) + " " + command + " 2>&1").c_str(), "r");
    std::string output;
    std::array<char, 4096> piece;
    std::size_t size = 0;
    while ((size = std::fread(piece.data(), 1, piece.size(), pipe)) > 0) output.append(piece.data(), size);
    ::pclose(pipe);
    return output;
  }
  // The body, and behind it the HTTP version.
  std::string Curl(const std::string& arguments) const {
    return Run("curl -sS --noproxy '*' -4 --cacert " + (directory_ / "tls.crt").string() +
               " -w ' over %{http_version}' " + arguments);
  }

  std::filesystem::path directory_;
  std::unique_ptr<TlsContext> context_;
  std::string plain_, secure_;
};

TEST_F(HttpClients, CurlSpeaksEitherOnThePlainPort) {
  EXPECT_EQ(Curl(plain_ + "/hello/x"), "hello x over 1.1");
  EXPECT_EQ(Curl("--http1.0 " + plain_ + "/hello/x"), "hello x over 1.1");
  EXPECT_EQ(Curl("--http2-prior-knowledge " + plain_ + "/hello/x"), "hello x over 2");
  // An upgrade is not taken up; HTTP/1.1 goes on.
  EXPECT_EQ(Curl("--http2 " + plain_ + "/hello/x"), "hello x over 1.1");
}

TEST_F(HttpClients, CurlAgreesOnEitherOverTls) {
  EXPECT_EQ(Curl(secure_ + "/hello/x"), "hello x over 2");
  EXPECT_EQ(Curl("--http1.1 " + secure_ + "/hello/x"), "hello x over 1.1");
  EXPECT_EQ(Curl("--no-alpn " + secure_ + "/hello/x"), "hello x over 1.1");
  EXPECT_EQ(Curl("--http2-prior-knowledge " + secure_ + "/hello/x"), "hello x over 2");
  EXPECT_EQ(Curl("--tls-max 1.2 " + secure_ + "/hello/x"), "hello x over 2");
}

TEST_F(HttpClients, CurlTrustsTheCertificateForItsNamesAlone) {
  EXPECT_THAT(Run("curl -sS --noproxy '*' -4 " + secure_ + "/hello/x"), HasSubstr("self-signed certificate"));
  const std::string port = std::to_string(server_->tls_port());
  EXPECT_EQ(Curl("https://127.0.0.1:" + port + "/hello/x"), "hello x over 2");
  EXPECT_THAT(Curl("--resolve other.example:" + port + ":127.0.0.1 https://other.example:" + port + "/"),
              HasSubstr("matches target host name"));
}

TEST_F(HttpClients, CurlMovesBodiesBothWays) {
  const std::filesystem::path body = directory_ / "body";
  std::ofstream(body) << std::string(1'000'000, 'b');
  for (const std::string& url : {plain_, secure_}) {
    for (const char* version : {"--http1.1", "--http2-prior-knowledge"}) {
      const std::string data = " --data-binary @" + body.string() + " ";
      EXPECT_EQ(
          Curl(std::string(version) + data + url + "/duplex").size(),
          1'000'000 +
              std::string_view(version == std::string_view("--http1.1") ? " over 1.1" : " over 2").size())
          << url << version;
      EXPECT_THAT(Curl(std::string(version) + data + url + "/echo"), HasSubstr("larger than"))
          << url << version;
      EXPECT_EQ(
          Curl(std::string(version) + " -H 'Expect: 100-continue' -d abc " + url + "/echo").substr(0, 3),
          "abc");
    }
    EXPECT_EQ(Curl("--http2-prior-knowledge " + url + "/large").size(), 8u * 1024 * 1024 + 7);
  }
}

TEST_F(HttpClients, NodeHasManyRequestsOnOneConnection) {
  const std::filesystem::path script = directory_ / "client.mjs";
  std::ofstream(script) << R"(
    import http2 from 'node:http2';
    import { readFileSync } from 'node:fs';
    const [url, ca] = process.argv.slice(2);
    const session = http2.connect(url, { ca: readFileSync(ca) });
    const ask = (headers, body) => new Promise((resolve, reject) => {
      const request = session.request(headers);
      let text = '';
      request.setEncoding('utf8');
      request.on('data', (piece) => { text += piece; });
      request.on('end', () => resolve(text));
      request.on('error', reject);
      request.end(body);
    });
    const asked = [];
    for (let i = 0; i < 200; ++i) {
      asked.push(ask({ ':path': `/hello/${i}` }));
      asked.push(ask({ ':path': '/echo', ':method': 'POST' }, `body ${i}`));
    }
    const answers = await Promise.all(asked);
    const wrong = answers.filter((text, i) =>
      text !== (i % 2 ? `body ${(i - 1) / 2}` : `hello ${i / 2}`));
    await new Promise((resolve) => session.ping(() => resolve()));
    console.log(`${answers.length} answers, ${wrong.length} wrong`);
    session.close();
  )";
  for (const std::string& url : {plain_, secure_}) {
    EXPECT_EQ(Run("node " + script.string() + " " + url + " " + (directory_ / "tls.crt").string()),
              "400 answers, 0 wrong\n");
  }
}

}  // namespace
}  // namespace millrace::api
