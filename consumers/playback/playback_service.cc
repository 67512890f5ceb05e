#include "consumers/playback/playback_service.h"

#include <algorithm>
#include <utility>

#include "consumers/hls/codec_string.h"
#include "consumers/hls/session_playlist.h"
#include "consumers/hls/ts_segment.h"

namespace millrace {
namespace {

constexpr std::uint32_t kPiecesMax = 60;
constexpr std::size_t kSameStartMax = 1000;
constexpr std::string_view kPlaylistType = "application/vnd.apple.mpegurl";
constexpr std::string_view kManifestType = "application/dash+xml";
constexpr std::string_view kMp4Type = "video/mp4";
constexpr std::string_view kTsType = "video/mp2t";
constexpr std::string_view kNotKept = "no-cache";
// A token ends; what it named is the same as long as it is good.
constexpr std::string_view kAnHour = "private, max-age=3600";

Error NoFragments(const std::string& stream) {
  return {ErrorCode::kNotFound, "no fragments found in stream '" + stream + "' for this streaming request"};
}

HlsResource TextResource(std::string text, std::string_view type) {
  HlsResource resource;
  resource.etag = TextEtag(text);
  resource.bytes = text.size();
  resource.parts.emplace_back(Bytes(text.begin(), text.end()));
  resource.content_type = type;
  resource.cache_control = kNotKept;
  return resource;
}

// The fragment that says what a session is of.
const FragmentFacts& Described(const PlaybackSession& session, const std::vector<FragmentFacts>& sample) {
  return session.mode == PlaybackMode::kLive ? sample.back() : sample.front();
}

// The track of this place as players get it. `place`: from 1.
Result<TrackInfo> TrackAt(const std::vector<TrackInfo>& tracks, std::uint32_t place) {
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<TrackInfo> playable, PlayableTracks(tracks));
  if (place == 0 || place > playable.size()) {
    return Error{ErrorCode::kNotFound, "there is no track " + std::to_string(place) + " to play: there are " +
                                           std::to_string(playable.size())};
  }
  return playable[place - 1];
}

}  // namespace

PlaybackService::PlaybackService(FragmentStore& store, SegmentSource& segments, PlaybackOptions options)
    : store_(store), segments_(segments), options_(options), timelines_(store, segments.tracks(), options) {}

Result<VideoStream> PlaybackService::StreamOf(const PlaybackSession& session) {
  MILLRACE_ASSIGN_OR_RETURN(VideoStream stream, store_.GetStream(session.stream));
  if (stream.created != session.stream_created) {
    return Error{ErrorCode::kNotFound, "stream '" + session.stream + "' was deleted since the session began"};
  }
  return stream;
}

Result<std::optional<PlaybackRefusal>> PlaybackService::Begin(PlaybackSession& session) {
  using Kind = PlaybackRefusal::Kind;
  MILLRACE_ASSIGN_OR_RETURN(const VideoStream stream, StreamOf(session));
  MILLRACE_RETURN_IF_ERROR(timelines_.Begin(stream, session));
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<FragmentFacts> sample, timelines_.Sample(stream, session));
  const std::vector<TrackInfo>& tracks = Described(session, sample).tracks;
  const auto playable = PlayableTracks(tracks);
  Result<void> fits;
  if (!playable) {
    fits = playable.error();
  } else if (session.container == SegmentContainer::kMpegTs) {
    fits = CheckTsTracks(*playable);
  }
  if (fits) return std::optional<PlaybackRefusal>();
  PlaybackRefusal refusal{Kind::kUnsupportedMedia, std::move(fits).error().message};
  if (!playable && playable.error().code == ErrorCode::kInvalidArgument) {
    const bool missing = std::any_of(tracks.begin(), tracks.end(),
                                     [](const TrackInfo& track) { return track.codec_private.empty(); });
    refusal.kind = missing ? Kind::kMissingCodecPrivate : Kind::kInvalidCodecPrivate;
  }
  return std::optional<PlaybackRefusal>(std::move(refusal));
}

Result<HlsResource> PlaybackService::Master(const PlaybackSession& session, const std::string& token) {
  MILLRACE_ASSIGN_OR_RETURN(const VideoStream stream, StreamOf(session));
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<FragmentFacts> sample, timelines_.Sample(stream, session));
  const FragmentFacts& described = Described(session, sample);
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<TrackInfo> tracks, PlayableTracks(described.tracks));
  MILLRACE_ASSIGN_OR_RETURN(const VariantFacts variant,
                            MeasureVariant(sample, described, std::chrono::seconds(session.target_s)));
  const bool by_track = session.container == SegmentContainer::kFragmentedMp4;
  return TextResource(RenderSessionMaster(variant, token, by_track, tracks.size() > 1), kPlaylistType);
}

Result<HlsResource> PlaybackService::Media(const PlaybackSession& session, const std::string& token,
                                           std::uint32_t track) {
  if ((session.container == SegmentContainer::kMpegTs) != (track == 0)) {
    return Error{ErrorCode::kInvalidArgument, track == 0
                                                  ? "TrackNumber is missing: each track has a playlist"
                                                  : "TrackNumber is for FRAGMENTED_MP4: this session's one "
                                                    "playlist has all tracks"};
  }
  MILLRACE_ASSIGN_OR_RETURN(const VideoStream stream, StreamOf(session));
  MILLRACE_ASSIGN_OR_RETURN(const auto timeline, timelines_.Get(stream, session));
  if (timeline->listed().empty()) return NoFragments(stream.name);
  std::uint32_t present = 0;
  for (const TimelineFragment& fragment : timeline->listed()) present |= fragment.present;
  if (track > 32 || (track != 0 && (present >> (track - 1)) == 0)) {
    return Error{ErrorCode::kNotFound, "there is no track " + std::to_string(track) + " to play"};
  }
  return TextResource(RenderSessionPlaylist(session, *timeline, token, track), kPlaylistType);
}

// Codecs and rates of all sets of tracks in the timeline.
Result<std::map<std::uint64_t, ManifestTracks>> PlaybackService::TracksOf(const VideoStream& stream,
                                                                          const PlaybackSession& session,
                                                                          const Timeline& timeline) {
  std::map<std::uint64_t, ManifestTracks> sets;
  std::map<std::uint64_t, std::pair<double, double>> measured;  // bits, seconds
  for (const TimelineFragment& fragment : timeline.listed()) {
    auto& [bits, seconds] = measured[fragment.tracks_id];
    bits += static_cast<double>(fragment.bytes) * 8;
    seconds += static_cast<double>(fragment.duration.count()) * 1e-9;
  }
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<FragmentFacts> sample, timelines_.Sample(stream, session));
  for (const auto& [tracks_id, rate] : measured) {
    ManifestTracks tracks;
    MILLRACE_ASSIGN_OR_RETURN(const std::vector<TrackInfo> infos, segments_.tracks().Find(stream, tracks_id));
    MILLRACE_ASSIGN_OR_RETURN(tracks.playable, PlayableTracks(infos));
    tracks.bandwidth_bps = static_cast<std::uint64_t>(rate.first / rate.second);
    for (const FragmentFacts& facts : sample) {
      if (facts.tracks_id != tracks_id) continue;
      MILLRACE_ASSIGN_OR_RETURN(const VariantFacts variant,
                                MeasureVariant(sample, facts, std::chrono::seconds(session.target_s)));
      tracks.frame_rate = variant.frame_rate;
      break;
    }
    sets.emplace(tracks_id, std::move(tracks));
  }
  return sets;
}

Result<HlsResource> PlaybackService::Manifest(const PlaybackSession& session, const std::string& token) {
  MILLRACE_ASSIGN_OR_RETURN(const VideoStream stream, StreamOf(session));
  MILLRACE_ASSIGN_OR_RETURN(const auto timeline, timelines_.Get(stream, session));
  if (timeline->listed().empty()) return NoFragments(stream.name);
  MILLRACE_ASSIGN_OR_RETURN(const auto tracks, TracksOf(stream, session, *timeline));
  MILLRACE_ASSIGN_OR_RETURN(std::string text,
                            RenderManifest(session, *timeline, tracks, token, options_.clock->Now()));
  return TextResource(std::move(text), kManifestType);
}

Result<HlsResource> PlaybackService::Init(const PlaybackSession& session, std::uint32_t track,
                                          std::uint64_t tracks_id) {
  if (session.container != SegmentContainer::kFragmentedMp4) {
    return Error{ErrorCode::kPermissionDenied, "this session is of MPEG_TS, which has no init fragments"};
  }
  MILLRACE_ASSIGN_OR_RETURN(const VideoStream stream, StreamOf(session));
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<TrackInfo> tracks, segments_.tracks().Find(stream, tracks_id));
  MILLRACE_ASSIGN_OR_RETURN(const TrackInfo info, TrackAt(tracks, track));
  MILLRACE_ASSIGN_OR_RETURN(Bytes init, MakeInitSegment({info}));
  HlsResource resource;
  resource.bytes = init.size();
  resource.parts.emplace_back(std::move(init));
  resource.content_type = kMp4Type;
  resource.cache_control = kAnHour;
  resource.etag = "\"init-" + std::to_string(tracks_id) + "-" + std::to_string(track) + "\"";
  return resource;
}

Result<HlsResource> PlaybackService::Fragment(const PlaybackSession& session, std::uint32_t track,
                                              const FragmentNumber& number, PlaybackPiece piece) {
  const bool ts = session.container == SegmentContainer::kMpegTs;
  if (ts != (track == 0)) {
    return Error{ErrorCode::kPermissionDenied,
                 std::string("this session's fragments are of ") + (ts ? "MPEG_TS" : "FRAGMENTED_MP4")};
  }
  if (piece.pieces == 0 || piece.pieces > kPiecesMax || piece.piece >= piece.pieces) {
    return Error{ErrorCode::kInvalidArgument, "there is no such piece of a fragment"};
  }
  MILLRACE_ASSIGN_OR_RETURN(const VideoStream stream, StreamOf(session));
  MILLRACE_ASSIGN_OR_RETURN(const FragmentFacts facts, store_.Get(stream.name, number));
  if (!PlaybackTimelines::MayShow(session, facts)) {
    return Error{ErrorCode::kPermissionDenied, "fragment " + number.ToString() + " is not of this session"};
  }
  SegmentSelection selection{.track = std::nullopt, .piece = piece.piece, .pieces = piece.pieces};
  if (!ts) {
    MILLRACE_ASSIGN_OR_RETURN(const TrackInfo info, TrackAt(facts.tracks, track));
    selection.track = info.number;
  }
  MILLRACE_ASSIGN_OR_RETURN(const auto segment, segments_.Get(stream, number, selection, session.container));
  HlsResource resource;
  resource.parts = segment->parts;
  resource.bytes = segment->bytes;
  resource.content_type = ts ? kTsType : kMp4Type;
  resource.cache_control = kAnHour;
  resource.etag = "\"" + number.ToString() + "-" + std::to_string(track) + "-" + std::to_string(piece.piece) +
                  "-" + std::to_string(piece.pieces) + "\"";
  return resource;
}

Result<HlsResource> PlaybackService::FragmentAt(const PlaybackSession& session, std::uint32_t track,
                                                std::uint64_t from, Timestamp start) {
  MILLRACE_ASSIGN_OR_RETURN(const VideoStream stream, StreamOf(session));
  FragmentQuery query;
  query.from = query.to = start;
  query.limit = kSameStartMax;
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<FragmentFacts> found, store_.List(stream.name, query));
  // Of several the one that the timeline lists: by producer time the newest, else the first of its period.
  const FragmentFacts* chosen = nullptr;
  for (const FragmentFacts& facts : found) {
    if (facts.number.counter < from || !PlaybackTimelines::MayShow(session, facts)) continue;
    if (chosen == nullptr || (facts.number < chosen->number) == session.by_server_time) chosen = &facts;
  }
  if (chosen == nullptr) {
    return Error{ErrorCode::kNotFound, "no fragment of this session starts at " + FormatRfc3339(start)};
  }
  return Fragment(session, track, chosen->number);
}

}  // namespace millrace
