// Requests of the Data Streams protocol as bytes, signed where a key is given.
//
// Threads: any.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "wire/signature_v4.h"

namespace millrace::bench {

struct RequestMaker {
  std::string host;                    // "127.0.0.1:4567"
  std::optional<wire::AccessKey> key;  // none: an Authorization header that nobody looks at

  // A whole HTTP/1.1 request; `body` is JSON.
  std::string Make(std::string_view operation, const std::string& body) const;

  // PutRecord where `batch` is 1, else PutRecords. Keys differ, so that the records go to all shards;
  // `first_key` says where they begin. `data`: base64.
  std::string Put(const std::string& stream, std::size_t batch, std::size_t first_key,
                  const std::string& data) const;
  std::string GetShardIterator(const std::string& stream, const std::string& shard,
                               const std::string& type) const;
  std::string GetRecords(std::string_view iterator) const;
  std::string Subscribe(const std::string& consumer_arn, const std::string& shard) const;
};

// The text of the first member of this name; empty: there is none. For answers without escapes in them.
std::string_view JsonText(std::string_view body, std::string_view name);

}  // namespace millrace::bench
