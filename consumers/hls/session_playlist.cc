#include "consumers/hls/session_playlist.h"

#include <algorithm>
#include <cassert>
#include <cstdio>
#include <optional>

namespace millrace {
namespace {

// "2.040"
std::string Seconds(Duration duration) {
  const std::int64_t ms = duration.count() / 1'000'000;
  char text[32];
  std::snprintf(text, sizeof(text), "%lld.%03lld", static_cast<long long>(ms / 1000),
                static_cast<long long>(ms % 1000));
  return text;
}

std::string MediaPlaylistUri(const std::string& token, std::uint32_t track) {
  std::string uri = "getHLSMediaPlaylist.m3u8?SessionToken=" + token;
  if (track != 0) uri += "&TrackNumber=" + std::to_string(track);
  return uri;
}

class Writer {
 public:
  Writer(const PlaybackSession& session, const std::string& token, std::uint32_t track)
      : session_(session), token_(token), track_(track) {}

  void Add(const TimelineFragment& fragment) {
    if (fragment.discontinuity) text_ += "#EXT-X-DISCONTINUITY\n";
    const bool gap = track_ != 0 && (fragment.present >> (track_ - 1) & 1U) == 0;
    if (track_ != 0 && (fragment.discontinuity || map_ != fragment.tracks_id)) {
      text_ += "#EXT-X-MAP:URI=\"getMP4InitFragment.mp4?SessionToken=" + token_ +
               "&TrackNumber=" + std::to_string(track_) +
               "&SequenceNumber=" + std::to_string(fragment.tracks_id) + "\"\n";
      map_ = fragment.tracks_id;
    }
    const Timestamp shown = session_.by_server_time ? fragment.server_start : fragment.start;
    for (std::uint32_t piece = 0; piece < fragment.pieces; ++piece) {
      // In whole milliseconds, so that pieces add up.
      const std::int64_t ms = fragment.duration.count() / 1'000'000;
      const std::chrono::milliseconds from(ms * piece / fragment.pieces);
      const std::chrono::milliseconds until(ms * (piece + 1) / fragment.pieces);
      if (session_.show_timestamps) {
        text_ += "#EXT-X-PROGRAM-DATE-TIME:" + FormatRfc3339(shown + from) + "\n";
      }
      if (gap) text_ += "#EXT-X-GAP\n";
      text_ += "#EXTINF:" + Seconds(until - from) + ",\n" + Uri(fragment, piece) + "\n";
    }
  }

  std::string Take() && { return std::move(text_); }

 private:
  std::string Uri(const TimelineFragment& fragment, std::uint32_t piece) const {
    std::string uri = track_ != 0 ? "getMP4MediaFragment.mp4" : "getTSFragment.ts";
    uri += "?FragmentNumber=" + fragment.number.ToString() + "&SessionToken=" + token_;
    if (track_ != 0) uri += "&TrackNumber=" + std::to_string(track_);
    if (fragment.pieces > 1) {
      uri += "&Piece=" + std::to_string(piece) + "&Pieces=" + std::to_string(fragment.pieces);
    }
    return uri;
  }

  const PlaybackSession& session_;
  const std::string& token_;
  const std::uint32_t track_;
  std::string text_;
  std::optional<std::uint64_t> map_;  // of the last EXT-X-MAP
};

}  // namespace

std::string RenderSessionMaster(const VariantFacts& variant, const std::string& token, bool by_track,
                                bool with_sound) {
  std::string sound;
  if (by_track && with_sound) {
    sound = "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"audio\",DEFAULT=YES,AUTOSELECT=YES,URI=\"" +
            MediaPlaylistUri(token, 2) + "\"\n";
  }
  std::string text = RenderMultivariant(variant, MediaPlaylistUri(token, by_track ? 1 : 0));
  if (sound.empty()) return text;
  const std::size_t at = text.find("#EXT-X-STREAM-INF:");
  const std::size_t end = text.find('\n', at);
  text.insert(end, ",AUDIO=\"audio\"");
  text.insert(at, sound);
  return text;
}

std::string RenderSessionPlaylist(const PlaybackSession& session, const Timeline& timeline,
                                  const std::string& token, std::uint32_t track) {
  const auto& listed = timeline.listed();
  assert(!listed.empty());
  const TimelineFragment& first = listed.front();
  const bool independent = std::all_of(listed.begin(), listed.end(), [](const TimelineFragment& fragment) {
    return fragment.independent && fragment.pieces == 1;
  });
  std::string text = "#EXTM3U\n#EXT-X-VERSION:7\n";
  text += "#EXT-X-TARGETDURATION:" + std::to_string(timeline.target_s()) + "\n";
  text += "#EXT-X-MEDIA-SEQUENCE:" + std::to_string(first.sequence) + "\n";
  if (session.discontinuities != DiscontinuityMode::kNever) {
    text += "#EXT-X-DISCONTINUITY-SEQUENCE:" +
            std::to_string(first.discontinuities - (first.discontinuity ? 1 : 0)) + "\n";
  }
  if (session.mode == PlaybackMode::kOnDemand) text += "#EXT-X-PLAYLIST-TYPE:VOD\n";
  if (independent) text += "#EXT-X-INDEPENDENT-SEGMENTS\n";
  Writer writer(session, token, track);
  for (const TimelineFragment& fragment : listed) writer.Add(fragment);
  text += std::move(writer).Take();
  if (timeline.over()) text += "#EXT-X-ENDLIST\n";
  return text;
}

}  // namespace millrace
