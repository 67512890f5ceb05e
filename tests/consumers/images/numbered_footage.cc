#include "numbered_footage.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <utility>
#include <vector>

#include "fragments/mkv_writer.h"

namespace millrace::testing {

void PutVideo(FragmentStore& store, const std::string& stream, const ParsedFragment& video, Timestamp start,
              std::size_t frames_each, Duration late) {
  const VideoStream of = *store.GetStream(stream);
  const std::uint64_t run = *store.OpenRun(of);
  const std::vector<TrackInfo> tracks = video.document.TrackInfos();
  std::int64_t first_ns = video.frames.front().timestamp_ns;
  std::int64_t last_ns = first_ns;
  for (const ParsedFrame& frame : video.frames) {
    first_ns = std::min(first_ns, frame.timestamp_ns);
    last_ns = std::max(last_ns, frame.timestamp_ns);
  }
  const Duration frame_time{(last_ns - first_ns) / static_cast<std::int64_t>(video.frames.size() - 1)};
  for (std::size_t begin = 0; begin < video.frames.size(); begin += frames_each) {
    const std::size_t end = std::min(begin + frames_each, video.frames.size());
    std::vector<Frame> frames;
    Timestamp from{INT64_MAX}, to{0};
    for (std::size_t i = begin; i < end; ++i) {
      Frame frame;
      frame.track = tracks.front().number;
      frame.pts = start + Duration{video.frames[i].timestamp_ns - first_ns};
      frame.key_frame = video.frames[i].key_frame;
      frame.data = video.Share(video.frames[i]);
      from = std::min(from, frame.pts);
      to = std::max(to, frame.pts + frame_time);
      frames.push_back(std::move(frame));
    }
    Fragment fragment;
    fragment.facts.number = *store.OpenFragment(of);
    fragment.facts.start = Timestamp::FromMillis(from.millis());
    fragment.facts.duration = std::chrono::milliseconds(to.millis() - from.millis());
    fragment.facts.server_start = from + late;
    fragment.facts.run = run;
    fragment.facts.run_start = Timestamp::FromMillis(start.millis());
    fragment.facts.independent = frames.front().key_frame;
    fragment.facts.tracks = tracks;
    fragment.facts.tracks_id = TracksId(tracks);
    auto written = WriteMkv(tracks, fragment.facts.start, fragment.facts.duration, frames);
    ASSERT_TRUE(written) << written.error().ToString();
    fragment.mkv = written->bytes;
    fragment.facts.bytes = fragment.mkv.size();
    std::promise<Result<FragmentNumber>> done;
    store.Append(of, std::move(fragment),
                 [&](Result<FragmentNumber> result) { done.set_value(std::move(result)); });
    const auto appended = done.get_future().get();
    ASSERT_TRUE(appended) << appended.error().ToString();
  }
}

}  // namespace millrace::testing
