// Opening a damaged log: it is refused, or serves only records that are as they were put; and what the index
// knows of never vanishes without a word.
//
// Input: changes to the files of a small store, as bytes; see Damage. The store is made once, in memory, by
// the real engine: a stream with closed and open shards, records from empty to some KiB, sealed and open
// segments, metadata, a purge.
#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "fuzz/fuzz_target.h"
#include "storage/embedded_log.h"
#include "tests/storage/simulated_file_system.h"

namespace millrace::fuzz {
namespace {

using namespace millrace::storage;

constexpr char kPath[] = "/data";
constexpr char kStream[] = "door";
constexpr Timestamp kStart = Timestamp::FromSeconds(1'750'000'000);

struct Kept {
  PutReceipt receipt;
  std::string partition_key;
  std::vector<Attribute> attributes;
  Bytes data;
};

EmbeddedLogOptions Options(FileSystem& files, const Clock& clock) {
  EmbeddedLogOptions options;
  options.path = kPath;
  options.files = &files;
  options.clock = &clock;
  options.segment_bytes = 8 << 10;
  options.reserve_bytes = 0;
  options.sweep_interval = std::chrono::hours(1);
  options.index_write_buffer_bytes = 64 << 10;
  options.index_cache_bytes = 64 << 10;
  return options;
}

template <typename T>
T Take(Result<T> result) {
  FUZZ_CHECK(result, result.error().ToString());
  return std::move(*result);
}

// The store that is damaged: what is on its disk after a clean stop, and what was put.
struct Store {
  ManualClock clock{kStart};
  SimulatedFileSystem files;
  std::vector<Kept> records;
  std::vector<std::string> segments;  // paths, in name order

  Store() {
    auto log = Take(EmbeddedLog::Open(Options(files, clock)));
    Take(log->CreateStream(kStream, 2, std::chrono::hours(24)));
    for (int i = 0; i < 40; ++i) Put(*log, i);
    const HashKey middle{std::uint64_t{1} << 62, 0};
    Take(log->SplitShard(kStream, ShardId{0}, middle));
    for (int i = 40; i < 48; ++i) Put(*log, i);
    Take(log->PutMetadata("cameras/a/settings", Bytes(300, 'm')));
    log.reset();
    for (const DirectoryEntry& entry : Take(files.List(std::string(kPath) + "/log"))) {
      segments.push_back(std::string(kPath) + "/log/" + entry.name);
    }
    FUZZ_CHECK(segments.size() >= 3, "several segments");
  }

  void Put(EmbeddedLog& log, int i) {
    clock.Advance(std::chrono::seconds(1));
    Kept kept;
    kept.partition_key = "camera-" + std::to_string(i % 3);
    kept.attributes = {{0, {0, static_cast<std::uint8_t>(i)}}, {20, Bytes(static_cast<std::size_t>(i), 'a')}};
    kept.data.resize(static_cast<std::size_t>(i % 7) * 331);
    for (std::size_t at = 0; at < kept.data.size(); ++at) {
      kept.data[at] = static_cast<std::uint8_t>(at * 7 + static_cast<std::size_t>(i));
    }
    PutRecord put;
    put.partition_key = kept.partition_key;
    put.attributes = kept.attributes;
    put.data = SharedBytes(kept.data);
    kept.receipt = Take(PutAndWait(log, kStream, std::move(put)));
    records.push_back(std::move(kept));
  }
};

// Does to `files` what the choices say; returns whether the index was taken away.
bool Damage(Choices& choices, const Store& store, SimulatedFileSystem& files) {
  bool index_gone = false;
  for (int changes = 0; changes < 16 && !choices.empty(); ++changes) {
    const auto what = choices.Take<std::uint8_t>();
    const std::string& path = store.segments[choices.Take<std::uint8_t>() % store.segments.size()];
    if (!files.Has(path)) continue;
    files.Damage(path, [&](Bytes& bytes) {
      const std::size_t at = choices.Take<std::uint16_t>() % (bytes.size() + 1);
      const std::size_t left = bytes.size() - at;
      switch (what % 8) {
        case 0:  // one bit
          if (left > 0) bytes[at] = static_cast<std::uint8_t>(bytes[at] ^ (1u << (what >> 5)));
          break;
        case 1: {  // bytes that the input chooses
          const ByteSpan with = choices.TakeBytes(choices.Take<std::uint8_t>());
          std::copy_n(with.begin(), std::min(left, with.size()),
                      bytes.begin() + static_cast<std::ptrdiff_t>(at));
          break;
        }
        case 2:  // a lost block
          std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                      std::min<std::size_t>(left, choices.Take<std::uint16_t>()), std::uint8_t{0});
          break;
        case 3:  // a lost end
          bytes.resize(at);
          break;
        case 4: {  // rubbish behind the end
          const ByteSpan with = choices.TakeBytes(choices.Take<std::uint8_t>());
          bytes.insert(bytes.end(), with.begin(), with.end());
          break;
        }
        case 5: {  // a part of the file lies elsewhere in it
          const std::size_t length = std::min<std::size_t>(left, choices.Take<std::uint16_t>());
          const Bytes part(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                           bytes.begin() + static_cast<std::ptrdiff_t>(at + length));
          const std::size_t to = choices.Take<std::uint16_t>() % (bytes.size() - length + 1);
          std::copy(part.begin(), part.end(), bytes.begin() + static_cast<std::ptrdiff_t>(to));
          break;
        }
        default:
          break;
      }
    });
    if (what % 8 == 6) (void)files.Remove(path);
    if (what % 8 == 7 && !index_gone) {
      index_gone = true;
      const std::string directory = std::string(kPath) + "/index";
      if (const auto entries = files.List(directory)) {
        for (const DirectoryEntry& entry : *entries) (void)files.Remove(directory + "/" + entry.name);
      }
    }
  }
  return index_gone;
}

const Kept* Find(const Store& store, const RecordInfo& info) {
  const auto found = std::find_if(store.records.begin(), store.records.end(), [&](const Kept& kept) {
    return kept.receipt.sequence_number == info.sequence_number;
  });
  return found == store.records.end() ? nullptr : &*found;
}

void CheckInfo(const Store& store, const RecordInfo& info) {
  const Kept* kept = Find(store, info);
  FUZZ_CHECK(kept != nullptr, "a record that was never put: " + info.sequence_number.ToString());
  FUZZ_CHECK(info.shard == kept->receipt.shard && info.arrival == kept->receipt.arrival, "its place");
  FUZZ_CHECK(info.partition_key == kept->partition_key && info.attributes == kept->attributes, "its head");
  FUZZ_CHECK(info.data_bytes == kept->data.size(), std::to_string(info.data_bytes));
}

// Every record that a shard serves, counted; data that is damaged has to be refused as such.
std::size_t CheckShard(const Store& store, EmbeddedLog& log, ShardId shard) {
  auto start = log.Seek(kStream, shard, {});
  FUZZ_CHECK(start, start.error().ToString());
  std::size_t count = 0;
  for (std::optional<ShardPosition> next = *start; next;) {
    ReadLimits limits;
    limits.with_data = false;
    auto batch = log.Read(kStream, *next, limits);
    FUZZ_CHECK(batch, batch.error().ToString());
    if (batch->records.empty()) break;
    for (const Record& record : batch->records) {
      CheckInfo(store, record.info);
      ++count;
      const auto data = log.Fetch(kStream, shard, record.info.sequence_number);
      if (data) {
        const ByteSpan span = data->span();
        const Bytes& put = Find(store, record.info)->data;
        FUZZ_CHECK(std::equal(span.begin(), span.end(), put.begin(), put.end()), "damaged data is served");
      } else {
        FUZZ_CHECK(data.error().code == ErrorCode::kCorruption, data.error().ToString());
      }
    }
    next = batch->next;
  }
  return count;
}

void CheckOpened(const Store& store, EmbeddedLog& log, bool index_gone) {
  const auto stream = log.DescribeStream(kStream);
  if (!stream) {
    FUZZ_CHECK(index_gone, "the stream has vanished: " + stream.error().ToString());
    return;
  }
  std::size_t count = 0;
  for (const ShardDescription& shard : stream->shards) count += CheckShard(store, log, shard.id);
  FUZZ_CHECK(count <= store.records.size(), std::to_string(count));
  FUZZ_CHECK(index_gone || count == store.records.size(),
             std::to_string(store.records.size() - count) + " records have vanished");
  for (int camera = 0; camera < 3; ++camera) {
    const auto found = log.Find(kStream, "camera-" + std::to_string(camera), {});
    FUZZ_CHECK(found, found.error().ToString());
    for (const RecordInfo& info : *found) CheckInfo(store, info);
  }
  // It goes on: a number above all others, readable.
  PutRecord put;
  put.partition_key = "camera-0";
  put.data = SharedBytes(Bytes{1, 2, 3});
  const auto receipt = PutAndWait(log, kStream, std::move(put));
  FUZZ_CHECK(receipt, receipt.error().ToString());
  for (const Kept& kept : store.records) {
    FUZZ_CHECK(
        kept.receipt.shard != receipt->shard || kept.receipt.sequence_number < receipt->sequence_number,
        receipt->sequence_number.ToString());
  }
  const auto data = log.Fetch(kStream, receipt->shard, receipt->sequence_number);
  FUZZ_CHECK(data && data->size() == 3, "what was put is there");
}

}  // namespace

std::vector<Seed> Seeds() {
  std::vector<Seed> seeds = {
      {"nothing", {}},
      {"index-gone", {7, 0, 0, 0}},
      {"index-gone-and-a-torn-tail", {7, 0, 0, 0, 3, 9, 0x0A, 0x00}},
      {"a-lost-segment", {6, 2}},
      {"chosen-bytes", {1, 1, 0x01, 0x40, 4, 0xFF, 0xFF, 0xFF, 0xFF}},
      {"a-lost-block", {2, 3, 0x04, 0x00, 0x02, 0x00}},
      {"rubbish-behind", {4, 1, 0, 0, 5, 'M', 'R', 'g', 'p', 0}},
      {"moved", {5, 1, 0x00, 0x40, 0x01, 0x00, 0x02, 0x00}},
  };
  for (std::uint8_t file = 0; file < 6; ++file) {
    seeds.push_back({"a-bit-of-file-" + std::to_string(file), {0x40, file, 0x01, file}});
    seeds.push_back({"the-end-of-file-" + std::to_string(file), {3, file, 0x05, 0x00}});
  }
  return seeds;
}

}  // namespace millrace::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  using namespace millrace::fuzz;
  static const Store& store = []() -> const Store& {
    InitLogging(LogLevel::kError, LogFormat::kText);
    static const Store made;
    return made;
  }();
  const std::unique_ptr<SimulatedFileSystem> files = store.files.Crash(LossMode::kKeepAll, 0);
  Choices choices(ByteSpan(data, size));
  const bool index_gone = Damage(choices, store, *files);
  const ManualClock clock(store.clock.Now());
  auto log = EmbeddedLog::Open(Options(*files, clock));
  if (log) {
    CheckOpened(store, **log, index_gone);
    return 0;
  }
  const ErrorCode code = log.error().code;
  FUZZ_CHECK(size > 0, log.error().ToString());
  FUZZ_CHECK(code == ErrorCode::kCorruption || code == ErrorCode::kUnsupported, log.error().ToString());
  return 0;
}
