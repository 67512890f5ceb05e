// The TLS port: what is agreed on, certificates that change while connections are open, and what is made when
// there is none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <limits>

#include "api/http/self_signed.h"
#include "api/http/tls_context.h"
#include "api/http/tls_settings.h"
#include "base/metrics.h"
#include "tests/api/http/server_fixture.h"
#include "tests/api/http/tls_client.h"
#include "tests/wait.h"

namespace millrace::api {
namespace {

using ::testing::HasSubstr;
using testing::RawAnswer;
using testing::RawClient;
using ::testing::StartsWith;
using testing::TlsClient;

constexpr std::string_view kBothProtocols = "\x02h2\x08http/1.1";
constexpr std::string_view kHello = "GET /hello/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void WriteFile(const std::filesystem::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

class Directory {
 public:
  Directory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "millrace-tls-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  TlsFiles Files(const std::string& name = "tls") const {
    return {path_ / (name + ".crt"), path_ / (name + ".key")};
  }

 private:
  std::filesystem::path path_;
};

class TlsTest : public testing::ServerTest {
 protected:
  void SetUp() override {
    ASSERT_TRUE(EnsureSelfSigned(files_, LocalNames({}), SystemClock()));
    auto context = TlsContext::Open(files_, {}, std::chrono::milliseconds(20));
    ASSERT_TRUE(context) << context.error().ToString();
    context_ = std::move(*context);
    options_.tls = TlsListener{"127.0.0.1", 0, context_.get()};
    testing::ServerTest::SetUp();
  }
  void TearDown() override { server_.reset(); }

  Directory directory_;
  TlsFiles files_ = directory_.Files();
  std::unique_ptr<TlsContext> context_;
};

// Its end is beyond what a time in nanoseconds can say, as of those that end in the year 9999.
TEST(TlsContextTest, ACertificateThatNeverExpiresHasNotExpired) {
  const Directory directory;
  constexpr Timestamp kLast{std::numeric_limits<std::int64_t>::max() - 1'000'000'000};
  ASSERT_TRUE(EnsureSelfSigned(directory.Files(), LocalNames({}), ManualClock(kLast)));
  auto context = TlsContext::Open(directory.Files());
  ASSERT_TRUE(context) << context.error().ToString();
  EXPECT_GE((*context)->current()->not_after, Timestamp::FromSeconds(kLast.seconds()));
}

TEST_F(TlsTest, AgreesOnHttp2WhereTheClientHasIt) {
  TlsClient client(server_->tls_port(), kBothProtocols);
  ASSERT_TRUE(client.connected());
  EXPECT_EQ(client.protocol(), "h2");
  EXPECT_EQ(client.version(), "TLSv1.3");
  // The server speaks first: SETTINGS.
  const std::string first = client.Receive();
  ASSERT_GE(first.size(), 9u);
  EXPECT_EQ(first[3], 4);
}

TEST_F(TlsTest, SpeaksHttp1ToThoseWhoOfferIt) {
  TlsClient client(server_->tls_port(), "\x08http/1.1");
  EXPECT_EQ(client.protocol(), "http/1.1");
  client.Send(kHello);
  EXPECT_THAT(client.ReceiveAll(), HasSubstr("hello x"));
  EXPECT_TRUE(client.closed_cleanly());
}

TEST_F(TlsTest, TheFirstBytesSayWhatAClientWithoutAlpnSpeaks) {
  TlsClient http_1(server_->tls_port());
  EXPECT_EQ(http_1.protocol(), "");
  http_1.Send(kHello);
  EXPECT_THAT(http_1.ReceiveAll(), HasSubstr("hello x"));

  TlsClient http_2(server_->tls_port());
  http_2.Send(std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") + std::string("\0\0\0\4\0\0\0\0\0", 9));
  const std::string first = http_2.Receive();
  ASSERT_GE(first.size(), 9u);
  EXPECT_EQ(first[3], 4) << "not SETTINGS";
}

TEST_F(TlsTest, RefusesOldVersionsAndUnknownProtocols) {
  EXPECT_FALSE(TlsClient(server_->tls_port(), "", TLS1_1_VERSION).connected());
  EXPECT_TRUE(TlsClient(server_->tls_port(), "", TLS1_2_VERSION).connected());
  EXPECT_FALSE(TlsClient(server_->tls_port(), "\x06spdy/3").connected());
}

TEST_F(TlsTest, PlainHttpIsToldWhatToDo) {
  RawClient client(server_->tls_port());
  client.Send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const RawAnswer answer = client.Receive();
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.body, HasSubstr("https://"));
}

TEST_F(TlsTest, GarbageAndSilenceEndTheConnectionOnly) {
  options_.limits.header_timeout = std::chrono::milliseconds(300);
  Start();
  RawClient garbage(server_->tls_port());
  garbage.Send(std::string(1000, '\x17'));
  while (!garbage.Take(1).empty()) {
  }
  EXPECT_TRUE(garbage.Closed());
  RawClient silent(server_->tls_port());
  EXPECT_TRUE(silent.Closed());
  EXPECT_EQ(Ask("GET /hello/x HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 200);
}

TEST_F(TlsTest, AnUnfinishedAnswerIsSeenAsSuch) {
  TlsClient client(server_->tls_port());
  client.Send("GET /unfinished HTTP/1.0\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(client.ReceiveAll(), StartsWith("HTTP/1.1 200"));
  EXPECT_FALSE(client.closed_cleanly());
}

TEST_F(TlsTest, LargeBodiesPassBothWays) {
  TlsClient client(server_->tls_port());
  client.Send("GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  EXPECT_GT(client.ReceiveAll().size(), 8u * 1024 * 1024);
  EXPECT_TRUE(client.closed_cleanly());

  TlsClient duplex(server_->tls_port());
  const std::string body(100'000, 'b');
  duplex.Send("POST /duplex HTTP/1.0\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n" + body);
  const std::string answer = duplex.ReceiveAll();
  EXPECT_EQ(answer.substr(answer.find("\r\n\r\n") + 4), body);
}

TEST_F(TlsTest, AReaderThatTakesNothingIsCutOff) {
  options_.limits.write_timeout = std::chrono::milliseconds(200);
  Start();
  TlsClient client(server_->tls_port());
  client.Send("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n");
  large_done_.get_future().wait();
  EXPECT_TRUE(large_failed_);
}

TEST_F(TlsTest, StopEndsIdleConnectionsAndHandshakes) {
  TlsClient idle(server_->tls_port());
  RawClient halfway(server_->tls_port());
  halfway.Send("\x16\x03\x01");
  ASSERT_TRUE(idle.connected());
  server_->Stop(std::chrono::seconds(5));
  EXPECT_EQ(idle.Receive(), "");
  EXPECT_TRUE(halfway.Closed());
}

TEST_F(TlsTest, NewFilesAreForNewConnections) {
  TlsClient before(server_->tls_port());
  const std::string old_serial = before.serial();
  ASSERT_NE(old_serial, "");

  const TlsFiles made = directory_.Files("made");
  ASSERT_TRUE(EnsureSelfSigned(made, LocalNames({}), SystemClock()));
  std::filesystem::rename(made.certificate, files_.certificate);
  std::filesystem::rename(made.key, files_.key);
  EXPECT_TRUE(test::WaitUntil([&] { return TlsClient(server_->tls_port()).serial() != old_serial; }));

  // The connection from before goes on.
  before.Send(kHello);
  EXPECT_THAT(before.ReceiveAll(), HasSubstr("hello x"));
}

TEST_F(TlsTest, BadNewFilesLeaveTheOldOnesInUse) {
  const auto settings = context_->current();
  const TlsFiles other = directory_.Files("other");
  ASSERT_TRUE(EnsureSelfSigned(other, LocalNames({}), SystemClock()));
  auto& failures = GetCounter("millrace_api_tls_certificate_loads_total", "", {{"result", "failed"}});
  const auto fails = [&](const std::function<void()>& change) {
    const double before = failures.Value();
    change();
    return test::WaitUntil([&] { return failures.Value() > before; });
  };
  EXPECT_TRUE(fails([&] { WriteFile(files_.key, "no key at all\n"); }));
  EXPECT_TRUE(fails([&] { WriteFile(files_.key, ReadFile(other.key)); })) << "of another certificate";
  EXPECT_TRUE(fails([&] { std::filesystem::remove(files_.key); }));
  EXPECT_TRUE(TlsClient(server_->tls_port()).connected());
  EXPECT_EQ(context_->current(), settings);

  // And the next good pair is taken.
  WriteFile(files_.key, ReadFile(other.key));
  WriteFile(files_.certificate, ReadFile(other.certificate));
  EXPECT_TRUE(test::WaitUntil([&] { return context_->current() != settings; }));
  EXPECT_TRUE(TlsClient(server_->tls_port()).connected());
}

TEST(TlsContextTest, SaysWhatIsWrongWithFiles) {
  Directory directory;
  const TlsFiles good = directory.Files("good");
  const TlsFiles other = directory.Files("other");
  const TlsFiles bad = directory.Files("bad");
  ASSERT_TRUE(EnsureSelfSigned(good, {"localhost"}, SystemClock()));
  ASSERT_TRUE(EnsureSelfSigned(other, {"localhost"}, SystemClock()));
  WriteFile(bad.certificate, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  WriteFile(bad.key, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n");

  struct Case {
    TlsFiles files;
    ErrorCode code;
    std::string text;
  };
  for (const Case& c :
       {Case{directory.Files("absent"), ErrorCode::kNotFound, "absent.crt"},
        Case{{good.certificate, directory.Files("absent").key}, ErrorCode::kNotFound, "absent.key"},
        Case{{bad.certificate, good.key}, ErrorCode::kInvalidArgument, "bad.crt cannot be used"},
        Case{{good.certificate, bad.key}, ErrorCode::kInvalidArgument, "not encrypted"},
        Case{{good.key, good.key}, ErrorCode::kInvalidArgument, "good.key cannot be used"},
        Case{{good.certificate, other.key}, ErrorCode::kInvalidArgument, "is not the key of"},
        Case{{good.certificate, "/dev/null"}, ErrorCode::kInvalidArgument, "is not a file"}}) {
    auto opened = TlsContext::Open(c.files);
    ASSERT_FALSE(opened) << c.text;
    EXPECT_EQ(opened.error().code, c.code) << c.text;
    EXPECT_THAT(opened.error().message, HasSubstr(c.text));
  }
}

TEST(SelfSigned, IsMadeOnceAndAnewWhenItDoesNotFit) {
  Directory directory;
  const TlsFiles files = directory.Files();
  ManualClock clock(SystemClock().Now());
  ASSERT_TRUE(EnsureSelfSigned(files, {"localhost", "127.0.0.1", "::1"}, clock));
  for (const auto& file : {files.certificate, files.key}) {
    struct stat info {};
    ASSERT_EQ(::stat(file.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u);
  }
  std::string made = ReadFile(files.certificate);
  const auto makes_anew = [&](std::vector<std::string> names) {
    EXPECT_TRUE(EnsureSelfSigned(files, names, clock));
    return std::exchange(made, ReadFile(files.certificate)) != made;
  };
  EXPECT_FALSE(makes_anew({"localhost", "127.0.0.1"}));
  EXPECT_TRUE(makes_anew({"localhost", "10.0.0.7"}));
  EXPECT_FALSE(makes_anew({"localhost"}));
  EXPECT_TRUE(makes_anew({"localhost", "camera-server"}));
  clock.Advance(std::chrono::hours(24) * 700);
  EXPECT_FALSE(makes_anew({"localhost"}));
  clock.Advance(std::chrono::hours(24) * 70);
  EXPECT_TRUE(makes_anew({"localhost"}));
  WriteFile(files.key, "damaged");
  EXPECT_TRUE(makes_anew({"localhost"}));
  std::filesystem::remove(files.certificate);
  EXPECT_TRUE(makes_anew({"localhost"}));
}

TEST(SelfSigned, NeedsAPlaceForItsFiles) {
  auto made = EnsureSelfSigned({"/nonexistent/a.crt", "/nonexistent/a.key"}, {"localhost"}, SystemClock());
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::kIo);
}

}  // namespace
}  // namespace millrace::api
