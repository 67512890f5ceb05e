#include "consumers/hls/playlist.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cstdio>
#include <utility>

#include "consumers/hls/codec_string.h"

namespace millrace {
namespace {

// A missing fragment between two runs: nobody knows how long it was, and a player has to jump over it.
constexpr std::int64_t kMissingBetweenRunsMs = 100;
constexpr std::int64_t kHoleMinMs = 1'000;  // less is how long a picture stands
constexpr std::string_view kInitPrefix = "init-";
constexpr std::string_view kInitSuffix = ".mp4";
constexpr std::string_view kSegmentSuffix = ".m4s";
constexpr std::size_t kIdDigits = 16;
constexpr std::string_view kPieceOf = "of";
constexpr std::uint32_t kNamedPiecesMax = 2;  // of a fragment of twice the target duration

std::int64_t Millis(Duration duration) { return duration.count() / 1'000'000; }

// "7.040"
std::string Seconds(std::int64_t ms) {
  char text[32];
  std::snprintf(text, sizeof(text), "%lld.%03lld", static_cast<long long>(ms / 1000),
                static_cast<long long>(ms % 1000));
  return text;
}

}  // namespace

std::string TextEtag(std::string_view text) {
  std::uint64_t hash = 0xCBF2'9CE4'8422'2325;  // FNV-1a, 64 bits
  for (char byte : text) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x0000'0100'0000'01B3;
  char etag[24];
  std::snprintf(etag, sizeof(etag), "\"%016llx\"", static_cast<unsigned long long>(hash));
  return etag;
}

bool MediaPlaylist::Continues(const PlaylistFragment& before, const PlaylistFragment& after) {
  if (after.number.counter <= before.number.counter) return false;
  return after.number.counter - before.number.counter - 1 <= kSpelledOutMax && after.run >= before.run &&
         after.run - before.run <= kSpelledOutMax;
}

bool MediaPlaylist::Playable(const PlaylistFragment& fragment) const {
  // Producers' fragments may be longer than a recorder's limit. More would be frames that a player is not
  // prepared to hold.
  if (!fragment.playable || fragment.duration > 2 * options_.target_duration) return false;
  return fragment.independent || (last_ && last_playable_ && last_->run == fragment.run &&
                                  last_->number.counter + 1 == fragment.number.counter);
}

void MediaPlaylist::Add(const PlaylistFragment& fragment) {
  const bool playable = Playable(fragment);
  if (segments_ > 0) {
    AddMissing(*last_, fragment);
  } else if (playable) {
    first_ = fragment;
  }
  last_ = fragment;
  last_playable_ = playable;
  if (!first_) return;

  // EXTINF, rounded, may not be more than the target duration: a longer fragment is cut into pieces where the
  // numbers are the playlist's own.
  const bool cut = options_.kind == Kind::kRecorded && playable && LongerThan(fragment.duration, Target());
  const std::int64_t duration_max_ms = Target().count() * 1000 * (cut ? 2 : 1) + 499;
  const std::int64_t duration_ms = std::clamp<std::int64_t>(Millis(fragment.duration), 1, duration_max_ms);
  if (options_.seek && !seek_ms_ && fragment.end() > *options_.seek) {
    seek_ms_ = total_ms_ + std::clamp<std::int64_t>(Millis(*options_.seek - fragment.start), 0, duration_ms);
  }
  if (playable && map_tracks_id_ != fragment.tracks_id) {
    body_ += "#EXT-X-MAP:URI=\"" + InitName(fragment.tracks_id) + "\"\n";
    map_tracks_id_ = fragment.tracks_id;
  }
  all_independent_ = all_independent_ && ((fragment.independent && !cut) || !playable);
  if (!cut) return AddEntry({fragment.start, duration_ms, SegmentName(fragment.number), !playable});
  const std::int64_t target_ms = Target().count() * 1000;
  const auto pieces = static_cast<std::uint32_t>((duration_ms + target_ms - 1) / target_ms);
  for (std::uint32_t piece = 0; piece < pieces; ++piece) {
    const std::int64_t from_ms = duration_ms * piece / pieces, until_ms = duration_ms * (piece + 1) / pieces;
    AddEntry({fragment.start + std::chrono::milliseconds(from_ms), until_ms - from_ms,
              PieceName(fragment.number, piece, pieces), false});
  }
}

// What stands between two fragments: gap entries for missing ones, discontinuities.
void MediaPlaylist::AddMissing(const PlaylistFragment& before, const PlaylistFragment& after) {
  const bool same_run = before.run == after.run && before.tracks_id == after.tracks_id;
  const std::uint64_t counter_step =
      after.number.counter > before.number.counter ? after.number.counter - before.number.counter : 1;
  const std::uint64_t missing = counter_step - 1;
  const std::int64_t hole_ms = std::max<std::int64_t>(Millis(after.start - before.end()), 0);

  bool spelled_out = missing > 0 && missing <= kSpelledOutMax;
  std::int64_t each_ms = kMissingBetweenRunsMs;
  if (same_run && missing > 0) {
    each_ms = std::max<std::int64_t>(hole_ms / static_cast<std::int64_t>(missing), 1);
    if (options_.kind == Kind::kRecorded)
      spelled_out = spelled_out && each_ms <= options_.target_duration.count() * 1000;
    each_ms = std::min<std::int64_t>(each_ms, options_.target_duration.count() * 1000);
  } else if (options_.kind == Kind::kRecorded) {
    spelled_out = false;  // the numbering of a range is its own; only the time line within a run must hold
  }
  if (spelled_out) {
    for (std::uint64_t i = 1; i <= missing; ++i) {
      const auto place = static_cast<std::int64_t>(i - 1);
      AddEntry({same_run ? before.end() + std::chrono::milliseconds(place * each_ms) : before.end(), each_ms,
                "gap-" + std::to_string(before.number.counter + i) + std::string(kSegmentSuffix), true});
    }
  }
  if (same_run && missing == 0 && hole_ms >= kHoleMinMs && options_.kind == Kind::kRecorded)
    AddHole(before, hole_ms);
  if (!same_run) {
    const std::uint64_t runs = after.run > before.run ? after.run - before.run : 1;
    AddDiscontinuities(runs <= kSpelledOutMax ? runs : 1);
  } else if (missing > 0 && !spelled_out) {
    AddDiscontinuities(1);
  }
}

// A hole in which nothing came, between two fragments of a run (docs/decisions/0006-holes-in-playlists.md).
void MediaPlaylist::AddHole(const PlaylistFragment& before, std::int64_t hole_ms) {
  const std::int64_t each_max_ms = options_.target_duration.count() * 1000;
  const std::int64_t count = (hole_ms + each_max_ms - 1) / each_max_ms;
  if (count > static_cast<std::int64_t>(kSpelledOutMax)) return AddDiscontinuities(1);
  std::int64_t at_ms = 0;
  for (std::int64_t i = 1; i <= count; ++i) {
    const std::int64_t until_ms = hole_ms * i / count;
    AddEntry({before.end() + std::chrono::milliseconds(at_ms), until_ms - at_ms,
              "gap-" + std::to_string(before.number.counter) + "-" + std::to_string(i) +
                  std::string(kSegmentSuffix),
              true});
    at_ms = until_ms;
  }
}

void MediaPlaylist::AddEntry(const Entry& entry) {
  if (entry.gap) body_ += "#EXT-X-GAP\n";
  body_ += "#EXT-X-PROGRAM-DATE-TIME:" + FormatRfc3339(entry.start) +
           "\n#EXTINF:" + Seconds(entry.duration_ms) + ",\n" + entry.name + "\n";
  ++segments_;
  total_ms_ += entry.duration_ms;
}

void MediaPlaylist::AddDiscontinuities(std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) body_ += "#EXT-X-DISCONTINUITY\n";
}

std::string MediaPlaylist::Render(bool over) const {
  assert(!empty());
  std::string text = "#EXTM3U\n#EXT-X-VERSION:7\n";
  text += "#EXT-X-TARGETDURATION:" + std::to_string(Target().count()) + "\n";
  text += "#EXT-X-MEDIA-SEQUENCE:" + std::to_string(first_->number.counter) + "\n";
  text += "#EXT-X-DISCONTINUITY-SEQUENCE:" + std::to_string(first_->run) + "\n";
  if (options_.kind == Kind::kRecorded) text += "#EXT-X-PLAYLIST-TYPE:EVENT\n";
  if (all_independent_) text += "#EXT-X-INDEPENDENT-SEGMENTS\n";
  // Always there for recorded time: without it, players join a growing playlist at its end.
  if (options_.kind == Kind::kRecorded) {
    text += "#EXT-X-START:TIME-OFFSET=" + Seconds(seek_ms_.value_or(0)) + ",PRECISE=YES\n";
  }
  text.reserve(text.size() + body_.size() + 32);
  text += body_;
  if (over) text += "#EXT-X-ENDLIST\n";
  return text;
}

Result<VariantFacts> MeasureVariant(const std::vector<FragmentFacts>& facts, const FragmentFacts& described,
                                    std::chrono::seconds target_duration) {
  VariantFacts variant;
  MILLRACE_ASSIGN_OR_RETURN(std::vector<TrackInfo> tracks, PlayableTracks(described.tracks));
  std::uint32_t video_track = 0;
  for (const TrackInfo& track : tracks) {
    MILLRACE_ASSIGN_OR_RETURN(std::string name, CodecString(track));
    variant.codecs += (variant.codecs.empty() ? "" : ",") + name;
    if (track.kind() == TrackKind::kVideo && video_track == 0) {
      video_track = track.number;
      variant.width = track.width;
      variant.height = track.height;
    }
  }

  const double half_target_s = static_cast<double>(target_duration.count()) / 2;
  constexpr std::uint64_t kSegmentOverhead = 1024;  // styp, moof, mdat
  constexpr std::uint64_t kFrameOverhead = 16;      // in trun
  std::uint64_t video_frames = 0;
  Duration video_time{0};
  std::vector<std::pair<double, double>> segments;  // bits, seconds
  double total_bits = 0, total_s = 0, peak = 0;
  for (const FragmentFacts& fragment : facts) {
    std::uint64_t bytes = fragment.bytes + kSegmentOverhead;
    for (const TrackFacts& track : fragment.track_facts) {
      bytes += track.frames * kFrameOverhead;
      if (track.track != video_track || fragment.tracks_id != described.tracks_id) continue;
      video_frames += track.frames;
      video_time += track.end_dts - track.first_dts;
    }
    segments.emplace_back(static_cast<double>(bytes) * 8,
                          std::max(static_cast<double>(fragment.duration.count()) * 1e-9, 0.001));
    total_bits += segments.back().first;
    total_s += segments.back().second;
  }
  for (std::size_t first = 0; first < segments.size(); ++first) {
    double bits = 0, seconds = 0;
    for (std::size_t i = first; i < segments.size() && seconds < half_target_s; ++i) {
      bits += segments[i].first;
      seconds += segments[i].second;
    }
    if (seconds >= half_target_s) peak = std::max(peak, bits / seconds);
  }
  if (total_s > 0) {
    variant.average_bps = static_cast<std::uint64_t>(total_bits / total_s);
    variant.bandwidth_bps = std::max(static_cast<std::uint64_t>(peak), variant.average_bps);
  }
  if (video_time > Duration{0}) {
    variant.frame_rate = static_cast<double>(video_frames) * 1e9 / static_cast<double>(video_time.count());
  }
  return variant;
}

std::string RenderMultivariant(const VariantFacts& variant, const std::string& media_uri) {
  std::string text =
      "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-STREAM-INF:BANDWIDTH=" + std::to_string(variant.bandwidth_bps) +
      ",AVERAGE-BANDWIDTH=" + std::to_string(variant.average_bps) + ",CODECS=\"" + variant.codecs + "\"";
  if (variant.width != 0) {
    text += ",RESOLUTION=" + std::to_string(variant.width) + "x" + std::to_string(variant.height);
  }
  if (variant.frame_rate > 0) {
    char rate[32];
    std::snprintf(rate, sizeof(rate), "%.3f", variant.frame_rate);
    text += ",FRAME-RATE=" + std::string(rate);
  }
  return text + "\n" + media_uri + "\n";
}

std::string InitName(std::uint64_t tracks_id) {
  char digits[kIdDigits + 1];
  std::snprintf(digits, sizeof(digits), "%016llx", static_cast<unsigned long long>(tracks_id));
  return std::string(kInitPrefix) + digits + std::string(kInitSuffix);
}

std::string SegmentName(const FragmentNumber& number) {
  return number.ToString() + std::string(kSegmentSuffix);
}

std::optional<std::uint64_t> ParseInitName(std::string_view name) {
  if (name.size() != kInitPrefix.size() + kIdDigits + kInitSuffix.size() || !name.starts_with(kInitPrefix) ||
      !name.ends_with(kInitSuffix)) {
    return std::nullopt;
  }
  const std::string_view digits = name.substr(kInitPrefix.size(), kIdDigits);
  // One spelling a resource: from_chars alone would take upper case too.
  if (digits.find_first_not_of("0123456789abcdef") != std::string_view::npos) return std::nullopt;
  std::uint64_t id = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), id, 16);
  return id;
}

std::string PieceName(const FragmentNumber& number, std::uint32_t piece, std::uint32_t pieces) {
  return number.ToString() + "-" + std::to_string(piece + 1) + std::string(kPieceOf) +
         std::to_string(pieces) + std::string(kSegmentSuffix);
}

std::optional<NamedSegment> ParseSegmentName(std::string_view name) {
  if (!name.ends_with(kSegmentSuffix)) return std::nullopt;
  NamedSegment segment;
  const std::string_view digits =
      name.substr(0, std::min(name.find('-'), name.size() - kSegmentSuffix.size()));
  auto number = FragmentNumber::Parse(digits);
  if (!number) return std::nullopt;
  segment.number = *number;
  if (name == SegmentName(*number)) return segment;
  // Few enough to try, and each has one spelling.
  for (std::uint32_t pieces = 2; pieces <= kNamedPiecesMax; ++pieces) {
    for (std::uint32_t piece = 0; piece < pieces; ++piece) {
      if (name != PieceName(*number, piece, pieces)) continue;
      segment.selection.piece = piece;
      segment.selection.pieces = pieces;
      return segment;
    }
  }
  return std::nullopt;
}

bool LongerThan(Duration duration, std::chrono::seconds target_duration) {
  return Millis(duration) > target_duration.count() * 1000 + 499;
}

}  // namespace millrace
