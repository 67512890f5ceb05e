#include "consumers/thumbnails/thumbnails_analyzer.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <optional>
#include <utility>

#include "consumers/analysis/option_reader.h"
#include "consumers/analysis/result_members.h"
#include "consumers/images/image_encoder.h"
#include "wire/base64.h"

namespace millrace {
namespace {

constexpr int kQualityMin = 25;  // of a second try: below, a smaller picture shows more
constexpr int kHalvings = 17;    // of the largest picture, to a pixel

Result<ThumbnailSettings> ParseSettings(const boost::json::object& options) {
  ThumbnailSettings settings;
  OptionReader reader(options);
  reader.Seconds("every_s", settings.every, std::chrono::milliseconds(100), std::chrono::hours(24));
  reader.Integer("height", settings.height, 16, 720);
  reader.Integer("quality", settings.quality, 1, ImageEncoding::kQualityMax);
  reader.Integer("bytes_max", settings.bytes_max, 4 * 1024, 256 * 1024);
  MILLRACE_RETURN_IF_ERROR(reader.Finish());
  return settings;
}

std::string ToText(const ThumbnailSettings& settings) {
  const double every_s = std::chrono::duration<double>(settings.every).count();
  return boost::json::serialize(
      boost::json::array{every_s, settings.height, settings.quality, settings.bytes_max});
}

class StreamThumbnails final : public StreamAnalyzer {
 public:
  explicit StreamThumbnails(const ThumbnailSettings& settings) : settings_(settings) {}

  Result<boost::json::object> Analyze(const AnalysisFrame& frame) override {
    const std::optional<Timestamp> before = std::exchange(before_, frame.producer_time);
    if (before && frame.producer_time - *before <= ThumbnailsAnalyzer::kBefore &&
        before->ns / settings_.every.count() == frame.producer_time.ns / settings_.every.count()) {
      return boost::json::object();
    }
    MILLRACE_ASSIGN_OR_RETURN(
        const Thumbnail made,
        MakeThumbnail(frame.image, settings_.quality, static_cast<std::size_t>(settings_.bytes_max)));
    boost::json::object thumbnail{{"ContentType", "image/jpeg"},
                                  {"Width", made.size.width},
                                  {"Height", made.size.height},
                                  {"Image", wire::EncodeBase64(made.jpeg)}};
    return boost::json::object{{"Thumbnail", std::move(thumbnail)}};
  }

 private:
  const ThumbnailSettings settings_;
  std::optional<Timestamp> before_;  // the last picture's
};

}  // namespace

Result<Thumbnail> MakeThumbnail(const cv::Mat& picture, int quality, std::size_t bytes_max) {
  cv::Mat shown = picture;
  for (int i = 0; i < kHalvings; ++i) {
    for (const int tried : {quality, std::min(quality, kQualityMin)}) {
      MILLRACE_ASSIGN_OR_RETURN(Bytes jpeg, EncodeImage(shown, {ImageFormat::kJpeg, tried}));
      if (jpeg.size() <= bytes_max) return Thumbnail{std::move(jpeg), shown.size()};
    }
    cv::Mat half;
    cv::resize(shown, half, {std::max(shown.cols / 2, 1), std::max(shown.rows / 2, 1)}, 0, 0, cv::INTER_AREA);
    shown = std::move(half);
  }
  return Error{ErrorCode::kUnsupported, "no thumbnail of so few bytes can be made"};
}

ThumbnailsAnalyzer::ThumbnailsAnalyzer(const ThumbnailSettings& settings)
    : settings_(settings), version_(VersionOf("2", ToText(settings))) {}

Result<std::unique_ptr<FrameAnalyzer>> ThumbnailsAnalyzer::Make(const boost::json::object& options) {
  MILLRACE_ASSIGN_OR_RETURN(const ThumbnailSettings settings, ParseSettings(options));
  return std::unique_ptr<FrameAnalyzer>(new ThumbnailsAnalyzer(settings));
}

Result<std::unique_ptr<StreamAnalyzer>> ThumbnailsAnalyzer::Open(const std::string& stream,
                                                                 const boost::json::object& options) {
  MILLRACE_ASSIGN_OR_RETURN(const ThumbnailSettings settings, ParseSettings(options));
  if (settings.height != settings_.height) {
    return Error{ErrorCode::kInvalidArgument, "option 'height' cannot be another one for stream '" + stream +
                                                  "': it is " + std::to_string(settings_.height) +
                                                  " for all of the analyzer's"};
  }
  return std::unique_ptr<StreamAnalyzer>(std::make_unique<StreamThumbnails>(settings));
}

}  // namespace millrace
