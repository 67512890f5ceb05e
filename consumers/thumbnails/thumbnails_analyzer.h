// The thumbnails analyzer: a small JPEG of the stream now and then, in the results.
//
// {"Thumbnail": {"ContentType": "image/jpeg", "Width", "Height", "Image": base64}}
//
// A picture has one where the one before it lies in another `every_s` of the footage's own time, and where
// there is none in the ten seconds before it: so footage that begins anew begins with one. The record of any
// other picture has no member. A thumbnail that is larger than bytes_max is coded again at a lower quality,
// then smaller.
#pragma once

#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "consumers/analysis/frame_analyzer.h"

namespace millrace {

struct ThumbnailSettings {
  Duration every = std::chrono::seconds(10);  // a tenth of a second to a day
  int height = 180;                           // pixels, at most: 16 to 720
  int quality = 75;                           // of the JPEG: 1 to 100
  int bytes_max = 64 * 1024;                  // of the JPEG: 4 to 256 KiB
};

class ThumbnailsAnalyzer final : public FrameAnalyzer {
 public:
  static constexpr Duration kBefore = std::chrono::seconds(10);  // how far the picture before one may lie

  // Options: every_s, height, quality, bytes_max. Errors: kInvalidArgument: an unknown or bad option, with
  // its name.
  static Result<std::unique_ptr<FrameAnalyzer>> Make(const boost::json::object& options);

  std::string name() const override { return "thumbnails"; }
  std::string version() const override { return version_; }
  PictureForm picture_form() const override { return {PictureFormat::kBgr, settings_.height}; }
  Duration warm_up() const override { return kBefore; }
  // `height` is the analyzer's: a stream's own one is kInvalidArgument.
  Result<std::unique_ptr<StreamAnalyzer>> Open(const std::string& stream,
                                               const boost::json::object& options) override;

 private:
  explicit ThumbnailsAnalyzer(const ThumbnailSettings& settings);

  const ThumbnailSettings settings_;
  const std::string version_;
};

struct Thumbnail {
  Bytes jpeg;
  cv::Size size;  // which may be less than the picture's
};

// A JPEG of at most so many bytes. `picture`: height x width x 3, BGR, uint8. Errors: kInvalidArgument: no
// such picture; kUnsupported: even a single pixel takes more bytes; kInternal.
Result<Thumbnail> MakeThumbnail(const cv::Mat& picture, int quality, std::size_t bytes_max);

}  // namespace millrace
