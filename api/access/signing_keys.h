// Remembers what was derived of secrets: a client signs a whole day with one key, and deriving it takes as
// long as all else of checking a signature.
//
// Threads: any.
#pragma once

#include <mutex>
#include <string>
#include <unordered_map>

#include "wire/signature_v4.h"

namespace millrace::api {

class SigningKeys {
 public:
  static constexpr std::size_t kKeysMax = 1024;  // then all are forgotten: they are derived again

  // As wire::SigningKey.
  wire::Digest Of(const std::string& secret, const wire::SignatureScope& scope);

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, wire::Digest> keys_;  // GUARDED_BY(mutex_); by scope and secret
};

}  // namespace millrace::api
