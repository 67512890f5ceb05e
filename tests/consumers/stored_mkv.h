// Producers' files as stored fragments, for tests: through the assembler, as PutMedia stores them.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "memory_fragment_store.h"
#include "tests/fragments/assembled.h"

namespace millrace::testing {

inline Bytes ReadBytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(in), {});
}

// Stores an MKV file's fragments, its time zero at `start`. Fails the test where the assembler refuses.
inline std::vector<FragmentFacts> StoreMkv(MemoryFragmentStore& store, const std::string& stream_name,
                                           const std::string& path, Timestamp start) {
  if (!store.GetStream(stream_name)) {
    EXPECT_TRUE(store.CreateStream(stream_name, std::chrono::hours(1)));
  }
  const VideoStream stream = *store.GetStream(stream_name);
  AssemblerOptions options;
  options.relative_to = start;
  options.limits.frames_of_every_track = false;
  test::Assembled assembled = test::AssembleSplit(ReadBytes(path), 11, options);
  EXPECT_FALSE(assembled.refusal) << assembled.refusal->message;
  std::vector<FragmentFacts> stored;
  std::uint64_t run = 0;
  for (AssembledFragment& each : assembled.fragments) {
    if (each.starts_run) run = *store.OpenRun(stream);
    each.fragment.facts.run = run;
    each.fragment.facts.number = *store.OpenFragment(stream);
    stored.push_back(each.fragment.facts);
    store.Put(stream_name, std::move(each.fragment));
  }
  return stored;
}

}  // namespace millrace::testing
