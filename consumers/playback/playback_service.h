// Playback sessions over stored fragments: what api serves below /hls/v1 and /dash/v1. Knows no HTTP and no
// tokens: who calls has opened the session's token, and gives its text to be named in playlists.
//
// Errors:  kNotFound: the stream (or it was made again since), nothing to play, no such fragment or track.
//          kPermissionDenied: not of this session. kUnsupported, kInvalidArgument: a codec that cannot be
//          played so. Others as fragments/fragment_store.h.
// Threads: any; calls wait for the disk, and for others who make the same thing.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "consumers/dash/manifest.h"
#include "consumers/hls/hls_service.h"
#include "consumers/hls/segment_source.h"
#include "consumers/playback/playback_timelines.h"

namespace millrace {

// One of the segments that a long fragment is cut into.
struct PlaybackPiece {
  std::uint32_t piece = 0, pieces = 1;
};

// Why media cannot be played in a session.
struct PlaybackRefusal {
  enum class Kind { kUnsupportedMedia, kMissingCodecPrivate, kInvalidCodecPrivate };
  Kind kind = Kind::kUnsupportedMedia;
  std::string message;
};

class PlaybackService {
 public:
  // `store` and `segments` outlive this.
  PlaybackService(FragmentStore& store, SegmentSource& segments, PlaybackOptions options = {});

  // Completes a new session: chooses what it begins with. A value: its media cannot be played, and why.
  Result<std::optional<PlaybackRefusal>> Begin(PlaybackSession& session);

  Result<HlsResource> Master(const PlaybackSession& session, const std::string& token);
  // `track`: from 1; 0: all tracks, of MPEG-TS.
  Result<HlsResource> Media(const PlaybackSession& session, const std::string& token, std::uint32_t track);
  Result<HlsResource> Manifest(const PlaybackSession& session, const std::string& token);

  // `tracks_id`: as the playlist names it.
  Result<HlsResource> Init(const PlaybackSession& session, std::uint32_t track, std::uint64_t tracks_id);
  // `track`: 0: all tracks, of MPEG-TS.
  Result<HlsResource> Fragment(const PlaybackSession& session, std::uint32_t track,
                               const FragmentNumber& number, PlaybackPiece piece = {});
  // The fragment that starts at `start` by producer time, of those from the counter `from` on.
  Result<HlsResource> FragmentAt(const PlaybackSession& session, std::uint32_t track, std::uint64_t from,
                                 Timestamp start);

 private:
  Result<VideoStream> StreamOf(const PlaybackSession& session);
  Result<std::map<std::uint64_t, ManifestTracks>> TracksOf(const VideoStream& stream,
                                                           const PlaybackSession& session,
                                                           const Timeline& timeline);

  FragmentStore& store_;
  SegmentSource& segments_;
  const PlaybackOptions options_;
  PlaybackTimelines timelines_;
};

}  // namespace millrace
