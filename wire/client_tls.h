// TLS as the HTTP client has it: which servers are believed to be who they say, and what is said of others.
//
// TLS 1.2 or newer, SNI (RFC 6066 section 3), ALPN (RFC 7301). A server's certificate must lead to one that
// is trusted, and be for the host that was asked for (RFC 6125); there is no way around either.
//
// Threads: any; a session belongs to one.
#pragma once

#include <openssl/ssl.h>

#include <boost/asio/ssl/context.hpp>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/http_client.h"

namespace millrace::wire {

// `ca_file`: the certificates (PEM) that are trusted in place of the system's. Each is trusted as it is: a
// server's own will do, which cannot sign others. "": the system's.
// `protocol`: what is spoken over it, by its name in ALPN.
// Errors: kNotFound, kIo (the file), kInvalidArgument (no certificates).
inline constexpr std::string_view kHttp11 = "http/1.1";
inline constexpr std::string_view kHttp2 = "h2";
Result<boost::asio::ssl::context> MakeClientContext(const std::filesystem::path& ca_file,
                                                    std::string_view protocol = kHttp11);

// Before the handshake: who is to be at the other end. `host`: a name, or a numeric address.
// Errors: kInvalidArgument (a name that no certificate can have).
Result<void> ExpectHost(SSL* session, const std::string& host);

// What a failed handshake comes to: kUnauthenticated (the certificate; says how to trust it),
// kInvalidArgument (no TLS there), else kUnavailable.
Error HandshakeError(const boost::system::error_code& ec, const SSL* session, const Endpoint& endpoint,
                     const std::filesystem::path& ca_file);

}  // namespace millrace::wire
