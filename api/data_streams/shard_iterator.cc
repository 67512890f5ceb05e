#include "api/data_streams/shard_iterator.h"

#include <cstdio>
#include <ctime>

#include "base/bytes.h"

namespace millrace::api {
namespace {

constexpr char kPurpose[] = "shard-iterator-1";
constexpr std::size_t kFixedBytes =
    8 + 8 + 4 + 24;  // issued, created, shard, sequence number; the name follows

// "Thu Jan 22 01:22:02 UTC 2015", as the service prints times.
std::string DateText(Timestamp time) {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t seconds = time.seconds();
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[64];
  std::snprintf(text, sizeof(text), "%s %s %02d %02d:%02d:%02d UTC %04d", kDays[utc.tm_wday],
                kMonths[utc.tm_mon], utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, utc.tm_year + 1900);
  return text;
}

AwsError Invalid() { return {"InvalidArgumentException", "Invalid ShardIterator."}; }

}  // namespace

std::string EncodeShardIterator(const wire::TokenSealer& sealer, const ShardIterator& iterator) {
  Bytes bytes;
  AppendBigEndian(bytes, static_cast<std::uint64_t>(iterator.issued.ns));
  AppendBigEndian(bytes, static_cast<std::uint64_t>(iterator.stream_created.ns));
  AppendBigEndian(bytes, iterator.position.shard.index);
  const auto& after = iterator.position.after.bytes();
  bytes.insert(bytes.end(), after.begin(), after.end());
  bytes.insert(bytes.end(), iterator.stream.begin(), iterator.stream.end());
  return sealer.Seal(kPurpose, bytes);
}

AwsResult<ShardIterator> DecodeShardIterator(const wire::TokenSealer& sealer, std::string_view text,
                                             Timestamp now) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  const auto opened = sealer.Open(kPurpose, text);
  if (!opened || opened->size() <= kFixedBytes) return Invalid();
  const ByteSpan bytes = *opened;
  ShardIterator iterator;
  iterator.issued = Timestamp{static_cast<std::int64_t>(ReadBigEndian<std::uint64_t>(bytes))};
  iterator.stream_created =
      Timestamp{static_cast<std::int64_t>(ReadBigEndian<std::uint64_t>(bytes.subspan(8)))};
  iterator.position.shard = storage::ShardId{ReadBigEndian<std::uint32_t>(bytes.subspan(16))};
  iterator.position.after = storage::SequenceNumber::FromBytes(bytes.subspan(20, 24));
  iterator.stream = std::string(AsText(bytes.subspan(kFixedBytes)));
  if (now - iterator.issued > kShardIteratorLifetime) {
    return AwsError("ExpiredIteratorException",
                    "Iterator expired. The iterator was created at time " + DateText(iterator.issued) +
                        " while right now it is " + DateText(now) +
                        " which is further in the future than the tolerated delay of 300000 milliseconds.");
  }
  return iterator;
}

}  // namespace millrace::api
