// How WebRTC connections come about: what they tell peers about where they can be reached.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace millrace {

struct WebrtcSettings {
  // "stun:host:port" (RFC 7064); the first is asked for our own address, all are told to peers.
  std::vector<std::string> stun_servers;
  struct TurnServer {
    std::string url;  // "turn:host:port?transport=udp", "turns:…" (RFC 7065)
    std::string username;
    std::string password;
  };
  std::vector<TurnServer> turn_servers;
  // UDP ports to be reached at; 0 and 0: any. A connection takes one of each address.
  std::uint16_t port_min = 0;
  std::uint16_t port_max = 0;
  // Numeric addresses of this machine to be reached at; empty: all that it has, loopback where there is no
  // other or `loopback`.
  std::vector<std::string> addresses;
  bool loopback = false;
  // Numeric addresses under which this machine is known outside, behind an address translation that keeps
  // ports: told to peers beside the machine's own.
  std::vector<std::string> public_addresses;
};

// The addresses to gather candidates on, as the settings say: numeric, no link-local ones.
std::vector<std::string> GatheringAddresses(const WebrtcSettings& settings);

}  // namespace millrace
