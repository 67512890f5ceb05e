// Real encoded media, made at test time by the ffmpeg program (x264 with B-frames, AAC), and the tools that
// judge what we write.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "media/codec.h"
#include "media/frame.h"

namespace millrace::test {

// A directory of its own, removed with this.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  std::string Path(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct CommandResult {
  int exit_code = -1;
  std::string out;
  std::string err;
};
// Runs a shell command, at most 20 s.
CommandResult RunCommand(const std::string& command);

struct Media {
  std::vector<TrackInfo> tracks;
  std::vector<Frame> frames;  // as the file has them: by decode time
};
// Encodes `seconds` of moving pictures at 25 frames a second and, if asked for, sound, to `path` (MP4).
// `x264`: further x264 options, "bframes=3:keyint=50".
void MakeMp4(const std::string& path, int seconds, const std::string& x264, bool audio);
// The file's frames; time zero becomes `start`.
Media ReadMp4(const std::string& path, Timestamp start);

void WriteFile(const std::string& path, ByteSpan bytes);

// The digests of a file's decoded frames of one stream ("v:0", "a:0"), in their order; of its packets with
// `copy`.
std::vector<std::string> FrameDigests(const std::string& path, const std::string& stream, bool copy);

// "" or what ffprobe, mkvinfo, mkvmerge and GStreamer have to say against a Matroska file.
std::string ToolComplaints(const std::string& path);

}  // namespace millrace::test
