// What is written of an analysed frame: a record as Amazon Rekognition's stream processors write them.
//
//   {"InputInformation":{"KinesisVideo":{"StreamArn","FragmentNumber","ServerTimestamp","ProducerTimestamp",
//    "FrameOffsetInSeconds"}},"StreamProcessorInformation":{"Status","Analyzer","Version"}, what was found …}
//
// Timestamps are the fragment's, in seconds since 1970; the offset is the frame's. Status is RUNNING for a
// frame that was analysed. A fragment, or a frame, that was not has one record that says why, in Status and
// Message:
//   SKIPPED      analysis was behind, and newer footage went first
//   SET_ASIDE    it has ended the analyzer three times
//   UNREADABLE   it cannot be decoded
//   FAILED       the analyzer could not analyse this frame
//   TRUNCATED    more was found than one fragment may have
//
// Threads: pure functions, any thread.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>

#include "base/time.h"
#include "consumers/analysis/fragment_descriptor.h"
#include "consumers/worker/worker.h"

namespace millrace {

struct AnalyzerIdentity {
  std::string name;
  std::string version;
  std::string output;  // the data stream of its results
};

WorkerResult MakeFrameResult(const AnalyzerIdentity& analyzer, const FragmentDescriptor& fragment,
                             Duration offset, const boost::json::object& found);
// `status`: one of the above but RUNNING; of the whole fragment when `offset` is zero.
WorkerResult MakeStatusResult(const AnalyzerIdentity& analyzer, const FragmentDescriptor& fragment,
                              Duration offset, std::string_view status, std::string_view message);

}  // namespace millrace
