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
#include "consumers/hls/hls_service.h"
#include "consumers/hls/playlist.h"
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
  // REQUIRES: range.start, and a later end or none.
  Result<std::shared_ptr<const Playlist>> Recorded(const std::string& stream_name, const HlsRange& range);

  // Facts to measure the multivariant playlist by, in order, one or more: the newest ones, or those that the
  // range begins with.
  Result<std::vector<FragmentFacts>> Sample(const std::string& stream_name, const HlsRange& range);

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
  Result<FragmentFacts> BeginOf(const VideoStream& stream, const HlsRange& range);
  Result<FragmentFacts> IndependentBefore(const VideoStream& stream, const FragmentFacts& fragment);
  Result<SingleFlightCache<Playlist>::Made> BuildLive(const VideoStream& stream);
  Result<RangeMade> BuildRange(const VideoStream& stream, const HlsRange& range, const RangeState* before,
                               const FragmentNumber& newest, bool over);
  Result<std::vector<PlaylistFragment>> ListRange(const VideoStream& stream, const HlsRange& range,
                                                  Playability& playability);
  Result<std::vector<PlaylistFragment>> ListAfter(const VideoStream& stream, const HlsRange& range,
                                                  const FragmentNumber& seen, Playability& playability);
  Error NothingIn(const VideoStream& stream, const HlsRange& range);
  Error TooMany(const VideoStream& stream) const;

  // set in the constructor, never changed
  FragmentStore& store_;
  TracksIndex& tracks_;
  const HlsOptions options_;

  SingleFlightCache<Playlist> live_;
  SingleFlightCache<RangeState> ranges_;
};

}  // namespace millrace
