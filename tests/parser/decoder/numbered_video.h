// Encoded video whose pictures carry their numbers, made by ffmpeg at test time.
#pragma once

#include <cstdint>
#include <opencv2/core/mat.hpp>
#include <optional>
#include <string>

#include "parser/parse_fragment.h"

namespace millrace::testing {

struct VideoOptions {
  std::string codec = "libx264 -preset ultrafast";  // and its options, as ffmpeg's command line has them
  int pictures = 50;
  int fps = 25;
  int key_frame_interval = 25;
  int b_frames = 0;
  int width = 320;
  int height = 180;
  std::string pixel_format = "yuv420p";
};

// Of frame `number`, as Matroska's ticks have it: whole milliseconds.
std::int64_t TimestampOf(const VideoOptions& options, int number);

// The video as one document. Its Clusters do not matter: ParseFragment joins them.
ParsedFragment MakeVideo(const VideoOptions& options);

// The frames [begin, end) in decode order as a fragment of their own.
ParsedFragment FramesOf(const ParsedFragment& video, std::size_t begin, std::size_t end);

// The number in a gray or BGR picture of any size of at least 160 x 40.
std::optional<std::uint32_t> NumberIn(const cv::Mat& picture);

}  // namespace millrace::testing
