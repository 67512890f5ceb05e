#include "consumers/dash/manifest.h"

#include <algorithm>
#include <cassert>
#include <cstdio>

#include "consumers/hls/codec_string.h"

namespace millrace {
namespace {

constexpr std::uint64_t kSoundBps = 128'000;  // said of sound: its bytes are not known one by one

std::string Decimal(std::int64_t ms, const char* sign = "") {
  char text[40];
  std::snprintf(text, sizeof(text), "%s%lld.%03lld", sign, static_cast<long long>(ms / 1000),
                static_cast<long long>(ms % 1000));
  return text;
}

// "PT12.040S"
std::string PeriodText(Duration duration) {
  return Decimal(std::max<std::int64_t>(duration.count() / 1'000'000, 0), "PT") + "S";
}

using Fragments = std::vector<const TimelineFragment*>;

class Writer {
 public:
  Writer(const PlaybackSession& session, const std::map<std::uint64_t, ManifestTracks>& tracks,
         const std::string& token)
      : session_(session), tracks_(tracks), token_(token) {}

  // `start`: where it lies on the presentation's timeline.
  Result<void> AddPeriod(const Fragments& fragments, Duration start) {
    const TimelineFragment& first = *fragments.front();
    const ManifestTracks& tracks = tracks_.at(first.tracks_id);
    text_ += "  <Period id=\"" + std::to_string(first.period.counter) + "\" start=\"" + PeriodText(start) +
             "\">\n";
    for (std::size_t i = 0; i < tracks.playable.size(); ++i) {
      MILLRACE_RETURN_IF_ERROR(AddTrack(fragments, tracks, i));
    }
    text_ += "  </Period>\n";
    return {};
  }

  std::string Take() && { return std::move(text_); }

 private:
  Result<void> AddTrack(const Fragments& fragments, const ManifestTracks& tracks, std::size_t place) {
    std::string timeline;
    for (const TimelineFragment* fragment : fragments) {
      if (place < 32 && (fragment->present >> place & 1U) == 0) continue;
      timeline += Segment(*fragment);
    }
    if (timeline.empty()) return {};
    const TimelineFragment& first = *fragments.front();
    const TrackInfo& track = tracks.playable[place];
    const bool video = track.kind() == TrackKind::kVideo;
    MILLRACE_ASSIGN_OR_RETURN(const std::string codec, CodecString(track));
    const std::string number = std::to_string(place + 1);
    const std::string query = "?SessionToken=" + token_ + "&amp;TrackNumber=" + number;

    text_ += "    <AdaptationSet id=\"" + number + "\" contentType=\"" + (video ? "video" : "audio") +
             "\" mimeType=\"" + (video ? "video" : "audio") +
             "/mp4\" segmentAlignment=\"true\" startWithSAP=\"1\">\n";
    text_ += "      <SegmentTemplate timescale=\"1000\" presentationTimeOffset=\"" +
             std::to_string(first.period_start.millis()) + "\" initialization=\"getMP4InitFragment.mp4" +
             query + "&amp;SequenceNumber=" + std::to_string(first.tracks_id) +
             "\" media=\"getMP4MediaFragment.mp4" + query +
             "&amp;From=" + std::to_string(first.period.counter) + "&amp;Time=$Time$\">\n";
    text_ +=
        "        <SegmentTimeline>\n" + timeline + "        </SegmentTimeline>\n      </SegmentTemplate>\n";
    text_ +=
        "      <Representation id=\"" + number + "\" codecs=\"" + codec + "\" bandwidth=\"" +
        std::to_string(video || place == 0 ? std::max<std::uint64_t>(tracks.bandwidth_bps, 1) : kSoundBps) +
        "\"";
    if (video) {
      text_ +=
          " width=\"" + std::to_string(track.width) + "\" height=\"" + std::to_string(track.height) + "\"";
      if (tracks.frame_rate > 0) {
        text_ +=
            " frameRate=\"" + std::to_string(std::max(1L, static_cast<long>(tracks.frame_rate + 0.5))) + "\"";
      }
    } else {
      text_ += " audioSamplingRate=\"" + std::to_string(track.sample_rate) + "\"";
    }
    text_ += "/>\n    </AdaptationSet>\n";
    return {};
  }

  std::string Segment(const TimelineFragment& fragment) const {
    std::string text = "          <S t=\"" + std::to_string(fragment.start.millis()) + "\" d=\"" +
                       std::to_string(std::max<std::int64_t>(fragment.duration.count() / 1'000'000, 1)) +
                       "\"";
    if (session_.show_timestamps) {
      const Timestamp shown = session_.by_server_time ? fragment.server_start : fragment.start;
      text += " kvs:ts=\"" + Decimal(std::max<std::int64_t>(shown.millis(), 0)) + "\"";
    }
    if (session_.show_numbers) text += " kvs:fn=\"" + fragment.number.ToString() + "\"";
    return text + "/>\n";
  }

  const PlaybackSession& session_;
  const std::map<std::uint64_t, ManifestTracks>& tracks_;
  const std::string& token_;
  std::string text_;
};

Duration PeriodStart(const PlaybackSession& session, const TimelineFragment& first) {
  if (session.mode != PlaybackMode::kLive) return first.period_offset;
  return first.period_server_start - Timestamp{};
}

std::string Head(const PlaybackSession& session, const Timeline& timeline, Timestamp now) {
  const auto& listed = timeline.listed();
  Duration longest{0};
  for (const TimelineFragment& fragment : listed) longest = std::max(longest, fragment.duration);
  const Duration listed_time = listed.back().offset + listed.back().duration - listed.front().offset;
  std::string text =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" "
      "xmlns:kvs=\"urn:millrace:kvs:2026\" profiles=\"urn:mpeg:dash:profile:isoff-live:2011\" "
      "minBufferTime=\"" +
      PeriodText(longest) + "\"";
  if (session.mode == PlaybackMode::kOnDemand) {
    return text + " type=\"static\" mediaPresentationDuration=\"" +
           PeriodText(listed.back().offset + listed.back().duration) + "\">\n";
  }
  const bool live = session.mode == PlaybackMode::kLive;
  text += " type=\"dynamic\" availabilityStartTime=\"" +
          FormatRfc3339(live ? Timestamp{} : session.created - timeline.lead()) + "\" publishTime=\"" +
          FormatRfc3339(now) + "\" timeShiftBufferDepth=\"" + PeriodText(listed_time) + "\"";
  if (timeline.over()) {
    text +=
        " mediaPresentationDuration=\"" + PeriodText(listed.back().offset + listed.back().duration) + "\"";
  } else {
    const Duration update =
        std::clamp<Duration>(longest / 2, std::chrono::seconds(1), std::chrono::seconds(5));
    // Three segments behind what is newest, as far as there are so many.
    const Duration delay = std::max(std::min(longest * 3, listed_time - longest / 2), longest);
    text += " minimumUpdatePeriod=\"" + PeriodText(update) + "\" suggestedPresentationDelay=\"" +
            PeriodText(delay) + "\"";
  }
  return text + ">\n  <UTCTiming schemeIdUri=\"urn:mpeg:dash:utc:direct:2014\" value=\"" +
         FormatRfc3339(now) + "\"/>\n";
}

}  // namespace

Result<std::string> RenderManifest(const PlaybackSession& session, const Timeline& timeline,
                                   const std::map<std::uint64_t, ManifestTracks>& tracks,
                                   const std::string& token, Timestamp now) {
  const auto& listed = timeline.listed();
  assert(!listed.empty());
  Writer writer(session, tracks, token);
  for (std::size_t begin = 0; begin < listed.size();) {
    Fragments period;
    std::size_t i = begin;
    do {
      period.push_back(&listed[i++]);
    } while (i < listed.size() && !listed[i].discontinuity);
    MILLRACE_RETURN_IF_ERROR(writer.AddPeriod(period, PeriodStart(session, listed[begin])));
    begin = i;
  }
  return Head(session, timeline, now) + std::move(writer).Take() + "</MPD>\n";
}

}  // namespace millrace
