// What commands print for people: tables, sizes, durations.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::server {

// Columns as wide as their widest cell, two spaces apart; the first row is the heading. To standard output.
void PrintTable(const std::vector<std::vector<std::string>>& rows);

// "Name:  value" lines with the values in one column.
void PrintFields(const std::vector<std::pair<std::string, std::string>>& fields);

// Control characters of what came from elsewhere (a camera's words, a label) do nothing to the terminal.
std::string Printable(std::string_view text);

std::string HumanBytes(double bytes);  // "3.2 GB"
std::string HumanHours(double hours);  // "7 d", "36 h"

// A member of an answer as text: strings as they are, null as "-", else JSON.
std::string Member(const boost::json::object& object, std::string_view name);
double NumberMember(const boost::json::object& object, std::string_view name);

// A row of a table for each object in the answer's list of this name.
template <typename Row>
void AddRows(const boost::json::object& answer, const char* name, std::vector<std::vector<std::string>>& rows,
             const Row& row) {
  const auto* list = answer.if_contains(name);
  if (list == nullptr || !list->is_array()) return;
  for (const auto& item : list->get_array()) {
    if (item.is_object()) rows.push_back(row(item.get_object()));
  }
}

// Where an answer's next page begins; none: it was the last.
std::optional<std::string> NextPage(const boost::json::object& answer);

// One line of JSON.
void PrintJson(const boost::json::object& object);

}  // namespace millrace::server
