#include "wire/client_tls.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/error.hpp>
#include <cerrno>
#include <cstring>

namespace millrace::wire {
namespace {

namespace net = boost::asio;
using boost::system::error_code;

Result<void> CheckReadable(const std::filesystem::path& file) {
  const std::string what = "the CA file " + file.string();
  if (::access(file.c_str(), R_OK) != 0) {
    return Error{errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo, what + ": " + std::strerror(errno)};
  }
  std::error_code ec;
  if (!std::filesystem::is_regular_file(file, ec))
    return Error{ErrorCode::kInvalidArgument, what + " is not a file"};
  return {};
}

}  // namespace

Result<net::ssl::context> MakeClientContext(const std::filesystem::path& ca_file, std::string_view protocol) {
  net::ssl::context context(net::ssl::context::tls_client);
  SSL_CTX* native = context.native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // Each with its length in front (RFC 7301 section 3.1).
  const std::string protocols = static_cast<char>(protocol.size()) + std::string(protocol);
  SSL_CTX_set_alpn_protos(native, AsBytes(protocols).data(), static_cast<unsigned>(protocols.size()));
  SSL_CTX_set_verify(native, SSL_VERIFY_PEER, nullptr);
  error_code ec;
  if (ca_file.empty()) {
    context.set_default_verify_paths(ec);
    if (ec) {
      ERR_clear_error();
      return Error{ErrorCode::kIo, "the system's CA certificates cannot be read: " + ec.message()};
    }
    return context;
  }
  MILLRACE_RETURN_IF_ERROR(CheckReadable(ca_file));
  context.load_verify_file(ca_file.string(), ec);
  if (ec) {
    ERR_clear_error();
    return Error{ErrorCode::kInvalidArgument,
                 "the CA file " + ca_file.string() + " has no certificates (PEM): " + ec.message()};
  }
  // What was named is trusted without the one that signed it.
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(native), X509_V_FLAG_PARTIAL_CHAIN);
  return context;
}

Result<void> ExpectHost(SSL* session, const std::string& host) {
  X509_VERIFY_PARAM* expected = SSL_get0_param(session);
  error_code not_numeric;
  auto address = net::ip::make_address(host, not_numeric);
  bool good = false;
  if (not_numeric) {
    X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    good = X509_VERIFY_PARAM_set1_host(expected, host.data(), host.size()) == 1 &&
           SSL_set_tlsext_host_name(session, host.c_str()) == 1;
  } else {
    // Certificates know no zones: fe80::1%eth0 is fe80::1. There is no SNI of addresses.
    if (address.is_v6()) address = net::ip::address_v6(address.to_v6().to_bytes());
    good = X509_VERIFY_PARAM_set1_ip_asc(expected, address.to_string().c_str()) == 1;
  }
  if (good) return {};
  ERR_clear_error();
  return Error{ErrorCode::kInvalidArgument, "no certificate can be for the host " + host};
}

Error HandshakeError(const error_code& ec, const SSL* session, const Endpoint& endpoint,
                     const std::filesystem::path& ca_file) {
  const std::string server = endpoint.ToString();
  const long verdict = SSL_get_verify_result(session);
  if (verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH) {
    return Error{ErrorCode::kUnauthenticated, "the certificate of " + server + " is not for " +
                                                  endpoint.host +
                                                  ": call the server by a name that its certificate has"};
  }
  if (verdict == X509_V_ERR_CERT_HAS_EXPIRED || verdict == X509_V_ERR_CERT_NOT_YET_VALID) {
    return Error{ErrorCode::kUnauthenticated, "the certificate of " + server + " is not valid now: " +
                                                  X509_verify_cert_error_string(verdict)};
  }
  if (verdict != X509_V_OK) {
    const std::string by = ca_file.empty() ? "the system's CA certificates" : ca_file.string();
    return Error{ErrorCode::kUnauthenticated,
                 "the certificate of " + server + " is not trusted by " + by + " (" +
                     X509_verify_cert_error_string(verdict) +
                     "): name the file with its issuer's in MILLRACE_CA_FILE; a millrace server that was "
                     "given no certificate has made its own, tls-certificate.pem in its data directory"};
  }
  if (ec.category() == net::error::get_ssl_category() &&
      ERR_GET_REASON(static_cast<unsigned long>(ec.value())) == SSL_R_WRONG_VERSION_NUMBER) {
    return Error{ErrorCode::kInvalidArgument,
                 server + " does not speak TLS: is it the plain port, for http:// ?"};
  }
  return Error{ErrorCode::kUnavailable, "the TLS handshake with " + server + ": " + ec.message()};
}

}  // namespace millrace::wire
