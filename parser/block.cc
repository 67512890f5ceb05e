#include "parser/block.h"

#include <cstddef>

namespace millrace {
namespace {

Error CorruptBlock(std::string_view what) { return Error{ErrorCode::kCorruption, std::string(what)}; }

// Takes `size` bytes off the front of `body` as a frame; false where there are not so many.
bool TakeFrame(ByteSpan& body, std::uint64_t size, std::vector<ByteSpan>& frames) {
  if (size > body.size()) return false;
  frames.push_back(body.first(static_cast<std::size_t>(size)));
  body = body.subspan(static_cast<std::size_t>(size));
  return true;
}

// Section 10.3.2: a run of 255s and the byte that ends it, for each frame but the last.
bool ReadXiphSize(ByteSpan& body, std::uint64_t& size) {
  for (size = 0; !body.empty();) {
    const std::uint8_t byte = body[0];
    body = body.subspan(1);
    size += byte;
    if (byte != 255) return true;
  }
  return false;
}

// Section 10.3.3: the first size as a vint, then differences to the size before, as vints around their
// middle.
bool ReadEbmlSize(ByteSpan& body, bool first, std::uint64_t& size) {
  const DecodedVint vint = DecodeVint(body);
  if (vint.length <= 0) return false;
  body = body.subspan(static_cast<std::size_t>(vint.length));
  if (first) {
    size = vint.value;
    return vint.value != kUnknownSize;
  }
  // The difference's largest value has the pattern that a size reserves for "unknown".
  const std::int64_t middle = (std::int64_t{1} << (7 * vint.length - 1)) - 1;
  const std::int64_t raw = vint.value == kUnknownSize ? (std::int64_t{1} << (7 * vint.length)) - 1
                                                      : static_cast<std::int64_t>(vint.value);
  const std::int64_t next = static_cast<std::int64_t>(size) + raw - middle;  // both terms stay below 2^57
  if (next < 0 || next > (std::int64_t{1} << 56)) return false;
  size = static_cast<std::uint64_t>(next);
  return true;
}

}  // namespace

Result<void> SplitLacing(const Block& block, std::vector<ByteSpan>& frames) {
  frames.clear();
  ByteSpan body = block.body;
  if (block.lacing == Lacing::kNone) {
    frames.push_back(body);
    return {};
  }
  if (body.empty()) return CorruptBlock("the lacing has no frame count");
  const std::size_t count = std::size_t{body[0]} + 1;
  body = body.subspan(1);

  if (block.lacing == Lacing::kFixed) {
    if (body.size() % count != 0) return CorruptBlock("the lacing's frames cannot be of one size");
    const std::size_t size = body.size() / count;
    for (std::size_t i = 0; i < count; ++i) frames.push_back(body.subspan(i * size, size));
    return {};
  }

  // The sizes stand before the first frame: read them all, then cut.
  std::vector<std::uint64_t> sizes(count - 1);
  std::uint64_t size = 0;
  for (std::size_t i = 0; i + 1 < count; ++i) {
    const bool read =
        block.lacing == Lacing::kXiph ? ReadXiphSize(body, size) : ReadEbmlSize(body, i == 0, size);
    if (!read) return CorruptBlock("the lacing's sizes are malformed");
    sizes[i] = size;
  }
  for (const std::uint64_t frame_size : sizes) {
    if (!TakeFrame(body, frame_size, frames))
      return CorruptBlock("the lacing's frames run past the end of the block");
  }
  frames.push_back(body);
  return {};
}

}  // namespace millrace
