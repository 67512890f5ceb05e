// How analyzers write what they find: the same places, times and versions in each one's records.
//
// Threads: pure functions, any.
#pragma once

#include <boost/crc.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cmath>
#include <cstdio>
#include <opencv2/core/types.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "base/time.h"

namespace millrace {

// A millionth of a picture is finer than any analyzer.
inline double RoundedRatio(double value) { return std::round(value * 1e6) / 1e6; }

// Rekognition's BoundingBox: ratios of the picture's width and height.
inline boost::json::object BoundingBox(const cv::Rect2d& box) {
  return {{"Height", RoundedRatio(box.height)},
          {"Width", RoundedRatio(box.width)},
          {"Left", RoundedRatio(box.x)},
          {"Top", RoundedRatio(box.y)}};
}

// A member of "Events". `id` is the same in the event that ends what this one begins. Type, EventId and Time
// come first, in this order.
inline boost::json::object EventMember(std::string_view type, const std::string& id, Timestamp time) {
  return {{"Type", type}, {"EventId", id}, {"Time", FormatRfc3339(time)}};
}

// An id that the same footage gives again: of what it is about, and when it began.
inline std::string EventId(std::string_view what, Timestamp began) {
  return std::string(what) + "-" + std::to_string(began.millis());
}

// The record of events alone: nothing where there are none.
inline boost::json::object EventsRecord(boost::json::array events) {
  return events.empty() ? boost::json::object() : boost::json::object{{"Events", std::move(events)}};
}

// "1-3b2a9c01": what decides an analyzer's results, the code's own version and all settings written as text.
inline std::string VersionOf(std::string_view code, std::string_view settings) {
  boost::crc_32_type checksum;
  checksum.process_bytes(settings.data(), settings.size());
  char text[16];
  std::snprintf(text, sizeof(text), "-%08x", checksum.checksum());
  return std::string(code) + text;
}

}  // namespace millrace
