// What a plugin implements that wants whole fragments rather than decoded frames: sound, encoded pictures,
// the bytes themselves, or a decoder of its own. Everything that frame_analyzer.h says of state, of analysing
// again, of threads, errors and time holds here too, with a fragment in the place of a frame.
#pragma once

#include <boost/json/object.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "parser/parse_fragment.h"

namespace millrace {

struct ConsumedFragment {
  std::string stream;           // the video stream's name
  std::string fragment_number;  // 47 digits
  Timestamp producer_time;      // of its start
  Timestamp server_time;
  Duration duration{0};
  std::uint64_t run = 0;  // fragments of one run follow each other without an interruption
  // parsed.bytes is the whole Matroska document; frames point into it. Copying it keeps it, and costs
  // nothing.
  const ParsedFragment& parsed;
};

// One result; becomes a record, as one of a frame does.
struct FragmentFinding {
  Duration offset{0};  // from the fragment's start; 0 to its duration. With one offset there is one finding
  boost::json::object found;
};

class StreamFragmentConsumer {
 public:
  virtual ~StreamFragmentConsumer() = default;
  // What was found, in any number; a fragment without findings has no record.
  virtual Result<std::vector<FragmentFinding>> Consume(const ConsumedFragment& fragment) = 0;
};

class FragmentConsumer {
 public:
  virtual ~FragmentConsumer() = default;
  virtual std::string name() const = 0;     // [a-z0-9-]{1,64}
  virtual std::string version() const = 0;  // [a-zA-Z0-9.+-]{1,64}
  virtual Duration warm_up() const { return Duration{0}; }
  virtual Result<std::unique_ptr<StreamFragmentConsumer>> Open(const std::string& stream,
                                                               const boost::json::object& options) = 0;
};

using MakeFragmentConsumer =
    Result<std::unique_ptr<FragmentConsumer>> (*)(const boost::json::object& options);

}  // namespace millrace
