#include "server/config.h"

#include <arpa/inet.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>

#include "base/text.h"
#include "server/config_section.h"
#include "wire/endpoint.h"

namespace millrace::server {
namespace {

Result<EncryptionConfig> ReadEncryption(const YAML::Node& node, const std::string& name) {
  EncryptionConfig made;
  Section section(node, name, "encryption",
                  {"master_key_file", "master_key_env", "fragments", "data_streams", "data_key_days"});
  std::uint64_t days = 90;
  section.Text("master_key_file", made.master_key_file);
  section.Text("master_key_env", made.master_key_env);
  section.Bool("fragments", made.fragments);
  section.Bool("data_streams", made.data_streams);
  section.Number("data_key_days", days, 1, 3650);
  made.data_key_age_max = std::chrono::hours(24 * days);
  if (!made.master_key_file.empty() && !made.master_key_env.empty()) {
    section.Fail(section.Child("master_key_env"),
                 "'encryption.master_key_file' and 'encryption.master_key_env' exclude each other");
  }
  // Whoever asks for it must not go without because a line is missing.
  for (const char* key : {"fragments", "data_streams"}) {
    if (YAML::Node wanted = section.Child(key); wanted.IsDefined() && !made.HasMasterKey()) {
      section.Fail(wanted, std::string("'encryption.") + key +
                               "' needs a master key: set 'encryption.master_key_file' or "
                               "'encryption.master_key_env'");
    }
  }
  MILLRACE_RETURN_IF_ERROR(section.Finish());
  return made;
}

Result<TlsConfig> ReadTls(const YAML::Node& node, const std::string& name) {
  TlsConfig made;
  Section section(node, name, "tls", {"listen", "certificate", "key"});
  std::string listen, certificate, key;
  section.Text("listen", listen);
  section.Text("certificate", certificate);
  section.Text("key", key);
  if (!listen.empty()) {
    if (auto parsed = ListenAddress::Parse(listen)) {
      made.listen = *parsed;
    } else {
      section.Fail(section.Child("listen"), parsed.error().message);
    }
  }
  if (certificate.empty() != key.empty()) {
    section.Fail(node,
                 "'tls.certificate' and 'tls.key' belong together: give both, or neither for a "
                 "self-signed certificate");
  }
  made.certificate = certificate;
  made.key = key;
  MILLRACE_RETURN_IF_ERROR(section.Finish());
  return made;
}

Result<api::AwsIdentity> ReadAws(const YAML::Node& node, const std::string& name) {
  api::AwsIdentity made;
  Section section(node, name, "aws", {"region", "account", "endpoint"});
  section.Text("region", made.region);
  section.Text("account", made.account);
  section.Text("endpoint", made.endpoint);
  constexpr char kDigits[] = "0123456789";
  if (made.region.empty() || made.region.size() > 32 ||
      made.region.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != std::string::npos) {
    section.Fail(section.Child("region"), "'aws.region' must be a region's name: a-z, 0-9 and -");
  }
  if (made.account.size() != 12 || made.account.find_first_not_of(kDigits) != std::string::npos) {
    section.Fail(section.Child("account"), "'aws.account' must be 12 digits");
  }
  if (!made.endpoint.empty() && !wire::Endpoint::Parse(made.endpoint)) {
    section.Fail(section.Child("endpoint"),
                 "'aws.endpoint' must be http://HOST or https://HOST, with a port or without, and no path");
  }
  if (made.endpoint.ends_with('/')) made.endpoint.pop_back();
  MILLRACE_RETURN_IF_ERROR(section.Finish());
  return made;
}

bool IsNumericAddress(const std::string& text) {
  std::array<unsigned char, 16> bytes;
  return inet_pton(AF_INET, text.c_str(), bytes.data()) == 1 ||
         inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1;
}

bool IsIceServer(const std::string& text, std::initializer_list<std::string_view> schemes) {
  // It goes into a header field as it is.
  if (text.size() > 256 || text.find_first_of(" \"<>@/\t\r\n") != std::string::npos) return false;
  return std::any_of(schemes.begin(), schemes.end(), [&](std::string_view scheme) {
    return text.starts_with(scheme) && text.size() > scheme.size();
  });
}

// "50000-50100".
bool ReadPorts(const std::string& text, WebrtcSettings& settings) {
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, settings.port_min);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '-') return false;
  const auto second = std::from_chars(first.ptr + 1, end, settings.port_max);
  return second.ec == std::errc() && second.ptr == end && settings.port_min >= 1024 &&
         settings.port_min <= settings.port_max;
}

Result<WebrtcConfig> ReadWebrtc(const YAML::Node& node, const std::string& name) {
  WebrtcConfig made;
  Section section(node, name, "webrtc",
                  {"enabled", "ports", "addresses", "public_addresses", "stun", "turn", "publishers_max",
                   "viewers_max", "key_frame_s", "silence_timeout_s", "retention_hours"});
  section.Bool("enabled", made.enabled);
  section.Number("publishers_max", made.publishers_max, 1, 10'000);
  section.Number("viewers_max", made.viewers_max, 1, 10'000);
  section.Seconds("key_frame_s", made.key_frame_every, 0.5, 60);
  section.Seconds("silence_timeout_s", made.silence_timeout, 2, 300);
  std::uint64_t hours = 168;
  section.Number("retention_hours", hours, 0, 87'600);
  made.retention = std::chrono::hours(hours);
  std::string ports;
  section.Text("ports", ports);
  if (!ports.empty() && !ReadPorts(ports, made.settings))
    section.Fail(section.Child("ports"), "'webrtc.ports' must be a range from 1024 up, as 50000-50100");
  section.Texts("addresses", made.settings.addresses, "a numeric address", &IsNumericAddress);
  section.Texts("public_addresses", made.settings.public_addresses, "a numeric address", &IsNumericAddress);
  section.Texts("stun", made.settings.stun_servers, "stun:HOST:PORT",
                [](const std::string& text) { return IsIceServer(text, {"stun:"}); });
  const YAML::Node turns = section.Child("turn");
  if (turns.IsDefined() && !turns.IsSequence()) section.Fail(turns, "'webrtc.turn' must be a list");
  MILLRACE_RETURN_IF_ERROR(section.Finish());
  for (const YAML::Node& each : turns.IsDefined() ? turns : YAML::Node(YAML::NodeType::Sequence)) {
    WebrtcSettings::TurnServer& turn = made.settings.turn_servers.emplace_back();
    Section server(each, name, "webrtc.turn", {"url", "username", "password"});
    server.Text("url", turn.url);
    server.Text("username", turn.username);
    server.Text("password", turn.password);
    const auto quoted = [](const std::string& text) {
      return text.empty() || text.find_first_of("\"\\\r\n") != std::string::npos;
    };
    if (!IsIceServer(turn.url, {"turn:", "turns:"})) {
      server.Fail(each, "'webrtc.turn.url' must be turn:HOST:PORT or turns:HOST:PORT");
    } else if (quoted(turn.username) || quoted(turn.password)) {
      server.Fail(each, "'webrtc.turn' needs a username and a password, without quotes and backslashes");
    }
    MILLRACE_RETURN_IF_ERROR(server.Finish());
  }
  return made;
}

Result<Config> ReadConfig(const YAML::Node& root, const std::string& name) {
  Config config;
  Section top(
      root, name, "",
      {"listen", "tls", "data_dir", "console_dir", "stop_timeout_s", "log", "http", "cameras", "storage",
       "hls", "webrtc", "analyzers", "webhooks", "aws", "data_streams", "audit", "auth", "encryption"});
  std::string listen;
  std::string data_dir;
  std::string console_dir;
  top.Text("listen", listen);
  top.Text("data_dir", data_dir);
  top.Text("console_dir", console_dir);
  top.Seconds("stop_timeout_s", config.stop_timeout, 1, 600);
  if (!listen.empty()) {
    auto address = ListenAddress::Parse(listen);
    if (address) {
      config.listen = *address;
    } else {
      top.Fail(root["listen"], address.error().message);
    }
  }
  MILLRACE_RETURN_IF_ERROR(top.Finish());
  config.data_dir = data_dir;
  if (!console_dir.empty()) config.console_dir = console_dir;
  if (YAML::Node tls = top.Child("tls"); tls.IsDefined()) {
    MILLRACE_ASSIGN_OR_RETURN(config.tls, ReadTls(tls, name));
  }

  if (YAML::Node webrtc = top.Child("webrtc"); webrtc.IsDefined()) {
    MILLRACE_ASSIGN_OR_RETURN(config.webrtc, ReadWebrtc(webrtc, name));
  }

  Section log(top.Child("log"), name, "log", {"level", "format"});
  log.OneOf("level", config.log_level,
            {{"debug", LogLevel::kDebug},
             {"info", LogLevel::kInfo},
             {"warning", LogLevel::kWarning},
             {"error", LogLevel::kError}});
  log.OneOf("format", config.log_format, {{"text", LogFormat::kText}, {"json", LogFormat::kJson}});
  MILLRACE_RETURN_IF_ERROR(log.Finish());

  Section http(top.Child("http"), name, "http",
               {"threads", "worker_threads", "connections_max", "exports_max", "decoders", "idle_timeout_s",
                "streams_max"});
  http.Number("threads", config.http_threads, 0, 256);
  http.Number("worker_threads", config.http_worker_threads, 1, 256);
  http.Number("connections_max", config.http_connections_max, 1, 100'000);
  http.Number("exports_max", config.http_exports_max, 1, 64);
  http.Number("decoders", config.http_decoders, 1, 64);
  http.Seconds("idle_timeout_s", config.http_idle_timeout, 1, 3600);
  http.Number("streams_max", config.http_streams_max, 1, 10'000);
  MILLRACE_RETURN_IF_ERROR(http.Finish());

  Section cameras(top.Child("cameras"), name, "cameras",
                  {"fragment_duration_min_s", "fragment_duration_max_s", "dials_max", "silence_timeout_s",
                   "retry_min_s", "retry_max_s", "memory_mib"});
  cameras.Seconds("fragment_duration_min_s", config.fragment_duration_min, 0.5, 60);
  cameras.Seconds("fragment_duration_max_s", config.fragment_duration_max, 1, 60);
  cameras.Number("dials_max", config.cameras_dials_max, 1, 10'000);
  cameras.Seconds("silence_timeout_s", config.cameras_silence_timeout, 2, 300);
  cameras.Number("memory_mib", config.camera_memory_bytes, 8, 4096, 1 << 20);
  cameras.Seconds("retry_min_s", config.cameras_retry_min, 0.01, 60);
  cameras.Seconds("retry_max_s", config.cameras_retry_max, 0.01, 3600);
  if (config.cameras_retry_max < config.cameras_retry_min) {
    cameras.Fail(top.Child("cameras"), "'cameras.retry_max_s' must not be less than 'cameras.retry_min_s'");
  }
  if (config.fragment_duration_max < config.fragment_duration_min) {
    cameras.Fail(top.Child("cameras"),
                 "'cameras.fragment_duration_max_s' must not be less than 'cameras.fragment_duration_min_s'");
  }
  MILLRACE_RETURN_IF_ERROR(cameras.Finish());

  Section storage(top.Child("storage"), name, "storage",
                  {"shards", "segment_mib", "queue_mib", "hold_mib", "reserve_mib", "free_min_percent",
                   "free_min_mib", "used_max_mib", "cache_mib"});
  storage.Number("shards", config.storage_shards, 1, 1024);
  storage.Number("segment_mib", config.storage_segment_bytes, 1, 65'536, 1 << 20);
  storage.Number("queue_mib", config.storage_queue_bytes_max, 64, 65'536, 1 << 20);
  storage.Number("reserve_mib", config.storage_reserve_bytes, 16, 1'048'576, 1 << 20);
  storage.Number("hold_mib", config.storage_hold_bytes_max, 0, 65'536, 1 << 20);
  storage.Number("free_min_percent", config.storage_free_percent_min, 0, 90);
  storage.Number("free_min_mib", config.storage_free_bytes_min, 0, 1'073'741'824, 1 << 20);
  storage.Number("used_max_mib", config.storage_used_bytes_max, 0, 1'073'741'824, 1 << 20);
  if (config.storage_used_bytes_max != 0 &&
      config.storage_used_bytes_max < 4 * config.storage_reserve_bytes) {
    storage.Fail(
        top.Child("storage"),
        "'storage.used_max_mib' must be at least four times 'storage.reserve_mib', which is a part of it");
  }
  storage.Number("cache_mib", config.storage_cache_bytes, 1, 65'536, 1 << 20);
  MILLRACE_RETURN_IF_ERROR(storage.Finish());

  std::string auth_file;
  Section auth(top.Child("auth"), name, "auth", {"file"});
  auth.Text("file", auth_file);
  MILLRACE_RETURN_IF_ERROR(auth.Finish());
  config.auth_file = auth_file;

  std::string audit_file;
  Section audit(top.Child("audit"), name, "audit", {"file", "max_mib", "keep"});
  audit.Text("file", audit_file);
  audit.Number("max_mib", config.audit.bytes_max, 1, 65'536, 1 << 20);
  audit.Number("keep", config.audit.keep, 0, 1000);
  MILLRACE_RETURN_IF_ERROR(audit.Finish());
  config.audit.file = audit_file;

  std::string limits = "on";
  Section streams(top.Child("data_streams"), name, "data_streams", {"limits"});
  streams.Text("limits", limits);
  if (auto parsed = api::ParseShardLimits(limits, {})) {
    config.stream_limits = *parsed;
  } else {
    streams.Fail(streams.Child("limits"), "'data_streams.limits': " + parsed.error().message);
  }
  MILLRACE_RETURN_IF_ERROR(streams.Finish());

  Section hls(top.Child("hls"), name, "hls", {"cache_mib"});
  hls.Number("cache_mib", config.hls_cache_bytes, 1, 65'536, 1 << 20);
  MILLRACE_RETURN_IF_ERROR(hls.Finish());

  MILLRACE_ASSIGN_OR_RETURN(config.analyzers, ReadAnalyzers(top.Child("analyzers"), name));
  MILLRACE_ASSIGN_OR_RETURN(config.webhooks,
                            ReadWebhooks(top.Child("webhooks"), name, config.analyzers.names()));

  MILLRACE_ASSIGN_OR_RETURN(config.aws, ReadAws(top.Child("aws"), name));
  MILLRACE_ASSIGN_OR_RETURN(config.encryption, ReadEncryption(top.Child("encryption"), name));
  return config;
}

}  // namespace

Result<Config> ParseConfig(const std::string& text, const std::string& name) {
  try {
    return ReadConfig(YAML::Load(text), name);
  } catch (const YAML::Exception& e) {
    std::string line = e.mark.is_null() ? "" : ":" + std::to_string(e.mark.line + 1);
    return Error{ErrorCode::kInvalidArgument, name + line + ": not YAML: " + e.msg};
  }
}

Result<Config> LoadConfig(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::error_code ec;
  if (!in || std::filesystem::is_directory(file, ec)) {
    return Error{ErrorCode::kNotFound, "cannot read the configuration " + file.string()};
  }
  std::string text(64 * 1024 + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > 64 * 1024) {
    return Error{ErrorCode::kInvalidArgument,
                 file.string() + ": larger than 64 KiB; is this the configuration?"};
  }
  return ParseConfig(text, file.string());
}

Result<ListenAddress> ListenAddress::Parse(std::string_view text) {
  Error bad{ErrorCode::kInvalidArgument, "'" + Excerpt(text, 100) +
                                             "' is not an address to listen on: write it as 127.0.0.1:4567, "
                                             "localhost:4567 or [::1]:4567"};
  auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad;
  std::string_view port = text.substr(colon + 1);
  ListenAddress address;
  auto [end, ec] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (ec != std::errc() || end != port.data() + port.size()) return bad;
  std::string host(text.substr(0, colon));
  unsigned char binary[16];
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    if (inet_pton(AF_INET6, host.c_str(), binary) != 1) return bad;
  } else if (host.empty() || host == "localhost") {
    host = "127.0.0.1";
  } else if (inet_pton(AF_INET, host.c_str(), binary) != 1) {
    return bad;
  }
  address.host = host;
  return address;
}

bool ListenAddress::IsLoopback() const { return host.starts_with("127.") || host == "::1"; }

std::string ListenAddress::Url(std::uint16_t actual_port, std::string_view scheme) const {
  const bool v6 = host.find(':') != std::string::npos;
  // All addresses are none to call: this machine's own is among them.
  const std::string reached = host == "0.0.0.0" ? "127.0.0.1" : host == "::" ? "::1" : host;
  return std::string(scheme) + "://" + (v6 ? "[" + reached + "]" : reached) + ":" +
         std::to_string(actual_port) + "/";
}

Result<std::filesystem::path> DefaultDataDirectory() {
  auto set = [](const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr && *value != '\0' ? std::optional<std::filesystem::path>(value) : std::nullopt;
  };
  if (auto directory = set("MILLRACE_DATA_DIR")) return *directory;
  if (geteuid() == 0) return std::filesystem::path("/var/lib/millrace");
  if (auto data = set("XDG_DATA_HOME")) return *data / "millrace";
  if (auto home = set("HOME")) return *home / ".local/share/millrace";
  return Error{ErrorCode::kFailedPrecondition,
               "no data directory: give --data-dir, or set MILLRACE_DATA_DIR"};
}

}  // namespace millrace::server
