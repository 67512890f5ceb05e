// Good Matroska documents to begin with, for targets whose first byte chooses how the others are read.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "fuzz/fuzz_target.h"
#include "parser/tags.h"
#include "tests/parser/mkv_builder.h"

namespace millrace::fuzz {

// Documents with known and unknown sizes of Segment and Clusters, each with every form of block and lacing,
// elements to pass over, and tags before, between and behind the clusters. The first byte counts up to
// `choices`.
inline std::vector<Seed> DocumentSeeds(int choices) {
  using testing::MkvBuilder;
  using testing::SizeForm;
  std::vector<Seed> seeds;
  int number = 0;
  for (const SizeForm segment : {SizeForm::kKnown, SizeForm::kUnknown1, SizeForm::kUnknown8}) {
    for (const SizeForm cluster : {SizeForm::kKnown, SizeForm::kUnknown1}) {
      MkvBuilder mkv;
      mkv.out().push_back(static_cast<std::uint8_t>(number % choices));
      mkv.Header(segment).Tracks().Tags({{kFragmentNumberTag, "1"}, {kProducerTimestampTag, "1.5"}});
      for (std::uint64_t i = 0; i < 3; ++i) {
        mkv.StartCluster(1000 * (i + 1), cluster).Simple(1, 0, true, "key frame");
        mkv.Group(1, 80, "P", 40, true).Group(1, 40, "B", 40, true);
        mkv.SimpleRaw(2, 0, 0x82, Bytes{2, 3, 1, 'a', 'a', 'a', 'b', 'c', 'c'});
        mkv.SimpleRaw(2, 30, 0x84, Bytes{1, 'a', 'a', 'b', 'b'});
        mkv.SimpleRaw(2, 60, 0x86, Bytes{2, 0x83, 0xBD, 'a', 'a', 'a', 'b', 'c', 'c'});
        AppendText(mkv.out(), ElementId::kVoid, "void");
        mkv.EndCluster().Tags({{"door", "open"}, {kContinuationTokenTag, "7"}});
        if (i == 1) mkv.Tags({{kEndOfFragmentTag, ""}});
      }
      seeds.push_back({"document-" + std::to_string(number++), mkv.Take()});
    }
  }
  return seeds;
}

}  // namespace millrace::fuzz
