// What a frame-analysis plugin implements. The host (`millrace analyze`, `millrace replay`) decodes, calls,
// and writes what comes back as JSON records to a data stream, in one commit with how far it has read; an
// analyzer knows none of that. docs/analyzers.md tells how to write one.
//
//   FrameAnalyzer    one an analyzer and process: models, settings; opens the streams
//   StreamAnalyzer   one a video stream: what is to be remembered from frame to frame
//
// State:   a StreamAnalyzer sees its stream's frames in the order of display, fragment by fragment. It is
//          destroyed, and another one opened, where the footage is interrupted (a new run: the camera was
//          away; a lost fragment), and whenever another process takes the stream over. Nothing of it is known
//          to the next one but what warming up shows, and that reaches back to the last interruption at most.
// End:     at an interruption, and only there, it is first asked for what ends with the footage. A process
//          that begins behind one of ten minutes at most opens a StreamAnalyzer for the footage before as
//          well, where there is a warm_up(), and asks that: so what was begun is ended, whoever began it.
//          Not where the fragment before or behind the interruption cannot be read, nor where a process
//          begins behind a longer one, nor where a stream's footage ends for good.
// Again:   results of the same footage must be the same whenever it is analysed, live or years later. So they
//          may depend on the frames and the options alone: not on the clock, on chance, on other streams.
//          What they depend on from before must be forgotten after warm_up() of footage: the host shows so
//          much of the run to a new StreamAnalyzer first, and drops those results. Results then do not depend
//          on where a process began, be it a live one that was restarted or one of several that replay a day.
// Threads: made, called and destroyed on one thread at a time, the analyzer and its streams alike.
// Errors:  of Analyze, kInvalidArgument or kUnsupported: this frame cannot be analysed; the host records that
//          and goes on. Anything else, and an exception, ends the process; the fragment is tried again, and
//          set aside after the third time.
// Time:    a call that takes longer than the host's limit (a minute by default) counts as hung: the
//          process is killed.
// Link:    Millrace::analyzer (the CMake package), so that an analyzer can be a shared library of its own
//          (consumers/analysis/analyzer_plugin.h).
#pragma once

#include <boost/json/object.hpp>
#include <memory>
#include <opencv2/core/mat.hpp>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "parser/decoder/picture.h"

namespace millrace {

struct AnalysisFrame {
  // As it is to be shown, in the form that FrameAnalyzer::picture_form asks for: height x width x 3, BGR, or
  // height x width, uint8. Read only, and valid during the call: clone() keeps it.
  cv::Mat image;
  std::string stream;           // the video stream's name
  std::string fragment_number;  // 47 digits
  Timestamp producer_time;      // of this frame
  Timestamp server_time;        // the fragment's server timestamp, and the frame's place in the fragment
  Duration offset{0};           // of this frame from the fragment's start, in display order
  bool key_frame = false;
};

class StreamAnalyzer {
 public:
  virtual ~StreamAnalyzer() = default;

  // What was found, as the members that the frame's record gets besides InputInformation and
  // StreamProcessorInformation. The face analyzer gives {"FaceSearchResponse": [...]} as Amazon Rekognition
  // does; other analyzers take names of their own, and tell events as {"Events": [{"Type": "MotionStarted",
  // ...}]}. Nothing found is a result too. UTF-8; 32 levels deep and 512 KiB as text at most.
  virtual Result<boost::json::object> Analyze(const AnalysisFrame& frame) = 0;

  // What ends with the last frame that was analysed, since the footage is interrupted there: a second record
  // of that frame; none where there are no members. Nothing but the destructor is called afterwards. What
  // Analyze says of errors and bounds holds.
  virtual Result<boost::json::object> End() { return boost::json::object(); }
};

class FrameAnalyzer {
 public:
  virtual ~FrameAnalyzer() = default;

  // [a-z0-9-]{1,64}; part of each result's key, as the version is. A new version's results stand beside the
  // old one's: it names whatever decides the results.
  virtual std::string name() const = 0;
  virtual std::string version() const = 0;  // [a-zA-Z0-9.+-]{1,64}

  // The pictures that Analyze is to be given; asked once. The smaller, the cheaper: scaling and colour are
  // the decoder's.
  virtual PictureForm picture_form() const { return {}; }

  // How much footage a StreamAnalyzer must have seen until its results no longer depend on where it began;
  // asked once. Zero: each frame is looked at for itself. At most ten minutes.
  virtual Duration warm_up() const { return Duration{0}; }

  // The state of a stream, before its first frame. `options`: the analyzer's, with the stream's own laid over
  // them (consumers/analysis/option_reader.h reads them). The analyzer outlives what it opens.
  // Errors: kInvalidArgument: an unknown or bad option, with its name.
  virtual Result<std::unique_ptr<StreamAnalyzer>> Open(const std::string& stream,
                                                       const boost::json::object& options) = 0;
};

// Makes an analyzer of these options. Errors: kInvalidArgument: an unknown or bad option, with its name;
// kNotFound, kUnsupported: a file that it needs.
using MakeFrameAnalyzer = Result<std::unique_ptr<FrameAnalyzer>> (*)(const boost::json::object& options);

}  // namespace millrace
