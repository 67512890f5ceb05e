// A TLS client that offers exactly the protocols it is told to, and then sends exactly the bytes it is told
// to. It trusts nobody and checks nothing: what it sees of the certificate is for the tests to look at.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "tests/wait.h"

namespace millrace::api::testing {

class TlsClient {
 public:
  // `alpn`: as TLS has it, each name behind its length; "": none is offered.
  explicit TlsClient(std::uint16_t port, std::string_view alpn = "", int version_max = 0)
      : context_(SSL_CTX_new(TLS_client_method())), fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval patience{test::kPatience.count(), 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return;
    // The lowest security level, so that only the server's own rules refuse old versions.
    SSL_CTX_set_security_level(context_, 0);
    if (version_max != 0) SSL_CTX_set_max_proto_version(context_, version_max);
    ssl_ = SSL_new(context_);
    SSL_set_fd(ssl_, fd_);
    if (!alpn.empty()) {
      SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(alpn.data()),
                          static_cast<unsigned int>(alpn.size()));
    }
    connected_ = SSL_connect(ssl_) == 1;
  }
  ~TlsClient() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
    ::close(fd_);
  }
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  bool connected() const { return connected_; }
  std::string protocol() const {
    const unsigned char* name = nullptr;
    unsigned int size = 0;
    SSL_get0_alpn_selected(ssl_, &name, &size);
    return {reinterpret_cast<const char*>(name), size};
  }
  std::string version() const { return SSL_get_version(ssl_); }
  // Of the server's certificate, as text; "": there is none.
  std::string serial() const {
    X509* certificate = SSL_get1_peer_certificate(ssl_);
    if (certificate == nullptr) return "";
    const ASN1_INTEGER* number = X509_get0_serialNumber(certificate);
    const unsigned char* data = ASN1_STRING_get0_data(number);
    std::string text(reinterpret_cast<const char*>(data),
                     static_cast<std::size_t>(ASN1_STRING_length(number)));
    X509_free(certificate);
    return text;
  }

  bool Send(std::string_view bytes) {
    return SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())) == static_cast<int>(bytes.size());
  }
  // Some bytes; "": the server has closed, or is silent.
  std::string Receive() {
    char piece[16384];
    const int size = SSL_read(ssl_, piece, sizeof(piece));
    if (size > 0) return {piece, static_cast<std::size_t>(size)};
    closed_cleanly_ = SSL_get_error(ssl_, size) == SSL_ERROR_ZERO_RETURN;
    return "";
  }
  std::string ReceiveAll() {
    std::string all;
    for (std::string piece = Receive(); !piece.empty(); piece = Receive()) all += piece;
    return all;
  }
  // The server said that it closes, rather than being cut off.
  bool closed_cleanly() const { return closed_cleanly_; }

 private:
  SSL_CTX* context_;
  SSL* ssl_ = nullptr;
  int fd_;
  bool connected_ = false;
  bool closed_cleanly_ = false;
};

}  // namespace millrace::api::testing
