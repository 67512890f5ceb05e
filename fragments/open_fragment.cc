#include "fragments/open_fragment.h"

#include <algorithm>
#include <utility>

#include "fragments/fragment_builder.h"
#include "fragments/mkv_writer.h"

namespace millrace {

OpenFragment::OpenFragment(FragmentFacts facts, std::int64_t opened_ms, std::size_t bytes)
    : facts_(std::move(facts)), opened_ms_(opened_ms), bytes_(bytes), next_sample_(facts_.tracks.size()) {
  facts_.start = Timestamp::FromMillis(opened_ms);
  facts_.track_facts.resize(facts_.tracks.size());
  for (std::size_t i = 0; i < facts_.tracks.size(); ++i) {
    facts_.track_facts[i].track = facts_.tracks[i].number;
  }
}

void OpenFragment::AddVideo(std::size_t track, Frame frame) {
  video_ms_.push_back(frame.pts.millis());
  ++facts_.track_facts[track].frames;
  bytes_ += frame.data.size() + kBlockOverheadMax;
  frames_.push_back(std::move(frame));
}

bool OpenFragment::AddAudio(std::size_t track, Frame frame, std::uint64_t sample, std::uint32_t samples) {
  TrackFacts& facts = facts_.track_facts[track];
  if (facts.frames == 0 || sample != next_sample_[track]) {
    if (facts.anchors.size() >= FragmentBuilder::kAnchorsMax) return false;
    facts.anchors.push_back({.frame_index = facts.frames, .sample = sample});
  }
  if (facts.frames == 0) facts.samples_per_frame = samples;
  // As the facts count on: a packet of another length shows as an anchor at the one after it.
  next_sample_[track] = sample + facts.samples_per_frame;
  ++facts.frames;
  bytes_ += frame.data.size() + kBlockOverheadMax;
  frames_.push_back(std::move(frame));
  return true;
}

std::int64_t OpenFragment::video_min_ms() const {
  return *std::min_element(video_ms_.begin(), video_ms_.end());
}
std::int64_t OpenFragment::video_max_ms() const {
  return *std::max_element(video_ms_.begin(), video_ms_.end());
}

void OpenFragment::FinishVideo(std::size_t track, std::uint32_t depth,
                               std::optional<std::int64_t> first_dts_ms, std::int64_t next_ms,
                               std::int64_t frame_ms, std::vector<std::int64_t>& tail) {
  TrackFacts& facts = facts_.track_facts[track];
  facts.reorder_depth = depth;
  if (video_ms_.empty()) {  // the picture stands still: what follows goes on where the one before ended
    facts.first_dts = facts.end_dts = Timestamp::FromMillis(first_dts_ms.value_or(opened_ms_));
    return;
  }
  std::sort(video_ms_.begin(), video_ms_.end());
  const std::int64_t shown_ms = video_ms_.front();
  const bool opened_by_video = frames_.front().track == facts.track;
  facts_.start = Timestamp::FromMillis(opened_by_video ? shown_ms : std::min(shown_ms, opened_ms_));
  if (video_ms_.size() > 1) {
    const auto steps = static_cast<std::int64_t>(video_ms_.size() - 1);
    frame_ms = std::max<std::int64_t>((video_ms_.back() - shown_ms + steps / 2) / steps, 1);
  }
  const auto parts = static_cast<std::int64_t>(depth);
  const std::int64_t first_ms = first_dts_ms.value_or(shown_ms - parts * frame_ms);
  facts.first_dts = Timestamp::FromMillis(first_ms);

  // Without fragments the frame that follows would be decoded at the run's depth-th greatest time so far.
  tail.insert(tail.end(), video_ms_.begin(), video_ms_.end());
  std::int64_t end_ms = next_ms;
  if (depth > 0) {
    end_ms = tail.size() >= depth ? tail[tail.size() - depth] : first_ms;
    // With few frames or uneven times that may be no later than the last frame's; but there is always room
    // below the greatest time here, and so below everything that follows.
    const auto last = static_cast<std::int64_t>(video_ms_.size()) - 1;
    const std::int64_t last_dts_ms = last >= parts ? video_ms_[static_cast<std::size_t>(last - parts)]
                                                   : first_ms + (shown_ms - first_ms) * last / parts;
    end_ms = std::max(end_ms, last_dts_ms + 1);
  }
  facts.end_dts = Timestamp::FromMillis(end_ms);
  constexpr std::size_t kTail = 16;
  if (tail.size() > kTail) tail.erase(tail.begin(), tail.end() - kTail);
}

Result<Fragment> OpenFragment::Finish(std::int64_t end_ms, const std::vector<std::uint64_t>& zero_offsets,
                                      std::vector<Frame>& frames) {
  facts_.duration = Timestamp::FromMillis(std::max(end_ms, facts_.start.millis() + 1)) - facts_.start;
  for (std::size_t i = 0; i < facts_.track_facts.size(); ++i) {
    for (AudioAnchor& anchor : facts_.track_facts[i].anchors) anchor.sample += zero_offsets[i];
  }
  MILLRACE_ASSIGN_OR_RETURN(WrittenMkv document,
                            WriteMkv(facts_.tracks, facts_.start, facts_.duration, frames_));
  facts_.bytes = document.bytes.size();
  for (std::size_t i = 0; i < frames_.size(); ++i) {
    frames_[i].data = document.bytes.Slice(document.frame_offsets[i], frames_[i].data.size());
  }
  frames = std::move(frames_);
  return Fragment{.facts = std::move(facts_), .mkv = std::move(document.bytes)};
}

}  // namespace millrace
