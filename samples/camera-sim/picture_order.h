// Rewrites the picture order counts of an H.264 clip, as cameras have them whose key frames do not begin at
// 0.
#pragma once

#include "base/result.h"
#include "samples/camera-sim/clip.h"

namespace millrace::camera_sim {

// Adds `offset` to pic_order_cnt_lsb of every slice: the pictures and their order stay what they were.
// Errors: kUnsupported: a clip without such counts (pic_order_cnt_type 0, frames only); kCorruption.
Result<void> OffsetPictureOrder(ClipTrack& track, int offset);

}  // namespace millrace::camera_sim
