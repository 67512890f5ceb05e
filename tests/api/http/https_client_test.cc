// The HTTP client over TLS against the real server: whom it trusts, whom it refuses and with which words, and
// that nothing is sent to those it refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <filesystem>
#include <fstream>
#include <thread>

#include "api/http/self_signed.h"
#include "api/http/tls_context.h"
#include "tests/api/http/server_fixture.h"
#include "tests/wait.h"
#include "wire/client_tls.h"
#include "wire/http_client.h"

namespace millrace::wire {
namespace {

namespace net = boost::asio;
using api::TlsFiles;
using boost::asio::ip::tcp;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class HttpsClientTest : public api::testing::ServerTest {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "millrace-https-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    Serve(Certificate("server", api::LocalNames({})));
    api::testing::ServerTest::SetUp();
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(directory_);
  }
  void AddRoutes() override {
    api::testing::ServerTest::AddRoutes();
    router_.Add("GET", "/asked", [this](api::Request&, api::ResponseWriter& writer) -> net::awaitable<void> {
      ++asked_;
      co_await api::RespondText(writer, 200, "text/plain", "asked");
    });
  }

  TlsFiles Certificate(const std::string& name, const std::vector<std::string>& names,
                       const Clock& clock = SystemClock()) {
    TlsFiles files{directory_ / (name + ".crt"), directory_ / (name + ".key")};
    EXPECT_TRUE(api::EnsureSelfSigned(files, names, clock));
    return files;
  }
  // The next start of the server is with this certificate.
  void Serve(const TlsFiles& files) {
    auto context = api::TlsContext::Open(files);
    ASSERT_TRUE(context) << context.error().ToString();
    server_.reset();
    context_ = std::move(*context);
    options_.tls = api::TlsListener{"127.0.0.1", 0, context_.get()};
  }
  std::filesystem::path Write(const std::string& name, const std::string& text) {
    std::ofstream(directory_ / name) << text;
    return directory_ / name;
  }

  static HttpClient::Options Trusting(const std::filesystem::path& ca_file) {
    HttpClient::Options options;
    options.ca_file = ca_file;
    options.connect_timeout = test::kPatience;
    return options;
  }
  Endpoint Secure(const std::string& host = "localhost") const { return {host, server_->tls_port(), true}; }
  // The error of asking for /asked; nothing of the request may have come through.
  Error Refused(const Endpoint& endpoint, const std::filesystem::path& ca_file) {
    auto answer = HttpClient(endpoint, Trusting(ca_file)).Send({"GET", "/asked", {}, ""});
    EXPECT_FALSE(answer);
    EXPECT_EQ(asked_, 0);
    return answer ? Error{ErrorCode::kInternal, "it was answered"} : answer.error();
  }

  std::filesystem::path directory_;
  std::unique_ptr<api::TlsContext> context_;
  std::atomic<int> asked_{0};
};

// Takes one connection, and does with it what it is told to.
class Listener {
 public:
  explicit Listener(std::function<void(tcp::socket&)> serve)
      : acceptor_(io_, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)),
        thread_([this, serve = std::move(serve)] {
          tcp::socket socket(io_);
          acceptor_.accept(socket);
          serve(socket);
        }) {}
  ~Listener() { thread_.join(); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

 private:
  boost::asio::io_context io_;
  tcp::acceptor acceptor_;
  std::thread thread_;
};

// The first TLS record that a client sends: its ClientHello, which is not encrypted.
std::string ReadHello(tcp::socket& socket) {
  std::string record(5, '\0');
  boost::system::error_code ec;
  boost::asio::read(socket, boost::asio::buffer(record), ec);
  const auto byte = [&](std::size_t i) {
    return static_cast<std::size_t>(static_cast<unsigned char>(record[i]));
  };
  const std::size_t size = byte(3) << 8 | byte(4);
  record.resize(5 + size);
  boost::asio::read(socket, boost::asio::buffer(record.data() + 5, size), ec);
  EXPECT_FALSE(ec) << ec.message();
  return record;
}

TEST(Endpoint, IsPlainOrSecure) {
  auto secure = Endpoint::Parse("https://cameras.example/");
  ASSERT_TRUE(secure);
  EXPECT_TRUE(secure->tls);
  EXPECT_EQ(secure->port, 443);
  EXPECT_EQ(secure->ToString(), "https://cameras.example:443");
  auto plain = Endpoint::Parse("http://[::1]:4567");
  ASSERT_TRUE(plain);
  EXPECT_FALSE(plain->tls);
  EXPECT_EQ(plain->Authority(), "[::1]:4567");
  EXPECT_EQ(plain->ToString(), "http://[::1]:4567");
  EXPECT_EQ(Endpoint::Parse("http://a")->port, 80);
  for (const char* bad : {"https://", "https:///", "https:/a", "httpss://a", "https//a",
                          "https://a:", "https://a:0", "https://a:65536", "https://a/b", "https://u@a",
                          "https://[::1", "tls://a", "a:4568", "https://http://a", ""}) {
    auto parsed = Endpoint::Parse(bad);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(parsed.error().message, HasSubstr("https://localhost:4568"));
  }
}

TEST_F(HttpsClientTest, TrustsTheCertificateOfTheFile) {
  for (const char* host : {"localhost", "127.0.0.1"}) {
    HttpClient client(Secure(host), Trusting(directory_ / "server.crt"));
    for (int i = 0; i < 3; ++i) {
      auto answer = client.Send({"GET", "/hello/x", {}, ""});
      ASSERT_TRUE(answer) << answer.error().ToString();
      EXPECT_EQ(answer->body, "hello x");
    }
    auto echoed = client.Send({"POST", "/echo", {}, std::string(1000, 'e')});
    ASSERT_TRUE(echoed) << echoed.error().ToString();
    EXPECT_EQ(echoed->body, std::string(1000, 'e'));
  }
}

TEST_F(HttpsClientTest, MovesLargeBodiesBothWays) {
  HttpClient client(Secure(), Trusting(directory_ / "server.crt"));
  const std::string body(1'000'000, 'd');
  auto echoed = client.Send({"POST", "/duplex", {}, body});
  ASSERT_TRUE(echoed) << echoed.error().ToString();
  EXPECT_EQ(echoed->body, body);
  std::size_t size = 0;
  auto answer = client.Send({"GET", "/large", {}, ""}, [&](ByteSpan piece) -> Result<void> {
    size += piece.size();
    return {};
  });
  ASSERT_TRUE(answer) << answer.error().ToString();
  EXPECT_EQ(size, 8u * 1024 * 1024);
}

TEST_F(HttpsClientTest, AnAnswerThatIsCutOffIsNotTakenForWhole) {
  HttpClient client(Secure(), Trusting(directory_ / "server.crt"));
  auto answer = client.Send({"GET", "/unfinished", {}, ""});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(client.Send({"GET", "/hello/x", {}, ""})) << "a new connection";
}

TEST_F(HttpsClientTest, ConnectsAnewAndReadsTheFileAnew) {
  HttpClient client(Secure(), Trusting(directory_ / "server.crt"));
  ASSERT_TRUE(client.Send({"GET", "/hello/x", {}, ""}));
  const std::uint16_t port = server_->tls_port();
  std::filesystem::remove(directory_ / "server.crt");
  Serve(Certificate("server", {"localhost"}));
  options_.tls->port = port;
  // Between the two anybody may be given the port for a while.
  ASSERT_TRUE(test::WaitUntil([&] {
    auto again = api::Server::Start(dispatcher_, options_);
    if (again) server_ = std::move(*again);
    return again.has_value();
  }));
  auto answer = client.Send({"GET", "/hello/x", {}, ""});
  ASSERT_TRUE(answer) << answer.error().ToString();
}

TEST_F(HttpsClientTest, RefusesWhatNobodyVouchesFor) {
  const Error of_the_system = Refused(Secure(), "");
  EXPECT_EQ(of_the_system.code, ErrorCode::kUnauthenticated);
  EXPECT_THAT(of_the_system.message, AllOf(HasSubstr("self-signed"), HasSubstr("the system's"),
                                           HasSubstr("MILLRACE_CA_FILE"), HasSubstr("tls-certificate.pem")));
  const TlsFiles other = Certificate("other", api::LocalNames({}));
  const Error of_another = Refused(Secure(), other.certificate);
  EXPECT_EQ(of_another.code, ErrorCode::kUnauthenticated);
  EXPECT_THAT(of_another.message, HasSubstr("other.crt"));
}

TEST_F(HttpsClientTest, RefusesACertificateForAnotherHost) {
  const TlsFiles files = Certificate("named", {"cameras.example", "127.0.0.2"});
  Serve(files);
  Start();
  for (const char* host : {"localhost", "127.0.0.1"}) {
    const Error error = Refused(Secure(host), files.certificate);
    EXPECT_EQ(error.code, ErrorCode::kUnauthenticated);
    EXPECT_THAT(error.message,
                AllOf(HasSubstr(std::string("is not for ") + host), Not(HasSubstr("MILLRACE_CA_FILE"))));
  }
}

TEST_F(HttpsClientTest, RefusesACertificateWhoseTimeIsOver) {
  const ManualClock past(SystemClock().Now() + -std::chrono::hours(24 * 1000));
  const TlsFiles files = Certificate("expired", api::LocalNames({}), past);
  Serve(files);
  Start();
  const Error error = Refused(Secure(), files.certificate);
  EXPECT_EQ(error.code, ErrorCode::kUnauthenticated);
  EXPECT_THAT(error.message, HasSubstr("expired"));
}

TEST_F(HttpsClientTest, SaysWhatIsWrongWithTheFile) {
  EXPECT_EQ(Refused(Secure(), directory_ / "none").code, ErrorCode::kNotFound);
  EXPECT_EQ(Refused(Secure(), directory_).code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Refused(Secure(), Write("empty", "")).code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Refused(Secure(), Write("text", "not a certificate\n")).code, ErrorCode::kInvalidArgument);
  const Error key = Refused(Secure(), directory_ / "server.key");
  EXPECT_EQ(key.code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(key.message, HasSubstr("server.key has no certificates"));
}

TEST_F(HttpsClientTest, TellsThePortsApart) {
  const Error plain = Refused({"localhost", server_->port(), true}, directory_ / "server.crt");
  EXPECT_EQ(plain.code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(plain.message, HasSubstr("does not speak TLS"));
  auto answer =
      HttpClient({"localhost", server_->tls_port(), false}, Trusting("")).Send({"GET", "/asked", {}, ""});
  ASSERT_TRUE(answer) << answer.error().ToString();
  EXPECT_EQ(answer->status, 400);
  EXPECT_THAT(answer->body, HasSubstr("https://"));
}

HttpClient::Options Patient() {
  HttpClient::Options options;
  options.connect_timeout = test::kPatience;
  return options;
}

TEST(HttpsClient, OffersNewVersionsHttp1AndTheNameThatWasAskedFor) {
  for (const std::string host : {"localhost", "127.0.0.1"}) {
    std::string hello;
    std::uint16_t port = 0;
    Result<HttpResponse> answer = Error{};
    {
      Listener listener([&](tcp::socket& socket) { hello = ReadHello(socket); });
      port = listener.port();
      answer = HttpClient({host, port, true}, Patient()).Send({"GET", "/", {}, ""});
    }
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::kUnavailable) << answer.error().message;
    EXPECT_THAT(hello, HasSubstr("\x08http/1.1"));
    // An address is no server name (RFC 6066 section 3).
    EXPECT_EQ(hello.find(host) != std::string::npos, host == "localhost");
  }
  auto context = MakeClientContext("");
  ASSERT_TRUE(context);
  EXPECT_EQ(SSL_CTX_get_min_proto_version(context->native_handle()), TLS1_2_VERSION);
}

TEST(HttpsClient, ASilentServerCostsTheTimeLimitAndGarbageNothing) {
  {
    Listener silent([](tcp::socket& socket) {
      char byte = 0;
      boost::system::error_code ec;
      while (socket.read_some(boost::asio::buffer(&byte, 1), ec) > 0) {
      }
    });
    HttpClient::Options options;
    options.connect_timeout = std::chrono::milliseconds(200);
    // The one address that it listens on: else the time may be over before that is tried.
    auto answer = HttpClient({"127.0.0.1", silent.port(), true}, options).Send({"GET", "/", {}, ""});
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ErrorCode::kDeadlineExceeded) << answer.error().message;
  }
  for (const std::string& bytes : {std::string("\x16\x03\x03\xff\xff") + std::string(70'000, 'x'),
                                   std::string(1000, '\0'), std::string("\x15\x03\x03\x00\x02\x02\x28", 7)}) {
    Listener garbage([&](tcp::socket& socket) {
      (void)ReadHello(socket);
      boost::system::error_code ec;
      boost::asio::write(socket, boost::asio::buffer(bytes), ec);
    });
    auto answer = HttpClient({"localhost", garbage.port(), true}, Patient()).Send({"GET", "/", {}, ""});
    EXPECT_FALSE(answer);
  }
}

}  // namespace
}  // namespace millrace::wire
