// Internal: the elements of a master that is in memory as a whole, one after the other, without descending.
#pragma once

#include "parser/ebml.h"

namespace millrace {

// An element's header at the beginning of `bytes`; length 0: none that can be read there.
struct WalkedHeader {
  std::uint32_t id = 0;
  std::uint32_t length = 0;  // of the header
  std::uint64_t size = 0;    // of the payload, or kUnknownSize
};

inline WalkedHeader ReadWalkedHeader(ByteSpan bytes) {
  const DecodedVint id = DecodeElementId(bytes);
  if (id.length <= 0) return {};
  const DecodedVint size = DecodeVint(bytes.subspan(static_cast<std::size_t>(id.length)));
  if (size.length <= 0) return {};
  return {static_cast<std::uint32_t>(id.value), static_cast<std::uint32_t>(id.length + size.length),
          size.value};
}

// Calls visit(id, the whole element, its payload) for each element of `master`, a master's payload. False: it
// does not consist of whole elements of known sizes.
template <typename Visit>
bool WalkElements(ByteSpan master, const Visit& visit) {
  while (!master.empty()) {
    const WalkedHeader header = ReadWalkedHeader(master);
    if (header.length == 0 || header.size > master.size() - header.length) return false;
    const ByteSpan whole = master.first(header.length + static_cast<std::size_t>(header.size));
    visit(header.id, whole, whole.subspan(header.length));
    master = master.subspan(whole.size());
  }
  return true;
}

}  // namespace millrace
