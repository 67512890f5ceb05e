// Writes one fragment as a self-contained Matroska document (RFC 9559): EBML header, Segment of unknown size,
// Info, Tracks, one Cluster of known size with a SimpleBlock a frame.
//
// Unknown-size Segments can be joined: the first document whole and then the Clusters of the following ones
// is again a valid document, as long as their tracks are the same.
//
// Input:   frames in the order in which they are to stand; of each track in decode order. Their bytes are
//          copied once, into the document.
// Units:   TimestampScale is 1 ms; the Cluster's Timestamp is `cluster_start` in ms since 1970.
// Errors:  kInvalidArgument: no tracks, a frame of a track that is not there, a negative
//          cluster_start, a time beyond a block's 16 bits (-32.768 to 32.767 s from cluster_start).
// Threads: pure functions, any thread.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "media/codec.h"
#include "media/frame.h"

namespace millrace {

// How far a block's time may lie from its Cluster's, both ways.
inline constexpr Duration kBlockTimeReach = std::chrono::milliseconds(32'000);
// What a frame takes in the document at most, beside its own bytes.
inline constexpr std::size_t kBlockOverheadMax = 24;

struct WrittenMkv {
  SharedBytes bytes;
  std::size_t cluster_offset = 0;          // where the Cluster begins
  std::vector<std::size_t> frame_offsets;  // where each frame's bytes begin, in the order of the input
};

// `duration`: of the presentation, written to Info so that tools need not estimate it.
Result<WrittenMkv> WriteMkv(const std::vector<TrackInfo>& tracks, Timestamp cluster_start, Duration duration,
                            std::span<const Frame> frames);

// The size of a document of these tracks without any frame, at most.
std::size_t MkvOverhead(const std::vector<TrackInfo>& tracks);

// Whether a track of this kind can be written. Errors: kInvalidArgument.
Result<void> CheckMkvTrack(const TrackInfo& track);

// The nearest whole millisecond: what a block's time is written as.
constexpr std::int64_t RoundToMillis(Timestamp time) {
  return (time + std::chrono::microseconds(500)).millis();
}

}  // namespace millrace
