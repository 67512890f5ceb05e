#include "consumers/hls/playlist_source.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "consumers/hls/codec_string.h"

namespace millrace {
namespace {

constexpr std::size_t kLiveFragmentsMax = 64;
constexpr std::size_t kSampleFragments = 60;
constexpr std::size_t kPageFragments = 1000;

std::string CacheKey(const VideoStream& stream, const std::string& what) {
  return stream.name + "\n" + std::to_string(stream.created.ns) + "\n" + what;
}

Error NoFootageYet(const std::string& stream) {
  return {ErrorCode::kNotFound, "stream '" + stream + "' has no footage yet"};
}

SharedBytes ToShared(std::string text) {
  auto owner = std::make_shared<const std::string>(std::move(text));
  ByteSpan view = AsBytes(*owner);
  return {std::move(owner), view};
}

}  // namespace

// Which tracks can be played, asked once a set; notes the sets for their init segments.
class PlaylistSource::Playability {
 public:
  Playability(TracksIndex& index, const VideoStream& stream) : index_(index), stream_(stream) {}

  PlaylistFragment Of(const FragmentFacts& facts) {
    auto known = sets_.find(facts.tracks_id);
    if (known == sets_.end()) {
      auto tracks = PlayableTracks(facts.tracks);
      if (tracks) {
        index_.Note(stream_, facts);
      } else if (!refusal_) {
        refusal_ = std::move(tracks).error();
      }
      known = sets_.emplace(facts.tracks_id, tracks.has_value()).first;
    }
    return {facts.number,    facts.start,       facts.duration, facts.run,
            facts.tracks_id, facts.independent, known->second};
  }
  // Why the first set that cannot be played cannot.
  const std::optional<Error>& refusal() const { return refusal_; }

 private:
  TracksIndex& index_;
  const VideoStream& stream_;
  std::unordered_map<std::uint64_t, bool> sets_;
  std::optional<Error> refusal_;
};

PlaylistSource::PlaylistSource(FragmentStore& store, TracksIndex& tracks, const HlsOptions& options)
    : store_(store),
      tracks_(tracks),
      options_(options),
      live_("live_playlists", options.playlist_cache_bytes / 8),
      ranges_("range_playlists", options.playlist_cache_bytes) {}

Result<FragmentFacts> PlaylistSource::Newest(const VideoStream& stream) {
  FragmentQuery query;
  query.order = FragmentOrder::kNumber;
  query.descending = true;
  query.limit = 1;
  MILLRACE_ASSIGN_OR_RETURN(std::vector<FragmentFacts> newest, store_.List(stream.name, query));
  if (newest.empty()) {
    return NoFootageYet(stream.name);
  }
  return std::move(newest.front());
}

// ---- live

Result<std::shared_ptr<const PlaylistSource::Playlist>> PlaylistSource::Live(const std::string& stream_name) {
  MILLRACE_ASSIGN_OR_RETURN(VideoStream stream, store_.GetStream(stream_name));
  MILLRACE_ASSIGN_OR_RETURN(FragmentFacts newest, Newest(stream));
  return live_.Get(CacheKey(stream, newest.number.ToString()), [&] { return BuildLive(stream); });
}

Result<SingleFlightCache<PlaylistSource::Playlist>::Made> PlaylistSource::BuildLive(
    const VideoStream& stream) {
  FragmentQuery query;
  query.order = FragmentOrder::kNumber;
  query.descending = true;
  query.limit = std::max(kLiveFragmentsMax, options_.live_segments_min);
  MILLRACE_ASSIGN_OR_RETURN(std::vector<FragmentFacts> newest_first, store_.List(stream.name, query));
  if (newest_first.empty()) return NoFootageYet(stream.name);

  Playability playability(tracks_, stream);
  std::vector<PlaylistFragment> window;  // newest first
  Duration duration{0};
  for (const FragmentFacts& facts : newest_first) {
    PlaylistFragment fragment = playability.Of(facts);
    if (!window.empty()) {
      const bool enough =
          window.size() >= options_.live_segments_min && duration >= options_.live_duration_min;
      // A decoder has to begin at a key frame: the window goes back to one.
      if ((enough && window.back().independent) || !MediaPlaylist::Continues(fragment, window.back())) break;
    }
    duration += fragment.duration;
    window.push_back(fragment);
  }
  const bool long_fragments = std::any_of(
      newest_first.begin(), newest_first.end(),
      [&](const FragmentFacts& facts) { return LongerThan(facts.duration, options_.target_duration); });
  MediaPlaylist playlist({.kind = MediaPlaylist::Kind::kLive,
                          .target_duration = options_.target_duration,
                          .long_fragments = long_fragments,
                          .seek = std::nullopt});
  for (auto fragment = window.rbegin(); fragment != window.rend(); ++fragment) playlist.Add(*fragment);
  if (playlist.empty()) {
    if (playability.refusal()) return WithContext(*playability.refusal(), "stream '" + stream.name + "'");
    return Error{ErrorCode::kNotFound, "stream '" + stream.name +
                                           "' has nothing to play yet: no key frame in its newest fragments"};
  }
  std::string text = playlist.Render(/*over=*/false);
  const std::size_t bytes = text.size();
  std::string etag = TextEtag(text);
  return SingleFlightCache<Playlist>::Made{{ToShared(std::move(text)), std::move(etag)}, bytes};
}

// ---- recorded time

Result<std::shared_ptr<const PlaylistSource::Playlist>> PlaylistSource::Recorded(
    const std::string& stream_name, const TimeRange& range) {
  const std::uint64_t generation = ranges_.generation();
  MILLRACE_ASSIGN_OR_RETURN(VideoStream stream, store_.GetStream(stream_name));
  MILLRACE_ASSIGN_OR_RETURN(FragmentFacts newest, Newest(stream));
  const bool over = range.end && (newest.end_time() >= *range.end ||
                                  options_.clock->Now() >= *range.end + options_.settle_time);

  // What was made before is the beginning of what is made now, as long as its own beginning is still kept.
  const std::string latest_key = CacheKey(
      stream, std::to_string(range.start.ns) + "\n" + (range.end ? std::to_string(range.end->ns) : "now"));
  std::shared_ptr<const RangeState> before = ranges_.Peek(latest_key);
  if (before) {
    auto first = store_.Get(stream.name, before->playlist.first().number);
    if (!first && first.error().code != ErrorCode::kNotFound) return std::move(first).error();
    if (!first) before = nullptr;
  }
  if (before && (before->over || (before->seen == newest.number && before->over == over))) {
    return std::shared_ptr<const Playlist>(before, &before->rendered);
  }
  const std::string flight_key = latest_key + "\n" + newest.number.ToString() + (over ? "\nover" : "");
  auto made = ranges_.Replace(latest_key, flight_key, generation,
                              [&] { return BuildRange(stream, range, before.get(), newest.number, over); });
  if (!made) return std::move(made).error();
  return std::shared_ptr<const Playlist>(*made, &(*made)->rendered);
}

Result<PlaylistSource::RangeMade> PlaylistSource::BuildRange(const VideoStream& stream,
                                                             const TimeRange& range, const RangeState* before,
                                                             const FragmentNumber& newest, bool over) {
  Playability playability(tracks_, stream);
  RangeState state = before != nullptr ? *before
                                       : RangeState({.kind = MediaPlaylist::Kind::kRecorded,
                                                     .target_duration = options_.target_duration,
                                                     .long_fragments = false,
                                                     .seek = range.start});
  MILLRACE_ASSIGN_OR_RETURN(std::vector<PlaylistFragment> fragments,
                            before != nullptr ? ListAfter(stream, range, before->seen, playability)
                                              : ListRange(stream, range, playability));
  for (const PlaylistFragment& fragment : fragments) {
    if (state.playlist.segments() >= options_.range_fragments_max)
      return TooManyFragments(stream.name, options_.range_fragments_max);
    state.playlist.Add(fragment);
  }
  if (state.playlist.empty()) {
    if (playability.refusal()) return WithContext(*playability.refusal(), "stream '" + stream.name + "'");
    return NoFootage(store_, stream.name, range);
  }
  state.over = over;
  state.seen = fragments.empty() ? newest : std::max(newest, fragments.back().number);
  std::string text = state.playlist.Render(over);
  state.rendered.etag = TextEtag(text);
  state.rendered.text = ToShared(std::move(text));
  const std::size_t bytes = sizeof(RangeState) + state.rendered.text.size() + state.playlist.text_bytes();
  return RangeMade{std::move(state), bytes};
}

// Everything of the range that is stored now, in the order of numbers.
Result<std::vector<PlaylistFragment>> PlaylistSource::ListRange(const VideoStream& stream,
                                                                const TimeRange& range,
                                                                Playability& playability) {
  std::vector<PlaylistFragment> fragments;
  auto take = [&](const FragmentFacts& facts) -> Result<void> {
    fragments.push_back(playability.Of(facts));
    return {};
  };
  MILLRACE_RETURN_IF_ERROR(VisitRange(store_, stream.name, range, options_.range_fragments_max, take));
  std::sort(fragments.begin(), fragments.end(),
            [](const PlaylistFragment& a, const PlaylistFragment& b) { return a.number < b.number; });
  return fragments;
}

// What has come since. New fragments have higher numbers, whatever their times.
Result<std::vector<PlaylistFragment>> PlaylistSource::ListAfter(const VideoStream& stream,
                                                                const TimeRange& range,
                                                                const FragmentNumber& seen,
                                                                Playability& playability) {
  std::vector<PlaylistFragment> fragments;
  FragmentQuery query;
  query.order = FragmentOrder::kNumber;
  query.limit = kPageFragments;
  query.from_number = FragmentNumber{.counter = seen.counter + 1, .server_ms = 0, .random = 0};
  for (;;) {
    MILLRACE_ASSIGN_OR_RETURN(std::vector<FragmentFacts> page, store_.List(stream.name, query));
    for (const FragmentFacts& facts : page) {
      if (facts.end_time() > range.start && (!range.end || facts.start < *range.end))
        fragments.push_back(playability.Of(facts));
    }
    if (fragments.size() > options_.range_fragments_max)
      return TooManyFragments(stream.name, options_.range_fragments_max);
    if (page.size() < query.limit) return fragments;
    query.from_number =
        FragmentNumber{.counter = page.back().number.counter + 1, .server_ms = 0, .random = 0};
  }
}

Result<std::vector<FragmentFacts>> PlaylistSource::SampleLive(const std::string& stream_name) {
  FragmentQuery query;
  query.order = FragmentOrder::kNumber;
  query.descending = true;
  query.limit = kSampleFragments;
  MILLRACE_ASSIGN_OR_RETURN(std::vector<FragmentFacts> facts, store_.List(stream_name, query));
  if (facts.empty()) return NoFootageYet(stream_name);
  std::reverse(facts.begin(), facts.end());
  return facts;
}

Result<std::vector<FragmentFacts>> PlaylistSource::SampleRecorded(const std::string& stream_name,
                                                                  const TimeRange& range) {
  MILLRACE_ASSIGN_OR_RETURN(FragmentFacts begin, RangeBegin(store_, stream_name, range));
  FragmentQuery query;
  query.limit = kSampleFragments;
  query.from = begin.start;
  if (range.end) query.to = *range.end - Duration{1};
  MILLRACE_ASSIGN_OR_RETURN(std::vector<FragmentFacts> facts, store_.List(stream_name, query));
  if (facts.empty()) return NoFootage(store_, stream_name, range);  // it expired just now
  return facts;
}

}  // namespace millrace
