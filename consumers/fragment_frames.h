// A stored fragment's frames, as its readers want them: parsed in one go, sharing the fragment's bytes.
//
// Threads: pure; any.
#pragma once

#include <vector>

#include "base/result.h"
#include "fragments/fragment.h"
#include "media/frame.h"
#include "parser/parse_fragment.h"

namespace millrace {

// In the order they are stored: decode order within a track; their times on the producer's clock, on which
// the Cluster's Timestamp is facts.start. Their data are views that keep the whole fragment alive; nothing is
// copied. `arrival` is not stored frame by frame and stays zero. Errors: as parser/parse_fragment.h, with the
// fragment's number in front.
Result<std::vector<Frame>> FramesOf(const Fragment& fragment);

// What has to be added to a time in the fragment's document to get the producer's: whole ms. Errors:
// kCorruption: facts and document are of different times.
Result<Duration> DocumentShift(const FragmentFacts& facts, const ParsedFragment& parsed);

}  // namespace millrace
