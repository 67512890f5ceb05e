#include "samples/camera-sim/options.h"

#include <CLI/CLI.hpp>
#include <charconv>

#include "samples/camera-sim/faults.h"

namespace millrace::camera_sim {
namespace {

bool SetNumber(const std::string& text, int min, int max, int& number) {
  const char* end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, number);
  return problem == std::errc{} && stop == end && number >= min && number <= max;
}

// "NAME:KEY=VALUE,…" into `variant`, which holds what is not said.
bool ParseVariant(const std::string& text, ClipVariant& variant) {
  const std::size_t colon = text.find(':');
  variant.name = text.substr(0, colon);
  if (variant.name.empty()) return false;
  std::string rest = colon == std::string::npos ? "" : text.substr(colon + 1);
  ClipOptions& clip = variant.clip;
  while (!rest.empty()) {
    const std::string pair = rest.substr(0, rest.find(','));
    rest.erase(0, pair.size() + 1);
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos) return false;
    const std::string key = pair.substr(0, equals);
    const std::string value = pair.substr(equals + 1);
    int number = 0;
    if (key == "dump") {
      variant.dump = value;
    } else if (key == "duration") {
      if (!SetNumber(value, 1, 3600, number)) return false;
      clip.duration_s = number;
    } else if (key == "audio") {
      if (!SetNumber(value, 0, 1, number)) return false;
      clip.audio = number != 0;
    } else {
      const bool done = (key == "width" && SetNumber(value, 224, 7680, clip.width)) ||
                        (key == "height" && SetNumber(value, 128, 4320, clip.height)) ||
                        (key == "fps" && SetNumber(value, 1, 120, clip.fps)) ||
                        (key == "gop" && SetNumber(value, 1, 100000, clip.gop)) ||
                        (key == "late-gop" && SetNumber(value, 1, 100000, clip.late_gop)) ||
                        (key == "bframes" && SetNumber(value, 0, 8, clip.bframes)) ||
                        (key == "order-offset" && SetNumber(value, 0, 14, clip.order_offset));
      if (!done) return false;
    }
  }
  return clip.width % 2 == 0 && clip.height % 2 == 0;
}

}  // namespace

Options ParseOptions(int argc, char** argv) {
  Options options;
  CLI::App app{"Simulated RTSP cameras: rtsp://ADDRESS:PORT/cam/1 .. /cam/N", "camera-sim"};
  ClipOptions& clip = options.clip;
  app.add_option("--cameras,-n", options.cameras, "how many")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_option("--address", options.address, "listen here")->capture_default_str();
  app.add_option("--port,-p", options.port, "0: any free one")->capture_default_str();
  app.add_option("--user", options.user, "asks for digest authentication")->envname("CAMERA_SIM_USER");
  app.add_option("--password", options.password, "better given by the environment")
      ->envname("CAMERA_SIM_PASSWORD");

  app.add_option("--file", clip.file, "show this media file; H.264 with AAC or no sound is sent as it is")
      ->check(CLI::ExistingFile);
  app.add_option("--background", clip.background, "moving background (vtest.avi)")->check(CLI::ExistingFile);
  app.add_option("--face", clip.face, "a face to move over it (astronaut.png)")->check(CLI::ExistingFile);
  app.add_option("--width", clip.width, "pixels, even")->check(CLI::Range(224, 7680))->capture_default_str();
  app.add_option("--height", clip.height, "pixels, even")
      ->check(CLI::Range(128, 4320))
      ->capture_default_str();
  app.add_option("--fps", clip.fps, "frames a second")->check(CLI::Range(1, 120))->capture_default_str();
  app.add_option("--gop", clip.gop, "frames from key frame to key frame")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option("--late-gop", clip.late_gop, "the same in the second half of the loop")
      ->check(CLI::Range(1, 100000));
  app.add_option("--bitrate", clip.bitrate_kbps, "video, kbit/s")
      ->check(CLI::Range(16, 200000))
      ->capture_default_str();
  app.add_option("--bframes", clip.bframes, "between two others")
      ->check(CLI::Range(0, 8))
      ->capture_default_str();
  app.add_option("--order-offset", clip.order_offset, "picture order count of key frames, even")
      ->check(CLI::Range(0, 14));
  app.add_flag("!--no-audio", clip.audio, "video only");
  app.add_option("--duration", clip.duration_s, "of the loop, seconds")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  app.add_option("--cache", options.cache,
                 "keep the encoded clip in this file, for an instant start next time");
  app.add_option("--dump", options.dump, "write the clip as .mp4 or .mkv, to compare recordings with");

  app.add_option(
         "--frames", options.frames,
         "each camera starts with its first client, ends after so many video frames and is then stopped")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--mtu", options.mtu, "largest RTP packet, bytes")
      ->check(CLI::Range(128, 60000))
      ->capture_default_str();
  app.add_option("--report-interval", options.report_interval_s, "of RTCP sender reports, seconds")
      ->check(CLI::Range(0.1, 600.0))
      ->capture_default_str();
  std::vector<std::string> variants;
  app.add_option(
      "--variant", variants,
      "NAME:KEY=VALUE,...: another clip, for the fault 'clip'; as the first one but for width, height, "
      "fps, gop, late-gop, bframes, order-offset, duration, audio, dump");
  app.add_option("--fault", options.faults, "NAME[=VALUE][@CAMERA], may be given again: " + FaultNames());
  app.add_flag("--until-stdin-closes", options.until_stdin_closes, "end when standard input does");
  app.footer(
      "Lines on standard input, each answered by a line 'ok ...' or 'error ...':\n"
      "  stop N            camera N vanishes: clients are cut off, new ones get 404\n"
      "  start N           it is back, with new SSRCs and new RTP times\n"
      "  restart N         both\n"
      "  drop N            cuts its clients off, but stays\n"
      "  fault N NAME [V]  switches a fault on; 'clear N' switches all off\n"
      "  status            one JSON line\n"
      "  quit\n"
      "N is a number or 'all'.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error));
  }
  if (clip.width % 2 != 0 || clip.height % 2 != 0) {
    std::exit(app.exit(CLI::ValidationError("--width and --height must be even")));
  }
  for (const std::string& text : variants) {
    ClipVariant variant{"", clip, ""};
    if (!ParseVariant(text, variant))
      std::exit(app.exit(CLI::ValidationError("--variant cannot be '" + text + "'")));
    options.variants.push_back(std::move(variant));
  }
  if (options.user.empty() != options.password.empty()) {
    std::exit(app.exit(CLI::ValidationError("--user and --password go together")));
  }
  return options;
}

}  // namespace millrace::camera_sim
