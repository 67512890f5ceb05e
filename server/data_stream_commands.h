// The subcommands of `millrace stream` for data streams. Each gives the exit code (server/exit_codes.h).
//
// Video streams and data streams have names of their own, so one name can be both: `list`, `describe` and
// `delete` know both kinds, and what cannot be undone asks which is meant.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "server/commands.h"

namespace millrace::server {

enum class StreamKind { kAny, kVideo, kData };

struct StreamListOptions {
  StreamKind kind = StreamKind::kAny;
  bool internal = false;  // data streams too that hold what Millrace itself keeps
};
int RunStreamList(const ClientOptions& client, const StreamListOptions& options);
int RunStreamDescribe(const ClientOptions& client, const std::string& name, StreamKind kind);
int RunStreamDelete(const ClientOptions& client, const std::string& name, StreamKind kind,
                    bool with_consumers);

struct StreamCreateOptions {
  std::string name;
  std::optional<std::uint32_t> shards;  // none: one, or the server's choice for on-demand
  bool on_demand = false;
  std::optional<std::string> retention;     // "36h", "7d"
  std::optional<std::uint32_t> record_kib;  // most that a record may have
  std::vector<std::string> tags;            // "key=value"
};
int RunStreamCreate(const ClientOptions& client, const StreamCreateOptions& options);

// "36", "36h" or "7d" as hours, 24 to 8760. Errors: kInvalidArgument.
Result<std::int64_t> ParseRetention(const std::string& text);
int RunStreamRetention(const ClientOptions& client, const std::string& name, const std::string& retention);

struct StreamSplitOptions {
  std::string name;
  std::optional<std::string> shard;  // none: the only open one
  std::optional<std::string> at;     // the first hash key of the upper child; none: the middle
};
int RunStreamSplit(const ClientOptions& client, const StreamSplitOptions& options);
int RunStreamMerge(const ClientOptions& client, const std::string& name, const std::string& shard,
                   const std::string& other);

struct StreamScaleOptions {
  std::string name;
  std::optional<std::uint32_t> shards;
  bool on_demand = false;
  bool provisioned = false;
};
int RunStreamScale(const ClientOptions& client, const StreamScaleOptions& options);

struct StreamPutOptions {
  std::string name;
  std::optional<std::string> data;
  std::optional<std::filesystem::path> file;
  std::optional<std::string> partition_key;  // none: one by chance for each record
  std::optional<std::string> hash_key;
};
int RunStreamPut(const ClientOptions& client, const StreamPutOptions& options);

struct StreamGetOptions {
  std::string name;
  std::optional<std::string> shard;  // none: all, parents before their children
  std::string from = "oldest";       // "oldest", "latest", a time, or a sequence number of `shard`
  std::optional<std::uint64_t> count;
  bool follow = false;
  bool raw = false;        // the data alone
  bool as_stored = false;  // aggregated records are not taken apart
};
int RunStreamGet(const ClientOptions& client, const StreamGetOptions& options);

}  // namespace millrace::server
