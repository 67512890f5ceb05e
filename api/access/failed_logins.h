// How often a peer may guess at keys: a peer may fail kFailuresMax times in a row, and then once each
// kFailureEvery.
//
// Peers are told apart by address, those of IPv6 by their /64, which is what one subscriber has. At most
// kPeersMax are remembered; of more, whoever failed least is forgotten.
//
// Threads: any.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace millrace::api {

class FailedLogins {
 public:
  static constexpr int kFailuresMax = 10;
  static constexpr Duration kFailureEvery = std::chrono::seconds(6);
  static constexpr std::size_t kPeersMax = 4096;

  // `clock` outlives this.
  explicit FailedLogins(const Clock& clock) : clock_(clock) {}

  // A try begins, and counts as failed until it is said to have succeeded, so that many at once are no way
  // around. `peer` is Request::peer. A duration: the peer has had its share, and may try again after it.
  std::optional<Duration> Begin(std::string_view peer);
  void Succeeded(std::string_view peer);

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  void MakeRoom(TimePoint now);

  const Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, TimePoint> even_at_;  // when a peer's failures are forgotten; GUARDED_BY(mutex_)
};

}  // namespace millrace::api
