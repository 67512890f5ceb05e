// Where a server is, and what a client of it takes from its environment: key and trusted certificates.
//
// Threads: values; the environment is not changed meanwhile.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/access_key.h"

namespace millrace::wire {

// "http://127.0.0.1:4567", "https://localhost:4568"; a path is not part of it.
struct Endpoint {
  std::string host;  // without brackets
  std::uint16_t port = 80;
  bool tls = false;

  static Result<Endpoint> Parse(std::string_view url);
  std::string ToString() const;   // "http://[::1]:4567"
  std::string Authority() const;  // "[::1]:4567"
};

// MILLRACE_ACCESS_KEY_ID and MILLRACE_SECRET_ACCESS_KEY, else those that AWS's clients take:
// AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. None: not both are set.
std::optional<AccessKey> AccessKeyFromEnvironment();

// MILLRACE_CA_FILE; "" without.
std::filesystem::path CaFileFromEnvironment();

}  // namespace millrace::wire
