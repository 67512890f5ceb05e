// The configuration file: every mistake is found, and its line is named.
#include "server/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::server {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(Config, NothingIsTheDefault) {
  auto config = ParseConfig("", "x.yaml");
  ASSERT_TRUE(config) << config.error().ToString();
  EXPECT_EQ(config->listen.host, "127.0.0.1");
  EXPECT_EQ(config->listen.port, 4567);
  EXPECT_FALSE(config->encryption.HasMasterKey());
  EXPECT_FALSE(IsEncryptedFromBeginning(config->encryption, "millrace-fragments"));
}

TEST(Config, EncryptsWhatTheServerRecordsWhereThereIsAKey) {
  auto config = ParseConfig("encryption:\n  master_key_file: /etc/millrace/master.key\n", "x.yaml");
  ASSERT_TRUE(config) << config.error().ToString();
  EXPECT_EQ(config->encryption.master_key_file, "/etc/millrace/master.key");
  EXPECT_TRUE(IsEncryptedFromBeginning(config->encryption, "millrace-fragments"));
  EXPECT_TRUE(IsEncryptedFromBeginning(config->encryption, "millrace-faces"));
  EXPECT_FALSE(IsEncryptedFromBeginning(config->encryption, "orders"));
  config = ParseConfig(
      "encryption: {master_key_env: KEY, fragments: false, data_streams: true, data_key_days: 7}", "x.yaml");
  ASSERT_TRUE(config) << config.error().ToString();
  EXPECT_EQ(config->encryption.master_key_env, "KEY");
  EXPECT_FALSE(IsEncryptedFromBeginning(config->encryption, "millrace-fragments"));
  EXPECT_TRUE(IsEncryptedFromBeginning(config->encryption, "orders"));
  EXPECT_EQ(config->encryption.data_key_age_max, std::chrono::hours(7 * 24));
}

TEST(Config, HasATlsPortWhereItIsAskedFor) {
  auto config = ParseConfig("", "x.yaml");
  ASSERT_TRUE(config);
  EXPECT_FALSE(config->tls.has_value());
  config = ParseConfig("tls: {listen: '[::1]:0'}", "x.yaml");
  ASSERT_TRUE(config) << config.error().ToString();
  ASSERT_TRUE(config->tls.has_value());
  EXPECT_EQ(config->tls->listen.Url(9, "https"), "https://[::1]:9/");
  EXPECT_TRUE(config->tls->certificate.empty());
  config = ParseConfig("tls: {certificate: /etc/x.crt, key: /etc/x.key}", "x.yaml");
  ASSERT_TRUE(config) << config.error().ToString();
  EXPECT_EQ(config->tls->listen.port, 4568);
  EXPECT_EQ(config->tls->certificate, "/etc/x.crt");
  EXPECT_EQ(config->tls->key, "/etc/x.key");
}

TEST(Config, TellsWebrtcWhereItIsReached) {
  auto config = ParseConfig("", "x.yaml");
  ASSERT_TRUE(config);
  EXPECT_TRUE(config->webrtc.enabled);
  EXPECT_EQ(config->webrtc.settings.port_min, 0);
  config = ParseConfig(
      "webrtc:\n  ports: 50000-50100\n  public_addresses: [203.0.113.7, '2001:db8::1']\n"
      "  stun: ['stun:stun.example.net:3478']\n"
      "  turn: [{url: 'turns:turn.example.net?transport=tcp', username: u, password: 's p'}]\n",
      "x.yaml");
  ASSERT_TRUE(config) << config.error().ToString();
  const WebrtcSettings& settings = config->webrtc.settings;
  EXPECT_EQ(settings.port_min, 50'000);
  EXPECT_EQ(settings.port_max, 50'100);
  EXPECT_EQ(settings.public_addresses.size(), 2U);
  ASSERT_EQ(settings.turn_servers.size(), 1U);
  EXPECT_EQ(settings.turn_servers[0].password, "s p");
}

TEST(Config, TakesWhatIsSet) {
  auto config = ParseConfig(
      "listen: '[::1]:80'\ndata_dir: /srv/x\nlog: {level: debug, format: json}\nstorage:\n  segment_mib: 1\n"
      "cameras:\n  fragment_duration_max_s: 2.5\n",
      "x.yaml");
  ASSERT_TRUE(config) << config.error().ToString();
  EXPECT_EQ(config->listen.host, "::1");
  EXPECT_EQ(config->listen.Url(80), "http://[::1]:80/");
  EXPECT_EQ(ListenAddress::Parse("0.0.0.0:80")->Url(80), "http://127.0.0.1:80/")
      << "0.0.0.0 cannot be called";
  EXPECT_EQ(ListenAddress::Parse("[::]:80")->Url(80), "http://[::1]:80/");
  EXPECT_EQ(config->data_dir, "/srv/x");
  EXPECT_EQ(config->log_level, LogLevel::kDebug);
  EXPECT_EQ(config->storage_segment_bytes, 1024U * 1024U);
  EXPECT_EQ(config->fragment_duration_max, std::chrono::milliseconds(2500));
}

TEST(Config, SaysWhichAccountAndRegionThisIs) {
  auto config = ParseConfig("", "x.yaml");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->aws.region, "us-east-1");
  EXPECT_EQ(config->aws.account, "000000000000");
  EXPECT_EQ(config->stream_limits, api::ShardLimits());
  config = ParseConfig("data_streams: {limits: off}", "x.yaml");
  ASSERT_TRUE(config) << config.error().ToString();
  EXPECT_EQ(config->stream_limits, api::ShardLimits::Off());
  config = ParseConfig("data_streams: {limits: reads=50 write_bytes=0}", "x.yaml");
  ASSERT_TRUE(config) << config.error().ToString();
  EXPECT_EQ(config->stream_limits.reads, 50U);
  EXPECT_EQ(config->stream_limits.write_bytes, 0U);
  config = ParseConfig("aws: {region: cn-north-1, account: 012345678901}", "x.yaml");
  ASSERT_TRUE(config) << config.error().ToString();
  EXPECT_EQ(config->aws.region, "cn-north-1");
  EXPECT_EQ(config->aws.account, "012345678901");
}

TEST(Config, SaysWhereCallersReachTheServer) {
  auto config = ParseConfig("", "x.yaml");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->aws.endpoint, "");
  for (const char* endpoint :
       {"https://video.example:8443", "http://video.example", "https://[2001:db8::1]:8443"}) {
    config = ParseConfig(std::string("aws: {endpoint: '") + endpoint + "'}", "x.yaml");
    ASSERT_TRUE(config) << config.error().ToString();
    EXPECT_EQ(config->aws.endpoint, endpoint);
  }
  config = ParseConfig("aws: {endpoint: https://video.example/}", "x.yaml");
  ASSERT_TRUE(config) << config.error().ToString();
  EXPECT_EQ(config->aws.endpoint, "https://video.example");
}

struct BadConfig {
  const char* name;
  const char* text;
  const char* where;  // how the error begins
  const char* message;
};

class BadConfigs : public ::testing::TestWithParam<BadConfig> {};

TEST_P(BadConfigs, AreRefusedWithTheLine) {
  auto config = ParseConfig(GetParam().text, "x.yaml");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(config.error().message, StartsWith(GetParam().where));
  EXPECT_THAT(config.error().message, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Webrtc, BadConfigs,
    ::testing::Values(
        BadConfig{"ports_reversed", "webrtc: {ports: 50100-50000}", "x.yaml:1: ", "'webrtc.ports'"},
        BadConfig{"ports_low", "webrtc: {ports: 80-90}", "x.yaml:1: ", "from 1024 up"},
        BadConfig{"ports_one", "webrtc: {ports: 5000}", "x.yaml:1: ", "'webrtc.ports'"},
        BadConfig{"stun_scheme", "webrtc: {stun: ['http://x']}", "x.yaml:1: ", "stun:HOST:PORT"},
        BadConfig{"stun_text", "webrtc: {stun: 'stun:a'}", "x.yaml:1: ", "must be a list"},
        BadConfig{"stun_header", "webrtc: {stun: [\"stun:a>; rel=b\"]}", "x.yaml:1: ", "stun:HOST:PORT"},
        BadConfig{"turn_number", "webrtc: {turn: 3}", "x.yaml:1: ", "'webrtc.turn' must be a list"},
        BadConfig{"turn_password", "webrtc: {turn: [{url: 'turn:a', username: u}]}",
                  "x.yaml:1: ", "a username and a password"},
        BadConfig{"turn_quotes", "webrtc: {turn: [{url: 'turn:a', username: u, password: 'a\"b'}]}",
                  "x.yaml:1: ", "without quotes"},
        BadConfig{"turn_in_url", "webrtc: {turn: [{url: 'turn:u:p@a', username: u, password: p}]}",
                  "x.yaml:1: ", "turn:HOST:PORT"},
        BadConfig{"address_name", "webrtc: {addresses: [localhost]}", "x.yaml:1: ", "a numeric address"},
        BadConfig{"key_frames", "webrtc: {key_frame_s: 0.1}", "x.yaml:1: ", "from 0.5 to 60"},
        BadConfig{"misspelt", "webrtc: {port: 1}", "x.yaml:1: ", "did you mean 'webrtc.ports'"}),
    [](const auto& each) { return std::string(each.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Yaml, BadConfigs,
    ::testing::Values(
        BadConfig{"account_letters", "aws:\n  account: me", "x.yaml:2: ", "'aws.account' must be 12 digits"},
        BadConfig{"limits_word", "data_streams:\n  limits: sometimes", "x.yaml:2: ", "'data_streams.limits'"},
        BadConfig{"limits_name", "data_streams: {limits: writes=5}", "x.yaml:1: ", "write_bytes=N"},
        BadConfig{"limits_number", "data_streams: {limits: reads=-5}", "x.yaml:1: ", "0 is no limit"},
        BadConfig{"limits_list", "data_streams: {limits: [on]}", "x.yaml:1: ", "must be text"},
        BadConfig{"streams_key", "data_streams: {limit: off}", "x.yaml:1: ", "limits"},
        BadConfig{"account_short", "aws: {account: 123}", "x.yaml:1: ", "must be 12 digits"},
        BadConfig{"region_colon", "aws: {region: 'a:b'}", "x.yaml:1: ", "'aws.region' must be"},
        BadConfig{"endpoint_scheme", "aws: {endpoint: 'wss://a'}", "x.yaml:1: ", "'aws.endpoint' must be"},
        BadConfig{"endpoint_bare", "aws: {endpoint: video.example}", "x.yaml:1: ", "'aws.endpoint' must be"},
        BadConfig{"endpoint_path", "aws: {endpoint: 'https://a/b'}", "x.yaml:1: ", "and no path"},
        BadConfig{"endpoint_port", "aws: {endpoint: 'https://a:0'}", "x.yaml:1: ", "'aws.endpoint' must be"},
        BadConfig{"endpoint_user", "aws: {endpoint: 'https://u@a'}", "x.yaml:1: ", "'aws.endpoint' must be"},
        BadConfig{"no_region", "aws: {region: ''}", "x.yaml:1: ", "'aws.region' must be"},
        BadConfig{"misspelt", "# first\nlsiten: 127.0.0.1:1\n", "x.yaml:2: ", "did you mean 'listen'"},
        BadConfig{"misspelt_inside", "http:\n  threads: 1\n  worker_thread: 2\n",
                  "x.yaml:3: ", "'http.worker_threads'"},
        BadConfig{"unknown", "colour: red\n", "x.yaml:1: ", "docs/configuration.md"},
        BadConfig{"twice", "listen: 127.0.0.1:1\nlisten: 127.0.0.1:2\n", "x.yaml:2: ", "twice"},
        BadConfig{"not_yaml", "a: [1\nb: }\n", "x.yaml:", "not YAML"},
        BadConfig{"list", "- a\n", "x.yaml:1: ", "mapping"},
        BadConfig{"text", "just text\n", "x.yaml:1: ", "mapping"},
        BadConfig{"section_is_text", "log: debug\n", "x.yaml:1: ", "'log' must be a mapping"},
        BadConfig{"address", "listen: everywhere\n", "x.yaml:1: ", "127.0.0.1:4567"},
        BadConfig{"tls_address", "tls:\n  listen: everywhere\n", "x.yaml:2: ", "127.0.0.1:4567"},
        BadConfig{"tls_key_alone", "tls:\n  key: /x.key\n", "x.yaml:2: ", "belong together"},
        BadConfig{"tls_text", "tls: true\n", "x.yaml:1: ", "'tls' must be a mapping"},
        BadConfig{"tls_unknown", "tls: {certficate: /x}\n", "x.yaml:1: ", "did you mean 'tls.certificate'"},
        BadConfig{"no_streams", "http: {streams_max: 0}\n", "x.yaml:1: ", "from 1"},
        BadConfig{"level", "log:\n  level: loud\n", "x.yaml:2: ", "debug, info"},
        BadConfig{"negative", "http:\n  threads: -1\n", "x.yaml:2: ", "whole number from 0"},
        BadConfig{"fraction", "http:\n  threads: 1.5\n", "x.yaml:2: ", "whole number"},
        BadConfig{"unit", "storage:\n  segment_mib: 256MiB\n", "x.yaml:2: ", "whole number"},
        BadConfig{"zero_workers", "http:\n  worker_threads: 0\n", "x.yaml:2: ", "from 1"},
        BadConfig{"seconds", "cameras:\n  silence_timeout_s: soon\n", "x.yaml:2: ", "seconds from 2"},
        BadConfig{"nan", "cameras:\n  silence_timeout_s: nan\n", "x.yaml:2: ", "seconds from 2"},
        BadConfig{"crossed", "cameras:\n  fragment_duration_min_s: 9\n  fragment_duration_max_s: 3\n",
                  "x.yaml:", "must not be less"},
        BadConfig{"crossed_retries", "cameras:\n  retry_min_s: 9\n  retry_max_s: 3\n",
                  "x.yaml:", "retry_min_s"},
        BadConfig{"no_memory", "cameras:\n  memory_mib: 0\n", "x.yaml:2: ", "from 8"},
        BadConfig{"two_keys", "encryption:\n  master_key_file: /k\n  master_key_env: K\n",
                  "x.yaml:3: ", "exclude each other"},
        BadConfig{"no_key", "encryption:\n  fragments: true\n", "x.yaml:2: ", "needs a master key"},
        BadConfig{"encrypt_perhaps", "encryption:\n  master_key_env: K\n  fragments: perhaps\n",
                  "x.yaml:3: ", "one of: true, false"},
        BadConfig{"no_days", "encryption:\n  data_key_days: 0\n", "x.yaml:2: ", "from 1"},
        BadConfig{"empty_text", "data_dir: ''\n", "x.yaml:1: ", "'data_dir' must be text"}),
    [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace millrace::server
