// What the server can be told: docs/configuration.md describes every setting, packaging/millrace.yaml shows
// them.
//
// Strict: a key that nobody knows is an error that names the line and the nearest known key; so is a value of
// another type, or out of its bounds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "api/aws/aws_identity.h"
#include "api/data_streams/shard_limits.h"
#include "base/log.h"
#include "base/result.h"
#include "base/time.h"
#include "media/webrtc/webrtc_settings.h"
#include "server/analyzers_config.h"
#include "server/encryption.h"
#include "server/webhooks_config.h"

namespace millrace::server {

struct ListenAddress {
  std::string host = "127.0.0.1";  // numeric, without brackets
  std::uint16_t port = 4567;       // 0: any free one

  // "127.0.0.1:4567", "localhost:4567", "[::1]:4567", ":4567". Errors: kInvalidArgument.
  static Result<ListenAddress> Parse(std::string_view text);
  bool IsLoopback() const;
  // "http://127.0.0.1:4567/"; for all addresses (0.0.0.0, ::) loopback's, which is one of them.
  std::string Url(std::uint16_t actual_port, std::string_view scheme = "http") const;
};

// The TLS port. Without files the server makes a certificate of its own.
struct TlsConfig {
  ListenAddress listen{"127.0.0.1", 4568};
  std::filesystem::path certificate;  // both or neither
  std::filesystem::path key;
};

// WebRTC: api/webrtc/services.h.
struct WebrtcConfig {
  bool enabled = true;
  WebrtcSettings settings;
  std::size_t publishers_max = 64;
  std::size_t viewers_max = 256;
  Duration key_frame_every = std::chrono::seconds(2);
  Duration silence_timeout = std::chrono::seconds(5);
  Duration retention = std::chrono::hours(168);  // of streams that are made by publishing to them
};

// The audit log: api/access/audit_log.h.
struct AuditConfig {
  std::filesystem::path file;  // empty: none
  std::uint64_t bytes_max = 64u << 20;
  unsigned keep = 8;
};

struct Config {
  ListenAddress listen;
  std::optional<TlsConfig> tls;                      // none: no TLS port
  std::filesystem::path data_dir;                    // empty: DefaultDataDirectory()
  std::optional<std::filesystem::path> console_dir;  // none: where the build or the package put it
  Duration stop_timeout = std::chrono::seconds(20);

  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kText;

  std::size_t http_threads = 0;  // 0: one a core
  std::size_t http_worker_threads = 8;
  std::size_t http_connections_max = 1024;
  std::size_t http_exports_max = 4;
  std::size_t http_decoders = 2;  // threads that make pictures
  Duration http_idle_timeout = std::chrono::seconds(60);
  std::uint32_t http_streams_max = 128;  // of one HTTP/2 connection

  Duration fragment_duration_min = std::chrono::seconds(1);
  Duration fragment_duration_max = std::chrono::seconds(10);
  std::size_t cameras_dials_max = 64;
  Duration cameras_silence_timeout = std::chrono::seconds(10);
  std::size_t camera_memory_bytes = 128u << 20;
  Duration cameras_retry_min = std::chrono::seconds(1);
  Duration cameras_retry_max = std::chrono::seconds(60);

  std::uint32_t storage_shards = 4;  // of a new fragment log
  std::uint64_t storage_segment_bytes = 256u << 20;
  std::uint64_t storage_queue_bytes_max = 256u << 20;
  std::uint64_t storage_reserve_bytes = 64u << 20;
  std::uint32_t storage_free_percent_min = 10;
  std::uint64_t storage_free_bytes_min = std::uint64_t{5} << 30;
  std::uint64_t storage_used_bytes_max = 0;  // 0: as the disk allows
  std::uint64_t storage_hold_bytes_max = 256u << 20;
  std::size_t storage_cache_bytes = 64u << 20;
  std::size_t hls_cache_bytes = 128u << 20;
  WebrtcConfig webrtc;
  AnalyzersConfig analyzers;
  WebhooksConfig webhooks;
  api::ShardLimits stream_limits;   // of data streams' shards
  api::AwsIdentity aws;             // who the Kinesis protocols say that this is
  std::filesystem::path auth_file;  // users and keys; empty: none, and loopback only
  AuditConfig audit;
  EncryptionConfig encryption;
};

// Errors: kNotFound, kIo (the file); kInvalidArgument: "FILE:LINE: what is wrong".
Result<Config> LoadConfig(const std::filesystem::path& file);
// The same from text; `name` stands for the file in errors.
Result<Config> ParseConfig(const std::string& text, const std::string& name);

// $MILLRACE_DATA_DIR; else, for root, /var/lib/millrace; else $XDG_DATA_HOME/millrace or
// ~/.local/share/millrace. Errors: kFailedPrecondition (nothing says where home is).
Result<std::filesystem::path> DefaultDataDirectory();

}  // namespace millrace::server
