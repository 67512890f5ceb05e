// Makes segments of stored fragments, each once however many ask for it at a time, and keeps them within a
// bound: for the playlists of /hls/{stream}, for playback sessions over HLS and DASH alike.
//
// Errors:  as fragments/fragment_store.h, MakeMediaSegment and MakeTsSegment.
// Threads: any; calls wait for the disk, and for others who make the same thing.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/metrics.h"
#include "base/result.h"
#include "consumers/hls/fmp4.h"
#include "consumers/hls/single_flight_cache.h"
#include "consumers/hls/tracks_index.h"
#include "fragments/fragment_store.h"

namespace millrace {

// What the keys of the caches begin with, of one stream.
inline std::string CacheKeyOf(const VideoStream& stream) {
  return stream.name + "\n" + std::to_string(stream.created.ns) + "\n";
}

enum class SegmentContainer : std::uint8_t { kFragmentedMp4 = 1, kMpegTs = 2 };

class SegmentSource {
 public:
  // `store` outlives this.
  SegmentSource(FragmentStore& store, std::size_t cache_bytes);

  Result<std::shared_ptr<const MediaSegment>> Get(
      const VideoStream& stream, const FragmentNumber& number, const SegmentSelection& selection = {},
      SegmentContainer container = SegmentContainer::kFragmentedMp4);
  // The tracks behind the ids of init segments.
  TracksIndex& tracks() { return tracks_; }

 private:
  Result<SingleFlightCache<MediaSegment>::Made> Make(const VideoStream& stream, const FragmentNumber& number,
                                                     const SegmentSelection& selection,
                                                     SegmentContainer container);

  FragmentStore& store_;
  TracksIndex tracks_;
  SingleFlightCache<MediaSegment> segments_;
  prometheus::Histogram& remux_seconds_;
  prometheus::Counter& remuxed_bytes_;
  // Footage that was deleted is served no more. Last: it uses the cache.
  const std::shared_ptr<void> deletions_ =
      store_.OnDeletion([this](const VideoStream& stream) { segments_.Forget(CacheKeyOf(stream)); });
};

}  // namespace millrace
