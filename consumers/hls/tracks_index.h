// Finds the tracks behind an init segment's id, also for an id that this process has not handed out (a player
// that goes on after a restart).
//
// Memory:  the distinct sets of tracks of the streams that are played; at most kSetsMax a stream.
// Threads: any. Find may wait for the disk: an unknown id makes it go once through the facts of the
//          stream that it has not seen, never twice through the same ones.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "fragments/fragment_store.h"
#include "media/codec.h"

namespace millrace {

class TracksIndex {
 public:
  static constexpr std::size_t kSetsMax = 4096;
  static constexpr std::size_t kStreamsMax = 4096;  // when there are more, all are forgotten and found again

  // `store` outlives this.
  explicit TracksIndex(FragmentStore& store) : store_(store) {}

  // Notes the tracks of a fragment that goes into a playlist.
  void Note(const VideoStream& stream, const FragmentFacts& facts);
  // Errors: kNotFound, when no stored fragment has these tracks.
  Result<std::vector<TrackInfo>> Find(const VideoStream& stream, std::uint64_t tracks_id);

 private:
  struct Known {
    std::mutex scanning;  // one scan of a stream at a time
    // GUARDED_BY(TracksIndex::mutex_)
    std::map<std::uint64_t, std::vector<TrackInfo>> sets;
    std::uint64_t scanned_to = 0;  // counters up to this one have been seen by a scan
  };
  std::shared_ptr<Known> KnownOf(const VideoStream& stream);
  bool Lookup(const Known& known, std::uint64_t tracks_id, std::vector<TrackInfo>& tracks);

  FragmentStore& store_;
  std::mutex mutex_;
  std::map<std::pair<std::string, std::int64_t>, std::shared_ptr<Known>> streams_;  // GUARDED_BY(mutex_)
};

}  // namespace millrace
