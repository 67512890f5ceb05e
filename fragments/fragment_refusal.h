// Why a producer's media is refused: the errors of the PutMedia protocol, by their id and their code.
//
// Ids and codes are Amazon Kinesis Video Streams' own. Its documentation names a code for fragments that come
// too often, but no id for it: kTooManyFragments is ours.
//
// Threads: pure, any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace millrace {

enum class RefusalId : int {
  kStreamRead = 4000,          // the connection broke, or another producer took over
  kFragmentSize = 4001,        // a fragment is larger than allowed
  kFragmentDuration = 4002,    // a fragment lasts longer than allowed
  kConnectionDuration = 4003,  // the server stops
  kTimecodeGoesBack = 4004,    // a fragment begins before the one before it, or a frame lies in that one
  kInvalidMkv = 4006,          // malformed, or not the Matroska that is taken
  kProducerTimestamp = 4007,   // a time that cannot be
  kStreamNotActive = 4008,     // the stream was deleted
  kMetadata = 4009,            // too many tags, too long ones, or reserved names
  kTrackMismatch = 4010,       // a frame of a track that was not declared
  kFramesMissing = 4011,       // a track without a frame in the fragment
  kTooManyTracks = 4012,
  kTooManyFragments = 4013,
  kInternal = 5000,
  kArchival = 5001,  // the fragment could not be stored
};

// "INVALID_MKV_DATA"; static storage.
std::string_view RefusalCode(RefusalId id);

struct FragmentRefusal {
  RefusalId id = RefusalId::kInternal;
  std::string message;                    // for people: element, offset, track, limit
  std::optional<std::uint64_t> timecode;  // of the fragment that it is about, as it came; none: of none
};

}  // namespace millrace
