// Sessions: what somebody gets who showed his access key, so that a browser or a player need not sign. A
// token says whose it is and how long it holds; it is sealed, nothing is kept of it here. It ends early when
// its key leaves the credentials or gets another secret.
//
// Threads: any.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/access/credentials.h"
#include "base/time.h"
#include "wire/sealed_token.h"

namespace millrace::api {

inline constexpr Duration kSessionLength = std::chrono::hours(12);
inline constexpr char kSessionCookie[] = "millrace_session";

class Sessions {
 public:
  struct Holder {
    std::shared_ptr<const User> user;
    std::string key_id;
    std::string path;  // what it is good for: this path and what is below it; "": everything
    // "/hls/door" and "/hls/door/" are good for "/hls/door/live.m3u8", and not for "/hls/doors".
    bool GoodFor(std::string_view target_path) const;
  };

  // Both outlive this.
  Sessions(const wire::TokenSealer& sealer, const Clock& clock) : sealer_(sealer), clock_(clock) {}

  // A token for the owner of this key, until `end`. REQUIRES: `credentials` has the key.
  std::string Make(const Credentials& credentials, std::string_view key_id, Timestamp end,
                   std::string_view path = "") const;
  // Null: it is none of ours, is over, or its key is not there any more.
  std::optional<Holder> Open(const Credentials& credentials, std::string_view token) const;

 private:
  const wire::TokenSealer& sealer_;
  const Clock& clock_;
};

// The value of a cookie in a Cookie header (RFC 6265 section 4.2.1); "" for none.
std::string_view FindCookie(std::string_view header, std::string_view name);

}  // namespace millrace::api
