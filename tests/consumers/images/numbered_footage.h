// Footage whose pictures carry their numbers, as fragments in a store.
#pragma once

#include "fragments/fragment_store.h"
#include "tests/parser/decoder/numbered_video.h"

namespace millrace::testing {

// Puts the video as fragments of `frames_each` frames, one run: the first picture is shown at `start`, and
// the server opened each fragment `late` after its first picture. Those that begin without a key frame are
// not independent.
void PutVideo(FragmentStore& store, const std::string& stream, const ParsedFragment& video, Timestamp start,
              std::size_t frames_each, Duration late = Duration{0});

}  // namespace millrace::testing
