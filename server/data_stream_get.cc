// `millrace stream get`: a stream's records, each shard in order, parents before their children.
#include <algorithm>
#include <boost/json/array.hpp>
#include <chrono>
#include <cstdio>
#include <map>
#include <set>
#include <thread>

#include "base/text.h"
#include "base/time.h"
#include "server/console_output.h"
#include "server/data_stream_commands.h"
#include "server/data_streams.h"
#include "server/exit_codes.h"
#include "wire/aggregated_record.h"
#include "wire/base64.h"

namespace millrace::server {
namespace {

using std::chrono::steady_clock;

constexpr auto kPollInterval = std::chrono::milliseconds(500);  // of a shard that has nothing new
constexpr auto kBusyPause = std::chrono::milliseconds(250);     // for a shard whose limits are reached
constexpr std::size_t kPageRecords = 1000;
constexpr std::size_t kPreviewBytes = 200;  // of a record's data, for people

struct UserData {
  std::string partition_key;
  ByteSpan data;
  std::optional<std::size_t> sub_sequence;  // of one that was aggregated
};

// One line of text, or that it is none.
std::string Preview(ByteSpan data) {
  std::string_view text = AsText(data);
  if (IsUtf8(text)) {
    if (text.ends_with('\n')) text.remove_suffix(1);
    if (text.ends_with('\r')) text.remove_suffix(1);
    const bool cut = text.size() > kPreviewBytes;
    return Printable(Excerpt(text, kPreviewBytes)) + (cut ? "…" : "");
  }
  std::string hex;
  char digits[4];
  for (std::uint8_t byte : data.first(std::min<std::size_t>(data.size(), 32))) {
    std::snprintf(digits, sizeof(digits), "%02x ", byte);
    hex += digits;
  }
  return hex + (data.size() > 32 ? "…" : "");
}

class Printer {
 public:
  Printer(const ClientOptions& client, const StreamGetOptions& options)
      : client_(client), options_(options) {}

  // Whether more is wanted.
  Result<bool> Print(const std::string& shard, const boost::json::object& record) {
    MILLRACE_ASSIGN_OR_RETURN(const Bytes data, wire::DecodeBase64(Member64(record)));
    const auto parts = options_.as_stored ? std::nullopt : wire::ReadAggregatedRecord(data);
    if (!parts) return PrintOne(shard, record, {Member(record, "PartitionKey"), data, std::nullopt});
    for (std::size_t i = 0; i < parts->size(); ++i) {
      const auto& part = (*parts)[i];
      const UserData user{std::string(part.partition_key), part.data, i};
      if (!PrintOne(shard, record, user)) return false;
    }
    return true;
  }

 private:
  static std::string_view Member64(const boost::json::object& record) {
    const auto* data = record.if_contains("Data");
    return data != nullptr && data->is_string() ? std::string_view(data->get_string()) : std::string_view();
  }

  bool PrintOne(const std::string& shard, const boost::json::object& record, const UserData& user) {
    if (options_.raw) {
      std::fwrite(user.data.data(), 1, user.data.size(), stdout);
      std::fputc('\n', stdout);
    } else if (client_.json) {
      boost::json::object line;
      line["ShardId"] = shard;
      line["SequenceNumber"] = Member(record, "SequenceNumber");
      if (user.sub_sequence) line["SubSequenceNumber"] = *user.sub_sequence;
      line["ApproximateArrivalTimestamp"] = NumberMember(record, "ApproximateArrivalTimestamp");
      line["PartitionKey"] = user.partition_key;
      line["Data"] = wire::EncodeBase64(user.data);
      PrintJson(line);
    } else {
      std::printf("%s  %s  %s  %9s  %s\n", TimeMember(record, "ApproximateArrivalTimestamp").c_str(),
                  shard.c_str(), Printable(user.partition_key).c_str(),
                  HumanBytes(static_cast<double>(user.data.size())).c_str(), Preview(user.data).c_str());
    }
    return !options_.count || ++printed_ < *options_.count;
  }

  const ClientOptions& client_;
  const StreamGetOptions& options_;
  std::uint64_t printed_ = 0;
};

// A shard on its way.
struct Reading {
  std::vector<std::string> parents;
  boost::json::object start;  // of GetShardIterator
  std::string iterator;       // empty: to be got
  bool ended = false;         // closed, and read to its end
  bool at_tip = false;        // what was there when it was last asked is read
  steady_clock::time_point next{};
};

class ShardsReader {
 public:
  ShardsReader(ApiClient& api, const StreamGetOptions& options, Printer& printer)
      : api_(api), options_(options), printer_(printer) {}

  Result<void> Begin() {
    const auto shards = ListDataShards(api_, options_.name);
    if (!shards) {
      const std::string tail = "millrace tail " + options_.name + " follows it";
      return ExplainNoDataStream(api_, options_.name, shards.error(), tail);
    }
    std::optional<storage::ShardId> only;
    if (options_.shard) {
      MILLRACE_ASSIGN_OR_RETURN(only, storage::ShardId::Parse(*options_.shard));
    }
    bool found = !only;
    for (const DataShard& shard : *shards) {
      if (only && shard.id != only->ToString()) continue;
      found = true;
      MILLRACE_ASSIGN_OR_RETURN(boost::json::object start, StartOf(options_.from));
      if (!shard.open && Member(start, "ShardIteratorType") == "LATEST") continue;
      shards_[shard.id] = {
          only ? std::vector<std::string>() : shard.parents, std::move(start), "", false, false, {}};
    }
    if (!found) return NoShard(options_.name, *options_.shard);
    if (only && shards_.empty()) {
      return Error{ErrorCode::kNotFound, "shard '" + *options_.shard + "' of stream '" + options_.name +
                                             "' is closed: nothing new comes there"};
    }
    return {};
  }

  // True: all is read, or enough.
  Result<bool> Pass() {
    bool busy = false;
    auto wake = steady_clock::now() + kPollInterval;
    std::vector<std::string> ready;
    for (const auto& [id, reading] : shards_) {
      if (reading.ended || (reading.at_tip && !options_.follow) || !ParentsEnded(reading)) continue;
      ready.push_back(id);
    }
    if (ready.empty() && (!options_.follow || AllEnded())) return true;
    for (const std::string& id : ready) {
      const auto due = shards_.at(id).next;
      if (due > steady_clock::now()) {
        wake = std::min(wake, due);
        continue;
      }
      busy = true;
      MILLRACE_ASSIGN_OR_RETURN(const bool more, Read(id));
      if (!more || std::fflush(stdout) != 0) return true;
    }
    if (!busy) std::this_thread::sleep_until(wake);
    return false;
  }

  bool broken() const { return std::ferror(stdout) != 0; }

 private:
  Result<boost::json::object> StartOf(const std::string& from) const {
    boost::json::object start;
    if (from == "oldest") {
      start["ShardIteratorType"] = "TRIM_HORIZON";
    } else if (from == "latest") {
      start["ShardIteratorType"] = "LATEST";
    } else if (storage::SequenceNumber::Parse(from)) {
      if (!options_.shard) {
        return Error{ErrorCode::kInvalidArgument, "a sequence number is a place in one shard: add --shard"};
      }
      start["ShardIteratorType"] = "AT_SEQUENCE_NUMBER";
      start["StartingSequenceNumber"] = from;
    } else {
      const auto time = ParseTime(from);
      if (!time) {
        return Error{
            ErrorCode::kInvalidArgument,
            "--from takes oldest, latest, a time (2026-11-21T14:00:00Z, or seconds since 1970), or a "
            "sequence number"};
      }
      start["ShardIteratorType"] = "AT_TIMESTAMP";
      start["Timestamp"] = static_cast<double>(time->millis()) / 1000;
    }
    return start;
  }

  bool ParentsEnded(const Reading& reading) const {
    return std::all_of(reading.parents.begin(), reading.parents.end(), [this](const std::string& parent) {
      const auto found = shards_.find(parent);
      return found == shards_.end() || found->second.ended;
    });
  }
  bool AllEnded() const {
    return std::all_of(shards_.begin(), shards_.end(), [](const auto& each) { return each.second.ended; });
  }

  // One page of a shard; whether more is wanted.
  Result<bool> Read(const std::string& id) {
    Reading& reading = shards_.at(id);
    auto answer = ReadPage(id, reading);
    if (!answer) {
      const ErrorCode code = answer.error().code;
      if (code == ErrorCode::kResourceExhausted) {
        reading.next = steady_clock::now() + kBusyPause;
        return true;
      }
      if (code == ErrorCode::kOutOfRange) {  // the iterator is too old: this process slept
        reading.iterator.clear();
        return true;
      }
      return std::move(answer).error();
    }
    const auto* records = answer->if_contains("Records");
    if (records == nullptr || !records->is_array()) {
      return Error{ErrorCode::kInternal, "the answer to GetRecords makes no sense"};
    }
    for (const auto& item : records->get_array()) {
      if (!item.is_object()) continue;
      const auto& record = item.get_object();
      MILLRACE_ASSIGN_OR_RETURN(const bool more, printer_.Print(id, record));
      if (!more) return false;
      reading.start = {{"ShardIteratorType", "AFTER_SEQUENCE_NUMBER"},
                       {"StartingSequenceNumber", Member(record, "SequenceNumber")}};
    }
    if (!answer->contains("NextShardIterator")) {
      reading.ended = true;
      AddChildren(*answer);
      return true;
    }
    reading.iterator = Member(*answer, "NextShardIterator");
    reading.at_tip = NumberMember(*answer, "MillisBehindLatest") <= 0;
    if (reading.at_tip) reading.next = steady_clock::now() + kPollInterval;
    return true;
  }

  Result<boost::json::object> ReadPage(const std::string& id, Reading& reading) {
    if (reading.iterator.empty()) {
      boost::json::object request = reading.start;
      request["StreamName"] = options_.name;
      request["ShardId"] = id;
      MILLRACE_ASSIGN_OR_RETURN(const auto answer, api_.DataStreams("GetShardIterator", request));
      reading.iterator = Member(answer, "ShardIterator");
    }
    boost::json::object request;
    request["ShardIterator"] = reading.iterator;
    request["Limit"] = kPageRecords;
    return api_.DataStreams("GetRecords", request);
  }

  // The shards that carry on where one has ended.
  void AddChildren(const boost::json::object& answer) {
    const auto* children = answer.if_contains("ChildShards");
    if (children == nullptr || !children->is_array()) return;
    for (const auto& item : children->get_array()) {
      if (!item.is_object()) continue;
      const std::string id = Member(item.get_object(), "ShardId");
      if (options_.shard) {
        std::fprintf(stderr, "millrace: the shard is closed; %s carries on\n", id.c_str());
        continue;
      }
      Reading child;
      child.start = {{"ShardIteratorType", "TRIM_HORIZON"}};
      const auto* parents = item.get_object().if_contains("ParentShards");
      if (parents != nullptr && parents->is_array()) {
        for (const auto& parent : parents->get_array()) {
          if (parent.is_string()) child.parents.emplace_back(std::string_view(parent.get_string()));
        }
      }
      shards_.try_emplace(id, std::move(child));
    }
  }

  ApiClient& api_;
  const StreamGetOptions& options_;
  Printer& printer_;
  std::map<std::string, Reading> shards_;
};

}  // namespace

int RunStreamGet(const ClientOptions& client, const StreamGetOptions& options) {
  auto api = ApiClient::Make(client.endpoint);
  if (!api) return Complain(api.error());
  Printer printer(client, options);
  ShardsReader reader(*api, options, printer);
  auto begun = reader.Begin();
  if (!begun) return api->Fail(begun.error());
  for (;;) {
    auto done = reader.Pass();
    if (!done) return api->Fail(done.error());
    if (reader.broken()) return kExitFailed;  // nobody reads on
    if (*done) return kExitOk;
  }
}

}  // namespace millrace::server
