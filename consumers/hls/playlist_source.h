// Makes the media playlists of stored streams, and keeps them while they hold.
//
// Threads: any; calls may wait for the disk. Errors: as hls_service.h.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "consumers/fragment_range.h"
#include "consumers/hls/hls_service.h"
#include "consumers/hls/playlist.h"
#include "consumers/hls/segment_source.h"
#include "consumers/hls/single_flight_cache.h"
#include "consumers/hls/tracks_index.h"
#include "fragments/fragment_store.h"

namespace millrace {

class PlaylistSource {
 public:
  struct Playlist {
    SharedBytes text;
    std::string etag;
  };

  // `store` and `tracks` outlive this.
  PlaylistSource(FragmentStore& store, TracksIndex& tracks, const HlsOptions& options);

  Result<std::shared_ptr<const Playlist>> Live(const std::string& stream_name);
  // REQUIRES: an end after the start, or none.
  Result<std::shared_ptr<const Playlist>> Recorded(const std::string& stream_name, const TimeRange& range);

  // Facts to measure the multivariant playlist by, in order, one or more: the newest ones; those that the
  // range begins with.
  Result<std::vector<FragmentFacts>> SampleLive(const std::string& stream_name);
  Result<std::vector<FragmentFacts>> SampleRecorded(const std::string& stream_name, const TimeRange& range);

 private:
  // A range's playlist, as far as it goes.
  struct RangeState {
    explicit RangeState(MediaPlaylist::Options options) : playlist(options) {}
    MediaPlaylist playlist;
    bool over = false;
    FragmentNumber seen;  // everything up to here has been looked at
    Playlist rendered;
  };
  using RangeMade = SingleFlightCache<RangeState>::Made;
  class Playability;

  Result<FragmentFacts> Newest(const VideoStream& stream);
  Result<SingleFlightCache<Playlist>::Made> BuildLive(const VideoStream& stream);
  Result<RangeMade> BuildRange(const VideoStream& stream, const TimeRange& range, const RangeState* before,
                               const FragmentNumber& newest, bool over);
  Result<std::vector<PlaylistFragment>> ListRange(const VideoStream& stream, const TimeRange& range,
                                                  Playability& playability);
  Result<std::vector<PlaylistFragment>> ListAfter(const VideoStream& stream, const TimeRange& range,
                                                  const FragmentNumber& seen, Playability& playability);

  // set in the constructor, never changed
  FragmentStore& store_;
  TracksIndex& tracks_;
  const HlsOptions options_;

  SingleFlightCache<Playlist> live_;
  SingleFlightCache<RangeState> ranges_;
  // What was deleted is listed no more. Last: it uses the caches.
  const std::shared_ptr<void> deletions_ = store_.OnDeletion([this](const VideoStream& stream) {
    live_.Forget(CacheKeyOf(stream));
    ranges_.Forget(CacheKeyOf(stream));
  });
};

}  // namespace millrace
