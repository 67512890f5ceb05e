// The real binary: commands, exit codes, starting, stopping, and what survives a restart.
#include "tests/server/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

namespace millrace::server {
namespace {

using testing::CommandLineTest;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using testing::Outcome;
using testing::Process;
using testing::ReadAll;

TEST_F(CommandLineTest, CamerasSurviveARestartAndTheirPasswordsStaySealed) {
  Serve();
  EXPECT_THAT(Run({"camera", "list"}).out, HasSubstr("No cameras"));
  extra_environment_ = {"MILLRACE_CAMERA_PASSWORD=s3cret-pw"};
  Outcome added = Run({"camera", "add", "door", "rtsp://127.0.0.1:9/s", "--username", "admin", "--label",
                       "site=north", "--retention-hours", "24", "--disabled"});
  EXPECT_EQ(added.code, 0) << added.err;
  EXPECT_EQ(added.out, "Camera door records rtsp://127.0.0.1:9/s into stream door.\n");
  extra_environment_.clear();
  EXPECT_EQ(Run({"camera", "add", "yard", "rtsp://127.0.0.1:9/t", "--disabled", "--analyzer", "faces"}).code,
            0);
  EXPECT_THAT(Run({"camera", "show", "yard"}).out, ::testing::ContainsRegex("Analyzers: +faces"));
  EXPECT_EQ(Run({"camera", "add", "gate", "rtsp://127.0.0.1:9/g", "--analyzer", "dogs"}).code, 2);
  EXPECT_EQ(Run({"camera", "remove", "yard", "--purge"}).code, 0);
  EXPECT_EQ(StopServer(), 0) << server_->err();

  Serve();
  Outcome shown = Run({"camera", "show", "door", "--json"});
  EXPECT_THAT(shown.out, HasSubstr(R"("labels":{"site":"north"})"));
  EXPECT_THAT(shown.out, HasSubstr(R"("retention_hours":24)"));
  EXPECT_THAT(shown.out, HasSubstr(R"("has_credentials":true)"));
  EXPECT_THAT(shown.out, HasSubstr(R"("state":"disabled")"));
  EXPECT_THAT(Run({"camera", "list"}).out, Not(HasSubstr("yard")));
  EXPECT_EQ(Run({"camera", "enable", "door"}).code, 0);
  EXPECT_THAT(Run({"camera", "show", "door", "--json"}).out, HasSubstr(R"("has_credentials":true)"));
  EXPECT_EQ(Run({"camera", "disable", "door"}).code, 0);
  EXPECT_EQ(StopServer(), 0);

  EXPECT_THAT(server_->err(), Not(HasSubstr("s3cret-pw")));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_)) {
    if (!entry.is_regular_file()) continue;
    EXPECT_EQ(ReadAll(entry.path()).find("s3cret-pw"), std::string::npos) << entry.path();
  }
  struct stat key {};
  ASSERT_EQ(::stat((directory_ / "data/secrets.key").c_str(), &key), 0);
  EXPECT_EQ(key.st_mode & 0777, 0600U);
  Outcome check = Run({"check"});
  EXPECT_EQ(check.code, 0) << check.out << check.err;
  EXPECT_THAT(Run({"check", "--json"}).out, HasSubstr(R"("ok":true)"));
}

TEST_F(CommandLineTest, PasswordsComeFromAFileToo) {
  Serve();
  auto file = Write("pw", "from-file\nsecond line\n");
  EXPECT_EQ(Run({"camera", "add", "a", "rtsp://127.0.0.1:9/s", "--username", "u", "--password-file",
                 file.string(), "--disabled"})
                .code,
            0);
  EXPECT_THAT(Run({"camera", "show", "a"}).out, MatchesRegex("(.|\n)*Credentials: +set(.|\n)*"));
  EXPECT_EQ(Run({"camera", "add", "a", "rtsp://127.0.0.1:9/s", "--password-file", file.string()}).code, 2);
  EXPECT_EQ(
      Run({"camera", "add", "a", "rtsp://127.0.0.1:9/s", "--username", "u", "--password-file", "/nowhere"})
          .code,
      3);
  Outcome warned = Run({"camera", "add", "b", "rtsp://u:visible@127.0.0.1:9/s", "--disabled"});
  EXPECT_EQ(warned.code, 0);
  EXPECT_THAT(warned.err, HasSubstr("--ask-password"));
  EXPECT_THAT(warned.out + warned.err, Not(HasSubstr("visible@")));
}

TEST_F(CommandLineTest, StopsOnBothSignals) {
  for (int signal : {SIGTERM, SIGINT}) {
    Serve();
    EXPECT_EQ(StopServer(signal), 0);
    EXPECT_THAT(server_->err(), HasSubstr("stopped"));
  }
}

TEST_F(CommandLineTest, ASecondServerOnTheSameDataIsRefused) {
  Serve();
  Outcome second = Run({"serve", "--listen", "127.0.0.1:0"});
  EXPECT_EQ(second.code, 5);
  EXPECT_THAT(second.err, MatchesRegex("millrace: [^\n]*/data is in use by process [0-9]+\n"));
  for (const std::vector<std::string>& check : {std::vector<std::string>{"check"}, {"check", "--repair"}}) {
    Outcome outcome = Run(check);
    EXPECT_EQ(outcome.code, 5);
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(outcome.err, second.err);
  }
  EXPECT_EQ(Run({"camera", "list"}).code, 0);
  EXPECT_EQ(StopServer(), 0);
}

TEST_F(CommandLineTest, ATakenPortIsSaidInOneLine) {
  Serve();
  Outcome second =
      Run({"serve", "--listen", endpoint_.substr(7), "--data-dir", (directory_ / "other").string()});
  EXPECT_EQ(second.code, 1);
  EXPECT_THAT(second.err, MatchesRegex("millrace: cannot listen on 127\\.0\\.0\\.1:[0-9]+: [^\n]*\n"));
}

TEST_F(CommandLineTest, AForeignDirectoryIsLeftAlone) {
  auto foreign = directory_ / "foreign";
  std::filesystem::create_directory(foreign);
  std::ofstream(foreign / "diary.txt") << "dear diary";
  Outcome outcome = Run({"serve", "--listen", "127.0.0.1:0", "--data-dir", foreign.string()});
  EXPECT_EQ(outcome.code, 5) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("foreign"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(foreign), {}), 1);
}

TEST_F(CommandLineTest, AKeyThatOthersCanReadIsRefused) {
  Serve();
  EXPECT_EQ(StopServer(), 0);
  ASSERT_EQ(::chmod((directory_ / "data/secrets.key").c_str(), 0644), 0);
  Outcome outcome = Run({"serve", "--listen", "127.0.0.1:0"});
  EXPECT_EQ(outcome.code, 5);
  EXPECT_THAT(outcome.err, HasSubstr("chmod 600"));
}

TEST_F(CommandLineTest, DamagedDataIsNotServed) {
  Serve();
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(Run({"camera", "add", "a" + std::to_string(i), "rtsp://127.0.0.1:9/s", "--disabled"}).code, 0);
  }
  EXPECT_EQ(StopServer(), 0);
  // In the middle, so that what is whole follows: a damaged end would pass for a write that was cut short.
  for (const auto& entry : std::filesystem::directory_iterator(directory_ / "data/log")) {
    auto middle = std::filesystem::file_size(entry.path()) / 2;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(middle));
    file.write("\xff\x00\xff\x00", 4);
  }
  Outcome outcome = Run({"serve", "--listen", "127.0.0.1:0"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, MatchesRegex("millrace: [^\n]*damaged[^\n]*millrace check[^\n]*\n"));
  EXPECT_THAT(Run({"check"}).out, HasSubstr("damaged"));
  EXPECT_EQ(Run({"check", "--data-dir", "/nowhere"}).code, 3);

  Outcome repaired = Run({"check", "--repair"});
  EXPECT_EQ(repaired.code, 0) << repaired.out << repaired.err;
  EXPECT_THAT(repaired.out, HasSubstr("lost: "));
  EXPECT_THAT(repaired.out, HasSubstr("no damage found"));
  EXPECT_THAT(Run({"check", "--repair", "--json"}).out, HasSubstr(R"("mended":[])"));
  Serve();
  EXPECT_THAT(Run({"camera", "list"}).out, HasSubstr("a0"));
  EXPECT_EQ(StopServer(), 0);
}

TEST_F(CommandLineTest, ABackupIsRestoredIntoANewDirectory) {
  Serve();
  EXPECT_EQ(Run({"camera", "add", "door", "rtsp://127.0.0.1:9/s", "--disabled"}).code, 0);
  const std::string file = (directory_ / "metadata.backup").string();
  Outcome made = Run({"backup", "-o", file});
  EXPECT_EQ(made.code, 0) << made.err;
  EXPECT_NE(Run({"backup", "-o", (directory_ / "none/x").string()}).code, 0);
  const std::string fresh = (directory_ / "fresh").string();
  EXPECT_NE(Run({"restore", file, "--data-dir", (directory_ / "data").string()}).code, 0);  // in use
  EXPECT_NE(Run({"restore", Write("x", "no backup").string(), "--data-dir", fresh}).code, 0);
  EXPECT_FALSE(std::filesystem::exists(fresh));
  Outcome restored = Run({"restore", file, "--data-dir", fresh, "--json"});
  EXPECT_EQ(restored.code, 0) << restored.err;
  EXPECT_THAT(restored.out, HasSubstr(R"("entries":)"));
  EXPECT_EQ(std::filesystem::status(fresh).permissions(), std::filesystem::perms::owner_all);
  EXPECT_NE(Run({"restore", file, "--data-dir", fresh}).code, 0);  // there now
  EXPECT_EQ(StopServer(), 0);
  Serve({"--data-dir", fresh});
  EXPECT_THAT(Run({"camera", "list"}).out, HasSubstr("door"));
  EXPECT_EQ(StopServer(), 0);
}

TEST_F(CommandLineTest, StorageSaysHowTheDiskIs) {
  auto config =
      Write("small.yaml", "storage:\n  used_max_mib: 300\n  free_min_mib: 0\n  free_min_percent: 0\n");
  Serve({"--config", config.string()});
  Outcome shown = Run({"storage"});
  EXPECT_EQ(shown.code, 0) << shown.err;
  EXPECT_THAT(shown.out, HasSubstr("State:"));
  EXPECT_THAT(Run({"storage", "--json"}).out, HasSubstr(R"("budget_bytes":)"));
  EXPECT_EQ(StopServer(), 0);
  EXPECT_EQ(Run({"storage"}).code, 4);
}

TEST_F(CommandLineTest, TailAndExportSayWhatIsMissing) {
  Serve();
  EXPECT_EQ(Run({"tail", "nope"}).code, 3);
  EXPECT_EQ(Run({"stream", "show", "nope"}).code, 3);
  EXPECT_EQ(Run({"stream", "delete", "nope"}).code, 3);
  EXPECT_EQ(Run({"stream", "coverage", "nope"}).code, 3);
  EXPECT_THAT(Run({"stream", "list", "--json"}).out, HasSubstr("\"streams\":[]"));
  auto file = (directory_ / "x.mp4").string();
  Outcome missing = Run({"export", "nope", "--start", "1", "--end", "2", "-o", file});
  EXPECT_EQ(missing.code, 3);
  EXPECT_THAT(missing.err, HasSubstr("'nope'"));
  EXPECT_FALSE(std::filesystem::exists(file));
  EXPECT_FALSE(std::filesystem::exists(file + ".part"));
  EXPECT_EQ(Run({"export", "nope", "--start", "yesterday", "-o", file}).code, 2);
}

TEST_F(CommandLineTest, LogsAreJsonWhenAskedFor) {
  Serve({"--log-format", "json"});
  EXPECT_EQ(StopServer(), 0);
  EXPECT_THAT(server_->err(), HasSubstr(R"("message":"millrace is ready")"));
  EXPECT_THAT(server_->err(), HasSubstr(R"("console":"http://127.0.0.1:)"));
}

TEST_F(CommandLineTest, TheSampleConfigurationIsTheDefault) {
  Serve({"--config", MILLRACE_SOURCE_DIR "/packaging/millrace.yaml"});
  EXPECT_EQ(StopServer(), 0);
}

struct UsageCase {
  const char* name;
  std::vector<std::string> arguments;
  int code;
  const char* text;  // on standard output or error
};

class Usage : public CommandLineTest, public ::testing::WithParamInterface<UsageCase> {};

TEST_P(Usage, EndsWithItsCodeAndText) {
  Outcome outcome = Run(GetParam().arguments);
  EXPECT_EQ(outcome.code, GetParam().code) << outcome.out << outcome.err;
  EXPECT_THAT(outcome.out + outcome.err, HasSubstr(GetParam().text));
}

INSTANTIATE_TEST_SUITE_P(
    Server, Usage,
    ::testing::Values(
        UsageCase{"none", {}, 2, "subcommand is required"},
        UsageCase{"unknown", {"frobnicate"}, 2, "frobnicate"}, UsageCase{"help", {"--help"}, 0, "Exit codes"},
        UsageCase{"serve_help", {"serve", "--help"}, 0, "Examples"},
        UsageCase{"camera_help", {"camera", "add", "--help"}, 0, "--ask-password"},
        UsageCase{"list_help", {"camera", "list", "--help"}, 0, "Examples"},
        UsageCase{"tail_help", {"tail", "--help"}, 0, "Examples"},
        UsageCase{"export_help", {"export", "--help"}, 0, "Examples"},
        UsageCase{"analyze_help", {"analyze", "--help"}, 0, "motion: what moves in which zone"},
        UsageCase{"check_help", {"check", "--help"}, 0, "Examples"},
        UsageCase{"version", {"version"}, 0, "millrace "},
        UsageCase{"version_flag", {"--version"}, 0, "millrace "},
        UsageCase{"version_json", {"version", "--json"}, 0, "{\"version\":\""},
        UsageCase{"camera_alone", {"camera"}, 2, "subcommand is required"},
        UsageCase{"add_no_url", {"camera", "add", "x"}, 2, "URL"},
        UsageCase{
            "password_option", {"camera", "add", "x", "rtsp://h/s", "--password", "p"}, 2, "--password"},
        UsageCase{"export_no_ending", {"export", "x", "--start", "1", "-o", "clip"}, 2, "*.mp4"},
        UsageCase{"bad_endpoint", {"--endpoint", "localhost", "camera", "list"}, 2, "http://127.0.0.1:4567"},
        UsageCase{"other_scheme", {"--endpoint", "ftp://h", "camera", "list"}, 2, "http://127.0.0.1:4567"},
        UsageCase{"nobody_answers_tls",
                  {"--endpoint", "https://127.0.0.1:1", "camera", "list"},
                  4,
                  "millrace serve"},
        UsageCase{
            "nobody_answers", {"--endpoint", "http://127.0.0.1:1", "camera", "list"}, 4, "millrace serve"},
        UsageCase{
            "public_address", {"serve", "--listen", "0.0.0.0:4567"}, 2, "no credentials are configured"},
        UsageCase{"public_address6", {"serve", "--listen", "[::]:4567"}, 2, "no credentials are configured"},
        UsageCase{"listen_name", {"serve", "--listen", "example.com:80"}, 2, "127.0.0.1:4567"},
        UsageCase{"listen_no_port", {"serve", "--listen", "127.0.0.1"}, 2, "127.0.0.1:4567"},
        UsageCase{"listen_port", {"serve", "--listen", "127.0.0.1:70000"}, 2, "127.0.0.1:4567"},
        UsageCase{"no_config", {"serve", "--config", "/nowhere.yaml"}, 3, "/nowhere.yaml"},
        UsageCase{"log_level", {"serve", "--log-level", "loud"}, 2, "debug, info, warning, error"},
        UsageCase{"check_nothing", {"check"}, 3, "not a directory"}),
    [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace millrace::server
