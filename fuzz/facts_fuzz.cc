// What fragments/ keeps in a record's attributes and in metadata: damaged bytes are refused or mean what they
// say; what is decoded is encoded to the same bytes, or, of a stream's settings, which are JSON, to the same
// settings.
//
// Input: the first byte chooses facts, settings, bounds or a fragment number; the others are the value.
#include <algorithm>
#include <string>
#include <vector>

#include "fragments/fragment.h"
#include "fragments/stored_stream.h"
#include "fragments/stream_settings.h"
#include "fuzz/fuzz_target.h"

namespace millrace::fuzz {
namespace {

void CheckSame(ByteSpan bytes, const Bytes& again) {
  FUZZ_CHECK(std::equal(bytes.begin(), bytes.end(), again.begin(), again.end()),
             std::to_string(bytes.size()) + " bytes became " + std::to_string(again.size()));
}

void CheckFacts(ByteSpan bytes) {
  const Result<FragmentSpan> span = DecodeFactsSpan(bytes);
  const Result<FragmentFacts> facts = DecodeFacts(bytes);
  if (!facts) {
    FUZZ_CHECK(facts.error().message.size() < 200, facts.error().message);
    return;
  }
  CheckSame(bytes, EncodeFacts(*facts));
  FUZZ_CHECK(span, span.error().ToString());
  FUZZ_CHECK(span->start == facts->start && span->run == facts->run, "the span is that of the facts");
  FUZZ_CHECK(span->end == facts->end_time() && span->end >= span->start, "it ends after it began");
  (void)TracksId(facts->tracks);
}

Seed Prefixed(std::string name, std::uint8_t choice, const Bytes& value) {
  Bytes bytes = {choice};
  bytes.insert(bytes.end(), value.begin(), value.end());
  return {std::move(name), std::move(bytes)};
}

StoredStream SampleStream() {
  StoredStream stream;
  stream.created = Timestamp::FromMillis(1'763'690'820'000);
  stream.revision = 12;
  StreamSettings& settings = stream.settings;
  settings.retention = std::chrono::hours(168);
  settings.media_type = "video/h264";
  settings.storage_tier = StorageTier::kWarm;
  settings.tags = {{"site", "north"}};
  settings.notification = {true, "arn:aws:sns:us-east-1:000000000000:motion"};
  settings.image_generation = {.enabled = true, .destination_uri = "s3://a/b", .width_px = 640};
  settings.edge.emplace().recorder_schedule = {"0 0 0 * * ?", 60};
  settings.edge->deletion.emplace().local_size.emplace().when_full = WhenFull::kDenyNew;
  return stream;
}

FragmentFacts SampleFacts() {
  FragmentFacts facts;
  facts.number = {.counter = 7, .server_ms = 1'763'690'820'250, .random = 0xABCDEF};
  facts.start = Timestamp::FromMillis(1'763'690'820'000);
  facts.duration = std::chrono::seconds(2);
  facts.server_start = Timestamp::FromMillis(1'763'690'820'100);
  facts.bytes = 123'456;
  facts.run = 3;
  facts.run_start = Timestamp::FromMillis(1'763'690'000'000);
  facts.tracks = {
      {.number = 1, .codec = Codec::kH264, .codec_private = {1, 2, 3}, .width = 320, .height = 240},
      {.number = 2, .codec = Codec::kAac, .codec_private = {17, 144}, .sample_rate = 48000, .channels = 2}};
  facts.tracks_id = TracksId(facts.tracks);
  facts.track_facts = {
      {.track = 1, .frames = 50, .reorder_depth = 2, .first_dts = facts.start, .end_dts = facts.start},
      {.track = 2, .frames = 94, .samples_per_frame = 1024, .anchors = {{0, 0}, {40, 50'000}}}};
  return facts;
}

}  // namespace

std::vector<Seed> Seeds() {
  const FragmentFacts facts = SampleFacts();
  const std::string number = facts.number.ToString();
  FragmentFacts without_tracks;
  without_tracks.number = facts.number;
  return {Prefixed("facts", 0, EncodeFacts(facts)),
          Prefixed("facts-without-tracks", 0, EncodeFacts(without_tracks)),
          Prefixed("settings", 1, EncodeStoredStream(SampleStream())),
          Prefixed("settings-of-before", 1, Bytes{1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 7, 1}),
          Prefixed("bounds", 2, EncodeBounds({facts.start, 1000, 7})),
          Prefixed("number", 3, Bytes(number.begin(), number.end()))};
}

}  // namespace millrace::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  using namespace millrace::fuzz;
  Choices choices(ByteSpan(data, size));
  const auto choice = choices.Take<std::uint8_t>();
  const ByteSpan value = choices.rest();
  if (choice % 4 == 0) {
    CheckFacts(value);
  } else if (choice % 4 == 1) {
    if (const auto stream = DecodeStoredStream(value)) {
      const auto again = DecodeStoredStream(EncodeStoredStream(*stream));
      FUZZ_CHECK(again && *again == *stream, "settings change by being written");
    }
  } else if (choice % 4 == 2) {
    if (const auto bounds = DecodeBounds(value)) CheckSame(value, EncodeBounds(*bounds));
  } else if (const auto number = FragmentNumber::Parse(AsText(value))) {
    FUZZ_CHECK(number->ToString() == AsText(value), number->ToString());
    FUZZ_CHECK(FragmentNumber::FromKey(number->ToKey()) == *number, number->ToString());
  }
  return 0;
}
