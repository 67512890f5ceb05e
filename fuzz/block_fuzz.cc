// Blocks, lacing, and EBML's numbers: what is decoded lies in the input, and what is written is read again.
//
// Input: the first byte chooses what the others are: a block's payload, frames to be laced, or numbers.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "fuzz/fuzz_target.h"
#include "parser/block.h"
#include "parser/ebml.h"
#include "parser/ebml_writer.h"

namespace millrace::fuzz {
namespace {

void CheckBlock(ByteSpan payload) {
  const std::optional<Block> block = DecodeBlock(payload);
  if (!block) return;
  FUZZ_CHECK(block->track != 0 && block->track <= kVintMax, std::to_string(block->track));
  std::vector<ByteSpan> frames = {payload};  // of the block before
  if (!SplitLacing(*block, frames)) return;
  FUZZ_CHECK(!frames.empty() && frames.size() <= 256, std::to_string(frames.size()));
  const std::uint8_t* at = block->body.data();
  for (const ByteSpan frame : frames) {
    FUZZ_CHECK(frame.empty() || frame.data() >= at, "frames lie one behind the other");
    if (!frame.empty()) at = frame.data() + frame.size();
  }
  FUZZ_CHECK(at <= payload.data() + payload.size(), "frames lie in the block");
}

void AppendXiphSize(Bytes& out, std::size_t size) {
  out.insert(out.end(), size / 255, 255);
  out.push_back(static_cast<std::uint8_t>(size % 255));
}

// The difference to the size before (RFC 9559 section 10.3.3), in `length` bytes.
void AppendSizeDifference(Bytes& out, std::int64_t difference, int length) {
  const std::int64_t middle = (std::int64_t{1} << (7 * length - 1)) - 1;
  auto value = static_cast<std::uint64_t>(difference + middle);
  value |= std::uint64_t{1} << (7 * length);
  for (int shift = 8 * (length - 1); shift >= 0; shift -= 8)
    out.push_back(static_cast<std::uint8_t>(value >> shift));
}

// Laces frames of sizes that the input chooses, and takes them apart again.
void CheckLacing(Choices choices) {
  const auto lacing = static_cast<Lacing>(1 + choices.Take<std::uint8_t>() % 3);
  const std::size_t count = 1 + choices.Take<std::uint8_t>() % 256;
  std::vector<std::size_t> sizes(count);
  for (std::size_t& size : sizes) size = choices.Take<std::uint16_t>() % 2000;
  if (lacing == Lacing::kFixed) std::fill(sizes.begin(), sizes.end(), sizes[0]);
  Bytes body = {static_cast<std::uint8_t>(count - 1)};
  for (std::size_t i = 0; i + 1 < count; ++i) {
    if (lacing == Lacing::kXiph) AppendXiphSize(body, sizes[i]);
    if (lacing != Lacing::kEbml) continue;
    if (i == 0) {
      AppendVint(body, sizes[0], 2 + choices.Take<std::uint8_t>() % 7);
    } else {
      const auto difference = static_cast<std::int64_t>(sizes[i]) - static_cast<std::int64_t>(sizes[i - 1]);
      AppendSizeDifference(body, difference, 2 + choices.Take<std::uint8_t>() % 7);
    }
  }
  for (std::size_t i = 0; i < count; ++i) body.insert(body.end(), sizes[i], static_cast<std::uint8_t>(i));
  const Block block{.track = 1, .lacing = lacing, .body = body};
  std::vector<ByteSpan> frames;
  const Result<void> split = SplitLacing(block, frames);
  FUZZ_CHECK(split, split.error().ToString());
  FUZZ_CHECK(frames.size() == count, std::to_string(frames.size()) + " of " + std::to_string(count));
  for (std::size_t i = 0; i < count; ++i) {
    FUZZ_CHECK(frames[i].size() == sizes[i], std::to_string(i));
    const auto mine = [i](std::uint8_t byte) { return byte == static_cast<std::uint8_t>(i); };
    FUZZ_CHECK(std::all_of(frames[i].begin(), frames[i].end(), mine), std::to_string(i));
  }
}

void CheckNumbers(ByteSpan bytes) {
  if (const DecodedVint vint = DecodeVint(bytes); vint.length > 0) {
    Bytes written;
    if (vint.value == kUnknownSize) {
      AppendUnknownSize(written, vint.length);
    } else {
      AppendVint(written, vint.value, vint.length);
    }
    const ByteSpan taken = bytes.first(static_cast<std::size_t>(vint.length));
    FUZZ_CHECK(std::equal(written.begin(), written.end(), taken.begin(), taken.end()), "a size");
  }
  if (const DecodedVint id = DecodeElementId(bytes); id.length > 0) {
    Bytes written;
    AppendElementId(written, static_cast<ElementId>(id.value));
    const ByteSpan taken = bytes.first(static_cast<std::size_t>(id.length));
    FUZZ_CHECK(std::equal(written.begin(), written.end(), taken.begin(), taken.end()), "an id");
  }
  const auto payload_of = [](const Bytes& element) {
    const DecodedVint id = DecodeElementId(element);
    const DecodedVint size = DecodeVint(ByteSpan(element).subspan(static_cast<std::size_t>(id.length)));
    return ByteSpan(element).subspan(static_cast<std::size_t>(id.length + size.length));
  };
  Bytes element;
  if (const auto value = DecodeUnsigned(bytes)) {
    AppendUnsigned(element, ElementId::kTrackNumber, *value);
    FUZZ_CHECK(DecodeUnsigned(payload_of(element)) == value, std::to_string(*value));
  }
  if (const auto value = DecodeSigned(bytes)) {
    element.clear();
    AppendSigned(element, ElementId::kReferenceBlock, *value);
    FUZZ_CHECK(DecodeSigned(payload_of(element)) == value, std::to_string(*value));
  }
  if (const auto value = DecodeFloat(bytes); value && !std::isnan(*value)) {
    element.clear();
    AppendFloat(element, ElementId::kDuration, *value);
    FUZZ_CHECK(DecodeFloat(payload_of(element)) == value, std::to_string(*value));
  }
  FUZZ_CHECK(DecodeText(bytes).size() <= bytes.size(), "a text");
}

}  // namespace

std::vector<Seed> Seeds() {
  return {{"block", {0, 0x81, 0, 40, 0x80, 'f', 'r', 'a', 'm', 'e'}},
          {"block-of-a-large-track", {0, 0x41, 0x2C, 0xFF, 0xD8, 0x01, 'x'}},
          {"xiph-lacing", {0, 0x82, 0, 0, 0x02, 2, 3, 1, 'a', 'a', 'a', 'b', 'c', 'c'}},
          {"fixed-lacing", {0, 0x82, 0, 0, 0x04, 1, 'a', 'a', 'b', 'b'}},
          {"ebml-lacing", {0, 0x82, 0, 0, 0x06, 2, 0x83, 0xBD, 'a', 'a', 'a', 'b', 'c', 'c'}},
          {"to-be-laced-xiph", {1, 0, 3, 0, 255, 1, 0, 0, 0, 2, 2}},
          {"to-be-laced-fixed", {1, 1, 3, 0, 9}},
          {"to-be-laced-ebml", {1, 2, 4, 0, 100, 0, 3, 7, 0x90, 0, 0, 0, 1, 0, 1, 2, 3}},
          {"numbers", {2, 0x40, 0x02, 0, 0, 0, 0, 0, 1}},
          {"an-id", {2, 0x1A, 0x45, 0xDF, 0xA3}},
          {"negative", {2, 0xFF, 0x01}}};
}

}  // namespace millrace::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace::fuzz;
  Choices choices(millrace::ByteSpan(data, size));
  switch (choices.Take<std::uint8_t>() % 3) {
    case 0:
      CheckBlock(choices.rest());
      break;
    case 1:
      CheckLacing(choices);
      break;
    default:
      CheckNumbers(choices.rest());
  }
  return 0;
}
