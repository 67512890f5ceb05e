// CBOR (RFC 8949) as the AWS protocols use it: read into the document that JSON becomes, so that what reads
// a request needs to know one kind only; and written straight into bytes, as json_writer.h writes JSON.
//
//   CBOR                                   document
//   ----                                   --------
//   integers, floats                       numbers; what does not fit into 64 bits is the nearest double
//   text                                   strings; it must be UTF-8
//   bytes                                  strings that begin with kCborBytesMark, which no UTF-8 text has
//   maps with text keys, arrays            objects, arrays; of equal keys the last counts
//   false, true, null, undefined           bool, null
//   tag 1 (epoch time)                     the number is MILLISECONDS, against the RFC, and becomes seconds,
//                                          as JSON has times
//   other tags                             what they are put on
//
// Every form is taken: definite and indefinite lengths, strings in chunks, numbers that are longer than they
// need be. NaN and infinities are refused, as JSON has none.
//
// Threads: pure functions, any thread; a writer has one owner at a time.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace millrace::wire {

inline constexpr char kCborBytesMark = '\xFF';

// One item, and nothing behind it. `storage` may throw std::bad_alloc to bound what the values take, which
// goes through. Errors: kInvalidArgument (malformed, truncated, nested deeper than `depth_max`).
Result<boost::json::value> DecodeCbor(ByteSpan bytes, std::size_t depth_max,
                                      boost::json::storage_ptr storage = {});

// The bytes that a string of such a document stands for; none: it is text.
std::optional<ByteSpan> CborBytesOf(std::string_view text);

// Maps and arrays are of indefinite length: nothing is counted before it is written.
class CborWriter {
 public:
  // `bytes`: about how much is coming.
  explicit CborWriter(std::size_t bytes = 256) { text_.reserve(bytes); }

  CborWriter& BeginObject() { return Byte(0xBF); }
  CborWriter& EndObject() { return Byte(0xFF); }
  CborWriter& BeginArray() { return Byte(0x9F); }
  CborWriter& EndArray() { return Byte(0xFF); }
  CborWriter& Key(std::string_view name) { return String(name); }

  // REQUIRES: `value` is UTF-8.
  CborWriter& String(std::string_view value);
  CborWriter& Integer(std::int64_t value);
  CborWriter& Unsigned(std::uint64_t value);
  CborWriter& Bool(bool value) { return Byte(value ? 0xF5 : 0xF4); }
  // Tag 1 on an integer number of milliseconds since 1970.
  CborWriter& Time(Timestamp time);
  CborWriter& Blob(ByteSpan bytes);

  std::size_t size() const { return text_.size(); }
  // The bytes, in a string as answers are.
  std::string Take() && { return std::move(text_); }

 private:
  CborWriter& Byte(std::uint8_t byte);
  CborWriter& Head(std::uint8_t major_type, std::uint64_t argument);

  std::string text_;
};

}  // namespace millrace::wire
