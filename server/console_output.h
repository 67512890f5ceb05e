// What commands print for people: tables, sizes, durations.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
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

// One line of JSON.
void PrintJson(const boost::json::object& object);

}  // namespace millrace::server
