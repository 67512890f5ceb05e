#include "server/stream_command_line.h"

#include <CLI/CLI.hpp>
#include <map>
#include <memory>

#include "server/data_stream_commands.h"

namespace millrace::server {
namespace {

constexpr int kShardsMax = 10'000;  // open ones of a server

// "video" or "data" as StreamKind's number, which CLI11 reads; its own transformers show the numbers to
// people.
std::string TransformKind(std::string& text) {
  static const std::map<std::string, StreamKind> kKinds{{"video", StreamKind::kVideo},
                                                        {"data", StreamKind::kData}};
  const auto kind = kKinds.find(text);
  if (kind == kKinds.end()) return "must be video or data, not '" + text + "'";
  text = std::to_string(static_cast<int>(kind->second));
  return "";
}

// What the options of all subcommands are read into; lives as long as the command line.
struct StreamCommandOptions {
  std::string name;
  StreamKind kind = StreamKind::kAny;
  bool with_consumers = false;
  std::string shard;
  std::string other;
  std::string retention;
  StreamListOptions list;
  StreamCreateOptions create;
  StreamSplitOptions split;
  StreamScaleOptions scale;
  StreamPutOptions put;
  StreamGetOptions get;
  CoverageOptions coverage;
  DeleteFootageOptions delete_footage;
  PlaceHoldOptions hold;
};

struct StreamCommands {
  CLI::App* stream;
  ClientOptions& client;
  std::function<int()>& run;
  std::shared_ptr<StreamCommandOptions> options;

  CLI::App* Add(const std::string& verb, const std::string& help, const std::string& footer,
                std::function<int()> action) const {
    auto* command = stream->add_subcommand(verb, help);
    command->add_flag("--json", client.json, "Print JSON, for machines");
    command->footer("\n" + footer);
    command->callback([&chosen = run, action = std::move(action), keep = options] { chosen = action; });
    return command;
  }
  static void Name(CLI::App* command, std::string& name) {
    command->add_option("NAME", name, "Its name")->required();
  }
  static void Kind(CLI::App* command, StreamKind& kind) {
    command->add_option("--kind", kind, "video or data, where the name is both")
        ->transform(CLI::Validator(TransformKind, ""))
        ->type_name("KIND");
  }
};

void AddBoth(const StreamCommands& commands) {
  StreamCommandOptions& options = *commands.options;
  const ClientOptions& client = commands.client;
  auto* list = commands.Add("list", "All streams: video streams, and data streams",
                            "Examples:\n  millrace stream list\n  millrace stream list --kind data\n"
                            "  millrace stream list --json\n",
                            [&options, &client] { return RunStreamList(client, options.list); });
  list->add_option("--kind", options.list.kind, "Only these: video or data")
      ->transform(CLI::Validator(TransformKind, ""))
      ->type_name("KIND");
  list->add_flag("--internal", options.list.internal,
                 "Data streams too that hold what Millrace itself keeps");
  auto* describe =
      commands.Add("describe", "One stream; of a data stream, its shards too",
                   "Examples:\n  millrace stream describe door\n  millrace stream describe events --json\n",
                   [&options, &client] { return RunStreamDescribe(client, options.name, options.kind); });
  describe->alias("show");
  StreamCommands::Name(describe, options.name);
  StreamCommands::Kind(describe, options.kind);
  auto* remove = commands.Add(
      "delete", "Delete a stream and what it holds, at once",
      "Examples:\n  millrace stream delete door\n  millrace stream delete events --with-consumers\n",
      [&options, &client] {
        return RunStreamDelete(client, options.name, options.kind, options.with_consumers);
      });
  StreamCommands::Name(remove, options.name);
  StreamCommands::Kind(remove, options.kind);
  remove->add_flag("--with-consumers", options.with_consumers,
                   "Of a data stream: even if consumers are registered");
}

void AddVideo(const StreamCommands& commands) {
  StreamCommandOptions& options = *commands.options;
  const ClientOptions& client = commands.client;
  auto* coverage = commands.Add(
      "coverage", "Where a video stream has footage, and why not where it has none",
      "Example:\n  millrace stream coverage door --start 2026-11-21T14:00:00Z --end 2026-11-21T15:00:00Z\n",
      [&options, &client] { return RunStreamCoverage(client, options.coverage); });
  StreamCommands::Name(coverage, options.coverage.stream);
  coverage->add_option("--start", options.coverage.start,
                       "RFC 3339 or epoch seconds (default: a day before the end)");
  coverage->add_option("--end", options.coverage.end, "RFC 3339 or epoch seconds (default: now)");
}

void AddFootage(const StreamCommands& commands) {
  StreamCommandOptions& options = *commands.options;
  const ClientOptions& client = commands.client;
  auto* remove =
      commands.Add("delete-footage", "Delete a stretch of a video stream's footage, for good",
                   "Every fragment of which a part lies in the stretch goes, off the disk too.\n"
                   "\nExample:\n  millrace stream delete-footage door --start 2026-11-21T14:00:00Z --end "
                   "2026-11-21T14:05:00Z\n",
                   [&options, &client] { return RunDeleteFootage(client, options.delete_footage); });
  StreamCommands::Name(remove, options.delete_footage.stream);
  remove->add_option("--start", options.delete_footage.start, "RFC 3339 or epoch seconds")->required();
  remove->add_option("--end", options.delete_footage.end, "RFC 3339 or epoch seconds")->required();
  remove->add_flag("--server-clock", options.delete_footage.server_clock,
                   "Times are of the server's clock, not of the camera's");
  auto* hold = commands.Add(
      "hold", "Keep a stretch of a video stream's footage until the hold is released",
      "Examples:\n  millrace stream hold door case-7 --start 2026-11-21T14:00:00Z --end 2026-11-21T15:00:00Z "
      "--reason 'police, 7/26'\n  millrace stream hold door watch --start 2026-11-21T14:00:00Z\n",
      [&options, &client] { return RunPlaceHold(client, options.hold); });
  StreamCommands::Name(hold, options.hold.stream);
  hold->add_option("ID", options.hold.id, "The hold's id, of your choice")->required();
  hold->add_option("--start", options.hold.start, "RFC 3339 or epoch seconds")->required();
  hold->add_option("--end", options.hold.end, "Likewise; may lie in the future (default: open)");
  hold->add_option("--reason", options.hold.reason, "Why, for people");
  auto* holds = commands.Add("holds", "What of a video stream's footage is held, and why",
                             "Example:\n  millrace stream holds door\n",
                             [&options, &client] { return RunListHolds(client, options.hold.stream); });
  StreamCommands::Name(holds, options.hold.stream);
  auto* release = commands.Add("release", "Release a hold: retention takes effect again",
                               "Example:\n  millrace stream release door case-7\n", [&options, &client] {
                                 return RunReleaseHold(client, options.hold.stream, options.hold.id);
                               });
  StreamCommands::Name(release, options.hold.stream);
  release->add_option("ID", options.hold.id, "The hold's id")->required();
}

void AddRecords(const StreamCommands& commands) {
  StreamCommandOptions& options = *commands.options;
  const ClientOptions& client = commands.client;
  auto* put = commands.Add(
      "put", "Put records into a data stream",
      "Without --data and --file each line of standard input becomes a record.\n"
      "Records of one partition key keep their order, unless the stream's limits make some wait.\n"
      "\nExamples:\n"
      "  millrace stream put events --data hello --partition-key door\n"
      "  millrace stream put events --file picture.jpg\n"
      "  tail -f app.log | millrace stream put logs\n",
      [&options, &client] { return RunStreamPut(client, options.put); });
  StreamCommands::Name(put, options.put.name);
  auto* data = put->add_option("--data", options.put.data, "One record with this text")->type_name("TEXT");
  put->add_option("--file", options.put.file, "One record with this file's bytes")
      ->type_name("FILE")
      ->excludes(data);
  put->add_option("--partition-key", options.put.partition_key,
                  "Decides the shard (default: one by chance for each record)")
      ->type_name("KEY");
  put->add_option("--hash-key", options.put.hash_key, "Decides it instead: 0 to 2^128-1")
      ->type_name("NUMBER");
  auto* get =
      commands.Add("get", "Read a data stream's records",
                   "Each shard in order, parents before their children. Aggregated records are taken apart.\n"
                   "\nExamples:\n"
                   "  millrace stream get events\n"
                   "  millrace stream get events --from latest --follow\n"
                   "  millrace stream get events --from 2026-11-21T14:00:00Z --json\n"
                   "  millrace stream get events --shard 0 --count 1 --raw > first\n",
                   [&options, &client] { return RunStreamGet(client, options.get); });
  StreamCommands::Name(get, options.get.name);
  get->add_option("--from", options.get.from,
                  "oldest (default), latest, a time, or a sequence number of --shard")
      ->type_name("PLACE");
  get->add_option("--shard", options.get.shard, "Only this one")->type_name("SHARD");
  get->add_option("--count", options.get.count, "End after this many records")
      ->check(CLI::Range(1, 1'000'000'000));
  get->add_flag("--follow", options.get.follow, "Go on with new records until it is ended");
  get->add_flag("--raw", options.get.raw, "The data alone, each with a line end");
  get->add_flag("--as-stored", options.get.as_stored, "Do not take aggregated records apart");
}

void AddShards(const StreamCommands& commands) {
  StreamCommandOptions& options = *commands.options;
  const ClientOptions& client = commands.client;
  auto* create = commands.Add("create", "Make a data stream",
                              "A video stream is made by its camera: millrace camera add.\n"
                              "\nExamples:\n  millrace stream create events\n  millrace stream create events "
                              "--shards 4 --retention 7d\n"
                              "  millrace stream create clicks --on-demand --tag team=web\n",
                              [&options, &client] { return RunStreamCreate(client, options.create); });
  StreamCommands::Name(create, options.create.name);
  create
      ->add_option("--shards", options.create.shards, "How many (default 1; on demand: the server's choice)")
      ->check(CLI::Range(1, kShardsMax));
  create->add_flag("--on-demand", options.create.on_demand, "Shards follow the load");
  create
      ->add_option("--retention", options.create.retention,
                   "How long records are kept: 36h, 7d (default 24h)")
      ->type_name("TIME");
  create
      ->add_option("--record-size", options.create.record_kib,
                   "KiB that a record may have, with its partition key (default 1024)")
      ->check(CLI::Range(1024, 10'240));
  create->add_option("--tag", options.create.tags, "KEY=VALUE; may be given more than once");
  auto* retention = commands.Add(
      "retention", "How long a data stream's records are kept",
      "Of a video stream its camera says it: millrace camera add --retention-hours.\n"
      "\nExamples:\n  millrace stream retention events 7d\n  millrace stream retention events 24h\n",
      [&options, &client] { return RunStreamRetention(client, options.name, options.retention); });
  StreamCommands::Name(retention, options.name);
  retention->add_option("TIME", options.retention, "36h, 7d")->required();
  auto* split = commands.Add(
      "split", "Split a shard of a data stream in two",
      "Examples:\n  millrace stream split events\n  millrace stream split events shardId-000000000001\n"
      "  millrace stream split events 1 --at 255211775190703847597530955573826158592\n",
      [&options, &client] { return RunStreamSplit(client, options.split); });
  StreamCommands::Name(split, options.split.name);
  split->add_option("SHARD", options.split.shard, "Which (default: the only open one)");
  split->add_option("--at", options.split.at, "The first hash key of the upper one (default: the middle)")
      ->type_name("NUMBER");
  auto* merge = commands.Add(
      "merge", "Merge two neighbouring shards of a data stream",
      "Example:\n  millrace stream merge events shardId-000000000001 shardId-000000000002\n",
      [&options, &client] { return RunStreamMerge(client, options.name, options.shard, options.other); });
  StreamCommands::Name(merge, options.name);
  merge->add_option("SHARD", options.shard, "One of them")->required();
  merge->add_option("OTHER", options.other, "The other")->required();
  auto* scale = commands.Add(
      "scale", "Change how many shards a data stream has, or its mode",
      "At a time the number can be doubled at most, or halved.\n"
      "\nExamples:\n  millrace stream scale events --shards 4\n  millrace stream scale events --on-demand\n"
      "  millrace stream scale events --provisioned --shards 2\n",
      [&options, &client] { return RunStreamScale(client, options.scale); });
  StreamCommands::Name(scale, options.scale.name);
  auto* shards = scale->add_option("--shards", options.scale.shards, "This many open ones")
                     ->check(CLI::Range(1, kShardsMax));
  auto* on_demand = scale->add_flag("--on-demand", options.scale.on_demand, "Shards follow the load");
  auto* provisioned = scale->add_flag("--provisioned", options.scale.provisioned, "They do not");
  on_demand->excludes(provisioned)->excludes(shards);
  scale->callback([&commands_run = commands.run, &options, &client, keep = commands.options] {
    if (!options.scale.shards && !options.scale.on_demand && !options.scale.provisioned) {
      throw CLI::RequiredError("--shards, --on-demand or --provisioned");
    }
    commands_run = [&options, &client] { return RunStreamScale(client, options.scale); };
  });
}

}  // namespace

void AddStreamCommands(CLI::App& app, ClientOptions& client, std::function<int()>& run) {
  auto* stream = app.add_subcommand("stream", "Streams: footage of cameras, and records of your own");
  stream->require_subcommand(1);
  stream->footer(
      "\nA video stream holds a camera's footage; a data stream holds records, as of Amazon Kinesis.\n"
      "\nExamples:\n"
      "  millrace stream list\n"
      "  millrace stream create events --shards 2\n"
      "  echo hello | millrace stream put events\n"
      "  millrace stream get events --follow\n");
  const StreamCommands commands{stream, client, run, std::make_shared<StreamCommandOptions>()};
  AddBoth(commands);
  AddVideo(commands);
  AddFootage(commands);
  AddShards(commands);
  AddRecords(commands);
}

}  // namespace millrace::server
