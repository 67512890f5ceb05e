#include "server/face_lines.h"

#include <boost/json/array.hpp>
#include <cmath>
#include <cstdio>
#include <string>

#include "base/time.h"
#include "server/console_output.h"

namespace millrace::server {
namespace {

const boost::json::object* Child(const boost::json::object* object, const char* name) {
  const auto* value = object != nullptr ? object->if_contains(name) : nullptr;
  return value != nullptr && value->is_object() ? &value->get_object() : nullptr;
}

double Seconds(const boost::json::object* object, const char* name) {
  double value = object != nullptr ? NumberMember(*object, name) : 0;
  return std::isfinite(value) && value >= 0 && value < 253402300800.0 ? value : 0;
}

std::string TimeOf(const boost::json::object& record) {
  const auto* video = Child(Child(&record, "InputInformation"), "KinesisVideo");
  double seconds = Seconds(video, "ProducerTimestamp") + Seconds(video, "FrameOffsetInSeconds");
  return FormatRfc3339(Timestamp::FromMillis(std::llround(seconds * 1000)));
}

// "  ada 97  0a1b2c3d": the person who matches best with the similarity, and the beginning of the track's id.
std::string Who(const boost::json::object& item, const boost::json::object& face) {
  std::string who;
  const auto* matches = item.if_contains("MatchedFaces");
  if (matches != nullptr && matches->is_array() && !matches->get_array().empty() &&
      matches->get_array()[0].is_object()) {
    const auto& match = matches->get_array()[0].get_object();
    if (const auto* known = Child(&match, "Face")) {
      char similarity[16];
      std::snprintf(similarity, sizeof(similarity), "%.0f", NumberMember(match, "Similarity"));
      who += "  " + Printable(Member(*known, "ExternalImageId")) + " " + similarity;
    }
  }
  if (face.contains("TrackId")) who += "  " + Printable(Member(face, "TrackId")).substr(0, 8);
  return who;
}

void PrintRecord(const boost::json::object& record) {
  const std::string time = TimeOf(record);
  const auto* processor = Child(&record, "StreamProcessorInformation");
  const std::string status = processor != nullptr ? Member(*processor, "Status") : "-";
  if (status != "RUNNING") {
    const std::string message = processor != nullptr ? Member(*processor, "Message") : "-";
    std::printf("%s  %s: %s\n", time.c_str(), Printable(status).c_str(), Printable(message).c_str());
    return;
  }
  const auto* faces = record.if_contains("FaceSearchResponse");
  if (faces == nullptr || !faces->is_array()) return;
  for (const auto& item : faces->get_array()) {
    const auto* face = Child(item.is_object() ? &item.get_object() : nullptr, "DetectedFace");
    const auto* box = Child(face, "BoundingBox");
    if (box == nullptr) continue;
    std::printf("%s  face  left %.3f  top %.3f  width %.3f  height %.3f  confidence %.0f%s\n", time.c_str(),
                NumberMember(*box, "Left"), NumberMember(*box, "Top"), NumberMember(*box, "Width"),
                NumberMember(*box, "Height"), NumberMember(*face, "Confidence"),
                Who(item.get_object(), *face).c_str());
  }
}

}  // namespace

void PrintFaceRecords(const boost::json::object& page, bool json) {
  const auto* records = page.if_contains("records");
  if (records == nullptr || !records->is_array()) return;
  for (const auto& item : records->get_array()) {
    if (!item.is_object()) continue;
    if (json) {
      PrintJson(item.get_object());
    } else {
      PrintRecord(item.get_object());
    }
  }
  std::fflush(stdout);
}

}  // namespace millrace::server
