#include "api/access/failed_logins.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>

namespace millrace::api {
namespace {

namespace ip = boost::asio::ip;

// "192.0.2.1:4567" and "2001:db8::1:4567" as the address that is counted.
std::string AddressOf(std::string_view peer) {
  const std::string text(peer.substr(0, peer.rfind(':')));
  boost::system::error_code ec;
  const ip::address address = ip::make_address(text, ec);
  if (ec || !address.is_v6()) return text;
  const ip::address_v6 v6 = address.to_v6();
  if (v6.is_v4_mapped()) return ip::make_address_v4(ip::v4_mapped, v6).to_string();
  auto bytes = v6.to_bytes();
  std::fill(bytes.begin() + 8, bytes.end(), std::uint8_t{0});
  return ip::address_v6(bytes).to_string();
}

}  // namespace

std::optional<Duration> FailedLogins::Begin(std::string_view peer) {
  const std::string address = AddressOf(peer);
  const TimePoint now = clock_.SteadyNow();
  const std::lock_guard lock(mutex_);
  auto found = even_at_.find(address);
  if (found == even_at_.end()) {
    MakeRoom(now);
    found = even_at_.emplace(address, now).first;
  }
  const TimePoint even_at = std::max(found->second, now);
  const Duration ahead = even_at - now;
  if (ahead > (kFailuresMax - 1) * kFailureEvery) return ahead - (kFailuresMax - 1) * kFailureEvery;
  found->second = even_at + kFailureEvery;
  return std::nullopt;
}

void FailedLogins::Succeeded(std::string_view peer) {
  const std::lock_guard lock(mutex_);
  if (const auto found = even_at_.find(AddressOf(peer)); found != even_at_.end())
    found->second -= kFailureEvery;
}

void FailedLogins::MakeRoom(TimePoint now) {
  if (even_at_.size() < kPeersMax) return;
  std::erase_if(even_at_, [&](const auto& entry) { return entry.second <= now; });
  if (even_at_.size() < kPeersMax) return;
  even_at_.erase(std::min_element(even_at_.begin(), even_at_.end(),
                                  [](const auto& a, const auto& b) { return a.second < b.second; }));
}

}  // namespace millrace::api
