// The session description that a camera answers DESCRIBE with (RFC 4566, RFC 6184 section 8.2, RFC 3640
// section 4.1).
#pragma once

#include <string>

#include "samples/camera-sim/packets.h"

namespace millrace::camera_sim {

// `hide_audio`: video only. Tracks are at the control URLs track1, track2, … in the clip's order.
std::string MakeSdp(const PacketClip& clip, int camera, bool hide_audio);

}  // namespace millrace::camera_sim
