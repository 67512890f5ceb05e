// Structured logging over spdlog: one line an event, a message and key=value fields, as text or as JSON.
//
//   Log(LogLevel::kInfo, "camera connected", {{"camera", name}, {"codec", "h264"}});
//
// Secrets never go into a field: URLs are logged through RedactUrl(). Threads: any.
#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

namespace millrace {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
enum class LogFormat { kText, kJson };

struct LogField {
  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const char* v) : key(k), value(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(v) {}
  LogField(std::string_view k, bool v) : key(k), value(v ? "true" : "false"), quoted(false) {}
  template <typename T>
  requires(std::integral<T> || std::floating_point<T>) &&
      (!std::same_as<T, bool>)LogField(std::string_view k, T v)
      : key(k),
  value(std::to_string(v)), quoted(false) {}

  std::string_view key;
  std::string value;
  bool quoted = true;  // a string in JSON; else a number or a boolean
};

// To standard error. Call once, before threads start; the default is text from kInfo on.
void InitLogging(LogLevel level, LogFormat format);

void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});

// The URL without user and password: "rtsp://user:pw@host/x" -> "rtsp://host/x".
std::string RedactUrl(std::string_view url);

}  // namespace millrace
