#include "consumers/fragment_frames.h"

#include <utility>

#include "parser/parse_fragment.h"

namespace millrace {

Result<std::vector<Frame>> FramesOf(const Fragment& fragment) {
  auto parsed = ParseFragment(fragment.mkv);
  if (!parsed) return WithContext(std::move(parsed).error(), "fragment " + fragment.facts.number.ToString());
  std::vector<Frame> frames;
  frames.reserve(parsed->frames.size());
  for (const ParsedFrame& stored : parsed->frames) {
    Frame frame;
    frame.track = stored.track;
    frame.pts = Timestamp{stored.timestamp_ns};
    frame.duration = stored.duration;
    frame.key_frame = stored.key_frame;
    frame.data = parsed->Share(stored);
    frames.push_back(std::move(frame));
  }
  return frames;
}

}  // namespace millrace
