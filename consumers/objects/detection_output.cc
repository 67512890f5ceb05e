#include "consumers/objects/detection_output.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>

namespace millrace {
namespace {

using Kind = OutputForm::Kind;

constexpr int kCornerColumns = 4;
constexpr int kDetectionColumns = 7;

std::string Labels(std::size_t count) { return std::to_string(count) + (count == 1 ? " label" : " labels"); }

Error Misfit(const std::string& shape, int classes, std::size_t labels) {
  return {ErrorCode::kInvalidArgument, "the labels do not fit the model: its output " + shape + " has " +
                                           std::to_string(std::max(classes, 0)) + " classes, and there are " +
                                           Labels(labels)};
}

std::string ShapesText(const std::vector<std::vector<int>>& shapes) {
  std::string text;
  for (const std::vector<int>& shape : shapes) text += (text.empty() ? "" : ", ") + ShapeText(shape);
  return text.empty() ? "none" : text;
}

Result<OutputForm> FormOfTable(const std::vector<int>& shape, std::size_t labels) {
  const auto classes = static_cast<int>(labels);
  const int rows = shape[1];
  const int columns = shape[2];
  OutputForm form;
  if (columns == 5 + classes) return form;
  if (rows == 4 + classes) {
    form.kind = Kind::kColumns;
    return form;
  }
  if (columns == 4 + classes) {
    form.kind = Kind::kPlainRows;
    return form;
  }
  // Of the two it is the one that is meant where there are more boxes than numbers for each.
  const int most = rows > columns ? columns - 5 : rows - 4;
  return Misfit(ShapeText(shape), most, labels);
}

std::optional<Result<OutputForm>> FormOfPair(const std::vector<std::vector<int>>& shapes,
                                             std::size_t labels) {
  const auto is_table = [](const std::vector<int>& shape) { return shape.size() == 3 && shape[0] == 1; };
  if (!is_table(shapes[0]) || !is_table(shapes[1]) || shapes[0][1] != shapes[1][1]) return std::nullopt;
  OutputForm form;
  form.kind = Kind::kPair;
  const auto classes = static_cast<int>(labels);
  for (const std::size_t boxes : {std::size_t{0}, std::size_t{1}}) {
    const std::size_t scores = 1 - boxes;
    if (shapes[boxes][2] != kCornerColumns) continue;
    const int columns = shapes[scores][2];
    if (columns != classes && columns != classes + 1) continue;
    form.boxes = boxes;
    form.scores = scores;
    form.background = columns - classes;
    return form;
  }
  if (shapes[0][2] == kCornerColumns || shapes[1][2] == kCornerColumns) {
    const std::size_t scores = shapes[0][2] == kCornerColumns ? 1 : 0;
    return Misfit(ShapeText(shapes[scores]), shapes[scores][2], labels);
  }
  return std::nullopt;
}

bool AllFinite(const float* values, int count) {
  return std::all_of(values, values + count, [](float value) { return std::isfinite(value); });
}

class Reader {
 public:
  Reader(const OutputForm& form, cv::Size network, std::size_t labels, double confidence_min)
      : form_(form), network_(network), labels_(labels), confidence_min_(confidence_min) {}

  // Centre and size in pixels, then perhaps objectness, then scores.
  void Table(const cv::Mat& output) {
    const bool columns = form_.kind == Kind::kColumns;
    const int things = output.size[columns ? 2 : 1];
    const int width = output.size[columns ? 1 : 2];
    const int first = form_.kind == Kind::kRows ? 5 : 4;
    std::vector<float> row(static_cast<std::size_t>(width));
    for (int i = 0; i < things; ++i) {
      const float* values = output.ptr<float>(0);
      for (int k = 0; k < width; ++k) {
        row[static_cast<std::size_t>(k)] =
            columns ? values[std::ptrdiff_t{k} * things + i] : values[std::ptrdiff_t{i} * width + k];
      }
      const double objectness = first == 5 ? row[4] : 1;
      if (!(objectness >= confidence_min_)) continue;
      const auto best = std::max_element(row.begin() + first, row.end());
      const double w = row[2] / static_cast<double>(network_.width);
      const double h = row[3] / static_cast<double>(network_.height);
      Add(cv::Rect2d(row[0] / static_cast<double>(network_.width) - w / 2,
                     row[1] / static_cast<double>(network_.height) - h / 2, w, h),
          static_cast<int>(best - row.begin()) - first, objectness * *best, AllFinite(row.data(), 4));
    }
  }

  void Detections(const cv::Mat& output) {
    const int things = output.size[2];
    for (int i = 0; i < things; ++i) {
      const float* row = output.ptr<float>(0) + std::ptrdiff_t{i} * kDetectionColumns;
      if (!AllFinite(row, kDetectionColumns) || row[0] < 0 || row[1] < 0 || row[1] > 1e6F) continue;
      // DetectionOutput counts from the background on, which it leaves out.
      Add(Corners(row + 3), static_cast<int>(row[1]) - form_.background, row[2], true);
    }
  }

  void Pair(const cv::Mat& boxes, const cv::Mat& scores) {
    const int things = boxes.size[1];
    const int classes = scores.size[2];
    for (int i = 0; i < things; ++i) {
      const float* row = scores.ptr<float>(0) + std::ptrdiff_t{i} * classes;
      const float* best = std::max_element(row + form_.background, row + classes);
      const float* corners = boxes.ptr<float>(0) + std::ptrdiff_t{i} * kCornerColumns;
      Add(Corners(corners), static_cast<int>(best - row) - form_.background, *best, AllFinite(corners, 4));
    }
  }

  std::vector<Detection> found;

 private:
  static cv::Rect2d Corners(const float* corners) {
    return {corners[0], corners[1], static_cast<double>(corners[2]) - corners[0],
            static_cast<double>(corners[3]) - corners[1]};
  }

  void Add(const cv::Rect2d& box, int label, double confidence, bool finite) {
    const bool likely = confidence >= confidence_min_ && confidence <= 1e6;  // no NaN
    if (!finite || !likely || label < 0 || static_cast<std::size_t>(label) >= labels_) return;
    if (!(box.width > 0 && box.height > 0) || box.width > 1e3 || box.height > 1e3) return;
    found.push_back({box, static_cast<std::size_t>(label), std::min(confidence, 1.0)});
  }

  const OutputForm& form_;
  const cv::Size network_;
  const std::size_t labels_;
  const double confidence_min_;
};

}  // namespace

std::string ShapeText(const std::vector<int>& shape) {
  std::string text;
  for (const int size : shape) text += (text.empty() ? "" : "x") + std::to_string(size);
  return text.empty() ? "of nothing" : text;
}

std::vector<int> ShapeOf(const cv::Mat& output) {
  return std::vector<int>(output.size.p, output.size.p + output.dims);
}

Result<OutputForm> FindOutputForm(const std::vector<std::vector<int>>& shapes, std::size_t labels) {
  if (shapes.size() == 1) {
    const std::vector<int>& shape = shapes[0];
    if (shape.size() == 4 && shape[0] == 1 && shape[1] == 1 && shape[3] == kDetectionColumns) {
      OutputForm form;
      form.kind = Kind::kDetections;
      form.background = 1;
      return form;
    }
    if (shape.size() == 3 && shape[0] == 1 && shape[1] > 0 && shape[2] > 0) return FormOfTable(shape, labels);
  } else if (shapes.size() == 2) {
    if (auto form = FormOfPair(shapes, labels)) return *form;
  }
  return Error{
      ErrorCode::kUnsupported,
      "the model's outputs have a shape that is not known: " + ShapesText(shapes) +
          ". Known are, with C classes: 1xNx(5+C) (YOLOv5), 1x(4+C)xN (YOLOv8), 1x1xNx7 (SSD), and two "
          "of 1xNx4 and 1xNxC (SSD); export it with one of them, without a last step of its own"};
}

Result<std::vector<Detection>> ReadDetections(const OutputForm& form, const std::vector<cv::Mat>& outputs,
                                              cv::Size network, std::size_t labels, double confidence_min) {
  std::vector<std::vector<int>> shapes;
  for (const cv::Mat& output : outputs) {
    if (output.type() != CV_32F || !output.isContinuous()) {
      return Error{ErrorCode::kUnsupported, "the model's outputs are no numbers of 32 bits"};
    }
    shapes.push_back(ShapeOf(output));
  }
  // The same network may give another shape for another picture: it is looked at each time.
  MILLRACE_ASSIGN_OR_RETURN(const OutputForm now, FindOutputForm(shapes, labels));
  if (now.kind != form.kind) return Error{ErrorCode::kUnsupported, "the model's outputs change their form"};
  Reader reader(now, network, labels, confidence_min);
  if (now.kind == Kind::kDetections) {
    reader.Detections(outputs[0]);
  } else if (now.kind == Kind::kPair) {
    reader.Pair(outputs[now.boxes], outputs[now.scores]);
  } else {
    reader.Table(outputs[0]);
  }
  return std::move(reader.found);
}

}  // namespace millrace
