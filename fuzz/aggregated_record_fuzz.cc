// Aggregated records: whatever the bytes, an ordinary record or user records that lie within them; and what
// is read is written and read again as it was.
#include "fuzz/fuzz_target.h"
#include "tests/wire/aggregated_bytes.h"
#include "wire/aggregated_record.h"

namespace millrace::fuzz {
namespace {

using test::AggregatedBytes;
using wire::ReadAggregatedRecord;
using wire::UserRecord;
using wire::WriteAggregatedRecord;

bool Within(ByteSpan part, ByteSpan whole) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

bool Same(const UserRecord& a, const UserRecord& b) {
  return a.partition_key == b.partition_key && a.explicit_hash_key == b.explicit_hash_key &&
         AsText(a.data) == AsText(b.data);
}

void Check(ByteSpan data) {
  const auto records = ReadAggregatedRecord(data);
  if (!records) return;
  FUZZ_CHECK(!records->empty() && records->size() <= data.size() / 6, "too many user records");
  for (const UserRecord& record : *records) {
    FUZZ_CHECK(Within(AsBytes(record.partition_key), data) && Within(record.data, data), "outside");
    FUZZ_CHECK(!record.explicit_hash_key || record.explicit_hash_key->size() <= 39, "a hash key");
  }
  const Bytes written = WriteAggregatedRecord(*records);
  const auto again = ReadAggregatedRecord(written);
  FUZZ_CHECK(again && again->size() == records->size(), "read again");
  for (std::size_t i = 0; i < records->size(); ++i) FUZZ_CHECK(Same((*records)[i], (*again)[i]), "other");
}

Seed MessageSeed(std::string name, const std::vector<UserRecord>& records) {
  const Bytes whole = WriteAggregatedRecord(records);
  return {std::move(name), Bytes(whole.begin() + 4, whole.end() - 16)};
}

}  // namespace

std::vector<Seed> Seeds() {
  const Bytes data{1, 2, 3};
  const std::vector<UserRecord> two{{"a", std::nullopt, data}, {"b", "0", {}}};
  return {MessageSeed("two", two),
          MessageSeed("keys", {{"k", "340282366920938463463374607431768211455", data}, {"k", "17", data}}),
          {"whole", WriteAggregatedRecord(two)},
          TextSeed("ordinary", "a record of text")};
}

}  // namespace millrace::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const millrace::ByteSpan bytes(data, size);
  millrace::fuzz::Check(bytes);
  // A fuzzer does not find digests: the message with the right one around it.
  millrace::fuzz::Check(millrace::fuzz::AggregatedBytes(bytes));
  return 0;
}
