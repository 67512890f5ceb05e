// Small random changes to inputs, as a fuzzer makes them, but without looking at coverage. The changes depend
// on the seed alone, on every machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "base/bytes.h"

namespace millrace::fuzz {

class Mutator {
 public:
  // `corpus` outlives the mutator and is not empty.
  Mutator(const std::vector<Bytes>& corpus, std::uint32_t seed) : corpus_(corpus), random_(seed) {}

  // An input of the corpus with one to eight changes; at most `bytes_max` bytes.
  Bytes Next(std::size_t bytes_max);

 private:
  std::size_t Below(std::size_t limit) { return limit == 0 ? 0 : random_() % limit; }
  void Change(Bytes& bytes);

  const std::vector<Bytes>& corpus_;
  std::mt19937 random_;  // its numbers are the same everywhere; those of std's distributions are not
};

}  // namespace millrace::fuzz
