// Pictures into an MP4 or Matroska file: encoded as H.264 by libavcodec, for what an analyzer has drawn on.
//
//   MILLRACE_ASSIGN_OR_RETURN(
//       auto writer, PictureWriter::Create("faces.mp4", {.width = 1280, .height = 720}));
//   DrawBoxes(image, boxes);
//   MILLRACE_RETURN_IF_ERROR(writer->Write(image, picture.timestamp_ns));
//   MILLRACE_RETURN_IF_ERROR(writer->Finish());
//
// Memory:  what the encoder looks ahead, some tens of pictures.
// Errors:  as MediaWriter's;
//          kInvalidArgument: a picture of another size or type, or a time that does not rise;
//          kUnsupported: this libavcodec has no encoder for H.264.
// Threads: one owner at a time; the encoder has `threads` of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <opencv2/core/mat.hpp>
#include <optional>
#include <string>

#include "base/result.h"
#include "parser/writer/media_writer.h"

namespace millrace {

struct PictureWriterOptions {
  Container container = Container::kMp4;
  int width = 0;  // of the pictures, in pixels, 2 to 16384; an odd last column or row is left out
  int height = 0;
  int frames_per_second = 25;    // about; each picture has its own time
  std::int64_t bit_rate = 0;     // bit/s; 0: by quality, as x264's CRF 23
  int key_frame_interval = 250;  // frames
  int threads = 1;
};

class PictureWriter {
 public:
  static Result<std::unique_ptr<PictureWriter>> Create(const std::string& path,
                                                       const PictureWriterOptions& options);
  ~PictureWriter();
  PictureWriter(const PictureWriter&) = delete;
  PictureWriter& operator=(const PictureWriter&) = delete;

  // `image`: height x width x 3, BGR, uint8, or height x width, gray, uint8. The file begins with the first
  // time.
  Result<void> Write(const cv::Mat& image, std::int64_t timestamp_ns);
  Result<void> Finish();

 private:
  class Encoder;

  explicit PictureWriter(const PictureWriterOptions& options);
  Result<void> Drain();

  const PictureWriterOptions options_;
  std::unique_ptr<Muxer> muxer_;
  std::unique_ptr<Encoder> encoder_;
  int stream_ = 0;
  std::optional<std::int64_t> zero_ns_;
  std::int64_t last_ns_ = 0;
};

}  // namespace millrace
