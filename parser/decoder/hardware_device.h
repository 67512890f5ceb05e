// Internal: the devices of this machine that decode for libavcodec.
//
// Threads: any.
#pragma once

#include <string>

#include "media/libav_handles.h"

namespace millrace {

struct HardwareDevice {
  AvBufferPtr context;  // for AVCodecContext::hw_device_ctx; null: none was found
  std::string name;     // "vaapi"; "software (…)" with the reason
};

// The first device that libavcodec offers for `decoder` and that opens here. Each kind is tried once a
// process, quietly: most machines have none.
HardwareDevice FindHardwareDevice(const AVCodec& decoder);

}  // namespace millrace
