// The facts of fragments whose documents others wrote: what remuxing needs, learned from their frames.
//
// A recorder's builder moves times so that its facts describe them; here the bytes are the producer's and
// stay, so the facts follow the frames. What cannot be described without moving a frame (two pictures of one
// time) is stored all the same, and cannot be remuxed.
//
// A document's times count from an epoch of its own: the Cluster's Timestamp is facts.start on the producer's
// clock, and what lies in the document lies as far from it. Facts are in whole ms, rounded down.
//
// Tracks: those whose codec Millrace knows, with codec data of at most kCodecPrivateBytesMax together; the
// facts are kept in the index. The others are in the document alone.
//
// Threads: one owner at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"
#include "fragments/audio_grid.h"
#include "fragments/fragment.h"
#include "parser/parse_fragment.h"

namespace millrace {

class RunFacts {
 public:
  static constexpr std::size_t kCodecPrivateBytesMax = 8 * 1024;
  // A longer time without a frame ends a run.
  static constexpr Duration kHoleMax = std::chrono::seconds(10);

  // `first`: the run's first fragment. Its key frames say what the declared tracks leave out or tell
  // otherwise (media/bitstream.h).
  explicit RunFacts(const ParsedFragment& first);

  // Whether a fragment that starts at `start` goes on where this run stands: with the same tracks, without a
  // long hole, with pictures of the same size and coding, and that are not reordered more than before, which
  // would take decode times that have passed.
  bool Continues(const ParsedFragment& fragment, Timestamp start) const;

  // The facts of the run's next fragment, but for its number, its run's and the server's time. `start`: the
  // Cluster's Timestamp on the producer's clock; `next`: that of the fragment that follows, where it is
  // known. REQUIRES: Continues(fragment, start), unless it is the first.
  FragmentFacts Describe(const ParsedFragment& fragment, Timestamp start, std::optional<Timestamp> next);

 private:
  struct Track {
    TrackInfo info;
    std::int64_t frame_ms = 40;  // video: how long a frame lasts, as last seen
    // Video.
    std::uint32_t depth = 0;
    std::optional<std::int64_t> next_dts_ms{};
    std::vector<std::int64_t> tail{};
    // Audio.
    std::optional<AudioGrid> grid{};
    std::uint64_t next_sample = 0;
  };
  struct FrameRef {
    const ParsedFrame* frame = nullptr;
    Timestamp pts;
  };

  TrackFacts DescribeVideo(Track& track, const std::vector<FrameRef>& frames, std::int64_t start_ms,
                           std::optional<std::int64_t> next_ms);
  TrackFacts DescribeAudio(Track& track, const std::vector<FrameRef>& frames);

  const std::vector<MkvTrack> declared_;
  const std::int64_t timestamp_scale_ns_;
  std::vector<Track> tracks_;
  std::vector<TrackInfo> infos_;
  const std::uint64_t tracks_id_;
  std::optional<Timestamp> run_start_;
  Timestamp end_;  // of the newest fragment's last frame
};

}  // namespace millrace
