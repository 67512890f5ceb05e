// Makes the clip: from the cache, from a file, or by composing and encoding pictures and sound once.
#pragma once

#include <string>

#include "base/result.h"
#include "samples/camera-sim/clip.h"
#include "samples/camera-sim/options.h"

namespace millrace::camera_sim {

// `cache`: a file to keep the encoded clip in, or empty. A cache made with other options is replaced.
// Errors: kNotFound, kCorruption: an input file; kIo: the cache cannot be written; kInternal: an encoder
// refuses.
Result<Clip> MakeClip(const ClipOptions& options, const std::string& cache);

}  // namespace millrace::camera_sim
