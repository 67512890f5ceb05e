#include "api/http/tls_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509err.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

#include "api/http/tls_settings.h"
#include "base/log.h"
#include "base/metrics.h"

namespace millrace::api {
namespace {

namespace net = boost::asio;
using boost::system::error_code;

// In the order of preference, as ALPN writes them (RFC 7301 section 3.1).
constexpr unsigned char kProtocols[] = "\x02h2\x08http/1.1";

// A client that offers protocols and none of ours is told so; one that offers none at all is served, and its
// first bytes say what it speaks.
int SelectProtocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                   unsigned int in_size, void*) {
  const int chosen = SSL_select_next_proto(const_cast<unsigned char**>(out), out_size, kProtocols,
                                           sizeof(kProtocols) - 1, in, in_size);
  return chosen == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

prometheus::Gauge& ExpiryGauge() {
  static auto& gauge = GetGauge("millrace_api_tls_certificate_expiry_seconds",
                                "When the certificate in use expires, in seconds since 1970");
  return gauge;
}

prometheus::Counter& LoadCounter(bool good) {
  constexpr const char* kName = "millrace_api_tls_certificate_loads_total";
  constexpr const char* kHelp = "Changes of the TLS certificate's files that were seen";
  static auto& done = GetCounter(kName, kHelp, {{"result", "done"}});
  static auto& failed = GetCounter(kName, kHelp, {{"result", "failed"}});
  return good ? done : failed;
}

Result<Timestamp> NotAfter(SSL_CTX* context) {
  const X509* certificate = SSL_CTX_get0_certificate(context);
  std::tm utc{};
  if (certificate == nullptr || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &utc) != 1)
    return Error{ErrorCode::kInvalidArgument, "the certificate says no time of its end"};
  // Those that never expire say the year 9999 (RFC 5280 section 4.1.2.5), which is more than nanoseconds
  // hold.
  constexpr std::int64_t kSecondsMax = std::numeric_limits<std::int64_t>::max() / 1'000'000'000;
  return Timestamp::FromSeconds(std::clamp<std::int64_t>(timegm(&utc), -kSecondsMax, kSecondsMax));
}

Result<void> CheckReadable(const std::filesystem::path& file, const char* what) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) {
    return Error{errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
                 std::string("the TLS ") + what + " " + file.string() + ": " + std::strerror(errno)};
  }
  if (!S_ISREG(info.st_mode)) {
    return Error{ErrorCode::kInvalidArgument,
                 std::string("the TLS ") + what + " " + file.string() + " is not a file"};
  }
  return {};
}

Error Unusable(const std::filesystem::path& file, const char* what, const error_code& ec) {
  ERR_clear_error();
  return Error{ErrorCode::kInvalidArgument, std::string("the TLS ") + what + " " + file.string() +
                                                " cannot be used: " + ec.message() + "; it must be PEM" +
                                                (std::strcmp(what, "key") == 0 ? ", not encrypted" : "")};
}

Result<std::shared_ptr<TlsSettings>> Load(const TlsFiles& files) {
  MILLRACE_RETURN_IF_ERROR(CheckReadable(files.certificate, "certificate"));
  MILLRACE_RETURN_IF_ERROR(CheckReadable(files.key, "key"));
  auto settings = std::make_shared<TlsSettings>(
      TlsSettings{net::ssl::context(net::ssl::context::tls_server), Timestamp{}});
  net::ssl::context& context = settings->context;
  SSL_CTX* native = context.native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // TLS 1.3's are all good; of 1.2 those that RFC 9113 appendix A does not forbid.
  SSL_CTX_set_cipher_list(native, "ECDHE+AESGCM:ECDHE+CHACHA20");
  SSL_CTX_set_alpn_select_cb(native, &SelectProtocol, nullptr);
  // OpenSSL would ask for a passphrase on the terminal.
  context.set_password_callback(
      [](std::size_t, net::ssl::context::password_purpose) { return std::string(); });

  error_code ec;
  context.use_certificate_chain_file(files.certificate.string(), ec);
  if (ec) return Unusable(files.certificate, "certificate", ec);
  context.use_private_key_file(files.key.string(), net::ssl::context::pem, ec);
  const auto code = static_cast<unsigned long>(ec.value());
  if (ec && ERR_GET_LIB(code) == ERR_LIB_X509 && ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH) {
    ERR_clear_error();
    return Error{ErrorCode::kInvalidArgument, "the TLS key " + files.key.string() +
                                                  " is not the key of the certificate " +
                                                  files.certificate.string()};
  }
  if (ec) return Unusable(files.key, "key", ec);
  MILLRACE_ASSIGN_OR_RETURN(settings->not_after, NotAfter(native));
  return settings;
}

}  // namespace

Result<std::unique_ptr<TlsContext>> TlsContext::Open(TlsFiles files, std::function<void()> renew,
                                                     Duration look_every) {
  std::unique_ptr<TlsContext> made(new TlsContext(std::move(files), std::move(renew), look_every));
  made->loaded_ = made->Fingerprint();
  MILLRACE_ASSIGN_OR_RETURN(std::shared_ptr<TlsSettings> settings, Load(made->files_));
  made->Use(std::move(settings));
  made->thread_ = std::thread([watching = made.get()] { watching->Watch(); });
  return made;
}

TlsContext::TlsContext(TlsFiles files, std::function<void()> renew, Duration look_every)
    : files_(std::move(files)), renew_(std::move(renew)), look_every_(look_every) {}

TlsContext::~TlsContext() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::shared_ptr<TlsSettings> TlsContext::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

void TlsContext::Use(std::shared_ptr<TlsSettings> settings) {
  const Timestamp end = settings->not_after;
  ExpiryGauge().Set(static_cast<double>(end.ns) / 1e9);
  const bool expired = end < SystemClock().Now();
  Log(expired ? LogLevel::kWarning : LogLevel::kInfo,
      expired ? "the TLS certificate in use has expired" : "TLS certificate in use",
      {{"certificate", files_.certificate.string()}, {"not_after", FormatRfc3339(end)}});
  const std::lock_guard lock(mutex_);
  current_ = std::move(settings);
}

std::string TlsContext::Fingerprint() const {
  std::string text;
  for (const auto& file : {files_.certificate, files_.key}) {
    struct stat info {};
    if (::stat(file.c_str(), &info) != 0) return "";
    for (auto part : {static_cast<std::int64_t>(info.st_dev), static_cast<std::int64_t>(info.st_ino),
                      static_cast<std::int64_t>(info.st_size), static_cast<std::int64_t>(info.st_mtim.tv_sec),
                      static_cast<std::int64_t>(info.st_mtim.tv_nsec)}) {
      text += std::to_string(part) + " ";
    }
  }
  return text;
}

void TlsContext::Watch() {
  std::string seen = loaded_;
  std::unique_lock lock(mutex_);
  while (!stop_.wait_for(lock, look_every_, [this] { return stopping_; })) {
    lock.unlock();
    if (renew_) renew_();
    const std::string now = Fingerprint();
    // Two files are not replaced at one instant: what was the same twice is taken to be finished.
    if (now == seen && now != loaded_) {
      loaded_ = now;
      auto settings = Load(files_);
      LoadCounter(settings.has_value()).Increment();
      if (settings) {
        Use(std::move(*settings));
      } else {
        Log(LogLevel::kError, "the TLS certificate stays as it is: the new one cannot be used",
            {{"error", settings.error().message}});
      }
    }
    seen = now;
    lock.lock();
  }
}

}  // namespace millrace::api
