// The playlists of a playback session over HLS (RFC 8216): of fragmented MP4 one for each track, of MPEG-TS
// one for all. What they name is relative to them, and authorized by the session's token.
//
//   getHLSMediaPlaylist.m3u8?SessionToken=…&TrackNumber=1
//   getMP4InitFragment.mp4?SessionToken=…&TrackNumber=1&SequenceNumber=…      the tracks' id
//   getMP4MediaFragment.mp4?FragmentNumber=…&SessionToken=…&TrackNumber=1
//   getTSFragment.ts?FragmentNumber=…&SessionToken=…
// A fragment that is several segments has &Piece=0&Pieces=2, and so on. Tracks are counted from 1, in the
// order of those that can be played. A fragment without frames of a track is an EXT-X-GAP entry of its
// playlist.
//
// Threads: pure functions; any.
#pragma once

#include <cstdint>
#include <string>

#include "consumers/hls/playlist.h"
#include "consumers/playback/timeline.h"

namespace millrace {

// `with_sound`: the second track is a rendition of the first one's variant.
std::string RenderSessionMaster(const VariantFacts& variant, const std::string& token, bool by_track,
                                bool with_sound);

// `track`: from 1; 0: all. REQUIRES: something is listed.
std::string RenderSessionPlaylist(const PlaybackSession& session, const Timeline& timeline,
                                  const std::string& token, std::uint32_t track);

}  // namespace millrace
