// Clips in media files, through libav.
#pragma once

#include <string>

#include "base/result.h"
#include "samples/camera-sim/clip.h"

namespace millrace::camera_sim {

// What a media file says of itself in its comment, and its clip.
struct ClipFile {
  Clip clip;
  std::string comment;
};

// Reads the first H.264 track and the first AAC track, without decoding. Each track's times start at zero.
// Errors: kNotFound: no such file; kUnsupported: no H.264 in it; kCorruption.
Result<ClipFile> LoadClip(const std::string& path);

// Writes MKV where the path ends in .mkv (its times are whole milliseconds), else MP4. The file appears whole
// or not at all. Errors: kIo.
Result<void> SaveClip(const Clip& clip, const std::string& path, const std::string& comment);

// Sets Unit::send of all units from their pts and order.
void SetSendTimes(ClipTrack& track);

}  // namespace millrace::camera_sim
