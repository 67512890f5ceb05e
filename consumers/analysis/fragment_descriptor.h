// A record of the fragment log as the Data Streams protocol shows it: docs/http-api.md, the descriptor.
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace millrace {

struct FragmentDescriptor {
  std::string stream;
  std::string stream_arn;
  std::string fragment_number;  // 47 digits
  Timestamp producer_time;
  Timestamp server_time;
  bool independent = false;  // begins with a key frame
};

// Errors: kCorruption.
Result<FragmentDescriptor> ParseFragmentDescriptor(ByteSpan json);

}  // namespace millrace
