#include "consumers/playback/playback_timelines.h"

#include <algorithm>
#include <utility>

#include "consumers/hls/codec_string.h"

namespace millrace {
namespace {

constexpr std::size_t kSampleFragments = 100;
// Pages of a range that are looked through for the fragment that was ingested first.
constexpr std::size_t kFirstPagesMax = 10;
// Fragments that wait for their time in a replay: enough for the next half a minute.
constexpr std::size_t kWaitingMin = 32;
constexpr std::uint32_t kTargetMin = 2;
constexpr std::size_t kOneStartMax = 10'000;
// Server times go with numbers, but a clock may have been set back a little.
constexpr Duration kClockSlack = std::chrono::minutes(1);

FragmentNumber After(const FragmentNumber& number) {
  return {.counter = number.counter + 1, .server_ms = 0, .random = 0};
}

Error NothingToPlay(const std::string& stream) {
  return {ErrorCode::kNotFound, "no fragments found in stream '" + stream + "' for this streaming request"};
}

bool StartsInRange(const PlaybackSession& session, const FragmentFacts& facts) {
  const Timestamp start = session.by_server_time ? facts.server_start : facts.start;
  return (!session.start || start >= *session.start) && (!session.end || start <= *session.end);
}

}  // namespace

// What timelines take of facts; notes tracks for their init segments.
class PlaybackTimelines::Facts {
 public:
  Facts(TracksIndex& index, const VideoStream& stream) : index_(index), stream_(stream) {}

  PlaybackFragment Of(const FragmentFacts& facts) {
    auto known = sets_.find(facts.tracks_id);
    if (known == sets_.end()) {
      std::vector<std::uint32_t> numbers;
      if (auto tracks = PlayableTracks(facts.tracks)) {
        for (const TrackInfo& track : *tracks) numbers.push_back(track.number);
        index_.Note(stream_, facts);
      }
      known = sets_.emplace(facts.tracks_id, std::move(numbers)).first;
    }
    PlaybackFragment fragment;
    fragment.number = facts.number;
    fragment.start = facts.start;
    fragment.server_start = facts.server_start;
    fragment.duration = std::max(facts.duration, Duration{1'000'000});
    fragment.run = facts.run;
    fragment.tracks_id = facts.tracks_id;
    fragment.bytes = facts.bytes;
    fragment.independent = facts.independent;
    fragment.playable = !known->second.empty();
    for (std::size_t i = 0; i < known->second.size() && i < 32; ++i) {
      for (const TrackFacts& track : facts.track_facts) {
        if (track.track == known->second[i] && track.frames > 0) fragment.present |= 1U << i;
      }
    }
    return fragment;
  }

 private:
  TracksIndex& index_;
  const VideoStream& stream_;
  std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> sets_;  // numbers of tracks to play
};

PlaybackTimelines::PlaybackTimelines(FragmentStore& store, TracksIndex& tracks, PlaybackOptions options)
    : store_(store),
      tracks_(tracks),
      options_(options),
      states_("playback_timelines", options.timeline_cache_bytes) {}

bool PlaybackTimelines::MayShow(const PlaybackSession& session, const FragmentFacts& facts) {
  return facts.number >= session.first && StartsInRange(session, facts);
}

// ---- the beginning of a session

// By producer time: the fragment of the range that was ingested first, and those that start after it.
Result<std::vector<FragmentFacts>> PlaybackTimelines::FirstOfRange(const VideoStream& stream,
                                                                   const PlaybackSession& session) {
  FragmentQuery query;
  query.order = session.by_server_time ? FragmentOrder::kServerTime : FragmentOrder::kProducerTime;
  query.from = session.start;
  query.to = session.end;
  query.limit = session.by_server_time ? kSampleFragments : kPageFragments;
  MILLRACE_ASSIGN_OR_RETURN(std::vector<FragmentFacts> first, store_.List(stream.name, query));
  if (first.empty()) return NothingToPlay(stream.name);
  const auto by_number = [](const FragmentFacts& a, const FragmentFacts& b) { return a.number < b.number; };
  FragmentNumber least = std::min_element(first.begin(), first.end(), by_number)->number;
  if (!session.by_server_time) {
    std::vector<FragmentFacts> page = first;
    for (std::size_t pages = 1; pages < kFirstPagesMax && page.size() >= query.limit; ++pages) {
      query.from = page.back().start + std::chrono::milliseconds(1);
      MILLRACE_ASSIGN_OR_RETURN(page, store_.List(stream.name, query));
      if (page.empty()) break;
      const auto earliest = std::min_element(page.begin(), page.end(), by_number);
      if (earliest->number >= least) continue;
      least = earliest->number;
      first = page;
    }
  }
  std::sort(first.begin(), first.end(), by_number);
  first.erase(first.begin(), std::find_if(first.begin(), first.end(),
                                          [&](const FragmentFacts& facts) { return facts.number == least; }));
  if (first.size() > kSampleFragments) first.resize(kSampleFragments);
  return first;
}

// The newest, oldest first.
Result<std::vector<FragmentFacts>> PlaybackTimelines::Newest(const VideoStream& stream, std::size_t count) {
  FragmentQuery query;
  query.order = FragmentOrder::kNumber;
  query.descending = true;
  query.limit = count;
  MILLRACE_ASSIGN_OR_RETURN(std::vector<FragmentFacts> facts, store_.List(stream.name, query));
  if (facts.empty()) return NothingToPlay(stream.name);
  std::reverse(facts.begin(), facts.end());
  return facts;
}

Result<std::vector<FragmentFacts>> PlaybackTimelines::Sample(const VideoStream& stream,
                                                             const PlaybackSession& session) {
  return session.mode == PlaybackMode::kLive ? Newest(stream, kSampleFragments)
                                             : FirstOfRange(stream, session);
}

Result<void> PlaybackTimelines::Begin(const VideoStream& stream, PlaybackSession& session) {
  const bool live = session.mode == PlaybackMode::kLive;
  // A window leads back to a key frame.
  const std::size_t window = std::size_t{session.fragments_max} + kSampleFragments;
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<FragmentFacts> facts,
                            live ? Newest(stream, window) : FirstOfRange(stream, session));
  Duration longest{0};
  const std::size_t looked_at = std::min(facts.size(), kSampleFragments);
  for (std::size_t i = 0; i < looked_at; ++i) {
    longest = std::max(longest, facts[live ? facts.size() - 1 - i : i].duration);
  }
  const auto whole_seconds = std::chrono::ceil<std::chrono::seconds>(std::min(longest, kFragmentDurationMax));
  session.target_s = std::max(kTargetMin, static_cast<std::uint32_t>(whole_seconds.count()));
  std::size_t begin = 0;
  if (live && facts.size() > session.fragments_max) {
    begin = facts.size() - session.fragments_max;
    while (begin > 0 && !facts[begin].independent) --begin;
  }
  session.first = facts[begin].number;
  return {};
}

// ---- a timeline as it grows

Result<std::shared_ptr<const Timeline>> PlaybackTimelines::Get(const VideoStream& stream,
                                                               const PlaybackSession& session) {
  const Bytes encoded = EncodeSession(session);
  const std::string key(AsText(encoded));
  const Timestamp now = options_.clock->Now();
  const std::uint64_t generation = states_.generation();
  const auto before = states_.Peek(key);
  if (before && before->timeline.over()) return std::shared_ptr<const Timeline>(before, &before->timeline);
  // Those who ask within a moment get the same answer, so that a crowd costs one look into the index.
  constexpr std::int64_t kMomentMs = 100;
  const std::string flight = key + std::to_string(now.millis() / kMomentMs);
  auto made =
      states_.Replace(key, flight, generation, [&] { return Extend(stream, session, before.get(), now); });
  if (!made) return std::move(made).error();
  return std::shared_ptr<const Timeline>(*made, &(*made)->timeline);
}

Result<SingleFlightCache<PlaybackTimelines::State>::Made> PlaybackTimelines::Extend(
    const VideoStream& stream, const PlaybackSession& session, const State* before, Timestamp now) {
  State state = before != nullptr ? *before : State(session);
  const bool replay = session.mode == PlaybackMode::kLiveReplay;
  for (;;) {
    state.timeline.Advance(now);
    if (state.exhausted || state.timeline.full() || (replay && state.timeline.waiting() >= kWaitingMin))
      break;
    MILLRACE_ASSIGN_OR_RETURN(const bool more, Load(stream, session, state, now));
    if (more) continue;
    state.timeline.Advance(now);
    break;
  }
  if (state.exhausted || session.mode == PlaybackMode::kOnDemand) state.timeline.Close();
  const std::size_t bytes =
      sizeof(State) + (state.timeline.listed().size() + state.timeline.waiting()) * sizeof(TimelineFragment) +
      state.seen_there.size() * sizeof(FragmentNumber);
  return SingleFlightCache<State>::Made{std::move(state), bytes};
}

// Gives the timeline a page of facts; false: there are no more for now.
Result<bool> PlaybackTimelines::Load(const VideoStream& stream, const PlaybackSession& session, State& state,
                                     Timestamp now) {
  return session.by_server_time || session.mode == PlaybackMode::kLive
             ? LoadByNumber(stream, session, state, now)
             : LoadByProducerTime(stream, session, state, now);
}

Result<bool> PlaybackTimelines::LoadByNumber(const VideoStream& stream, const PlaybackSession& session,
                                             State& state, Timestamp now) {
  FragmentQuery query;
  query.order = FragmentOrder::kNumber;
  query.from_number = state.any_seen ? After(state.seen) : state.seen;
  query.limit = std::min<std::size_t>(kPageFragments, std::size_t{2} * session.fragments_max + kWaitingMin);
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<FragmentFacts> page, store_.List(stream.name, query));
  Facts facts(tracks_, stream);
  for (const FragmentFacts& each : page) {
    state.any_seen = true;
    state.seen = each.number;
    if (session.end && each.server_start > *session.end + kClockSlack) {
      state.exhausted = true;
      return false;
    }
    if (StartsInRange(session, each)) (void)state.timeline.Add(facts.Of(each));
    // A window needs no more than its last ones: those before it are counted when they are listed.
    state.timeline.Advance(now);
    if (state.timeline.full()) return false;
  }
  if (page.size() == query.limit) return true;
  // By server time a range that has passed gets nothing more once what was opened in it is stored.
  state.exhausted = session.end && now > *session.end + options_.settle_time;
  return false;
}

Result<bool> PlaybackTimelines::LoadByProducerTime(const VideoStream& stream, const PlaybackSession& session,
                                                   State& state, Timestamp now) {
  FragmentQuery query;
  query.order = FragmentOrder::kProducerTime;
  query.from = state.any_seen ? state.seen_start : *session.start;
  query.to = session.end;
  query.limit = kPageFragments + state.seen_there.size();
  MILLRACE_ASSIGN_OR_RETURN(std::vector<FragmentFacts> page, store_.List(stream.name, query));
  const bool more = page.size() == query.limit;
  std::erase_if(page, [&](const FragmentFacts& each) {
    return std::find(state.seen_there.begin(), state.seen_there.end(), each.number) != state.seen_there.end();
  });
  if (page.empty()) {
    state.exhausted = session.end && now > *session.end + options_.settle_time;
    return false;
  }
  // More of one millisecond than this do not come from a producer that means it: go past them.
  const Timestamp last = state.seen_there.size() > kOneStartMax
                             ? page.back().start + std::chrono::milliseconds(1)
                             : page.back().start;
  if (!state.any_seen || last != state.seen_start) state.seen_there.clear();
  state.any_seen = true;
  state.seen_start = last;
  for (const FragmentFacts& each : page) {
    if (each.start == last) state.seen_there.push_back(each.number);
  }
  std::sort(page.begin(), page.end(),
            [](const FragmentFacts& a, const FragmentFacts& b) { return a.number < b.number; });
  Facts facts(tracks_, stream);
  for (const FragmentFacts& each : page) (void)state.timeline.Add(facts.Of(each));
  return more;
}

}  // namespace millrace
