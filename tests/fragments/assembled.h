// What a FragmentAssembler makes of some bytes, for tests: fed in pieces, with everything it said.
#pragma once

#include <algorithm>
#include <optional>
#include <random>
#include <vector>

#include "fragments/fragment_assembler.h"

namespace millrace::test {

struct Assembled {
  std::vector<OpenedFragment> opened;
  std::vector<AssembledFragment> fragments;
  std::vector<char> order;  // 'o' and 'f', as they came
  std::optional<FragmentRefusal> refusal;
  std::size_t held_max = 0;
};

inline void Sort(AssemblerEvents events, Assembled& out) {
  for (AssemblerEvent& event : events) {
    if (auto* opened = std::get_if<OpenedFragment>(&event)) {
      out.opened.push_back(*opened);
      out.order.push_back('o');
    } else {
      out.fragments.push_back(std::move(std::get<AssembledFragment>(event)));
      out.order.push_back('f');
    }
  }
}

enum class Ending { kFinish, kBreakOff };

// `next_size` gives the size of the next piece, above zero.
template <typename NextSize>
Assembled Assemble(ByteSpan bytes, NextSize next_size, const AssemblerOptions& options = {},
                   Ending ending = Ending::kFinish) {
  FragmentAssembler assembler(options);
  Assembled out;
  while (!out.refusal && !bytes.empty()) {
    const std::size_t size = std::min<std::size_t>(bytes.size(), next_size());
    // A copy of just this piece: reading past it is an error that the address sanitizer sees.
    const Bytes piece(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    bytes = bytes.subspan(size);
    AssemblerEvents events;
    out.refusal = assembler.Push(piece, events);
    out.held_max = std::max(out.held_max, assembler.bytes());
    Sort(std::move(events), out);
  }
  AssemblerEvents events;
  if (ending == Ending::kBreakOff) {
    assembler.BreakOff(events);
  } else if (!out.refusal) {
    out.refusal = assembler.Finish(events);
  }
  Sort(std::move(events), out);
  return out;
}

inline Assembled AssembleWhole(ByteSpan bytes, const AssemblerOptions& options = {},
                               Ending ending = Ending::kFinish) {
  return Assemble(
      bytes, [&] { return bytes.size(); }, options, ending);
}

// In pieces of one byte up to some KiB, as the seed has it.
inline Assembled AssembleSplit(ByteSpan bytes, std::uint32_t seed, const AssemblerOptions& options = {}) {
  std::mt19937 random(seed);
  return Assemble(
      bytes, [&] { return 1 + (random() % 4 == 0 ? random() % 4096 : random() % 16); }, options);
}

}  // namespace millrace::test
