// Which camera of this server feeds a video stream.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace millrace::api {

// The name of the camera that feeds a stream. Any thread.
using CameraOfStream = std::function<std::optional<std::string>(const std::string& stream)>;

}  // namespace millrace::api
