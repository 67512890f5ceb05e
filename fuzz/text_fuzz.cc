// Times and ids as people and clients write them: what is taken is printed in a form that is taken again.
#include <string>
#include <vector>

#include "base/log.h"
#include "base/time.h"
#include "fuzz/fuzz_target.h"
#include "storage/ids.h"

namespace millrace::fuzz {
namespace {

using storage::HashKey;
using storage::SequenceNumber;
using storage::ShardId;

void CheckRefusal(const Error& error) {
  FUZZ_CHECK(error.code == ErrorCode::kInvalidArgument, error.ToString());
  FUZZ_CHECK(error.message.size() < 400, error.message);
}

void CheckTime(std::string_view text) {
  const Result<Timestamp> time = ParseTime(text);
  if (!time) return CheckRefusal(time.error());
  const std::string printed = FormatRfc3339(*time);
  const Result<Timestamp> again = ParseTime(printed);
  FUZZ_CHECK(again, printed);
  FUZZ_CHECK(again->millis() == time->millis(), printed);
}

// Printed and read again it is the same; `canonical`: there is one way to write it.
template <typename Id>
void CheckId(std::string_view text, bool canonical) {
  const Result<Id> id = Id::Parse(text);
  if (!id) return CheckRefusal(id.error());
  const std::string printed = id->ToString();
  const Result<Id> again = Id::Parse(printed);
  FUZZ_CHECK(again && *again == *id, printed);
  FUZZ_CHECK(!canonical || printed == text, printed);
}

void CheckSequenceNumber(std::string_view text) {
  CheckId<SequenceNumber>(text, true);
  if (const Result<SequenceNumber> number = SequenceNumber::Parse(text)) {
    FUZZ_CHECK(SequenceNumber::FromBytes(number->bytes()) == *number, number->ToString());
    FUZZ_CHECK(SequenceNumber::FromFields(number->fields()) == *number, number->ToString());
  }
}

void CheckHashKey(std::string_view text) {
  CheckId<HashKey>(text, true);
  const Result<HashKey> key = HashKey::Parse(text);
  if (key && *key != HashKey::Max()) {
    FUZZ_CHECK(key->Next() > *key && key->Next().Previous() == *key, key->ToString());
  }
}

}  // namespace

std::vector<Seed> Seeds() {
  const SequenceNumber number =
      SequenceNumber::FromFields({1'750'000'000, 1'750'000'000'000'000'000, 1'750'000'000, ShardId{23}});
  return {TextSeed("time", "2026-11-21T14:03:00Z"),
          TextSeed("time-with-offset", "2026-02-28t23:59:60.123456789+02:30"),
          TextSeed("earliest-time", "1678-01-01T00:00:00+23:59"),
          TextSeed("epoch-seconds", "1763690820.25"),
          TextSeed("hash-key", HashKey::Max().ToString()),
          TextSeed("hash-key-zero", "0"),
          TextSeed("shard", "shardId-000000000007"),
          TextSeed("sequence-number", number.ToString()),
          TextSeed("url", "rtsp://user:p@ss@host/x?a=b@c")};
}

}  // namespace millrace::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace::fuzz;
  const std::string_view text = millrace::AsText(millrace::ByteSpan(data, size));
  CheckTime(text);
  CheckHashKey(text);
  CheckId<ShardId>(text, false);
  CheckSequenceNumber(text);
  FUZZ_CHECK(millrace::RedactUrl(text).size() <= text.size() + 16, "a redacted URL");
  return 0;
}
