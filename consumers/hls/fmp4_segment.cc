// The media segment: styp, moof and mdat of one fragment (ISO/IEC 14496-12 section 8.8; ISO/IEC 23000-19).
#include <limits>
#include <string>
#include <utility>

#include "consumers/hls/fmp4.h"
#include "consumers/hls/iso_box.h"

namespace millrace {
namespace {

// A frame below this is copied next to its neighbours: sending one more piece costs more than copying it.
constexpr std::size_t kGatherBelowBytes = 4096;
constexpr std::uint64_t kSegmentBytesMax = std::numeric_limits<std::int32_t>::max();  // trun's data_offset

// ISO/IEC 14496-12 section 8.8.3.1: depends on none, a sync sample; or depends on others, not one.
constexpr std::uint32_t kSyncSample = 0x02000000;
constexpr std::uint32_t kNonSyncSample = 0x01010000;

Error Damaged(const FragmentFacts& facts, const std::string& what) {
  return {ErrorCode::kCorruption, "fragment " + facts.number.ToString() + ": " + what};
}

// Says nothing a sample that its track's defaults say already. Returns the place of data_offset, to be
// patched.
std::size_t WriteTrackFragment(BoxWriter& out, const TrackRun& run) {
  constexpr std::uint32_t kDataOffset = 0x1, kDurations = 0x100, kSizes = 0x200, kFlags = 0x400,
                          kOffsets = 0x800;
  const std::uint32_t default_duration = run.samples.empty() ? 0 : run.samples.front().duration;
  bool even = true;  // all samples last equally long
  for (const TrackSample& sample : run.samples) even = even && sample.duration == default_duration;

  auto traf = out.Open("traf");
  {
    // default-base-is-moof, default sample duration and flags
    auto tfhd = out.OpenFull("tfhd", 0, 0x020000 | 0x08 | 0x20);
    out.U32(run.info->number);
    out.U32(default_duration);
    out.U32(run.video() ? kNonSyncSample : kSyncSample);
  }
  {
    auto tfdt = out.OpenFull("tfdt", 1, 0);
    out.U64(run.decode_time);
  }
  auto trun = out.OpenFull(
      "trun", 1, kDataOffset | kSizes | (even ? 0 : kDurations) | (run.video() ? kFlags | kOffsets : 0));
  out.U32(static_cast<std::uint32_t>(run.samples.size()));
  std::size_t data_offset_at = out.size();
  out.U32(0);
  for (const TrackSample& sample : run.samples) {
    if (!even) out.U32(sample.duration);
    out.U32(static_cast<std::uint32_t>(sample.frame->data.size()));
    if (run.video()) {
      out.U32(sample.frame->key_frame ? kSyncSample : kNonSyncSample);
      out.I32(sample.composition_offset);
    }
  }
  return data_offset_at;
}

// Appends mdat's content: large frames as they are, small ones copied together.
void AppendFrames(const std::vector<TrackRun>& runs, MediaSegment& segment) {
  Bytes gathered;
  auto flush = [&] {
    if (gathered.empty()) return;
    segment.copied_bytes += gathered.size();
    segment.parts.emplace_back(std::exchange(gathered, {}));
  };
  for (const TrackRun& run : runs) {
    for (const TrackSample& sample : run.samples) {
      const SharedBytes& data = sample.frame->data;
      if (data.size() < kGatherBelowBytes) {
        gathered.insert(gathered.end(), data.span().begin(), data.span().end());
      } else {
        flush();
        segment.parts.push_back(data);
      }
    }
  }
  flush();
}

}  // namespace

Result<MediaSegment> MakeMediaSegment(const FragmentFacts& facts, const std::vector<Frame>& frames,
                                      const SegmentSelection& selection) {
  MILLRACE_ASSIGN_OR_RETURN(std::vector<TrackRun> runs, MakeTrackRuns(facts, frames, selection));
  std::uint64_t media_bytes = 0;
  std::size_t samples = 0;
  for (const TrackRun& run : runs) {
    media_bytes += run.bytes;
    samples += run.samples.size();
  }
  if (media_bytes + samples * 16 + 4096 > kSegmentBytesMax)
    return Damaged(facts, "too large for one segment");

  BoxWriter out;
  out.Reserve(256 + samples * 16 + runs.size() * 128);
  {
    auto styp = out.Open("styp");
    out.FourCc("msdh");
    out.U32(0);
    for (const char* brand : {"msdh", "iso6", "cmfs"}) out.FourCc(brand);
  }
  const std::size_t moof_at = out.size();
  std::vector<std::size_t> data_offsets_at;
  {
    auto moof = out.Open("moof");
    {
      auto mfhd = out.OpenFull("mfhd", 0, 0);
      out.U32(static_cast<std::uint32_t>(facts.number.counter));
    }
    for (const TrackRun& run : runs) data_offsets_at.push_back(WriteTrackFragment(out, run));
  }
  std::uint64_t data_at = out.size() - moof_at + 8;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    out.Patch32(data_offsets_at[i], static_cast<std::uint32_t>(data_at));
    data_at += runs[i].bytes;
  }
  out.U32(static_cast<std::uint32_t>(8 + media_bytes));
  out.FourCc("mdat");

  MediaSegment segment;
  segment.bytes = out.size() + media_bytes;
  segment.copied_bytes = out.size();
  segment.parts.emplace_back(std::move(out).Take());
  AppendFrames(runs, segment);
  return segment;
}

}  // namespace millrace
