// Real media for tests, made at test time by ffmpeg: H.264 with B-frames and AAC, every picture and sound
// unlike the others; and what ffmpeg says about files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/time.h"
#include "media/codec.h"
#include "media/frame.h"

namespace millrace::testing {

// A directory of this test alone, removed with this.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::string File(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

struct MediaOptions {
  int seconds = 10;
  int width = 192;
  int height = 108;
  int fps = 25;
  int b_frames = 2;
  int key_frame_interval = 50;  // frames, at most
  bool audio = true;
  int sample_rate = 48'000;
  int bitrate_kbps = 0;  // of video; 0: as the picture needs
};

struct TestMedia {
  std::vector<TrackInfo> tracks;  // video 1, audio 2
  std::vector<Frame> frames;      // in the order of decode times, interleaved; pts from `start` on
  // Hashes of every decoded picture and block of sound, in order, when ffmpeg decodes the bare elementary
  // streams.
  std::vector<std::string> video_md5;
  std::vector<std::string> audio_md5;
};

// The first picture is shown at `start`.
TestMedia MakeMedia(const TemporaryDirectory& directory, const MediaOptions& options, Timestamp start);

struct CommandResult {
  int exit_code = -1;
  std::string output;
  std::string errors;
};
// Through the shell, for a minute at most.
CommandResult RunCommand(const TemporaryDirectory& directory, const std::string& command);

// The last column of `ffmpeg … -f framemd5`, of one stream of the input ("v" or "a"). Fails the test where
// ffmpeg says anything at level warning.
std::vector<std::string> DecodedMd5(const TemporaryDirectory& directory, const std::string& input,
                                    const std::string& stream, const std::string& level = "warning");

struct ProbedPacket {
  std::int64_t pts = 0;  // in the stream's time base
  std::int64_t dts = 0;
  std::int64_t duration = 0;
  std::int64_t size = 0;
  bool key = false;
};
// By ffprobe; `stream` as "v:0". Fails the test where it says anything at level warning.
std::vector<ProbedPacket> ProbePackets(const TemporaryDirectory& directory, const std::string& input,
                                       const std::string& stream);

void WriteFile(const std::string& path, const std::vector<SharedBytes>& parts);
std::string ReadTextFile(const std::string& path);

}  // namespace millrace::testing
