// What a frame-analysis plugin implements. The host (`millrace analyze`) decodes, calls, and writes what
// comes back as JSON records to a data stream, in one commit with how far it has read; an analyzer knows none
// of that.
//
// Threads: made, called and destroyed on one thread. One object serves all video streams of its process, one
// frame at a
//          time, each stream's frames in the order of display, fragment by fragment.
// Errors:  kInvalidArgument or kUnsupported: this frame cannot be analysed; the host records that and goes
// on. Anything
//          else, and an exception, ends the process; the fragment is tried again, and set aside after the
//          third time.
// Time:    a call that takes longer than the host's limit (a minute by default) counts as hung: the process
// is killed. Link:    only headers, OpenCV and Boost.JSON are needed, so that an analyzer can be a shared
// library of its own
//          (consumers/analysis/analyzer_plugin.h).
#pragma once

#include <boost/json/object.hpp>
#include <opencv2/core/mat.hpp>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "parser/decoder/picture.h"

namespace millrace {

struct AnalysisFrame {
  // As it is to be shown, in the form that FrameAnalyzer::picture_form asks for. Read only; copy it to keep
  // it
  cv::Mat image;
  std::string stream;           // the video stream's name
  std::string fragment_number;  // 47 digits
  Timestamp producer_time;      // of this frame
  Timestamp server_time;        // the fragment's server timestamp, and the frame's place in the fragment
  Duration offset{0};           // of this frame from the fragment's start, in display order
  bool key_frame = false;
};

class FrameAnalyzer {
 public:
  virtual ~FrameAnalyzer() = default;

  // [a-z0-9-]{1,64}; part of each result's key, as the version is. A new version's results stand beside the
  // old one's.
  virtual std::string name() const = 0;
  virtual std::string version() const = 0;  // [a-zA-Z0-9.+-]{1,64}

  // The pictures that Analyze is to be given; asked once. The smaller, the cheaper: scaling and colour are
  // the decoder's.
  virtual PictureForm picture_form() const { return {}; }

  // What was found, as the members that the frame's record gets besides InputInformation and
  // StreamProcessorInformation. The face analyzer gives {"FaceSearchResponse": [...]} as Amazon Rekognition
  // does; other analyzers take names of their own. Nothing found is a result too. At most 512 KiB as text.
  virtual Result<boost::json::object> Analyze(const AnalysisFrame& frame) = 0;
};

}  // namespace millrace
