// HLS over stored fragments: what api serves below /hls/{stream}/. Knows no HTTP; everything is a value.
//
//   index.m3u8                  the multivariant playlist
//   media.m3u8                  the media playlist that it names: live, or of a range of recorded time
//   init-{id}.mp4               an init segment; the id names the tracks
//   {fragment number}.m4s       a media segment: one fragment
//   {fragment number}-1of2.m4s  a piece of a long one, in recorded time
//
// Recorded time begins with the independent fragment at or before the range's start (EXT-X-START says where
// within it the range begins) and holds every fragment that starts before its end, in the order of their
// numbers. It grows until the range is over: until the newest fragment reaches its end, or the wall clock is
// past it by `settle_time`.
//
// Playlists come from the index alone, and are kept: a live one until there is a newer fragment, a range's so
// that only what is new is added. Segments are made on demand, once however many ask at a time, and kept
// within a bound.
//
// Errors:  kNotFound: no such stream, fragment, resource; no footage in the range, with what there is.
//          kUnsupported: a codec that HLS cannot play. kInvalidArgument: a bad range, one of too many
//          fragments. Others as fragments/fragment_store.h.
// Threads: any; calls wait for the disk, and for others who make the same thing: run them on a pool that may
// block.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "consumers/hls/track_runs.h"
#include "fragments/fragment_store.h"

namespace millrace {

class SegmentSource;

struct HlsOptions {
  // EXT-X-TARGETDURATION: not less than the recorder's longest fragment. A constant: players rely on it.
  std::chrono::seconds target_duration{10};
  // A live playlist has at least this many segments and this much time, as long as there is that much.
  std::size_t live_segments_min = 6;
  Duration live_duration_min = std::chrono::seconds(20);
  // After a range's end: how long footage of it may still be on its way into the log.
  Duration settle_time = std::chrono::seconds(30);
  std::size_t range_fragments_max = 100'000;  // a day at one a second, and some
  std::size_t segment_cache_bytes = 128 * 1024 * 1024;
  std::size_t playlist_cache_bytes = 64 * 1024 * 1024;
  const Clock* clock = &SystemClock();
};

// No start: live. No end: up to now, and on from there.
struct HlsRange {
  std::optional<Timestamp> start;
  std::optional<Timestamp> end;  // exclusive; only with a start
};

struct HlsResource {
  std::vector<SharedBytes> parts;  // the body, one after the other
  std::uint64_t bytes = 0;         // of the body
  std::string_view content_type;   // static storage
  std::string_view cache_control;  // static storage
  std::string etag;                // strong, with its quotes
};

class HlsService {
 public:
  // `store` outlives the service.
  HlsService(FragmentStore& store, HlsOptions options);
  ~HlsService();
  HlsService(const HlsService&) = delete;
  HlsService& operator=(const HlsService&) = delete;

  // Where its segments come from: for others who serve the same ones.
  SegmentSource& segments();

  // The resource `name` (one of the four forms above) of a stream; `range` counts for playlists alone.
  Result<HlsResource> Get(const std::string& stream, std::string_view name, const HlsRange& range);

  // The same, one by one.
  Result<HlsResource> Multivariant(const std::string& stream, const HlsRange& range);
  Result<HlsResource> Media(const std::string& stream, const HlsRange& range);
  Result<HlsResource> Init(const std::string& stream, std::uint64_t tracks_id);
  Result<HlsResource> Segment(const std::string& stream, const FragmentNumber& number,
                              const SegmentSelection& selection = {});

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace
