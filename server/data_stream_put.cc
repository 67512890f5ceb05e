// `millrace stream put`: one record from the command line or a file, or one for each line of standard input.
#include <poll.h>
#include <unistd.h>

#include <boost/json/array.hpp>
#include <chrono>
#include <cstdio>
#include <deque>
#include <fstream>
#include <random>
#include <thread>

#include "server/console_output.h"
#include "server/data_stream_commands.h"
#include "server/data_streams.h"
#include "server/exit_codes.h"
#include "wire/base64.h"

namespace millrace::server {
namespace {

constexpr std::size_t kBatchRecordsMax = 500;                      // of one PutRecords
constexpr std::size_t kBatchBytesMax = 4 * 1024 * 1024;            // of data
constexpr std::size_t kRecordBytesMax = 10 * 1024 * 1024;          // the most that any stream takes
constexpr auto kLinesWaitAtMost = std::chrono::milliseconds(100);  // for more, before they are put
constexpr int kTries = 8;
constexpr auto kFirstPause = std::chrono::milliseconds(50);  // doubled from one try to the next

class PartitionKeys {
 public:
  explicit PartitionKeys(std::optional<std::string> fixed) : fixed_(std::move(fixed)) {}

  std::string Next() {
    if (fixed_) return *fixed_;
    char text[17];
    std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(random_()));
    return text;
  }

 private:
  std::optional<std::string> fixed_;
  std::mt19937_64 random_{std::random_device()()};
};

// Standard input's lines, without their ends, as they come.
class Lines {
 public:
  enum class Outcome { kLine, kNoneYet, kEnd, kTooLong };

  // `wait`: kNoneYet when no line is there after a while; otherwise for as long as it takes.
  Outcome Next(bool wait_briefly, std::string& line) {
    for (;;) {
      const auto end = buffer_.find('\n', searched_);
      if (end != std::string::npos) {
        line = buffer_.substr(0, end);
        if (!line.empty() && line.back() == '\r') line.pop_back();
        buffer_.erase(0, end + 1);
        searched_ = 0;
        return Outcome::kLine;
      }
      searched_ = buffer_.size();
      if (buffer_.size() > kRecordBytesMax) return Outcome::kTooLong;
      if (ended_) {
        if (buffer_.empty()) return Outcome::kEnd;
        line = std::exchange(buffer_, {});
        searched_ = 0;
        return Outcome::kLine;
      }
      if (wait_briefly) {
        pollfd input{STDIN_FILENO, POLLIN, 0};
        if (::poll(&input, 1, static_cast<int>(kLinesWaitAtMost.count())) == 0) return Outcome::kNoneYet;
      }
      char bytes[64 * 1024];
      const ssize_t count = ::read(STDIN_FILENO, bytes, sizeof(bytes));
      if (count <= 0) {
        ended_ = true;
      } else {
        buffer_.append(bytes, static_cast<std::size_t>(count));
      }
    }
  }

 private:
  std::string buffer_;
  std::size_t searched_ = 0;  // so much of it has no line end
  bool ended_ = false;
};

// The most that a record of the stream may have, with its partition key.
std::size_t RecordBytesMax(const boost::json::object& summary) {
  return static_cast<std::size_t>(NumberMember(summary, "MaxRecordSizeInKiB")) * 1024;
}

// `what`: "line 7"
Error TooLarge(const std::string& stream, const std::string& what, std::size_t bytes, std::size_t bytes_max) {
  return Error{ErrorCode::kInvalidArgument,
               what + " has " + std::to_string(bytes) + " bytes with its partition key, and stream '" +
                   stream + "' takes " + std::to_string(bytes_max) +
                   ": millrace stream create --record-size KIB makes one that takes up to 10 MiB"};
}

boost::json::object EntryOf(const std::string& data, const std::string& key,
                            const std::optional<std::string>& hash_key) {
  boost::json::object entry;
  entry["Data"] = wire::EncodeBase64(AsBytes(data));
  entry["PartitionKey"] = key;
  if (hash_key) entry["ExplicitHashKey"] = *hash_key;
  return entry;
}

// Puts the lines of standard input in batches. Those that a shard refuses for its limit are put again.
class Batches {
 public:
  Batches(ApiClient& api, const ClientOptions& client, std::string stream)
      : api_(api), client_(client), stream_(std::move(stream)) {}

  Result<void> Add(boost::json::object entry, std::size_t bytes) {
    if (bytes_ + bytes > kBatchBytesMax) MILLRACE_RETURN_IF_ERROR(Flush());
    entries_.push_back(std::move(entry));
    bytes_ += bytes;
    if (entries_.size() == kBatchRecordsMax) return Flush();
    return {};
  }

  Result<void> Flush() {
    auto pause = kFirstPause;
    for (int i = 1; !entries_.empty(); ++i) {
      boost::json::object request;
      request["StreamName"] = stream_;
      request["Records"] = entries_;
      auto answer = api_.DataStreams("PutRecords", request);
      Error refused{ErrorCode::kResourceExhausted, "the stream's limits are reached"};
      if (answer) {
        MILLRACE_ASSIGN_OR_RETURN(refused.message, KeepRefused(*answer));
        if (entries_.empty()) break;
      } else if (answer.error().code == ErrorCode::kResourceExhausted) {
        refused = answer.error();
      } else {
        return std::move(answer).error();
      }
      if (i == kTries) return refused;
      std::this_thread::sleep_for(pause);
      pause *= 2;
    }
    total_bytes_ += bytes_;
    bytes_ = 0;
    return {};
  }

  bool empty() const { return entries_.empty(); }
  std::uint64_t records() const { return records_; }
  std::uint64_t bytes() const { return total_bytes_; }

 private:
  // Keeps those of entries_ that were not taken; gives why.
  Result<std::string> KeepRefused(const boost::json::object& answer) {
    const auto* receipts = answer.if_contains("Records");
    if (receipts == nullptr || !receipts->is_array() || receipts->get_array().size() != entries_.size()) {
      return Error{ErrorCode::kInternal, "the answer to PutRecords makes no sense"};
    }
    boost::json::array left;
    std::string why;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      const auto& receipt = receipts->get_array()[i];
      if (receipt.is_object() && receipt.get_object().contains("SequenceNumber")) {
        ++records_;
        if (client_.json) PrintJson(receipt.get_object());
        continue;
      }
      if (receipt.is_object()) why = Member(receipt.get_object(), "ErrorMessage");
      left.push_back(std::move(entries_[i]));
    }
    entries_ = std::move(left);
    return why;
  }

  ApiClient& api_;
  const ClientOptions& client_;
  const std::string stream_;
  boost::json::array entries_;
  std::size_t bytes_ = 0;
  std::uint64_t records_ = 0;
  std::uint64_t total_bytes_ = 0;
};

Result<void> PutLines(Batches& batches, const StreamPutOptions& options, PartitionKeys& keys,
                      std::size_t bytes_max) {
  Lines lines;
  std::string line;
  for (std::uint64_t number = 1;;) {
    switch (lines.Next(!batches.empty(), line)) {
      case Lines::Outcome::kLine: {
        const std::string key = keys.Next();
        if (const std::size_t bytes = line.size() + key.size(); bytes > bytes_max) {
          MILLRACE_RETURN_IF_ERROR(batches.Flush());
          return TooLarge(options.name, "line " + std::to_string(number), bytes, bytes_max);
        }
        MILLRACE_RETURN_IF_ERROR(batches.Add(EntryOf(line, key, options.hash_key), line.size()));
        ++number;
        break;
      }
      case Lines::Outcome::kNoneYet:
        MILLRACE_RETURN_IF_ERROR(batches.Flush());
        break;
      case Lines::Outcome::kTooLong:
        MILLRACE_RETURN_IF_ERROR(batches.Flush());
        return Error{ErrorCode::kInvalidArgument,
                     "line " + std::to_string(number) + " is longer than any record may be"};
      case Lines::Outcome::kEnd:
        return batches.Flush();
    }
  }
}

Result<std::string> ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{ErrorCode::kNotFound, "cannot read " + path.string()};
  std::string data(kRecordBytesMax + 1, '\0');
  file.read(data.data(), static_cast<std::streamsize>(data.size()));
  data.resize(static_cast<std::size_t>(file.gcount()));
  if (data.size() > kRecordBytesMax) {
    return Error{ErrorCode::kInvalidArgument, path.string() + " is larger than any record may be"};
  }
  return data;
}

Error NotForRecords(ApiClient& api, const std::string& name, const Error& error) {
  return ExplainNoDataStream(api, name, error,
                             "cameras write it; millrace stream create NAME makes one for records");
}

// What the server refused, in this command line's words.
Error ExplainPut(ApiClient& api, const std::string& name, std::size_t bytes, const Error& error) {
  if (error.code != ErrorCode::kInvalidArgument) return NotForRecords(api, name, error);
  const auto summary = SummarizeDataStream(api, name);
  if (!summary || bytes <= RecordBytesMax(*summary)) return error;
  return TooLarge(name, "the record", bytes, RecordBytesMax(*summary));
}

int PutOne(ApiClient& api, const ClientOptions& client, const StreamPutOptions& options,
           const std::string& data, PartitionKeys& keys) {
  const std::string key = keys.Next();
  boost::json::object request = EntryOf(data, key, options.hash_key);
  request["StreamName"] = options.name;
  auto answer = api.DataStreams("PutRecord", request);
  if (!answer) return api.Fail(ExplainPut(api, options.name, data.size() + key.size(), answer.error()));
  if (client.json) {
    PrintJson(*answer);
  } else {
    std::printf("%s  %s\n", Member(*answer, "ShardId").c_str(), Member(*answer, "SequenceNumber").c_str());
  }
  return kExitOk;
}

}  // namespace

int RunStreamPut(const ClientOptions& client, const StreamPutOptions& options) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  PartitionKeys keys(options.partition_key);
  if (options.data) return PutOne(*api, client, options, *options.data, keys);
  if (options.file) {
    auto data = ReadFile(*options.file);
    if (!data) return Complain(data.error());
    return PutOne(*api, client, options, *data, keys);
  }
  // A stream that is not there is said before anything is read.
  auto summary = SummarizeDataStream(*api, options.name);
  if (!summary) return api->Fail(NotForRecords(*api, options.name, summary.error()));
  Batches batches(*api, client, options.name);
  auto put = PutLines(batches, options, keys, RecordBytesMax(*summary));
  if (!client.json || !put) {
    std::fprintf(put ? stdout : stderr, "%llu %s, %s.\n", static_cast<unsigned long long>(batches.records()),
                 batches.records() == 1 ? "record" : "records",
                 HumanBytes(static_cast<double>(batches.bytes())).c_str());
  }
  return put ? static_cast<int>(kExitOk) : api->Fail(put.error());
}

}  // namespace millrace::server
