// Begins playback sessions, and keeps the timelines of those that are played up to date: from the index
// alone, each once however many viewers ask.
//
// By server time, and live, fragments are taken in the order of their numbers. By producer time those of a
// range are found by their starts, kPageFragments at a time, and taken in the order of their numbers within
// such a page.
//
// Errors:  as fragments/fragment_store.h. kNotFound: the stream, or nothing to play in it.
// Threads: any; calls wait for the disk.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "consumers/hls/single_flight_cache.h"
#include "consumers/hls/tracks_index.h"
#include "consumers/playback/timeline.h"
#include "fragments/fragment_store.h"

namespace millrace {

struct PlaybackOptions {
  const Clock* clock = &SystemClock();
  std::size_t timeline_cache_bytes = 64 * 1024 * 1024;
  // After a range's end by producer time: how long footage of it may still be on its way into the log.
  Duration settle_time = std::chrono::seconds(30);
};

class PlaybackTimelines {
 public:
  static constexpr std::size_t kPageFragments = 1000;

  // `store` and `tracks` outlive this.
  PlaybackTimelines(FragmentStore& store, TracksIndex& tracks, PlaybackOptions options);

  // Facts of some fragments that the session begins with (kLive: of the newest), oldest first, one or more.
  // Errors: kNotFound: there are none.
  Result<std::vector<FragmentFacts>> Sample(const VideoStream& stream, const PlaybackSession& session);
  // Chooses what a new session has to be told: its first fragment, its target duration. Errors: as Sample.
  Result<void> Begin(const VideoStream& stream, PlaybackSession& session);

  // The session's timeline as of now. REQUIRES: Begin chose its first fragment.
  Result<std::shared_ptr<const Timeline>> Get(const VideoStream& stream, const PlaybackSession& session);

  // Whether a fragment is one that the session may show.
  static bool MayShow(const PlaybackSession& session, const FragmentFacts& facts);

 private:
  // A timeline and how far fragments were looked at for it.
  struct State {
    explicit State(const PlaybackSession& session) : timeline(session), seen(session.first) {}
    Timeline timeline;
    bool any_seen = false;
    FragmentNumber seen;                     // by number: up to here
    Timestamp seen_start;                    // by producer time: up to here
    std::vector<FragmentNumber> seen_there;  // those that start at seen_start
    bool exhausted = false;                  // nothing will come any more
  };
  class Facts;

  Result<SingleFlightCache<State>::Made> Extend(const VideoStream& stream, const PlaybackSession& session,
                                                const State* before, Timestamp now);
  Result<bool> Load(const VideoStream& stream, const PlaybackSession& session, State& state, Timestamp now);
  Result<bool> LoadByNumber(const VideoStream& stream, const PlaybackSession& session, State& state,
                            Timestamp now);
  Result<bool> LoadByProducerTime(const VideoStream& stream, const PlaybackSession& session, State& state,
                                  Timestamp now);
  Result<std::vector<FragmentFacts>> Newest(const VideoStream& stream, std::size_t count);
  Result<std::vector<FragmentFacts>> FirstOfRange(const VideoStream& stream, const PlaybackSession& session);

  // set in the constructor, never changed
  FragmentStore& store_;
  TracksIndex& tracks_;
  const PlaybackOptions options_;

  SingleFlightCache<State> states_;
  // What was deleted is shown no more. Last: it uses the cache.
  const std::shared_ptr<void> deletions_ =
      store_.OnDeletion([this](const VideoStream&) { states_.Forget(""); });
};

}  // namespace millrace
