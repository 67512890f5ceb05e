// What the command line of camera-sim says.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace millrace::camera_sim {

// The picture and the sound: everything that decides the clip's bytes.
struct ClipOptions {
  std::string file;        // a media file to show; empty: the generated picture
  std::string background;  // vtest.avi; empty: a test picture
  std::string face;        // astronaut.png; empty: none
  int width = 1280;
  int height = 720;
  int fps = 25;
  int gop = 50;      // frames from one key frame to the next
  int late_gop = 0;  // … in the second half of the loop; 0: as before
  int bitrate_kbps = 2000;
  int bframes = 0;
  int order_offset = 0;    // picture order count of the key frames, where real ones have 0
  double duration_s = 10;  // of the loop
  bool audio = true;
};

// Another clip that cameras can show.
struct ClipVariant {
  std::string name;
  ClipOptions clip;
  std::string dump;
};

struct Options {
  ClipOptions clip;
  std::string cache;  // encoded clip on disk, made when absent or made with other options
  std::string dump;   // writes the clip there as MP4 or MKV, by its ending

  std::string address = "127.0.0.1";
  std::uint16_t port = 8554;  // 0: any free one
  int cameras = 1;
  std::int64_t frames = 0;  // each camera ends after so many; 0: never
  std::string user;         // with a password: digest authentication
  std::string password;
  std::uint32_t mtu = 1400;      // largest RTP packet, bytes
  double report_interval_s = 5;  // of RTCP sender reports
  std::vector<ClipVariant> variants;
  bool until_stdin_closes = false;
  std::vector<std::string> faults;  // "NAME[=VALUE][@CAMERA]"
};

// Exits with the help or with a message on a wrong command line.
Options ParseOptions(int argc, char** argv);

}  // namespace millrace::camera_sim
