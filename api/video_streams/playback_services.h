// Playback sessions: the operations that begin one, and the addresses that play it.
//
//   POST /getHLSStreamingSessionURL, /getDASHStreamingSessionURL
//   GET  /hls/v1/getHLSMasterPlaylist.m3u8, getHLSMediaPlaylist.m3u8, getMP4InitFragment.mp4,
//        getMP4MediaFragment.mp4, getTSFragment.ts, getTSFragment;
//        /dash/v1/getDASHManifest.mpd, getMP4InitFragment.mp4, getMP4MediaFragment.mp4
// A GET is authorized by the SessionToken in its query and by nothing else: it takes no signature, from a
// page of any origin.
//
// Threads: AddPlaybackRoutes before the server starts. What it is given outlives the server.
#pragma once

#include "api/video_streams/services.h"

namespace millrace {
class PlaybackService;
}

namespace millrace::api {

struct PlaybackServices {
  VideoStreamServices video;
  PlaybackService& playback;
};
void AddPlaybackRoutes(Router& router, PlaybackServices services);

// -- of the files that make them
void AddPlaybackSessionRoutes(Router& router, PlaybackServices services);   // playback_sessions.cc
void AddPlaybackResourceRoutes(Router& router, PlaybackServices services);  // playback_resources.cc

}  // namespace millrace::api
