#include "parser/decoder/hardware_device.h"

extern "C" {
#include <libavutil/hwcontext.h>
}

#include <map>
#include <mutex>

#include "media/libav_log.h"

namespace millrace {
namespace {

struct Opened {
  AvBufferPtr context;  // null: it did not open
  std::string error;
};

// Kept for the life of the process: a device is shared by all of its decoders.
const Opened& Open(AVHWDeviceType type) {
  static std::mutex mutex;
  static std::map<AVHWDeviceType, Opened> devices;
  const std::lock_guard lock(mutex);
  const auto [at, is_new] = devices.try_emplace(type);
  if (!is_new) return at->second;
  AVBufferRef* context = nullptr;
  const LibavLogLimit quiet(AV_LOG_QUIET);
  const int code = av_hwdevice_ctx_create(&context, type, nullptr, nullptr, 0);
  at->second.context.reset(context);
  if (code < 0) at->second.error = AvErrorText(code);
  return at->second;
}

}  // namespace

HardwareDevice FindHardwareDevice(const AVCodec& decoder) {
  std::string tried;
  for (int i = 0;; ++i) {
    const AVCodecHWConfig* config = avcodec_get_hw_config(&decoder, i);
    if (config == nullptr) break;
    if ((config->methods & AV_CODEC_HW_CONFIG_METHOD_HW_DEVICE_CTX) == 0) continue;
    const std::string name = av_hwdevice_get_type_name(config->device_type);
    const Opened& opened = Open(config->device_type);
    if (opened.context != nullptr) return {AvBufferPtr(av_buffer_ref(opened.context.get())), name};
    tried += (tried.empty() ? "" : ", ") + name + ": " + opened.error;
  }
  return {nullptr, "software (no device for " + std::string(decoder.name) +
                       (tried.empty() ? ": libavcodec offers none)" : ": " + tried + ")")};
}

}  // namespace millrace
