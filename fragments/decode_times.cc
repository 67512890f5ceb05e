#include "fragments/decode_times.h"

#include <algorithm>
#include <string>

namespace millrace {
namespace {

constexpr std::uint32_t kReorderDepthMax = 1024;  // far above any codec's; keeps the arithmetic in range
constexpr std::uint32_t kFramesMax = 4'000'000;   // of a fragment: 64 MiB hold no more
constexpr std::int64_t kTimeMax = std::int64_t{1} << 62;

Error Contradiction(const TrackFacts& facts, const std::string& what) {
  return {ErrorCode::kCorruption, "facts of track " + std::to_string(facts.track) + ": " + what};
}

bool InRange(Timestamp time) { return time.ns > -kTimeMax / 2 && time.ns < kTimeMax / 2; }

}  // namespace

Result<std::vector<VideoTime>> VideoDecodeTimes(const TrackFacts& facts, std::span<const Timestamp> pts) {
  if (pts.size() != facts.frames) {
    return Contradiction(facts, std::to_string(pts.size()) + " frames where " + std::to_string(facts.frames) +
                                    " are said to be");
  }
  std::vector<VideoTime> times(pts.size());
  if (pts.empty()) return times;
  std::vector<Timestamp> shown(pts.begin(), pts.end());
  std::sort(shown.begin(), shown.end());
  if (facts.reorder_depth > kReorderDepthMax || !InRange(facts.first_dts) || !InRange(facts.end_dts) ||
      !InRange(shown.front()) || !InRange(shown.back())) {
    return Contradiction(facts, "a time or the reorder depth is out of range");
  }
  const std::size_t depth = facts.reorder_depth;
  const std::int64_t lead_ns = (shown.front() - facts.first_dts).count();
  for (std::size_t i = 0; i < times.size(); ++i) {
    if (i >= depth) {
      times[i].dts = shown[i - depth];
    } else {
      // Split so that no product overflows: lead may be long, the depth is small.
      const auto step = static_cast<std::int64_t>(i);
      const auto parts = static_cast<std::int64_t>(depth);
      times[i].dts = facts.first_dts + Duration{lead_ns / parts * step + lead_ns % parts * step / parts};
    }
    if (times[i].dts > pts[i]) return Contradiction(facts, "a frame would be decoded after it is shown");
  }
  for (std::size_t i = 0; i < times.size(); ++i) {
    const Timestamp next = i + 1 < times.size() ? times[i + 1].dts : facts.end_dts;
    times[i].duration = next - times[i].dts;
    if (times[i].duration <= Duration{0}) return Contradiction(facts, "decode times do not increase");
  }
  return times;
}

Result<std::vector<AudioSpan>> AudioSamples(const TrackFacts& facts) {
  if (facts.frames > kFramesMax) return Contradiction(facts, "too many frames");
  if (facts.frames == 0) {
    if (!facts.anchors.empty()) return Contradiction(facts, "anchors without frames");
    return std::vector<AudioSpan>{};
  }
  if (facts.samples_per_frame == 0) return Contradiction(facts, "no samples in a frame");
  if (facts.anchors.empty() || facts.anchors.front().frame_index != 0) {
    return Contradiction(facts, "no anchor for the first frame");
  }
  std::vector<AudioSpan> spans(facts.frames);
  std::uint64_t sample = 0;
  std::size_t anchor = 0;
  for (std::uint32_t i = 0; i < facts.frames; ++i) {
    if (anchor < facts.anchors.size() && facts.anchors[anchor].frame_index == i) {
      const std::uint64_t anchored = facts.anchors[anchor].sample;
      if (anchored < sample || anchored > static_cast<std::uint64_t>(kTimeMax)) {
        return Contradiction(facts, "an anchor goes back");
      }
      sample = anchored;
      ++anchor;
    }
    spans[i] = {.sample = sample, .samples = facts.samples_per_frame};
    if (i > 0) spans[i - 1].samples = sample - spans[i - 1].sample;
    sample += facts.samples_per_frame;
  }
  if (anchor != facts.anchors.size()) return Contradiction(facts, "an anchor stands at no frame");
  return spans;
}

}  // namespace millrace
