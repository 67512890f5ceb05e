#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>

#include "base/time.h"

namespace millrace {
namespace {

std::atomic<LogFormat> g_format{LogFormat::kText};

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::string_view Name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "info";
}

// A JSON string literal: what comes from cameras and clients may hold anything, so control characters and
// whatever is not ASCII-printable is escaped or passed on as it is when it cannot break the line.
void AppendQuoted(std::string& out, std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  out.push_back('"');
  for (char c : text) {
    auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (u < 0x20 || u == 0x7f) {
      out.append("\\u00");
      out.push_back(kHex[u >> 4]);
      out.push_back(kHex[u & 15]);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

}  // namespace

void InitLogging(LogLevel level, LogFormat format) {
  g_format = format;
  auto logger = spdlog::stderr_color_mt("millrace");
  logger->set_level(ToSpdlog(level));
  logger->set_pattern(format == LogFormat::kJson ? "%v" : "%Y-%m-%dT%H:%M:%S.%e%z %^%-7l%$ %v");
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  auto* logger = spdlog::default_logger_raw();
  if (!logger->should_log(ToSpdlog(level))) return;
  std::string line;
  if (g_format == LogFormat::kJson) {
    line.append("{\"time\":\"").append(FormatRfc3339(SystemClock().Now())).append("\",\"level\":\"");
    line.append(Name(level)).append("\",\"message\":");
    AppendQuoted(line, message);
    for (const LogField& field : fields) {
      line.push_back(',');
      AppendQuoted(line, field.key);
      line.push_back(':');
      if (field.quoted) {
        AppendQuoted(line, field.value);
      } else {
        line.append(field.value);
      }
    }
    line.push_back('}');
  } else {
    line.append(message);
    for (const LogField& field : fields) {
      line.push_back(' ');
      line.append(field.key).push_back('=');
      bool plain = !field.value.empty() && field.value.find_first_of(" \"=\\\t\r\n") == std::string::npos;
      if (plain || !field.quoted) {
        line.append(field.value);
      } else {
        AppendQuoted(line, field.value);
      }
    }
  }
  logger->log(ToSpdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

std::string RedactUrl(std::string_view url) {
  auto scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos) return std::string(url);
  auto authority = scheme_end + 3;
  auto authority_end = url.find_first_of("/?#", authority);
  auto at = url.substr(0, authority_end).rfind('@');
  // A password may itself hold a slash or an at sign that somebody forgot to escape: then the last '@' before
  // the query decides, since to show too little is the right side to err on.
  auto last_at = url.substr(0, url.find_first_of("?#")).rfind('@');
  if (last_at != std::string_view::npos) at = last_at;
  if (at == std::string_view::npos || at < authority) return std::string(url);
  return std::string(url.substr(0, authority)) + std::string(url.substr(at + 1));
}

}  // namespace millrace
