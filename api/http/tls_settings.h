// What a TLS connection is made with.
#pragma once

#include <boost/asio/ssl/context.hpp>

#include "base/time.h"

namespace millrace::api {

struct TlsSettings {
  boost::asio::ssl::context context;
  Timestamp not_after;  // of the certificate
};

}  // namespace millrace::api
