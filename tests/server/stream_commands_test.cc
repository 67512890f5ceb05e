// `millrace stream …` against a server: every verb, its exit codes, and what is printed for people and for
// machines.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <map>
#include <sstream>

#include "server/data_stream_commands.h"
#include "tests/server/command_line.h"
#include "wire/aggregated_record.h"
#include "wire/base64.h"

namespace millrace::server {
namespace {

using ::testing::AllOf;
using testing::CommandLineTest;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;
using testing::Outcome;

class StreamCommandsTest : public CommandLineTest {
 protected:
  std::string Ok(std::vector<std::string> arguments, const std::filesystem::path& in = "/dev/null") {
    arguments.insert(arguments.begin(), "stream");
    Outcome outcome = Run(arguments, in);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out;
  }
  // Exit code and what was said about it.
  Outcome Refused(std::vector<std::string> arguments, const std::filesystem::path& in = "/dev/null") {
    arguments.insert(arguments.begin(), "stream");
    return Run(arguments, in);
  }
  boost::json::object Json(std::vector<std::string> arguments) {
    arguments.push_back("--json");
    return boost::json::parse(Ok(arguments)).as_object();
  }
  // The lines that `get --json` prints.
  std::vector<boost::json::object> Records(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "get");
    arguments.push_back("--json");
    std::vector<boost::json::object> records;
    std::istringstream lines(Ok(arguments));
    for (std::string line; std::getline(lines, line);) {
      records.push_back(boost::json::parse(line).as_object());
    }
    return records;
  }
  static std::string Data(const boost::json::object& record) {
    auto bytes = wire::DecodeBase64(std::string_view(record.at("Data").as_string()));
    EXPECT_TRUE(bytes);
    return bytes ? std::string(AsText(*bytes)) : std::string();
  }
};

TEST_F(StreamCommandsTest, MakesDescribesAndDeletesDataStreams) {
  Serve();
  EXPECT_THAT(Ok({"list", "--kind", "video"}), HasSubstr("millrace stream create"));
  EXPECT_EQ(Ok({"create", "events", "--shards", "2", "--tag", "team=web"}),
            "Stream events is made: provisioned, 2 shards, kept for 24 h.\n");
  EXPECT_THAT(Ok({"list"}), AllOf(HasSubstr("DATA STREAM"), HasSubstr("events"), HasSubstr("provisioned"),
                                  Not(HasSubstr("millrace-fragments")), Not(HasSubstr("VIDEO STREAM"))));
  EXPECT_THAT(Ok({"list", "--internal"}), HasSubstr("millrace-fragments"));
  EXPECT_THAT(Ok({"list", "--kind", "video"}), Not(HasSubstr("events")));
  const auto all = Json({"list"});
  EXPECT_THAT(all.at("streams").as_array(), IsEmpty());
  bool listed = false;
  for (const auto& stream : all.at("data_streams").as_array()) {
    listed = listed || stream.as_object().at("StreamName") == "events";
  }
  EXPECT_TRUE(listed);

  EXPECT_THAT(Ok({"describe", "events"}),
              AllOf(HasSubstr("Open shards:"), HasSubstr("shardId-000000000000"),
                    HasSubstr("0.00% to 50.00%"), HasSubstr("50.00% to 100.00%"), HasSubstr("open")));
  const auto described = Json({"describe", "events"});
  EXPECT_EQ(described.at("Shards").as_array().size(), 2u);
  EXPECT_EQ(Ok({"show", "events", "--json"}), Ok({"describe", "events", "--json", "--kind", "data"}));

  Outcome again = Refused({"create", "events"});
  EXPECT_EQ(again.code, 5);
  EXPECT_THAT(again.err, MatchesRegex("millrace: Stream events [^\n]* already exists\\.\n"));
  EXPECT_EQ(Ok({"delete", "events"}), "Stream events and its records are gone.\n");
  for (const char* verb : {"describe", "delete", "get", "put"}) {
    EXPECT_EQ(Refused({verb, "events"}).code, 3) << verb;
  }
  EXPECT_EQ(Refused({"delete", "millrace-fragments"}).code, 2);
  EXPECT_EQ(StopServer(), 0);
  EXPECT_EQ(Refused({"list"}).code, 4);
}

TEST_F(StreamCommandsTest, PutsLinesAndGetsThemBack) {
  Serve();
  Ok({"create", "lines", "--shards", "3"});
  std::string text;
  for (int i = 0; i < 1234; ++i) text += "line " + std::to_string(i) + (i % 2 == 0 ? "\n" : "\r\n");
  EXPECT_THAT(Ok({"put", "lines"}, Write("in", text + "the last one without an end")),
              MatchesRegex("1235 records, [0-9.]+ kB\\.\n"));
  std::map<std::string, int> shards;
  std::vector<std::string> data;
  for (const auto& record : Records({"lines"})) {
    ++shards[std::string(record.at("ShardId").as_string())];
    data.push_back(Data(record));
  }
  EXPECT_EQ(data.size(), 1235u);
  EXPECT_EQ(shards.size(), 3u) << "keys by chance spread the records";
  std::sort(data.begin(), data.end());
  EXPECT_TRUE(std::binary_search(data.begin(), data.end(), "line 1233"));
  EXPECT_TRUE(std::binary_search(data.begin(), data.end(), "the last one without an end"));
  EXPECT_EQ(std::unique(data.begin(), data.end()), data.end());
}

TEST_F(StreamCommandsTest, OneKeyKeepsItsOrder) {
  Serve();
  Ok({"create", "ordered", "--shards", "4"});
  std::string text;
  for (int i = 0; i < 700; ++i) text += std::to_string(i) + "\n";
  Ok({"put", "ordered", "--partition-key", "k"}, Write("in", text));
  EXPECT_EQ(Ok({"get", "ordered", "--raw"}), text);
}

TEST_F(StreamCommandsTest, PutsOneRecordFromTextOrFile) {
  Serve();
  Ok({"create", "one"});
  EXPECT_THAT(Ok({"put", "one", "--data", "hello", "--partition-key", "k\n"}),
              MatchesRegex("shardId-000000000000  [0-9]{56}\n"));
  const std::string bytes("\x00\xff\n\x01", 4);
  const auto put = boost::json::parse(
      Ok({"put", "one", "--file", Write("bytes", bytes).string(), "--hash-key", "7", "--json"}));
  EXPECT_EQ(put.as_object().at("ShardId"), "shardId-000000000000");
  const auto records = Records({"one"});
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(Data(records[0]), "hello");
  EXPECT_EQ(Data(records[1]), bytes);
  EXPECT_EQ(records[1].at("SequenceNumber"), put.as_object().at("SequenceNumber"));
  EXPECT_EQ(Ok({"get", "one", "--raw"}), "hello\n" + bytes + "\n");
  const std::string shown = Ok({"get", "one"});
  EXPECT_THAT(shown, AllOf(HasSubstr("hello"), HasSubstr("00 ff 0a 01"), HasSubstr("k?  ")));
  EXPECT_EQ(std::count(shown.begin(), shown.end(), '\n'), 2) << "a key cannot break a line";
  // From a place on.
  const std::string second(records[1].at("SequenceNumber").as_string());
  EXPECT_EQ(Ok({"get", "one", "--shard", "0", "--from", second, "--raw"}), bytes + "\n");
  EXPECT_EQ(Ok({"get", "one", "--from", "latest"}), "");
  EXPECT_EQ(Ok({"get", "one", "--from", "2020-01-01T00:00:00Z", "--count", "1", "--raw"}), "hello\n");
}

TEST_F(StreamCommandsTest, FollowsWhatComes) {
  Serve();
  Ok({"create", "live"});
  Ok({"put", "live", "--data", "before"});
  auto follower = Start({"stream", "get", "live", "--follow", "--raw", "--count", "3"});
  ASSERT_TRUE(follower->WaitForOutput("before\n"));
  Ok({"put", "live", "--data", "first"});
  ASSERT_TRUE(follower->WaitForOutput("first\n"));
  Ok({"put", "live", "--data", "second"});
  EXPECT_EQ(follower->Wait(), 0) << follower->err();
  EXPECT_EQ(follower->out(), "before\nfirst\nsecond\n");
}

TEST_F(StreamCommandsTest, TakesAggregatedRecordsApart) {
  Serve();
  Ok({"create", "kpl"});
  const Bytes whole =
      wire::WriteAggregatedRecord({{"a", std::nullopt, AsBytes("one")}, {"b", "12345", AsBytes("two")}});
  const auto file = Write("whole", std::string(AsText(whole)));
  Ok({"put", "kpl", "--file", file.string(), "--partition-key", "outer"});
  const auto records = Records({"kpl"});
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(Data(records[1]), "two");
  EXPECT_EQ(records[1].at("PartitionKey"), "b");
  EXPECT_EQ(records[1].at("SubSequenceNumber"), 1);
  EXPECT_EQ(records[0].at("SequenceNumber"), records[1].at("SequenceNumber"));
  const auto stored = Records({"kpl", "--as-stored"});
  ASSERT_EQ(stored.size(), 1u);
  EXPECT_EQ(Data(stored[0]), AsText(whole));
  EXPECT_FALSE(stored[0].contains("SubSequenceNumber"));
}

TEST_F(StreamCommandsTest, ChangesShardsModeAndRetention) {
  Serve();
  Ok({"create", "s", "--retention", "2d"});
  EXPECT_EQ(Json({"describe", "s"}).at("RetentionPeriodHours"), 48);
  EXPECT_EQ(Ok({"retention", "s", "30h"}), "Stream s keeps its records for 30 h.\n");
  EXPECT_EQ(Refused({"retention", "s", "1h"}).code, 2);
  EXPECT_EQ(Ok({"split", "s"}),
            "shardId-000000000000 is split: shardId-000000000001, shardId-000000000002.\n");
  EXPECT_EQ(Refused({"split", "s"}).code, 2) << "which of the two?";
  EXPECT_EQ(Refused({"split", "s", "9"}).code, 3);
  EXPECT_NE(Refused({"split", "s", "0"}).code, 0) << "it is closed";
  EXPECT_EQ(Ok({"split", "s", "2", "--at", "255211775190703847597530955573826158592"}),
            "shardId-000000000002 is split: shardId-000000000003, shardId-000000000004.\n");
  EXPECT_THAT(Ok({"describe", "s"}), AllOf(HasSubstr("closed"), HasSubstr("75.00% to 100.00%")));
  EXPECT_EQ(Refused({"merge", "s", "1", "4"}).code, 2) << "no neighbours";
  EXPECT_EQ(Ok({"merge", "s", "4", "3"}),
            "shardId-000000000003 and shardId-000000000004 are merged: shardId-000000000005.\n");
  EXPECT_EQ(Json({"scale", "s", "--shards", "4"}).at("OpenShardCount"), 4);
  EXPECT_NE(Refused({"scale", "s", "--shards", "9"}).code, 0) << "more than double";
  EXPECT_THAT(Ok({"scale", "s", "--on-demand"}), HasSubstr("s is on-demand"));
  EXPECT_EQ(Refused({"split", "s", "5"}).code, 2) << "shards of such a stream are the server's";
  EXPECT_THAT(Ok({"list"}), HasSubstr("on-demand"));
}

// Parents before their children, however often a stream is split while it is written to.
TEST_F(StreamCommandsTest, ReadsThroughSplitsAndMerges) {
  Serve();
  Ok({"create", "s"});
  std::string all;
  int number = 0;
  auto put = [&] {
    std::string text;
    for (int i = 0; i < 50; ++i) text += std::to_string(number++) + "\n";
    Ok({"put", "s", "--partition-key", "k"}, Write("in", text));
    all += text;
  };
  auto follower = Start({"stream", "get", "s", "--follow", "--raw", "--count", "200"});
  put();
  Ok({"split", "s"});
  put();
  Ok({"split", "s", "1"});
  put();
  Ok({"merge", "s", "3", "4"});
  put();
  EXPECT_EQ(Ok({"get", "s", "--raw"}), all);
  EXPECT_EQ(follower->Wait(), 0) << follower->err();
  EXPECT_EQ(follower->out(), all);
  Outcome one = Run({"stream", "get", "s", "--shard", "0", "--raw"});
  EXPECT_THAT(one.err, HasSubstr("shardId-000000000001 carries on"));
  EXPECT_THAT(one.out, Not(HasSubstr("\n50\n")));
}

TEST_F(StreamCommandsTest, ALineEndIsNotShown) {
  Serve();
  Ok({"create", "events"});
  Ok({"put", "events", "--data", "hello\r\n"});
  EXPECT_THAT(Ok({"get", "events"}), MatchesRegex("[^\n]*  hello\n"));
}

TEST_F(StreamCommandsTest, OneNameCanBeBothKinds) {
  Serve();
  ASSERT_EQ(Run({"camera", "add", "door", "rtsp://127.0.0.1:9/s", "--disabled"}).code, 0);
  Ok({"create", "door"});
  if (Refused({"describe", "door", "--kind", "video"}).code == 0) {
    Outcome which = Refused({"delete", "door"});
    EXPECT_EQ(which.code, 5);
    EXPECT_THAT(which.err, HasSubstr("--kind"));
  }
  EXPECT_EQ(Ok({"delete", "door", "--kind", "data"}), "Stream door and its records are gone.\n");
}

TEST_F(StreamCommandsTest, SaysWhatElseANameIsAndWhatToDo) {
  Serve();
  ASSERT_EQ(Run({"camera", "add", "gate", "rtsp://127.0.0.1:9/s", "--disabled"}).code, 0);
  Ok({"create", "events"});
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"tail", "events"},
        {"export", "events", "--start", "2026-11-20T00:00:00Z", "-o", (directory_ / "x.mp4").string()},
        {"stream", "coverage", "events"}}) {
    const Outcome outcome = Run(command);
    EXPECT_EQ(outcome.code, 3) << command[0];
    EXPECT_THAT(outcome.err, HasSubstr("'events' is a data stream: millrace stream ")) << command[0];
  }
  EXPECT_THAT(Run({"tail", "nothing"}).err, HasSubstr("there is no stream 'nothing'"));
  EXPECT_THAT(Refused({"get", "nothing"}).err, HasSubstr("there is no stream 'nothing'"));
  const Outcome shard = Refused({"get", "events", "--shard", "77"});
  EXPECT_EQ(shard.code, 3);
  EXPECT_THAT(shard.err, HasSubstr("has no shard '77': millrace stream describe events"));
  const Outcome scale = Refused({"scale", "events", "--shards", "9"});
  EXPECT_EQ(scale.code, 2);
  EXPECT_THAT(scale.err, HasSubstr("2 at most"));
}

TEST_F(StreamCommandsTest, LeavesNoStreamBehindForAWrongRetention) {
  Serve();
  EXPECT_EQ(Refused({"create", "short", "--retention", "1h"}).code, 2);
  EXPECT_EQ(Refused({"create", "short", "--retention", "366d"}).code, 2);
  EXPECT_EQ(Refused({"describe", "short"}).code, 3);
}

TEST_F(StreamCommandsTest, SaysHowLargeARecordMayBe) {
  Serve();
  Ok({"create", "events"});
  const std::string large(1024 * 1024, 'a');
  const Outcome one = Refused({"put", "events", "--file", Write("large", large).string(),  //
                               "--partition-key", "k"});
  EXPECT_EQ(one.code, 2);
  EXPECT_THAT(one.err,
              AllOf(HasSubstr("1048577 bytes"), HasSubstr("takes 1048576"), HasSubstr("--record-size")));
  const Outcome lines = Refused({"put", "events"}, Write("lines", "first\n" + large + "\nlast\n"));
  EXPECT_EQ(lines.code, 2);
  EXPECT_THAT(lines.err, AllOf(HasSubstr("line 2 has"), HasSubstr("1 record, ")));
  EXPECT_EQ(Ok({"get", "events", "--raw"}), "first\n") << "what came before it is put";
}

TEST_F(StreamCommandsTest, SaysThatTheServerAsksForAKey) {
  const std::string users = (directory_ / "users.yaml").string();
  ASSERT_EQ(Run({"user", "add", "ann", "--file", users, "--policy", "administrator"}).code, 0);
  Serve({"--config", Write("millrace.yaml", "auth: {file: " + users + "}\n").string()});
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"stream", "list", "--kind", "data"},
        {"stream", "list", "--kind", "video"},
        {"stream", "put", "events", "--data", "x"},
        {"camera", "list"}}) {
    const Outcome outcome = Run(command);
    EXPECT_EQ(outcome.code, 2) << command[1];
    EXPECT_THAT(outcome.err, HasSubstr("this server asks for a key: set AWS_ACCESS_KEY_ID")) << command[1];
  }
}

struct WrongCase {
  const char* name;
  std::vector<std::string> arguments;
  int code;
  const char* text;
};

class StreamUsage : public CommandLineTest, public ::testing::WithParamInterface<WrongCase> {};

TEST_P(StreamUsage, EndsWithItsCodeAndText) {
  std::vector<std::string> arguments{"--endpoint", "http://127.0.0.1:1", "stream"};
  arguments.insert(arguments.end(), GetParam().arguments.begin(), GetParam().arguments.end());
  Outcome outcome = Run(arguments);
  EXPECT_EQ(outcome.code, GetParam().code) << outcome.out << outcome.err;
  EXPECT_THAT(outcome.out + outcome.err, HasSubstr(GetParam().text));
}

INSTANTIATE_TEST_SUITE_P(
    Server, StreamUsage,
    ::testing::Values(WrongCase{"alone", {}, 2, "subcommand is required"},
                      WrongCase{"help", {"--help"}, 0, "millrace stream create events"},
                      WrongCase{"create_help", {"create", "--help"}, 0, "Examples"},
                      WrongCase{"list_help", {"list", "--help"}, 0, "Examples"},
                      WrongCase{"describe_help", {"describe", "--help"}, 0, "Examples"},
                      WrongCase{"put_help", {"put", "--help"}, 0, "Examples"},
                      WrongCase{"get_help", {"get", "--help"}, 0, "Examples"},
                      WrongCase{"split_help", {"split", "--help"}, 0, "Examples"},
                      WrongCase{"merge_help", {"merge", "--help"}, 0, "Example"},
                      WrongCase{"scale_help", {"scale", "--help"}, 0, "Examples"},
                      WrongCase{"retention_help", {"retention", "--help"}, 0, "Examples"},
                      WrongCase{"delete_help", {"delete", "--help"}, 0, "Examples"},
                      WrongCase{"no_name", {"create"}, 2, "NAME"},
                      WrongCase{"no_shards", {"create", "x", "--shards", "0"}, 2, "--shards"},
                      WrongCase{"many_shards", {"create", "x", "--shards", "20000"}, 2, "--shards"},
                      WrongCase{"kind", {"list", "--kind", "audio"}, 2, "--kind: must be video or data"},
                      WrongCase{"unknown", {"creat", "x"}, 2, "'creat' is not a command"},
                      WrongCase{"too_short", {"retention", "x", "1h"}, 2, "24h to 365d"},
                      WrongCase{"retention", {"retention", "x", "soon"}, 2, "36h, 7d"},
                      WrongCase{"create_retention", {"create", "x", "--retention", "-4h"}, 2, "36h, 7d"},
                      WrongCase{"tag", {"create", "x", "--tag", "x"}, 2, "KEY=VALUE"},
                      WrongCase{"data_and_file", {"put", "x", "--data", "a", "--file", "b"}, 2, "--file"},
                      WrongCase{"no_file", {"put", "x", "--file", "/nowhere/x"}, 3, "/nowhere/x"},
                      WrongCase{"merge_one", {"merge", "x", "1"}, 2, "OTHER"},
                      WrongCase{"scale_nothing", {"scale", "x"}, 2, "--on-demand"},
                      WrongCase{"scale_both", {"scale", "x", "--on-demand", "--provisioned"}, 2, "excludes"},
                      WrongCase{"nobody", {"get", "x"}, 4, "millrace serve"}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(ParseRetention, TakesHoursAndDays) {
  EXPECT_EQ(*ParseRetention("36"), 36);
  EXPECT_EQ(*ParseRetention("36h"), 36);
  EXPECT_EQ(*ParseRetention("7d"), 168);
  for (const char* bad :
       {"", "h", "0h", "-1h", "7w", "7 d", "1.5d", "99999999999999999999h", "7dd", "23h", "366d"}) {
    EXPECT_FALSE(ParseRetention(bad)) << bad;
  }
}

}  // namespace
}  // namespace millrace::server
