// What is set for a camera, and what is known about it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "fragments/fragment.h"
#include "media/codec.h"

namespace millrace {

enum class CameraTransport : std::uint8_t { kTcp, kUdp };

struct CameraSettings {
  std::string name;    // [a-zA-Z0-9_.-]{1,128}
  std::string url;     // rtsp:// or rtsps://, without user and password
  std::string stream;  // the video stream that it feeds
  CameraTransport transport = CameraTransport::kTcp;
  bool tls_verify = true;  // rtsps: refuse a certificate that is not trusted
  std::vector<std::string> analyzers;
  Duration retention = std::chrono::hours(168);
  std::map<std::string, std::string> labels;
  bool enabled = true;
  // Made by its stream's edge configuration (ingest/edge_cameras.h), which no request can say.
  bool edge = false;

  friend bool operator==(const CameraSettings&, const CameraSettings&) = default;
};

// Kept apart from the settings on purpose: there is no way to print it, and nothing that answers a request
// holds one.
struct CameraCredentials {
  std::string username;
  std::string password;

  friend bool operator==(const CameraCredentials&, const CameraCredentials&) = default;
};

enum class CameraState : std::uint8_t {
  kConnecting,    // dialling, or waiting for its turn or for the first frame
  kRecording,     // frames come in
  kWaiting,       // it is away or was lost; tried again at next_retry
  kUnauthorized,  // user or password are wrong; tried again at next_retry, a minute or more away
  kFailed,        // it answers, but sends nothing that can be recorded; tried again at next_retry
  kDisabled,      // switched off by its settings
};
// "connecting", …; static storage.
std::string_view ToString(CameraState state);

struct CameraStatus {
  CameraSettings settings;
  bool has_credentials = false;
  CameraState state = CameraState::kConnecting;
  Timestamp state_since;
  std::optional<std::string> last_error;  // of the last attempt that failed; holds no secret
  std::optional<Timestamp> next_retry;
  // Counts since the server's start.
  std::uint64_t connects = 0;  // attempts that led to frames
  std::uint64_t attempts = 0;
  std::uint64_t frames = 0;
  std::uint64_t bytes = 0;
  std::uint64_t times_corrected = 0;  // frames whose stamp was wild and was replaced
  std::uint64_t clock_jumps = 0;      // times that the camera's clock jumped and was followed
  // Over the last seconds.
  double bitrate_bps = 0;
  double frame_rate = 0;                // of video
  std::optional<Timestamp> last_frame;  // the server's clock
  // Of the connection that stands; empty without one.
  std::vector<TrackInfo> tracks;
  std::optional<ClockSource> clock;
};

// Errors: kInvalidArgument, with a text that says what is wanted and quotes no part of the URL.
Result<void> CheckCameraSettings(const CameraSettings& settings);

// "host:port" of a camera's URL in lower case, to tell whether credentials may be kept; empty for what is no
// URL.
std::string CameraHost(std::string_view url);

}  // namespace millrace
