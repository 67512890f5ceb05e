// Playlists (RFC 8216 and its successor) written from fragments' facts alone; media is never opened for them.
//
// A media playlist's numbers are the stream's, not the reader's, so that they are equal for all players and
// survive restarts:
//   EXT-X-MEDIA-SEQUENCE          the fragment counter of the first segment. Within a run, a fragment that is
//                                 missing from the counter's sequence, and one that cannot be decoded because
//                                 its forerunner is missing, is an EXT-X-GAP entry.
//                                 So is, in recorded time, a hole within a run: a playlist of a range has
//                                 numbers to spare.
//   EXT-X-DISCONTINUITY-SEQUENCE  the run's number; each new run is as many EXT-X-DISCONTINUITY tags as its
//                                 number is higher.
//   EXT-X-TARGETDURATION          a constant of the server, and EXTINF's limit; live, twice that while
//                                 a longer fragment may be listed. In recorded time a longer fragment
//                                 is several segments. One of more than twice the constant is an
//                                 EXT-X-GAP entry (docs/decisions/0014-target-durations.md).
//   EXT-X-PROGRAM-DATE-TIME       on every segment, exact: fragments begin at whole milliseconds.
//
// Threads: none inside; plain values.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "consumers/hls/track_runs.h"
#include "fragments/fragment.h"

namespace millrace {

// What a playlist needs of a fragment's facts: small, so that a day's worth fits in memory.
struct PlaylistFragment {
  FragmentNumber number;
  Timestamp start;
  Duration duration{0};
  std::uint64_t run = 0;
  std::uint64_t tracks_id = 0;
  bool independent = true;
  bool playable = true;  // false: of a codec that HLS does not carry; an EXT-X-GAP entry

  Timestamp end() const { return start + duration; }
};

// More missing fragments, or runs, than this in one place are not spelled out entry by entry.
inline constexpr std::uint64_t kSpelledOutMax = 16;

// Grows a playlist's text fragment by fragment. Copying it copies the text.
class MediaPlaylist {
 public:
  enum class Kind {
    kLive,      // a window that moves: its numbers stay right over any jump that Continues() allows
    kRecorded,  // a range of recorded time; runs may follow each other with any jump
  };
  struct Options {
    Kind kind = Kind::kLive;
    std::chrono::seconds target_duration{10};  // EXT-X-TARGETDURATION
    bool long_fragments = false;               // kLive: it is twice that, for those that are longer
    std::optional<Timestamp> seek;             // kRecorded: where a player is to start (EXT-X-START)
  };

  explicit MediaPlaylist(Options options) : options_(options) {}

  // True when a live playlist's numbering can go on from `before` to the next one; otherwise it begins anew
  // there.
  static bool Continues(const PlaylistFragment& before, const PlaylistFragment& after);

  // Leading fragments that no decoder can begin with are passed over.
  // REQUIRES: a higher number than the last one's; kLive: Continues().
  void Add(const PlaylistFragment& fragment);

  bool empty() const { return segments_ == 0; }
  std::size_t segments() const { return segments_; }  // gap entries included
  std::size_t text_bytes() const { return body_.size(); }
  bool all_independent() const { return all_independent_; }
  const PlaylistFragment& first() const { return *first_; }  // REQUIRES: !empty()
  // The last one given to Add.
  const std::optional<PlaylistFragment>& last() const { return last_; }

  // kRecorded is EXT-X-PLAYLIST-TYPE:EVENT, and with `over` has EXT-X-ENDLIST: it stays EVENT then, since a
  // playlist may not change its type when its range comes to its end. REQUIRES: !empty().
  std::string Render(bool over) const;

 private:
  struct Entry {
    Timestamp start;
    std::int64_t duration_ms = 0;
    std::string name;
    bool gap = false;
  };
  bool Playable(const PlaylistFragment& fragment) const;
  std::chrono::seconds Target() const { return options_.target_duration * (options_.long_fragments ? 2 : 1); }
  void AddMissing(const PlaylistFragment& before, const PlaylistFragment& after);
  void AddEntry(const Entry& entry);
  void AddHole(const PlaylistFragment& before, std::int64_t hole_ms);
  void AddDiscontinuities(std::uint64_t count);

  Options options_;  // set in the constructor, never changed
  std::string body_;
  std::optional<PlaylistFragment> first_, last_;
  bool last_playable_ = false;
  std::size_t segments_ = 0;
  std::int64_t total_ms_ = 0;
  std::optional<std::int64_t> seek_ms_;         // from the playlist's beginning
  std::optional<std::uint64_t> map_tracks_id_;  // of the last EXT-X-MAP
  bool all_independent_ = true;
};

// ---- the multivariant playlist

struct VariantFacts {
  std::string codecs;  // "avc1.64001f,mp4a.40.2"
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  double frame_rate = 0;            // 0: no video, or not known
  std::uint64_t bandwidth_bps = 0;  // peak over any stretch of half the target duration or more
  std::uint64_t average_bps = 0;
};

// Rates measured over `facts`, which lie next to each other; codecs and picture are `described`'s.
// Errors: kUnsupported, kInvalidArgument: tracks that HLS cannot play, as CodecString.
Result<VariantFacts> MeasureVariant(const std::vector<FragmentFacts>& facts, const FragmentFacts& described,
                                    std::chrono::seconds target_duration);

std::string RenderMultivariant(const VariantFacts& variant, const std::string& media_uri);

// A strong ETag for a text that is made anew each time.
std::string TextEtag(std::string_view text);

// The names of resources, relative to the playlist.
std::string InitName(std::uint64_t tracks_id);          // "init-00f3….mp4": 16 hex digits
std::string SegmentName(const FragmentNumber& number);  // 47 digits and ".m4s"
// The name of one of the pieces that a long fragment is cut into: 47 digits, "-1of2.m4s".
std::string PieceName(const FragmentNumber& number, std::uint32_t piece, std::uint32_t pieces);
std::optional<std::uint64_t> ParseInitName(std::string_view name);
struct NamedSegment {
  FragmentNumber number;
  SegmentSelection selection;
};
std::optional<NamedSegment> ParseSegmentName(std::string_view name);
// Whether a fragment lasts longer than a segment may: rounded, by its EXTINF.
bool LongerThan(Duration duration, std::chrono::seconds target_duration);

}  // namespace millrace
