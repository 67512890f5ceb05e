// Members of the server's answers: what is not there, or of another kind, is empty or zero. An answer is not
// believed further than that.
//
// Threads: pure functions, any thread.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <string>

#include "base/time.h"

namespace millrace::wire {

inline std::string TextOf(const boost::json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}
inline bool FlagOf(const boost::json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_bool() && value->get_bool();
}
inline std::uint64_t CountOf(const boost::json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr) return 0;
  if (value->is_uint64()) return value->get_uint64();
  return value->is_int64() && value->get_int64() > 0 ? static_cast<std::uint64_t>(value->get_int64()) : 0;
}
// Seconds with a fraction, as AWS's protocols have times.
inline double EpochSeconds(Timestamp time) { return static_cast<double>(time.millis()) / 1000; }
inline Timestamp TimeOf(const boost::json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || !value->is_number()) return {};
  boost::system::error_code ec;
  const double seconds = value->to_number<double>(ec);
  constexpr double kSecondsMax = 9e9;  // within 64 bits of nanoseconds
  if (ec || !(seconds >= 0 && seconds < kSecondsMax)) return {};
  return Timestamp::FromMillis(static_cast<std::int64_t>(seconds * 1000 + 0.5));
}
inline const boost::json::array* ListOf(const boost::json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_array() ? &value->get_array() : nullptr;
}

}  // namespace millrace::wire
