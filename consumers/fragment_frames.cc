#include "consumers/fragment_frames.h"

#include <utility>

#include "media/bitstream.h"

namespace millrace {
namespace {

Error OfDifferentTimes(const FragmentFacts& facts) {
  return {ErrorCode::kCorruption,
          "fragment " + facts.number.ToString() + ": its facts and its document are of different times"};
}

}  // namespace

Result<Duration> DocumentShift(const FragmentFacts& facts, const ParsedFragment& parsed) {
  // A producer's document may count from an epoch of its own, from which the facts' is whole ms away.
  const Timestamp cluster = Timestamp::FromMillis(Timestamp{parsed.timestamp_ns}.millis());
  std::int64_t shift_ns = 0;
  if (__builtin_sub_overflow(facts.start.ns, cluster.ns, &shift_ns)) return OfDifferentTimes(facts);
  return Duration{shift_ns};
}

Result<std::vector<Frame>> FramesOf(const Fragment& fragment) {
  auto parsed = ParseFragment(fragment.mkv);
  if (!parsed) return WithContext(std::move(parsed).error(), "fragment " + fragment.facts.number.ToString());
  MILLRACE_ASSIGN_OR_RETURN(const Duration shift, DocumentShift(fragment.facts, *parsed));
  bool impossible = false;
  std::vector<Frame> frames;
  frames.reserve(parsed->frames.size());
  for (const ParsedFrame& stored : parsed->frames) {
    Frame frame;
    frame.track = stored.track;
    impossible |= __builtin_add_overflow(stored.timestamp_ns, shift.count(), &frame.pts.ns);
    frame.duration = stored.duration;
    frame.key_frame =
        IsKeyFrame(FindTrack(fragment.facts.tracks, stored.track), stored.data, stored.key_frame);
    frame.data = parsed->Share(stored);
    frames.push_back(std::move(frame));
  }
  if (impossible) return OfDifferentTimes(fragment.facts);
  return frames;
}

}  // namespace millrace
