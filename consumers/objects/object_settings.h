// What the objects analyzer is told: the user's network, and how to read it.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace millrace {

struct ObjectSettings {
  std::string model{};   // an ONNX file; required
  std::string labels{};  // a text file, one name a line, in the order of the network's classes; required
  int width = 640;       // of the pictures that the network takes, in pixels: 32 to 2048
  int height = 640;
  // What the network takes is (colour - mean) * scale, in the order of RGB.
  double scale = 1.0 / 255;
  std::vector<double> mean{0, 0, 0};
  bool bgr = false;                    // the colours' order, instead of RGB
  double confidence_min = 50;          // 0 to 100
  double overlap_max = 45;             // of two things of one class, intersection over union in percent
  std::vector<std::string> classes{};  // by their labels; empty: all
};

// Errors: kInvalidArgument, with the option's name.
Result<ObjectSettings> ParseObjectSettings(const boost::json::object& options);

// The labels' file: one name a line, blanks around it are dropped, empty lines at the end do not count; at
// most 10,000 lines of 200 bytes. Errors: kNotFound, kInvalidArgument, with the path.
Result<std::vector<std::string>> ReadLabels(const std::string& path);

}  // namespace millrace
