// Writes JSON text straight into one string: answers whose numbers must have a certain form (seconds with
// three decimals and no exponent) and whose blobs are too large to be copied into a document first.
//
//   JsonWriter json;
//   json.BeginObject().Key("Name").String("x").Key("Created").Seconds(time).EndObject();
//   std::string text = std::move(json).Take();
//
// Threads: one owner at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/time.h"

namespace millrace::wire {

class JsonWriter {
 public:
  // `bytes`: about how much is coming.
  explicit JsonWriter(std::size_t bytes = 256) { text_.reserve(bytes); }

  JsonWriter& BeginObject() { return Open('{'); }
  JsonWriter& EndObject() { return Close('}'); }
  JsonWriter& BeginArray() { return Open('['); }
  JsonWriter& EndArray() { return Close(']'); }
  JsonWriter& Key(std::string_view name);

  // REQUIRES: `value` is UTF-8.
  JsonWriter& String(std::string_view value);
  JsonWriter& Integer(std::int64_t value);
  JsonWriter& Unsigned(std::uint64_t value);
  JsonWriter& Bool(bool value);
  // Seconds since 1970 with three decimals, as the AWS protocols have times: 1763690820.250.
  JsonWriter& Seconds(Timestamp time);
  JsonWriter& Base64(ByteSpan bytes);

  std::size_t size() const { return text_.size(); }
  std::string Take() && { return std::move(text_); }

 private:
  JsonWriter& Open(char bracket);
  JsonWriter& Close(char bracket);
  void Separate();

  std::string text_;
  bool comma_ = false;  // a value stands before the next one
};

// "1763690820.250"
std::string SecondsText(Timestamp time);

}  // namespace millrace::wire
