// How much of an input a parser will hold or count before it gives up with kResourceExhausted.
#pragma once

#include <cstddef>
#include <cstdint>

namespace millrace {

// The defaults take every sane camera stream and file, and bound what a hostile one can cost.
struct ParserLimits {
  std::uint64_t frame_bytes_max = std::uint64_t{32} << 20;    // one SimpleBlock or Block, lacing included
  std::uint64_t element_bytes_max = std::uint64_t{1} << 20;   // one other value: CodecPrivate, a tag, a title
  std::uint64_t cluster_bytes_max = std::uint64_t{64} << 20;  // one Cluster
  std::uint64_t skipped_bytes_max = std::uint64_t{1}
                                    << 30;  // one element that is passed over (Cues, Attachments)
  std::size_t depth_max = 16;               // masters in masters, Segment included
  std::size_t tracks_max = 64;              // TrackEntry elements of one document
  std::uint64_t header_bytes_max = std::uint64_t{8} << 20;  // CodecPrivate and texts of one document's tracks
  std::size_t tags_max = 1024;                              // kept for one document, and for one fragment
  std::uint64_t tag_bytes_max = std::uint64_t{1} << 20;     // their names and values, likewise
  std::size_t frames_max = 500'000;                         // of one ParseFragment call
};

}  // namespace millrace
