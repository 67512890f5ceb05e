// A fragment: a self-contained MKV document of some seconds, and the facts about it that are kept beside it.
//
// Times. Inside the document times are whole milliseconds (TimestampScale 1,000,000): the Cluster's Timestamp
// is the absolute producer time in ms since 1970, blocks are relative to it. What those ticks do not keep
// stands in the facts, so that remuxing one fragment is a pure function of its facts and frames, and
// fragments remuxed one by one equal one long remux:
//   video  decode times: with reorder depth d and the fragment's presentation times sorted p[0..n),
//          frame i in decode order has dts(i) = p[i-d] for i >= d; for i < d the d times from first_dts up to
//          p[0], evenly: first_dts + i * (p[0] - first_dts) / d. Durations are differences of decode times;
//          the last frame's is end_dts - dts(n-1).
//   audio  the place of a frame in samples since the start of the run: anchors give (frame index, sample);
//          between anchors each frame lasts samples_per_frame.
// decode_times.h computes both.
//
// A run is a stretch of recording by one connection with unchanged tracks: within it times strictly increase
// and players need no discontinuity.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "fragments/fragment_number.h"
#include "media/codec.h"

namespace millrace {

enum class ClockSource : std::uint8_t {
  kCamera = 1,   // producer times come from the camera's clock (RTCP sender reports)
  kArrival = 2,  // from the time of arrival at the server
};

enum class FragmentEnd : std::uint8_t {
  kKeyFrame = 1,  // the next key frame came after the least duration
  kDuration = 2,  // the duration limit, or nothing came for a while; what follows is not independent
  kSize = 3,      // the size limit; what follows is not independent
  kRunEnded = 4,  // the source stopped, was lost or changed its tracks; or the server stopped
};

struct AudioAnchor {
  std::uint32_t frame_index = 0;  // in the track's frames of this fragment
  std::uint64_t sample = 0;       // since FragmentFacts::run_start, at the track's sample rate
  friend bool operator==(const AudioAnchor&, const AudioAnchor&) = default;
};

struct TrackFacts {
  std::uint32_t track = 0;  // TrackInfo::number
  std::uint32_t frames = 0;
  // Video. All three are whole milliseconds.
  std::uint32_t reorder_depth = 0;  // frames by which decode order may run ahead of display order
  Timestamp first_dts{};            // of the first frame in decode order
  Timestamp end_dts{};              // of the frame that follows the last one, known or estimated
  // Audio.
  std::uint32_t samples_per_frame = 0;  // AAC: 1024
  std::vector<AudioAnchor> anchors{};   // the first has frame_index 0, when there are frames
  friend bool operator==(const TrackFacts&, const TrackFacts&) = default;
};

struct FragmentFacts {
  FragmentNumber number;
  // Producer time of the earliest picture (without pictures: of the earliest sound), whole ms; also the
  // Cluster's Timestamp. Sound that came too late for the fragment before may lie up to 5 s earlier.
  Timestamp start;
  // Up to the start of what follows, known or estimated; whole ms. Where nothing comes for a while it ends
  // with its last frame, whose time on the decoder's clock (end_dts) still lasts to the next one of the run.
  Duration duration{0};
  Timestamp server_start;   // the server's clock when the fragment was opened
  std::uint64_t bytes = 0;  // of the MKV document
  std::uint64_t run = 0;    // counts up over the stream's life
  Timestamp run_start;  // whole ms: first_dts of the run's first fragment (no video: its first start); zero
                        // of both timelines above
  bool independent = true;  // begins with a key frame; otherwise it is decoded after the one before it
  bool damaged = false;     // packets were lost on the way: frames may be missing or broken
  ClockSource clock = ClockSource::kArrival;
  FragmentEnd end = FragmentEnd::kKeyFrame;
  // The tracks that its frames need (equal within a run). 64 bits of a hash (TracksId): names the init
  // segment.
  std::uint64_t tracks_id = 0;
  std::vector<TrackInfo> tracks;
  std::vector<TrackFacts> track_facts;  // same order as tracks

  Timestamp end_time() const { return start + duration; }
  friend bool operator==(const FragmentFacts&, const FragmentFacts&) = default;
};

// A hash over everything a decoder is set up with: equal exactly when one init segment serves both. Stable on
// disk.
std::uint64_t TracksId(const std::vector<TrackInfo>& tracks);

// The facts as they are kept in the record's attribute, with a format version in front. All of FragmentFacts
// is in it.
Bytes EncodeFacts(const FragmentFacts& facts);
// Errors: kCorruption (damaged), kUnsupported (a newer version).
Result<FragmentFacts> DecodeFacts(ByteSpan bytes);

// Where a fragment lies on the producer's clock.
struct FragmentSpan {
  Timestamp start;
  Timestamp end;
  std::uint64_t run = 0;
};
// The same bytes, read only as far as a timeline needs and without an allocation. Errors: as DecodeFacts.
Result<FragmentSpan> DecodeFactsSpan(ByteSpan bytes);

struct Fragment {
  FragmentFacts facts;
  SharedBytes mkv;  // EBML header, Segment (unknown size), Info, Tracks, one Cluster
};

}  // namespace millrace
