// A playback session: what GetHLSStreamingSessionURL and GetDASHStreamingSessionURL agree with a client on.
// Sessions are not kept by the server: all of one is in its token (api/video_streams/playback_token.h), and
// what a player gets follows from that, from the stored fragments' facts and from the time.
//
// Threads: plain values; pure functions, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "consumers/hls/segment_source.h"
#include "fragments/fragment_number.h"

namespace millrace {

enum class PlaybackProtocol : std::uint8_t { kHls = 1, kDash = 2 };

enum class PlaybackMode : std::uint8_t {
  kLive = 1,        // the newest fragments
  kLiveReplay = 2,  // from a start on, each added when its duration has elapsed
  kOnDemand = 3,    // a list that does not change
};

// Where a player's timeline begins anew.
enum class DiscontinuityMode : std::uint8_t {
  kAlways = 1,           // with every fragment
  kNever = 2,            // nowhere
  kOnDiscontinuity = 3,  // at gaps and overlaps of more than 50 ms, and where tracks change
};

struct PlaybackSession {
  PlaybackProtocol protocol = PlaybackProtocol::kHls;
  PlaybackMode mode = PlaybackMode::kLive;
  SegmentContainer container = SegmentContainer::kFragmentedMp4;
  DiscontinuityMode discontinuities = DiscontinuityMode::kOnDiscontinuity;
  bool by_server_time = true;  // what the range, and the times that are shown, count by; else producer time
  bool show_timestamps = false;
  bool show_numbers = false;
  std::uint32_t fragments_max = 5;  // in a playlist or manifest
  // Of fragments' starts, both inclusive. kLive has none, kOnDemand has both.
  std::optional<Timestamp> start, end;
  std::string stream;
  Timestamp stream_created;
  Timestamp created, expires;
  // Chosen when the session begins (PlaybackTimelines::Begin).
  FragmentNumber first;        // none before it is played
  std::uint32_t target_s = 2;  // HLS, kLive and kLiveReplay: EXT-X-TARGETDURATION
  friend bool operator==(const PlaybackSession&, const PlaybackSession&) = default;
};

// Less than 512 bytes.
Bytes EncodeSession(const PlaybackSession& session);
// Errors: kInvalidArgument: another version's, or none.
Result<PlaybackSession> DecodeSession(ByteSpan bytes);

}  // namespace millrace
