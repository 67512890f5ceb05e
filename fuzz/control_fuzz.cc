// The rows of the control state and a record's attributes, behind their checksums: hostile values are
// refused, and the state that is built of the others is the same after a snapshot.
//
// Input: the first byte chooses attributes or changes. Changes come one after another, each with its size in
// two bytes, as they would lie in a control segment.
#include <algorithm>
#include <string>
#include <vector>

#include "fuzz/fuzz_target.h"
#include "storage/control_state.h"
#include "storage/log_format.h"

namespace millrace::fuzz {
namespace {

using namespace millrace::storage;

// Rows in the order of their keys: that of a stream's partitions depends on how it came about.
Bytes EncodeState(const ControlState& state) {
  ControlChange change = state.Snapshot();
  std::stable_sort(change.begin(), change.end(),
                   [](const ControlRow& a, const ControlRow& b) { return a.key < b.key; });
  return EncodeChange(change);
}

void CheckChanges(Choices choices) {
  ControlState state;
  while (!choices.empty()) {
    const auto size = choices.Take<std::uint16_t>();
    const Result<ControlChange> change = DecodeChange(choices.TakeBytes(size));
    if (!change || !state.Apply(*change)) return;
  }
  if (!state.Check()) return;  // as at the opening of a log
  for (const auto& [id, stream] : state.streams()) {
    // A put may come for each of them as soon as the log is open.
    if (!stream->deleting) {
      const ShardState& shard = stream->Route(HashKey{id * 0x9E37'79B9'7F4A'7C15u, 0});
      FUZZ_CHECK(stream->Find(shard.description.id) == &shard, stream->name);
    }
    const std::string key = "key";
    (void)stream->IsDead({key, 1, Timestamp{}, {}}, Timestamp::FromSeconds(1'750'000'000));
  }
  const Result<ControlChange> decoded = DecodeChange(EncodeChange(state.Snapshot()));
  FUZZ_CHECK(decoded, decoded.error().ToString());
  ControlState again;
  const Result<void> applied = again.Apply(*decoded);
  FUZZ_CHECK(applied, applied.error().ToString());
  FUZZ_CHECK(EncodeState(again) == EncodeState(state), "a snapshot gives the same state");
}

void CheckAttributes(ByteSpan bytes) {
  const Result<std::vector<Attribute>> attributes = ParseAttributes(bytes);
  if (!attributes) return;
  Bytes again;
  AppendAttributes(again, *attributes);
  FUZZ_CHECK(again == Bytes(bytes.begin(), bytes.end()), std::to_string(attributes->size()) + " attributes");
}

void AppendSized(Bytes& out, const ControlChange& change) {
  const Bytes encoded = EncodeChange(change);
  AppendBigEndian(out, static_cast<std::uint16_t>(encoded.size()));
  out.insert(out.end(), encoded.begin(), encoded.end());
}

}  // namespace

std::vector<Seed> Seeds() {
  const Timestamp now = Timestamp::FromSeconds(1'750'000'000);
  StreamState stream;
  stream.id = 1;
  stream.name = "door";
  stream.created = now;
  stream.retention = std::chrono::hours(24);
  ShardDescription shard;
  shard.hash_keys = {HashKey{}, HashKey::Max()};
  shard.created = now;
  shard.starting_sequence_number = SequenceNumber::FromFields({now.seconds(), 0, now.seconds(), ShardId{0}});
  PartitionRule rule;
  rule.retention = std::chrono::hours(1);
  rule.purged_through = 9;

  Bytes life = {0};
  AppendSized(life, {NextIdsRow(2, 1), StreamRow(stream), ShardRow(1, shard)});
  AppendSized(life, {NextIdsRow(2, 2), SegmentAddedRow(1, {3, now})});
  AppendSized(life, {PartitionRow(1, "key", rule), MetadataSetRow("a/b/c", {{1, 2, 3}, 1})});
  Bytes ended = life;
  AppendSized(ended, {RemovePartitionRow(1, "key"), MetadataRemovedRow("a/b/c"), SegmentRemovedRow(1)});
  AppendSized(ended, {RemoveShardRow(1, ShardId{0}), RemoveStreamRow(1)});
  Bytes attributes = {1};
  AppendAttributes(attributes, {{0, {1, 2}}, {200, Bytes(300, 7)}});
  return {{"a-streams-life", life}, {"and-its-end", ended}, {"attributes", attributes}};
}

}  // namespace millrace::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace::fuzz;
  Choices choices(millrace::ByteSpan(data, size));
  if (choices.Take<std::uint8_t>() % 2 == 0) {
    CheckChanges(choices);
  } else {
    CheckAttributes(choices.rest());
  }
  return 0;
}
