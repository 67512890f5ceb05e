// The Matroska readers: whatever the bytes are, reading them whole, in random pieces and by ParseFragment
// tells the same, and stays within the limits.
//
// Input: a byte that chooses the limits, then the bytes of a document.
#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "fuzz/fuzz_target.h"
#include "fuzz/mkv_seeds.h"
#include "parser/fragment_visitor.h"
#include "parser/parse_fragment.h"
#include "tests/parser/mkv_builder.h"

namespace millrace::fuzz {
namespace {

using testing::MkvBuilder;
using testing::SizeForm;

std::uint64_t Hash(ByteSpan bytes) {
  std::uint64_t hash = 0xCBF2'9CE4'8422'2325;
  for (const std::uint8_t byte : bytes) hash = (hash ^ byte) * 0x0000'0100'0000'01B3;
  return hash;
}

struct FrameFacts {
  std::uint32_t track = 0;
  std::int64_t timestamp_ns = 0;
  std::int64_t duration_ns = 0;
  bool key_frame = false;
  bool discardable = false;
  std::uint64_t bytes = 0;
  std::uint64_t hash = 0;
  friend bool operator==(const FrameFacts&, const FrameFacts&) = default;
};

template <typename Frame>
FrameFacts FactsOf(const Frame& frame, ByteSpan data) {
  return {frame.track, frame.timestamp_ns, frame.duration.count(), frame.key_frame, frame.discardable,
          data.size(), Hash(data)};
}

// One call of the handler, but for its frame.
struct Event {
  char what = 0;
  std::int64_t timestamp_ns = 0;
  std::uint64_t offset = 0;
  std::uint64_t end_offset = 0;
  std::uint64_t document_offset = 0;
  std::uint64_t frames = 0;
  std::string text;  // tracks and tags
  friend bool operator==(const Event&, const Event&) = default;
};

struct Reading {
  std::vector<Event> events;
  std::vector<FrameFacts> frames;
  std::uint64_t frame_bytes = 0;
  std::vector<MkvTrack> tracks;  // of the first document that has a Cluster
  std::string error;             // with its code; empty: read to the end
};

std::string Text(const std::vector<MkvTag>& tags) {
  std::string text;
  for (const MkvTag& tag : tags)
    text += tag.name + '=' + tag.value + '@' + std::to_string(tag.track_uid) + ' ';
  return text;
}

class Recorder final : public FragmentHandler {
 public:
  Recorder(Reading& out, const ParserLimits& limits) : out_(out), limits_(limits) {}

  Result<void> OnFragmentStart(const MkvFragment& fragment) override {
    const std::vector<MkvTrack>& tracks = fragment.document->tracks;
    FUZZ_CHECK(tracks.size() <= limits_.tracks_max, std::to_string(tracks.size()));
    FUZZ_CHECK(fragment.document->tags.size() <= limits_.tags_max, "tags of the header");
    std::uint64_t header_bytes = 0;
    std::string text;
    for (const MkvTrack& track : tracks) {
      header_bytes += track.codec_private.size() + (track.info ? track.info->codec_private.size() : 0);
      text += std::to_string(track.number) + track.codec_id + ' ';
    }
    FUZZ_CHECK(header_bytes <= limits_.header_bytes_max, std::to_string(header_bytes));
    if (std::none_of(out_.events.begin(), out_.events.end(), [](const Event& e) { return e.what == 's'; })) {
      out_.tracks = tracks;
    }
    Add('s', fragment, text + Text(fragment.document->tags));
    return {};
  }
  Result<void> OnFrame(const MkvFragment& fragment, const MkvFrame& frame) override {
    const ByteSpan data = frame.data.span();
    FUZZ_CHECK(data.size() <= limits_.frame_bytes_max, std::to_string(data.size()));
    FUZZ_CHECK(fragment.document->FindTrack(frame.track) != nullptr, std::to_string(frame.track));
    const SharedBytes kept = frame.data.Share();
    FUZZ_CHECK(kept.size() == data.size() && std::equal(data.begin(), data.end(), kept.data()), "Share");
    out_.frames.push_back(FactsOf(frame, data));
    out_.frame_bytes += data.size();
    return {};
  }
  Result<void> OnClusterEnd(const MkvFragment& fragment) override {
    FUZZ_CHECK(fragment.end_offset > fragment.offset, std::to_string(fragment.end_offset));
    FUZZ_CHECK(fragment.end_offset - fragment.offset <= limits_.cluster_bytes_max + kElementHeaderBytesMax,
               std::to_string(fragment.end_offset - fragment.offset));
    Add('c', fragment, "");
    return {};
  }
  Result<void> OnFragmentEnd(const MkvFragment& fragment) override {
    FUZZ_CHECK(fragment.tags.size() <= limits_.tags_max, std::to_string(fragment.tags.size()));
    Add('e', fragment, Text(fragment.tags) + fragment.service.fragment_number.value_or("-"));
    return {};
  }
  Result<void> OnServiceError(const ServiceTags& service) override {
    Event event;
    event.what = '!';
    event.text = service.fragment_number.value_or("-");
    out_.events.push_back(std::move(event));
    return {};
  }

 private:
  void Add(char what, const MkvFragment& fragment, std::string text) {
    out_.events.push_back({what, fragment.timestamp_ns, fragment.offset, fragment.end_offset,
                           fragment.document_offset, fragment.frames, std::move(text)});
  }

  Reading& out_;
  const ParserLimits& limits_;
};

// `piece` gives the size of the next piece, above zero. `shared`: every second piece goes in as SharedBytes.
template <typename NextSize>
Reading Read(ByteSpan bytes, const ParserLimits& limits, NextSize next_size, bool shared) {
  Reading reading;
  Recorder recorder(reading, limits);
  FragmentReader reader(recorder, limits);
  Result<void> result;
  const std::size_t all = bytes.size();
  for (bool odd = false; result && !bytes.empty(); odd = !odd) {
    const ByteSpan part = bytes.first(std::min<std::size_t>(bytes.size(), next_size()));
    bytes = bytes.subspan(part.size());
    // A copy of just this piece: reading past it is an error that the address sanitizer sees.
    const SharedBytes piece(Bytes(part.begin(), part.end()));
    result = shared && odd ? reader.Push(piece) : reader.Push(piece.span());
  }
  if (result) result = reader.Finish();
  FUZZ_CHECK(reading.frame_bytes <= all, "frames are disjoint parts of the input");
  if (!result) {
    reading.error = result.error().ToString();
    const Result<void> again = reader.Push(ByteSpan());
    FUZZ_CHECK(!again && again.error().ToString() == reading.error, "an error stays: " + reading.error);
  }
  return reading;
}

void CheckSame(const Reading& whole, const Reading& split) {
  FUZZ_CHECK(whole.error == split.error, "whole: " + whole.error + "\nsplit: " + split.error);
  FUZZ_CHECK(whole.events == split.events, "the calls differ");
  FUZZ_CHECK(whole.frames == split.frames, "the frames differ");
}

void CheckParseFragment(ByteSpan bytes, const ParserLimits& limits, const Reading& whole) {
  const Result<ParsedFragment> parsed = ParseFragment(SharedBytes(Bytes(bytes.begin(), bytes.end())), limits);
  if (!parsed) {
    // It has two rules more: one document, and counts over the whole of it.
    const Error& error = parsed.error();
    if (error.message.find("begins a second document") != std::string::npos) return;
    FUZZ_CHECK(error.code == ErrorCode::kResourceExhausted || error.ToString() == whole.error,
               "ParseFragment: " + error.ToString() + "\nreader: " + whole.error);
    return;
  }
  FUZZ_CHECK(whole.error.empty(), "ParseFragment takes it; the reader: " + whole.error);
  FUZZ_CHECK(parsed->frames.size() <= limits.frames_max, std::to_string(parsed->frames.size()));
  std::vector<FrameFacts> frames;
  for (const ParsedFrame& frame : parsed->frames) {
    FUZZ_CHECK(parsed->Share(frame).size() == frame.data.size(), "Share");
    frames.push_back(FactsOf(frame, frame.data));
  }
  FUZZ_CHECK(frames == whole.frames, "the frames differ");
  const auto starts = std::count_if(whole.events.begin(), whole.events.end(),
                                    [](const Event& event) { return event.what == 's'; });
  FUZZ_CHECK(parsed->clusters == static_cast<std::uint64_t>(starts), std::to_string(parsed->clusters));
  if (starts == 0) return;
  FUZZ_CHECK(parsed->timestamp_ns == whole.events.front().timestamp_ns, std::to_string(parsed->timestamp_ns));
  FUZZ_CHECK(parsed->document.tracks == whole.tracks, "the tracks differ");
}

ParserLimits LimitsOf(std::uint8_t choice) {
  ParserLimits limits;
  if (choice % 4 == 0) return limits;
  limits.frame_bytes_max = 16u << choice % 8;
  limits.element_bytes_max = 8u << choice % 5;
  limits.cluster_bytes_max = 64u << choice % 6;
  limits.skipped_bytes_max = 32u << choice % 7;
  limits.depth_max = 2 + choice % 4;
  limits.tracks_max = 1 + choice % 3;
  limits.header_bytes_max = 16u << choice % 4;
  limits.tags_max = 1 + choice % 5;
  limits.tag_bytes_max = 8u << choice % 3;
  limits.frames_max = 1 + choice % 13;
  return limits;
}

}  // namespace

std::vector<Seed> Seeds() {
  std::vector<Seed> seeds = DocumentSeeds(3);
  MkvBuilder two;
  two.out().push_back(0);
  two.Header(SizeForm::kUnknown1).Tracks().StartCluster(0, SizeForm::kUnknown1).Simple(1, 0, true, "a");
  two.Header(SizeForm::kUnknown1).Tracks().StartCluster(9, SizeForm::kUnknown1).Simple(2, 0, true, "b");
  seeds.push_back({"two-documents", two.Take()});
  return seeds;
}

}  // namespace millrace::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  using namespace millrace::fuzz;
  Choices choices(ByteSpan(data, size));
  const ParserLimits limits = LimitsOf(choices.Take<std::uint8_t>());
  const ByteSpan bytes = choices.rest();
  const auto all = [&] { return bytes.size(); };
  const Reading whole = Read(bytes, limits, all, false);
  std::mt19937 random(static_cast<std::uint32_t>(Hash(bytes)));
  const auto some = [&] { return 1 + (random() % 4 == 0 ? random() % 256 : random() % 8); };
  CheckSame(whole, Read(bytes, limits, some, true));
  CheckParseFragment(bytes, limits, whole);
  return 0;
}
