#include "consumers/hls/hls_service.h"

#include <utility>

#include "consumers/hls/codec_string.h"
#include "consumers/hls/fmp4.h"
#include "consumers/hls/playlist.h"
#include "consumers/hls/playlist_source.h"
#include "consumers/hls/segment_source.h"

namespace millrace {
namespace {

constexpr std::string_view kPlaylistType = "application/vnd.apple.mpegurl";
constexpr std::string_view kVideoType = "video/mp4";
constexpr std::string_view kAskAgain = "no-cache";  // keep it, but ask with the ETag each time
constexpr std::string_view kForEver = "private, max-age=31536000, immutable";
constexpr std::string_view kMultivariantName = "index.m3u8";
constexpr std::string_view kMediaName = "media.m3u8";

Result<void> CheckRange(const HlsRange& range) {
  if (range.end && !range.start) {
    return Error{ErrorCode::kInvalidArgument,
                 "an end needs a start: give ?start=…&end=…, or neither for live"};
  }
  if (range.end && *range.end <= *range.start) {
    return Error{ErrorCode::kInvalidArgument, "the range is empty: its end " + FormatRfc3339(*range.end) +
                                                  " is not after its start " + FormatRfc3339(*range.start)};
  }
  return {};
}

// Times as a player asks with them: whole milliseconds, so that one range has one spelling.
HlsRange WholeMillis(HlsRange range) {
  if (range.start) range.start = Timestamp::FromMillis(range.start->millis());
  if (range.end) range.end = Timestamp::FromMillis((*range.end + Duration{999'999}).millis());
  return range;
}

std::string MediaUri(const HlsRange& range) {
  std::string uri(kMediaName);
  if (range.start) uri += "?start=" + FormatRfc3339(*range.start);
  if (range.end) uri += "&end=" + FormatRfc3339(*range.end);
  return uri;
}

HlsResource PlaylistResource(SharedBytes text, std::string etag) {
  HlsResource resource;
  resource.bytes = text.size();
  resource.parts.push_back(std::move(text));
  resource.content_type = kPlaylistType;
  resource.cache_control = kAskAgain;
  resource.etag = std::move(etag);
  return resource;
}

}  // namespace

class HlsService::Impl {
 public:
  Impl(FragmentStore& store, HlsOptions options)
      : store_(store),
        options_(options),
        segments_(store, options_.segment_cache_bytes),
        playlists_(store, segments_.tracks(), options_) {}

  Result<HlsResource> Multivariant(const std::string& stream_name, const HlsRange& asked) {
    MILLRACE_RETURN_IF_ERROR(Check(stream_name, asked));
    const HlsRange range = WholeMillis(asked);
    MILLRACE_ASSIGN_OR_RETURN(std::vector<FragmentFacts> sample,
                              range.start ? playlists_.SampleRecorded(stream_name, {*range.start, range.end})
                                          : playlists_.SampleLive(stream_name));
    const FragmentFacts& described = range.start ? sample.front() : sample.back();
    auto variant = MeasureVariant(sample, described, options_.target_duration);
    if (!variant) return WithContext(std::move(variant).error(), "stream '" + stream_name + "'");
    std::string text = RenderMultivariant(*variant, MediaUri(range));
    std::string etag = TextEtag(text);
    Bytes body(text.begin(), text.end());
    return PlaylistResource(SharedBytes(std::move(body)), std::move(etag));
  }

  Result<HlsResource> Media(const std::string& stream_name, const HlsRange& asked) {
    MILLRACE_RETURN_IF_ERROR(Check(stream_name, asked));
    const HlsRange range = WholeMillis(asked);
    MILLRACE_ASSIGN_OR_RETURN(auto playlist, range.start
                                                 ? playlists_.Recorded(stream_name, {*range.start, range.end})
                                                 : playlists_.Live(stream_name));
    return PlaylistResource(playlist->text, playlist->etag);
  }

  Result<HlsResource> Init(const std::string& stream_name, std::uint64_t tracks_id) {
    MILLRACE_ASSIGN_OR_RETURN(VideoStream stream, store_.GetStream(stream_name));
    MILLRACE_ASSIGN_OR_RETURN(std::vector<TrackInfo> tracks, segments_.tracks().Find(stream, tracks_id));
    MILLRACE_ASSIGN_OR_RETURN(std::vector<TrackInfo> playable, PlayableTracks(tracks));
    MILLRACE_ASSIGN_OR_RETURN(Bytes init, MakeInitSegment(playable));
    HlsResource resource;
    resource.bytes = init.size();
    resource.parts.emplace_back(std::move(init));
    resource.content_type = kVideoType;
    resource.cache_control = kForEver;
    resource.etag = "\"" + InitName(tracks_id) + "\"";
    return resource;
  }

  SegmentSource& segments() { return segments_; }

  Result<HlsResource> Segment(const std::string& stream_name, const FragmentNumber& number,
                              const SegmentSelection& selection) {
    MILLRACE_ASSIGN_OR_RETURN(VideoStream stream, store_.GetStream(stream_name));
    MILLRACE_ASSIGN_OR_RETURN(auto segment, segments_.Get(stream, number, selection));
    HlsResource resource;
    resource.parts = segment->parts;
    resource.bytes = segment->bytes;
    resource.content_type = kVideoType;
    resource.cache_control = kForEver;
    resource.etag =
        "\"" +
        (selection.pieces == 1 ? number.ToString() : PieceName(number, selection.piece, selection.pieces)) +
        "\"";
    return resource;
  }

 private:
  Result<void> Check(const std::string& stream_name, const HlsRange& range) {
    MILLRACE_RETURN_IF_ERROR(CheckRange(range));
    if (!range.start) return {};
    MILLRACE_ASSIGN_OR_RETURN(const VideoStream stream, store_.GetStream(stream_name));
    return CheckKeepsFootage(stream);
  }

  // set in the constructor, never changed
  FragmentStore& store_;
  const HlsOptions options_;
  SegmentSource segments_;
  PlaylistSource playlists_;
};

HlsService::HlsService(FragmentStore& store, HlsOptions options)
    : impl_(std::make_unique<Impl>(store, options)) {}
HlsService::~HlsService() = default;
SegmentSource& HlsService::segments() { return impl_->segments(); }

Result<HlsResource> HlsService::Multivariant(const std::string& stream, const HlsRange& range) {
  return impl_->Multivariant(stream, range);
}
Result<HlsResource> HlsService::Media(const std::string& stream, const HlsRange& range) {
  return impl_->Media(stream, range);
}
Result<HlsResource> HlsService::Init(const std::string& stream, std::uint64_t tracks_id) {
  return impl_->Init(stream, tracks_id);
}
Result<HlsResource> HlsService::Segment(const std::string& stream, const FragmentNumber& number,
                                        const SegmentSelection& selection) {
  return impl_->Segment(stream, number, selection);
}

Result<HlsResource> HlsService::Get(const std::string& stream, std::string_view name, const HlsRange& range) {
  if (name == kMultivariantName) return Multivariant(stream, range);
  if (name == kMediaName) return Media(stream, range);
  if (auto tracks_id = ParseInitName(name)) return Init(stream, *tracks_id);
  if (auto segment = ParseSegmentName(name)) return Segment(stream, segment->number, segment->selection);
  return Error{ErrorCode::kNotFound,
               "there is nothing of this name here: HLS has index.m3u8, and what that leads to (media.m3u8, "
               "init-{id}.mp4, {fragment number}.m4s)"};
}

}  // namespace millrace
