#include "parser/decoder/renderer.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

namespace millrace {
namespace {

constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;
constexpr std::size_t kLabelBytesMax = 100;

std::string Drawable(const std::string& label) {
  std::string text = label.substr(0, kLabelBytesMax);
  for (char& c : text) {
    if (c < ' ' || c > '~') c = '?';
  }
  return text;
}

// `edge` of a picture of `size` pixels, kept where integers go.
int Pixel(double ratio, int size) {
  return static_cast<int>(std::lround(std::clamp(ratio, -1.0, 2.0) * size));
}

void DrawLabel(cv::Mat& image, const cv::Rect& box, const std::string& label, const cv::Scalar& colour,
               double scale, int thickness) {
  int below = 0;
  const cv::Size text = cv::getTextSize(label, kFont, scale, thickness, &below);
  const int height = text.height + below + 2 * thickness;
  const int top = box.y >= height ? box.y - height : box.y;
  const int left = std::clamp(box.x, 0, std::max(0, image.cols - text.width));
  const cv::Rect ground = cv::Rect(left, top, text.width, height) & cv::Rect({0, 0}, image.size());
  cv::rectangle(image, ground, colour, cv::FILLED);
  cv::putText(image, label, {left, top + text.height + thickness}, kFont, scale, cv::Scalar::all(0),
              thickness, cv::LINE_AA);
}

}  // namespace

cv::Rect PixelsOf(const BoundingBox& box, cv::Size size) {
  if (!std::isfinite(box.left) || !std::isfinite(box.top) || !std::isfinite(box.width) ||
      !std::isfinite(box.height)) {
    return {};
  }
  const cv::Point begin(Pixel(box.left, size.width), Pixel(box.top, size.height));
  const cv::Point end(Pixel(box.left + box.width, size.width), Pixel(box.top + box.height, size.height));
  if (end.x <= begin.x || end.y <= begin.y) return {};
  return cv::Rect(begin, end) & cv::Rect({0, 0}, size);
}

Result<void> DrawBoxes(cv::Mat& image, std::span<const LabeledBox> boxes) {
  if (image.type() != CV_8UC3 && image.type() != CV_8UC1) {
    return Error{ErrorCode::kInvalidArgument, "boxes are drawn into pictures of BGR or gray bytes"};
  }
  const int rows = std::max(image.rows, 1);
  const int thickness = std::max(1, rows / 360);
  const double scale = std::max(0.4, rows / 900.0);
  for (const LabeledBox& labeled : boxes) {
    const cv::Rect box = PixelsOf(labeled.box, image.size());
    if (box.empty()) continue;
    const cv::Scalar colour = image.channels() == 1 ? cv::Scalar::all(255) : labeled.colour;
    cv::rectangle(image, box, colour, thickness);
    if (!labeled.label.empty()) DrawLabel(image, box, Drawable(labeled.label), colour, scale, thickness);
  }
  return {};
}

}  // namespace millrace
