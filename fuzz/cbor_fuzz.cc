// CBOR of a request: any bytes give a document or an error, within memory that their length bounds; what was
// read and is written again is read as the same.
#include <boost/json/serialize.hpp>
#include <cmath>

#include "base/text.h"
#include "fuzz/fuzz_target.h"
#include "wire/cbor.h"

namespace millrace::fuzz {
namespace {

std::string_view View(const boost::json::string& text) { return {text.data(), text.size()}; }

void Write(const boost::json::value& value, wire::CborWriter& writer) {
  switch (value.kind()) {
    case boost::json::kind::object:
      writer.BeginObject();
      for (const auto& member : value.get_object()) {
        FUZZ_CHECK(IsUtf8({member.key().data(), member.key().size()}), "a key that is no text");
        writer.Key({member.key().data(), member.key().size()});
        Write(member.value(), writer);
      }
      writer.EndObject();
      break;
    case boost::json::kind::array:
      writer.BeginArray();
      for (const auto& item : value.get_array()) Write(item, writer);
      writer.EndArray();
      break;
    case boost::json::kind::string:
      if (const auto bytes = wire::CborBytesOf(View(value.get_string()))) {
        writer.Blob(*bytes);
      } else {
        FUZZ_CHECK(IsUtf8(View(value.get_string())), "a text that is none");
        writer.String(View(value.get_string()));
      }
      break;
    case boost::json::kind::int64:
      writer.Integer(value.get_int64());
      break;
    case boost::json::kind::uint64:
      writer.Unsigned(value.get_uint64());
      break;
    case boost::json::kind::double_:
      FUZZ_CHECK(std::isfinite(value.get_double()), "a number that is none");
      writer.Integer(0);  // the writer has no fractions
      break;
    case boost::json::kind::bool_:
      writer.Bool(value.get_bool());
      break;
    case boost::json::kind::null:
      writer.Bool(false);  // nor nothing
      break;
  }
}

}  // namespace

std::vector<Seed> Seeds() {
  return {
      {"put", {0xBF, 0x6A, 'S',  't', 'r', 'e', 'a',  'm',  'N',  'a',  'm',  'e',  0x61,
               's',  0x64, 'D',  'a', 't', 'a', 0x5F, 0x41, 1,    0x41, 2,    0xFF, 0x61,
               'T',  0xC1, 0x1B, 0,   0,   1,   0xA1, 0xFD, 0xFF, 0x83, 0x7A, 0xFF}},
      {"list", {0x83, 0x01, 0x20, 0x9F, 0xF4, 0xF6, 0xF9, 0x3E, 0x00, 0xFF}},
      {"text", {0x7F, 0x62, 0xC3, 0xBC, 0x60, 0xFF}},
  };
}

}  // namespace millrace::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  using namespace millrace::fuzz;
  const auto value = wire::DecodeCbor(ByteSpan(data, size), 16);
  if (!value) {
    FUZZ_CHECK(value.error().message.size() < 200, value.error().message);
    return 0;
  }
  wire::CborWriter writer;
  Write(*value, writer);
  const std::string written = std::move(writer).Take();
  const auto again = wire::DecodeCbor(AsBytes(written), 16);
  FUZZ_CHECK(again, again.error().ToString());
  wire::CborWriter twice;
  Write(*again, twice);
  FUZZ_CHECK(std::move(twice).Take() == written, boost::json::serialize(*again));
  return 0;
}
