// The fragments of a playback session, one after the other: which are listed now, and with which numbers.
//
// A timeline is a fold over fragments' facts in the order in which they were ingested, from the session's
// first on; so its numbers follow from the session and the facts, are equal for all who play it, and come out
// the same after a restart. What comes before a fragment is counted where it is still stored; fragments that
// expired while nobody kept the fold are counted by their numbers.
//
//   membership   kLive: what comes from the first on. With a range: fragments that START in it, both ends
//                inclusive, by server or producer time. By producer time, of fragments with one start the one
//                with the largest number counts (of one that is listed already and a later one: the listed
//                one); and after five minutes in which nothing was ingested, a fragment that goes back in
//                time begins another upload of the same period, which is left out with all that follows it.
//                Fragments of codecs that cannot be played, and those that no decoder can begin with after a
//                missing one, are passed over.
//   when         kLive: as they are stored; one that comes late, with a number below the newest listed, is
//   not
//                added. kLiveReplay: the first `fragments_max` at once, each further one when its duration
//                has elapsed since. kOnDemand: the first `fragments_max`, for good.
//   window       kLive, kLiveReplay: the last `fragments_max`, and as many before them as lead back to a key
//                frame.
//   segments     one a fragment; HLS's growing playlists have a target duration that never changes: a
//   fragment
//                that is longer is several pieces of equal length (docs/decisions/0014-target-durations.md).
//
// Threads: none inside; a plain value.
#pragma once

#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "consumers/playback/playback_session.h"
#include "fragments/fragment.h"

namespace millrace {

// What a timeline needs of a fragment's facts.
struct PlaybackFragment {
  FragmentNumber number;
  Timestamp start;  // producer time
  Timestamp server_start;
  Duration duration{0};
  std::uint64_t run = 0;
  std::uint64_t tracks_id = 0;
  std::uint64_t bytes = 0;
  bool independent = true;
  bool playable = true;
  // Bit n: the n-th track that can be played (from 0) has frames here. Tracks beyond 32 are not told.
  std::uint32_t present = 0;

  Timestamp end() const { return start + duration; }
};

struct TimelineFragment : PlaybackFragment {
  std::uint64_t sequence = 0;         // the session's segments before it
  std::uint32_t pieces = 1;           // segments that it is
  bool discontinuity = false;         // between it and the one before
  std::uint64_t discontinuities = 0;  // of the session, its own included
  Duration offset{0};                 // from the session's beginning, gaps left out
  // A period: fragments without a discontinuity between them. Of its first one:
  FragmentNumber period;
  Timestamp period_start, period_server_start;
  Duration period_offset{0};
};

class Timeline {
 public:
  explicit Timeline(const PlaybackSession& session);

  // Takes the next fragment of the session, in the order of numbers. False: it is not one of the session's,
  // or what is known of it is enough. REQUIRES: !full().
  bool Add(const PlaybackFragment& fragment);
  // Lists what is due.
  void Advance(Timestamp now);
  // No more will be added.
  void Close() { closed_ = true; }

  // kOnDemand: as many as it may have.
  bool full() const;
  // Fragments that wait for their time.
  std::size_t waiting() const { return waiting_.size(); }
  // Everything is listed and nothing will come.
  bool over() const { return closed_ && waiting_.empty(); }
  const std::deque<TimelineFragment>& listed() const { return listed_; }
  // Of the fragments that were listed at once: kLiveReplay's head start.
  Duration lead() const { return lead_; }
  // EXT-X-TARGETDURATION.
  std::uint32_t target_s() const { return target_s_; }

 private:
  void List(const PlaybackFragment& fragment);
  bool Decodable(const PlaybackFragment& fragment) const;
  Duration OffsetOf(const PlaybackFragment& fragment) const;
  bool BeginsAnew(const TimelineFragment& before, const PlaybackFragment& after) const;

  // set in the constructor, never changed
  const PlaybackMode mode_;
  const bool by_server_time_;
  const DiscontinuityMode mode_of_discontinuities_;
  const std::uint32_t fragments_max_;
  const bool splits_;
  const bool placed_by_server_;
  const FragmentNumber first_;
  const Timestamp begun_;

  std::uint32_t target_s_;
  bool closed_ = false;
  std::optional<PlaybackFragment> last_;      // taken
  std::optional<FragmentNumber> upload_end_;  // the first number of another upload
  Timestamp newest_start_{INT64_MIN};
  std::deque<PlaybackFragment> waiting_;
  std::deque<TimelineFragment> listed_;
  std::uint64_t count_ = 0;  // listed so far, those that left the window included
  Duration lead_{0};
};

}  // namespace millrace
