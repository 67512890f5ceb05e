#include "consumers/hls/segment_source.h"

#include <chrono>
#include <utility>

#include "consumers/hls/ts_segment.h"
#include "consumers/player_audio.h"

namespace millrace {

SegmentSource::SegmentSource(FragmentStore& store, std::size_t cache_bytes)
    : store_(store),
      tracks_(store),
      segments_("segments", cache_bytes),
      remux_seconds_(GetHistogram("millrace_hls_segment_seconds",
                                  "Time to fetch, parse and remux one segment",
                                  {0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2})),
      remuxed_bytes_(GetCounter("millrace_hls_segment_bytes_total", "Bytes of segments that were made")) {}

Result<std::shared_ptr<const MediaSegment>> SegmentSource::Get(const VideoStream& stream,
                                                               const FragmentNumber& number,
                                                               const SegmentSelection& selection,
                                                               SegmentContainer container) {
  std::string key = stream.name + "\n" + std::to_string(stream.created.ns) + "\n" + number.ToString();
  if (container == SegmentContainer::kMpegTs) key += "\nts";
  if (selection.track) key += "\ntrack " + std::to_string(*selection.track);
  if (selection.pieces != 1) {
    key += "\n" + std::to_string(selection.piece) + " of " + std::to_string(selection.pieces);
  }
  return segments_.Get(key, [&] { return Make(stream, number, selection, container); });
}

Result<SingleFlightCache<MediaSegment>::Made> SegmentSource::Make(const VideoStream& stream,
                                                                  const FragmentNumber& number,
                                                                  const SegmentSelection& selection,
                                                                  SegmentContainer container) {
  const auto begun = std::chrono::steady_clock::now();
  MILLRACE_ASSIGN_OR_RETURN(const PlayerFragment fragment, ReadForPlayers(store_, stream.name, number));
  const bool mp4 = container == SegmentContainer::kFragmentedMp4;
  MILLRACE_ASSIGN_OR_RETURN(MediaSegment segment,
                            mp4 ? MakeMediaSegment(fragment.facts, fragment.frames, selection)
                                : MakeTsSegment(fragment.facts, fragment.frames, selection));
  remux_seconds_.Observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
  remuxed_bytes_.Increment(static_cast<double>(segment.bytes));
  // CMAF's parts keep the fragment that they are views of.
  const std::size_t held =
      (mp4 ? fragment.facts.bytes : 0) + segment.copied_bytes + segment.parts.size() * sizeof(SharedBytes);
  return SingleFlightCache<MediaSegment>::Made{std::move(segment), held};
}

}  // namespace millrace
