// One fragment while it is being built: its frames, and the facts that grow with them.
//
// Internal to the builder. Threads: one owner at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "fragments/fragment.h"
#include "media/frame.h"

namespace millrace {

class OpenFragment {
 public:
  // `opened_ms`: the time of the first frame. `bytes`: of the document without frames.
  OpenFragment(FragmentFacts facts, std::int64_t opened_ms, std::size_t bytes);

  // `track`: index in facts().tracks. frame.pts in whole ms.
  void AddVideo(std::size_t track, Frame frame);
  // `sample`: since the run's audio zero. False: the track has too many gaps to be described; nothing is
  // added.
  bool AddAudio(std::size_t track, Frame frame, std::uint64_t sample, std::uint32_t samples);

  // Fixes the video track's decode times; no video comes afterwards. `depth`: the reorder depth;
  // `first_dts_ms`: that of this fragment, where the run has one already; `next_ms`: the time of the frame
  // that follows, known or estimated; `frame_ms`: how long a frame lasts; `tail`: the greatest times of the
  // run before this fragment, ascending, and updated.
  void FinishVideo(std::size_t track, std::uint32_t depth, std::optional<std::int64_t> first_dts_ms,
                   std::int64_t next_ms, std::int64_t frame_ms, std::vector<std::int64_t>& tail);

  // Makes the document. `end_ms`: where the fragment ends; `zero_offsets`: for each track what is added to
  // its samples to count them from facts.run_start. Empties this fragment. `frames` then share the document.
  Result<Fragment> Finish(std::int64_t end_ms, const std::vector<std::uint64_t>& zero_offsets,
                          std::vector<Frame>& frames);

  const FragmentFacts& facts() const { return facts_; }
  FragmentFacts& facts() { return facts_; }
  std::int64_t opened_ms() const { return opened_ms_; }
  std::int64_t start_ms() const { return facts_.start.millis(); }  // after FinishVideo
  std::size_t bytes() const { return bytes_; }                     // of the document, at most
  std::size_t frame_count() const { return frames_.size(); }
  std::size_t video_frames() const { return video_ms_.size(); }
  std::int64_t video_min_ms() const;  // REQUIRES: video_frames() > 0
  std::int64_t video_max_ms() const;

 private:
  FragmentFacts facts_;
  std::int64_t opened_ms_;
  std::size_t bytes_;
  std::vector<Frame> frames_;
  std::vector<std::int64_t> video_ms_;      // in decode order; ascending after FinishVideo
  std::vector<std::uint64_t> next_sample_;  // of each track, where the last frame ended
};

}  // namespace millrace
