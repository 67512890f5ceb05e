// A clip's container, written by libavformat: frames go in as they are, nothing is decoded or encoded.
//
// Threads: one owner at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "consumers/clips/clip_output.h"
#include "consumers/clips/clip_plan.h"
#include "media/frame.h"
#include "media/libav_handles.h"

namespace millrace {

enum class ClipLayout : std::uint8_t {
  kProgressiveMp4,  // index in front, in room that is set aside for it; needs an output that can seek
  kFragmentedMp4,   // a movie fragment at each Flush
  kMkv,
};

// What a progressive MP4's index takes in memory at most, that of the file and the muxer's own.
std::uint64_t IndexBytesMax(const ClipPlan& plan);

class ClipMuxer {
 public:
  // One frame of the clip. Video in ticks of 1/90,000 s, audio in samples, since the clip's beginning.
  struct Packet {
    std::size_t track = 0;  // index in ClipPlan::tracks
    const Frame* frame = nullptr;
    std::int64_t pts = 0;
    std::int64_t dts = 0;
    std::int64_t duration = 0;
  };

  // Writes the header. `output` outlives the muxer. Errors: kUnsupported (the format cannot hold a codec),
  // the output's, kInternal.
  static Result<std::unique_ptr<ClipMuxer>> Open(const ClipPlan& plan, const std::string& title,
                                                 ClipLayout layout, ClipOutput& output);

  // In the order of decode times within a track, and roughly between tracks.
  Result<void> Write(const Packet& packet);
  // Everything so far may go to the output.
  Result<void> Flush();
  // Writes what comes last; nothing may be written afterwards.
  Result<void> Finish();

 private:
  ClipMuxer(ClipLayout layout, ClipOutput& output) : layout_(layout), output_(output) {}
  Result<void> AddTrack(const TrackInfo& track);
  Result<void> AddChapters(const ClipPlan& plan);
  Result<void> WriteHeader(const ClipPlan& plan);
  Error Failure(const std::string& what, int code) const;

  const ClipLayout layout_;
  ClipOutput& output_;
  AvOutputPtr muxer_;
  AvPacketPtr packet_;
  std::vector<AVRational> time_bases_;  // of the packets of each track
};

}  // namespace millrace
