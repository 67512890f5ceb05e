#include "media/webrtc/webrtc_settings.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <memory>

namespace millrace {
namespace {

constexpr std::size_t kAddressesMax = 16;

// "192.0.2.1"; empty: none that can be reached at.
std::string NumericAddress(const sockaddr* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    inet_ntop(AF_INET, &v4->sin_addr, text.data(), text.size());
  } else if (address->sa_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
    if (IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr)) return "";
    inet_ntop(AF_INET6, &v6->sin6_addr, text.data(), text.size());
  }
  return text.data();
}

}  // namespace

std::vector<std::string> GatheringAddresses(const WebrtcSettings& settings) {
  if (!settings.addresses.empty()) return settings.addresses;
  ifaddrs* raw = nullptr;
  if (getifaddrs(&raw) != 0) return {"127.0.0.1"};
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> interfaces(raw, &freeifaddrs);
  std::vector<std::string> addresses;
  std::vector<std::string> loopback;
  for (const ifaddrs* each = raw; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr || (each->ifa_flags & IFF_UP) == 0) continue;
    std::string address = NumericAddress(each->ifa_addr);
    if (address.empty() || addresses.size() == kAddressesMax) continue;
    ((each->ifa_flags & IFF_LOOPBACK) != 0 ? loopback : addresses).push_back(std::move(address));
  }
  if (settings.loopback || addresses.empty())
    addresses.insert(addresses.end(), loopback.begin(), loopback.end());
  return addresses;
}

}  // namespace millrace
