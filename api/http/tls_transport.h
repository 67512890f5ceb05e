// A connection's bytes over TLS: Asio's stream over OpenSSL.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>

#include "api/http/tls_context.h"
#include "api/http/transport.h"

namespace millrace::api {

// `socket`'s executor is the connection's strand. The handshake comes first: Transport::Handshake.
std::unique_ptr<Transport> MakeTlsTransport(boost::asio::ip::tcp::socket socket,
                                            std::shared_ptr<TlsSettings> settings);

}  // namespace millrace::api
