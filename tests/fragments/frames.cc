#include "tests/fragments/frames.h"

#include <algorithm>

#include "fragments/decode_times.h"

namespace millrace::test {

std::string CheckRuns(const KeepingSink& sink) {
  std::uint64_t run = 0;
  std::int64_t end_ms = 0;
  std::map<std::uint32_t, Timestamp> last_dts;
  std::map<std::uint32_t, Timestamp> end_dts;
  std::map<std::uint32_t, std::uint64_t> end_sample;
  Timestamp run_start;
  for (std::size_t i = 0; i < sink.fragments.size(); ++i) {
    const FragmentFacts& facts = sink.fragments[i].facts;
    const std::string where = "fragment " + std::to_string(i) + ": ";
    const bool new_run = facts.run != run;
    if (new_run) {
      if (facts.run < run) return where + "the run goes back";
      run = facts.run;
      last_dts.clear();
      end_dts.clear();
      end_sample.clear();
      run_start = facts.run_start;
      if (!facts.independent) return where + "a run begins without a key frame";
    } else if (facts.start.millis() < end_ms) {
      return where + "starts before the one before it ends";
    }
    if (facts.run_start != run_start) return where + "another run_start";
    end_ms = facts.start.millis();  // spans may only touch; gaps are the source's
    if (facts.duration <= Duration{0}) return where + "no duration";
    if (facts.bytes != sink.fragments[i].mkv.size()) return where + "bytes";
    if (facts.start.ns % 1'000'000 != 0 || facts.duration.count() % 1'000'000 != 0)
      return where + "not whole ms";
    if (sink.added.at(facts.number.counter).size() != sink.frames[i].size()) return where + "frames added";
    for (std::size_t t = 0; t < facts.tracks.size(); ++t) {
      const TrackFacts& track = facts.track_facts[t];
      const std::vector<Timestamp> pts = PtsOf(sink.frames[i], track.track);
      if (pts.size() != track.frames) return where + "frames of a track";
      if (facts.tracks[t].kind() == TrackKind::kVideo) {
        const auto times = VideoDecodeTimes(track, pts);
        if (!times) return where + times.error().ToString();
        if (!pts.empty() && std::ranges::min(pts) < facts.start) return where + "video before the start";
        if (!pts.empty() && std::ranges::max(pts) >= facts.end_time()) return where + "video after the end";
        for (const VideoTime& time : *times) {
          if (last_dts.contains(track.track) && time.dts <= last_dts[track.track]) {
            return where + "decode times do not increase";
          }
          last_dts[track.track] = time.dts;
        }
        if (!new_run && track.reorder_depth > 0 && end_dts.contains(track.track) &&
            track.first_dts != end_dts[track.track]) {
          return where + "first_dts is not the end_dts before it";
        }
        end_dts[track.track] = track.end_dts;
      } else {
        const auto spans = AudioSamples(track);
        if (!spans) return where + spans.error().ToString();
        for (std::size_t f = 0; f < spans->size(); ++f) {
          const auto rate = facts.tracks[t].sample_rate;
          const double ms = static_cast<double>((*spans)[f].sample) * 1000 / rate +
                            static_cast<double>(facts.run_start.millis());
          if (std::abs(ms - static_cast<double>(pts[f].ns) / 1e6) > 1.1)
            return where + "sample and time differ";
          if (end_sample.contains(track.track) && (*spans)[f].sample < end_sample[track.track]) {
            return where + "audio overlaps";
          }
          end_sample[track.track] = (*spans)[f].sample + track.samples_per_frame;
        }
      }
    }
  }
  return "";
}

}  // namespace millrace::test
