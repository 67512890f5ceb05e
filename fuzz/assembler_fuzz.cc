// The fragment assembler: whatever a producer sends, whole and in random pieces it gives the same fragments
// and the same refusal; each fragment is a document that readers take, with facts that can be kept.
//
// Input: a byte that chooses the limits and the kind of times, then the bytes of a producer.
#include <algorithm>
#include <random>
#include <string>

#include "consumers/fragment_frames.h"
#include "fragments/decode_times.h"
#include "fuzz/fuzz_target.h"
#include "fuzz/mkv_seeds.h"
#include "tests/fragments/assembled.h"
#include "tests/parser/mkv_builder.h"

namespace millrace::fuzz {
namespace {

using test::Assembled;
using testing::MkvBuilder;
using testing::SizeForm;

std::uint32_t Hash(ByteSpan bytes) {
  std::uint32_t hash = 0x811C'9DC5;
  for (const std::uint8_t byte : bytes) hash = (hash ^ byte) * 0x0100'0193;
  return hash;
}

AssemblerOptions OptionsOf(std::uint8_t choice) {
  AssemblerOptions options;
  if (choice & 1) options.relative_to = Timestamp::FromMillis(1'763'690'820'250);
  AssemblerLimits& limits = options.limits;
  limits.frames_of_every_track = (choice & 2) != 0;
  if (choice & 4) {
    limits.fragment_bytes_max = 256u << choice % 4;
    limits.header_bytes_max = 128u << choice % 3;
    limits.frames_max = 1 + choice % 7;
    limits.tracks_max = 1 + choice % 3;
    limits.tags_max = choice % 3;
  }
  return options;
}

void CheckFragment(const AssembledFragment& assembled, const AssemblerLimits& limits) {
  const Fragment& fragment = assembled.fragment;
  const FragmentFacts& facts = fragment.facts;
  FUZZ_CHECK(fragment.mkv.size() <= limits.fragment_bytes_max, std::to_string(fragment.mkv.size()));
  FUZZ_CHECK(facts.bytes == fragment.mkv.size() && facts.duration > Duration{0}, "size or duration");
  FUZZ_CHECK(assembled.parsed.clusters == 1, std::to_string(assembled.parsed.clusters));
  FUZZ_CHECK(assembled.parsed.frames.size() <= limits.frames_max, "frames");
  const auto again = DecodeFacts(EncodeFacts(facts));
  FUZZ_CHECK(again && *again == facts, "facts");
  const auto frames = FramesOf(fragment);
  FUZZ_CHECK(frames && frames->size() == assembled.parsed.frames.size(), "readers take it");
  for (std::size_t i = 0; i < facts.tracks.size(); ++i) {
    const TrackFacts& track = facts.track_facts[i];
    std::vector<Timestamp> pts;
    for (const Frame& frame : *frames) {
      if (frame.track == track.track) pts.push_back(frame.pts);
    }
    FUZZ_CHECK(pts.size() == track.frames, "frames of a track");
    if (facts.tracks[i].kind() == TrackKind::kAudio) {
      const auto samples = AudioSamples(track);
      FUZZ_CHECK(samples.has_value(), samples.error().ToString());
      continue;
    }
    // Two pictures of one time are the one thing that facts cannot say.
    std::sort(pts.begin(), pts.end());
    const bool distinct = std::adjacent_find(pts.begin(), pts.end()) == pts.end();
    const auto times = VideoDecodeTimes(track, pts);
    FUZZ_CHECK(!distinct || times, times.error().ToString());
  }
}

void CheckSame(const Assembled& whole, const Assembled& split) {
  FUZZ_CHECK(whole.order == split.order, "the events differ");
  FUZZ_CHECK(whole.refusal.has_value() == split.refusal.has_value(), "one is refused");
  if (whole.refusal) {
    FUZZ_CHECK(whole.refusal->timecode == split.refusal->timecode, "the refused timecodes differ");
  }
  for (std::size_t i = 0; i < whole.fragments.size(); ++i) {
    const ByteSpan one = whole.fragments[i].fragment.mkv.span();
    const ByteSpan other = split.fragments[i].fragment.mkv.span();
    FUZZ_CHECK(std::equal(one.begin(), one.end(), other.begin(), other.end()), "the documents differ");
    FUZZ_CHECK(whole.fragments[i].fragment.facts == split.fragments[i].fragment.facts, "the facts differ");
    FUZZ_CHECK(whole.fragments[i].tags == split.fragments[i].tags, "the tags differ");
  }
}

}  // namespace

std::vector<Seed> Seeds() {
  std::vector<Seed> seeds = DocumentSeeds(4);
  MkvBuilder two;
  two.out().push_back(1);
  for (std::uint64_t i = 0; i < 2; ++i) {
    two.Header(SizeForm::kUnknown1).Tracks().StartCluster(900 * i, SizeForm::kUnknown1);
    two.Simple(1, 0, true, "a").Simple(2, 0, true, "b");
  }
  seeds.push_back({"two-documents", two.Take()});
  MkvBuilder nested;
  nested.out().push_back(0);
  nested.Header(SizeForm::kUnknown1).Tracks();
  constexpr std::size_t kDepth = 200'000;  // more than a stack holds
  std::vector<std::size_t> open{BeginMaster(nested.out(), ElementId::kTags, 4)};
  for (std::size_t i = 0; i < kDepth; ++i) open.push_back(BeginMaster(nested.out(), ElementId::kTag, 4));
  for (; !open.empty(); open.pop_back()) EndMaster(nested.out(), open.back(), 4);
  nested.StartCluster(900, SizeForm::kUnknown1).Simple(1, 0, true, "a");
  seeds.push_back({"nested-tags", nested.Take()});
  return seeds;
}

}  // namespace millrace::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  using namespace millrace::fuzz;
  Choices choices(ByteSpan(data, size));
  const AssemblerOptions options = OptionsOf(choices.Take<std::uint8_t>());
  const ByteSpan bytes = choices.rest();
  const Assembled whole = test::AssembleWhole(bytes, options);
  for (const AssembledFragment& fragment : whole.fragments) CheckFragment(fragment, options.limits);
  const Assembled split = test::AssembleSplit(bytes, Hash(bytes), options);
  FUZZ_CHECK(
      split.held_max <= 2 * (options.limits.fragment_bytes_max + options.limits.header_bytes_max) + 8192,
      std::to_string(split.held_max));
  CheckSame(whole, split);
  const Assembled broken = test::AssembleWhole(bytes, options, test::Ending::kBreakOff);
  FUZZ_CHECK(broken.fragments.size() <= whole.fragments.size() + 1, "breaking off");
  return 0;
}
