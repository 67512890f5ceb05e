#include "consumers/objects/object_settings.h"

#include <fstream>

#include "base/text.h"
#include "consumers/analysis/option_reader.h"

namespace millrace {
namespace {

constexpr std::size_t kLabelsMax = 10'000;
constexpr std::size_t kLabelBytesMax = 200;
constexpr std::size_t kClassesMax = 1000;
constexpr std::string_view kBlanks = " \t\r";

}  // namespace

Result<ObjectSettings> ParseObjectSettings(const boost::json::object& options) {
  ObjectSettings settings;
  OptionReader reader(options);
  reader.Text("model", settings.model);
  reader.Text("labels", settings.labels);
  reader.Integer("width", settings.width, 32, 2048);
  reader.Integer("height", settings.height, 32, 2048);
  reader.Number("scale", settings.scale, 1e-6, 1e3);
  reader.Numbers("mean", settings.mean, 3, -1e3, 1e3);
  if (settings.mean.size() != 3) reader.Fail("mean", "must be three numbers: red, green, blue");
  reader.Boolean("bgr", settings.bgr);
  reader.Number("confidence_min", settings.confidence_min, 0, 100);
  reader.Number("overlap_max", settings.overlap_max, 0, 100);
  reader.Texts("classes", settings.classes, kClassesMax);
  if (settings.model.empty()) {
    reader.Fail(
        "model",
        "must be the path of a network that finds objects, as ONNX (YOLOv5, YOLOv8, SSD): Millrace brings "
        "none");
  }
  if (settings.labels.empty()) {
    reader.Fail("labels",
                "must be the path of a text file with the names of the model's classes, one a line");
  }
  MILLRACE_RETURN_IF_ERROR(reader.Finish());
  return settings;
}

Result<std::vector<std::string>> ReadLabels(const std::string& path) {
  std::ifstream in(path);
  if (!in) return Error{ErrorCode::kNotFound, "cannot read the labels " + path};
  std::vector<std::string> labels;
  std::string line;
  const auto wrong = [&](const std::string& because) {
    return Error{ErrorCode::kInvalidArgument, path + " is no file of labels, one name a line: " + because};
  };
  for (char c = 0; in.get(c);) {
    if (c == '\n') {
      labels.push_back(std::move(line));
      line.clear();
      if (labels.size() > kLabelsMax) return wrong("it has more than 10,000 lines");
    } else {
      line += c;
      if (c == '\0') return wrong("it is no text");
      if (line.size() > kLabelBytesMax) {
        return wrong("line " + std::to_string(labels.size() + 1) + " is longer than 200 bytes");
      }
    }
  }
  labels.push_back(std::move(line));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (!IsUtf8(labels[i])) return wrong("line " + std::to_string(i + 1) + " is not UTF-8");
  }
  for (std::string& label : labels) {
    label.erase(0, label.find_first_not_of(kBlanks));
    label.erase(label.find_last_not_of(kBlanks) + 1);
  }
  while (!labels.empty() && labels.back().empty()) labels.pop_back();
  if (labels.empty()) return wrong("it is empty");
  return labels;
}

}  // namespace millrace
