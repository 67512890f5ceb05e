#include "consumers/hls/tracks_index.h"

#include "consumers/hls/playlist.h"

namespace millrace {

std::shared_ptr<TracksIndex::Known> TracksIndex::KnownOf(const VideoStream& stream) {
  std::lock_guard lock(mutex_);
  if (streams_.size() >= kStreamsMax && !streams_.contains({stream.name, stream.created.ns}))
    streams_.clear();
  std::shared_ptr<Known>& known = streams_[{stream.name, stream.created.ns}];
  if (!known) known = std::make_shared<Known>();
  return known;
}

void TracksIndex::Note(const VideoStream& stream, const FragmentFacts& facts) {
  std::shared_ptr<Known> known = KnownOf(stream);
  std::lock_guard lock(mutex_);
  if (known->sets.size() < kSetsMax) known->sets.try_emplace(facts.tracks_id, facts.tracks);
}

bool TracksIndex::Lookup(const Known& known, std::uint64_t tracks_id, std::vector<TrackInfo>& tracks) {
  std::lock_guard lock(mutex_);
  auto found = known.sets.find(tracks_id);
  if (found == known.sets.end()) return false;
  tracks = found->second;
  return true;
}

Result<std::vector<TrackInfo>> TracksIndex::Find(const VideoStream& stream, std::uint64_t tracks_id) {
  std::shared_ptr<Known> known = KnownOf(stream);
  std::vector<TrackInfo> tracks;
  if (Lookup(*known, tracks_id, tracks)) return tracks;

  std::lock_guard scan(known->scanning);
  while (!Lookup(*known, tracks_id, tracks)) {
    FragmentQuery query;
    query.order = FragmentOrder::kNumber;
    {
      std::lock_guard lock(mutex_);
      query.from_number = FragmentNumber{.counter = known->scanned_to + 1, .server_ms = 0, .random = 0};
    }
    MILLRACE_ASSIGN_OR_RETURN(std::vector<FragmentFacts> page, store_.List(stream.name, query));
    if (page.empty()) {
      return Error{ErrorCode::kNotFound, "stream '" + stream.name + "' has no init segment '" +
                                             InitName(tracks_id) +
                                             "'; its media playlists name those it has"};
    }
    std::lock_guard lock(mutex_);
    for (const FragmentFacts& facts : page) {
      if (known->sets.size() < kSetsMax) known->sets.try_emplace(facts.tracks_id, facts.tracks);
    }
    known->scanned_to = page.back().number.counter;
  }
  return tracks;
}

}  // namespace millrace
