#include "api/data_streams/shard_limits.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

namespace millrace::api {
namespace {

constexpr std::pair<std::string_view, std::uint64_t ShardLimits::*> kNames[] = {
    {"write_bytes", &ShardLimits::write_bytes},       {"write_records", &ShardLimits::write_records},
    {"read_bytes", &ShardLimits::read_bytes},         {"reads", &ShardLimits::reads},
    {"consumer_bytes", &ShardLimits::consumer_bytes},
};
// Beyond it a limit is none.
constexpr std::uint64_t kLimitMax = std::uint64_t{1} << 40;

Error Unreadable() {
  return {ErrorCode::kInvalidArgument,
          "a shard's limits are 'on', 'off', or some of write_bytes=N write_records=N read_bytes=N reads=N "
          "consumer_bytes=N, a second each; 0 is no limit"};
}

// Takes the next word off the text; empty: there is none.
std::string_view TakeWord(std::string_view& text) {
  const auto begin = std::min(text.find_first_not_of(" ,"), text.size());
  text.remove_prefix(begin);
  const std::string_view word = text.substr(0, text.find_first_of(" ,"));
  text.remove_prefix(word.size());
  return word;
}

}  // namespace

Result<ShardLimits> ParseShardLimits(std::string_view text, const ShardLimits& defaults) {
  if (text == "off") return ShardLimits::Off();
  if (text == "on") return ShardLimits();
  ShardLimits limits = defaults;
  std::string_view word = TakeWord(text);
  if (word.empty()) return Unreadable();
  for (; !word.empty(); word = TakeWord(text)) {
    const auto equals = std::min(word.find('='), word.size());
    std::uint64_t ShardLimits::*member = nullptr;
    for (const auto& [name, one] : kNames) {
      if (name == word.substr(0, equals)) member = one;
    }
    if (member == nullptr || equals == word.size()) return Unreadable();
    const char* end = word.data() + word.size();
    const auto [at, ec] = std::from_chars(word.data() + equals + 1, end, limits.*member);
    if (ec != std::errc() || at != end || limits.*member > kLimitMax) return Unreadable();
  }
  return limits;
}

}  // namespace millrace::api
