#include "wire/json_writer.h"

#include <boost/json/serialize.hpp>
#include <boost/json/string_view.hpp>
#include <cstdio>
#include <cstdlib>

#include "wire/base64.h"

namespace millrace::wire {

std::string SecondsText(Timestamp time) {
  const std::int64_t ms = time.millis();
  char text[32];
  std::snprintf(text, sizeof(text), "%s%lld.%03lld", ms < 0 ? "-" : "", std::llabs(ms / 1000),
                std::llabs(ms % 1000));
  return text;
}

void JsonWriter::Separate() {
  if (comma_) text_.push_back(',');
  comma_ = true;
}

JsonWriter& JsonWriter::Open(char bracket) {
  Separate();
  text_.push_back(bracket);
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::Close(char bracket) {
  text_.push_back(bracket);
  comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::Key(std::string_view name) {
  String(name);
  text_.push_back(':');
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::String(std::string_view value) {
  Separate();
  text_ += boost::json::serialize(boost::json::string_view(value.data(), value.size()));
  return *this;
}

JsonWriter& JsonWriter::Integer(std::int64_t value) {
  Separate();
  text_ += std::to_string(value);
  return *this;
}

JsonWriter& JsonWriter::Unsigned(std::uint64_t value) {
  Separate();
  text_ += std::to_string(value);
  return *this;
}

JsonWriter& JsonWriter::Bool(bool value) {
  Separate();
  text_ += value ? "true" : "false";
  return *this;
}

JsonWriter& JsonWriter::Seconds(Timestamp time) {
  Separate();
  text_ += SecondsText(time);
  return *this;
}

JsonWriter& JsonWriter::Base64(ByteSpan bytes) {
  Separate();
  text_.push_back('"');
  AppendBase64(text_, bytes);
  text_.push_back('"');
  return *this;
}

}  // namespace millrace::wire
