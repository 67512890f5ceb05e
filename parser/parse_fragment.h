// The fast way: a fragment (or any Matroska document) that is in memory as a whole, parsed in one call,
// without a copy.
//
//   MILLRACE_ASSIGN_OR_RETURN(ParsedFragment fragment, ParseFragment(bytes));
//   for (const ParsedFrame& frame : fragment.frames) {
//     Send(frame.track, frame.timestamp_ns, frame.data);           // a span into `bytes`
//     queue.push_back(fragment.Share(frame));                      // kept on, and still uncopied
//   }
//
// Memory:  the frames' table (40 bytes a frame, at most limits.frames_max of them) and the header's texts.
// Errors:  as FragmentReader's (parser/fragment_visitor.h), with which it agrees: kCorruption, kUnsupported,
//          kResourceExhausted, with element and offset. kCorruption also for a second document;
//          kResourceExhausted also for too many frames, and tags are counted over the whole document.
// Threads: none inside; the result may be read from any number of threads.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "parser/document.h"
#include "parser/limits.h"
#include "parser/tags.h"

namespace millrace {

struct ParsedFrame {
  ByteSpan data;                  // in ParsedFragment::bytes
  std::int64_t timestamp_ns = 0;  // presentation time: Cluster + block; CodecDelay is not taken off
  Duration duration{0};           // BlockDuration, shared out over a lace; zero where the file does not say
  std::uint32_t track = 0;        // MkvTrack::number
  bool key_frame = false;         // of audio: always
  bool discardable = false;
};

struct ParsedFragment {
  SharedBytes bytes;  // the whole document; keeps what `frames` point to
  MkvDocument document;
  std::vector<ParsedFrame> frames;  // in the file's order: decode order within a track
  std::int64_t timestamp_ns = 0;    // of the first Cluster; zero where there is none
  std::uint32_t clusters = 0;
  ServiceTags service;       // wherever they stand in the document
  std::vector<MkvTag> tags;  // those after the first Cluster has begun; earlier ones are in `document`

  // A frame to keep by itself; it keeps the whole fragment's bytes alive. REQUIRES: `frame` is one of
  // `frames`.
  SharedBytes Share(const ParsedFrame& frame) const {
    return bytes.Slice(static_cast<std::size_t>(frame.data.data() - bytes.data()), frame.data.size());
  }
};

Result<ParsedFragment> ParseFragment(SharedBytes mkv, const ParserLimits& limits = {});

}  // namespace millrace
