// Fragments as GetMedia and GetMediaForFragmentList send them: each a Matroska document of its own with the
// service's tags, in the service's layout. A body is one chunk after the other.
//
//   EBML header, Segment of unknown size, what the producer put before the Cluster, the tags that say which
//   fragment it is, the Cluster and what followed it, and (GetMedia) the tags that say where it stands.
//
// What was stored is not copied: a chunk is pieces, which share the fragment's bytes. With a filter the
// Cluster is written anew, of the frames that pass; lacing and blocks' durations are not kept then.
//
// Errors:  kCorruption: the stored bytes are no such document. kNotFound: the fragment has no track that
//          passes the filter. kUnsupported: a filter over blocks too far from their Cluster.
// Threads: pure functions, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "fragments/fragment.h"
#include "media/codec.h"

namespace millrace::api {

// Which frames are wanted.
struct MediaFilter {
  std::vector<std::uint32_t> tracks;  // by number; empty: all
  std::optional<TrackKind> kind;      // none: all
  bool key_frames_only = false;       // of sound every frame is one

  bool any() const { return !tracks.empty() || kind || key_frames_only; }
};

// What GetMedia says behind each chunk.
struct MediaPlace {
  Duration behind_now{0};
  std::string continuation_token;
};

using MediaPieces = std::vector<SharedBytes>;

Result<MediaPieces> MakeChunk(const Fragment& fragment, const MediaFilter& filter,
                              const std::optional<MediaPlace>& place);

// The codes that stand in a body when something went wrong after its beginning.
inline constexpr int kMediaFragmentNotFound = 4000;
inline constexpr int kMediaInternalError = 5000;

// A chunk without media that says why there is none. `number`: as it was asked for.
MediaPieces MakeErrorChunk(const std::string& number, int code, const std::string& text);

// An element that means nothing, between two chunks: keeps an answer alive that has nothing to say.
SharedBytes MediaKeepAlive();

}  // namespace millrace::api
