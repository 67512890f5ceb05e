#include "consumers/worker/record_batch.h"

#include <algorithm>
#include <utility>

#include "wire/answer_fields.h"
#include "wire/cbor.h"

namespace millrace::consumer {
namespace {

constexpr std::uint64_t kBehindMsMax = 400ull * 24 * 3600 * 1000;  // longer than records are kept

Error NoRecords(const char* why) {
  return {ErrorCode::kInternal, std::string("the server's answer is none with records: ") + why};
}

}  // namespace

Result<FetchedBatch> ReadBatch(const std::string& shard, const boost::json::object& answer) {
  const auto* records = wire::ListOf(answer, "Records");
  if (records == nullptr) return NoRecords("it has none");
  FetchedBatch batch;
  batch.records.reserve(records->size());
  for (const auto& value : *records) {
    if (!value.is_object()) return NoRecords("one is no map");
    const auto& object = value.get_object();
    WorkerRecord record;
    record.shard = shard;
    record.sequence_number = wire::TextOf(object, "SequenceNumber");
    record.partition_key = wire::TextOf(object, "PartitionKey");
    record.arrival = wire::TimeOf(object, "ApproximateArrivalTimestamp");
    const auto* data = object.if_contains("Data");
    const auto bytes = data != nullptr && data->is_string() ? wire::CborBytesOf(data->get_string())
                                                            : std::optional<ByteSpan>();
    if (!bytes || record.sequence_number.empty()) return NoRecords("one has no data or no sequence number");
    record.data.assign(bytes->begin(), bytes->end());
    batch.records.push_back(std::move(record));
  }
  batch.behind =
      std::chrono::milliseconds(std::min(wire::CountOf(answer, "MillisBehindLatest"), kBehindMsMax));
  return batch;
}

}  // namespace millrace::consumer
