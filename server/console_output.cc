#include "server/console_output.h"

#include <algorithm>
#include <cstdio>

#include "api/v1/json.h"

namespace millrace::server {
namespace {

// Characters, not bytes: of UTF-8, those that do not continue one.
std::size_t Width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

}  // namespace

void PrintTable(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Width(row[i]));
  }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - Width(row[i]) + 2, ' ');
    }
    std::printf("%s\n", line.c_str());
  }
}

void PrintFields(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::size_t width = 0;
  for (const auto& field : fields) width = std::max(width, Width(field.first));
  for (const auto& [name, value] : fields) {
    std::printf("%s:%s%s\n", name.c_str(), std::string(width - Width(name) + 2, ' ').c_str(), value.c_str());
  }
}

std::string Printable(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return out;
}

std::string HumanBytes(double bytes) {
  static constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB", "PB"};
  std::size_t unit = 0;
  while (bytes >= 1000 && unit + 1 < std::size(kUnits)) {
    bytes /= 1000;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof(text), unit == 0 || bytes >= 100 ? "%.0f %s" : "%.1f %s", bytes, kUnits[unit]);
  return text;
}

std::string HumanHours(double hours) {
  char text[32];
  bool days = hours >= 48;
  std::snprintf(text, sizeof(text), "%.4g %s", days ? hours / 24 : hours, days ? "d" : "h");
  return text;
}

std::string Member(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(api::JsonView(name));
  if (value == nullptr || value->is_null()) return "-";
  if (value->is_string()) return Printable({value->get_string().data(), value->get_string().size()});
  return api::ToText(*value);
}

double NumberMember(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(api::JsonView(name));
  return value != nullptr && value->is_number() ? value->to_number<double>() : 0;
}

std::optional<std::string> NextPage(const boost::json::object& answer) {
  const auto* next = answer.if_contains("next");
  if (next == nullptr || !next->is_string()) return std::nullopt;
  return std::string(next->get_string());
}

void PrintJson(const boost::json::object& object) { std::printf("%s\n", api::ToText(object).c_str()); }

}  // namespace millrace::server
