// What producers send, made in memory: Matroska of pictures and sounds that say which they are.
#pragma once

#include <string>

#include "tests/parser/mkv_builder.h"

namespace millrace::test {

// EBML header, an endless Segment, Info and Tracks: an H.264 and an AAC track.
inline Bytes MediaHead() {
  testing::MkvBuilder mkv;
  mkv.Header(testing::SizeForm::kUnknown1).Tracks();
  return mkv.out();
}

// One Cluster of 800 ms, of unknown size as the C producer writes it: it is over when the next one begins.
// `say`: stands in each frame.
inline Bytes MediaCluster(std::uint64_t timecode, const std::string& say,
                          testing::SizeForm form = testing::SizeForm::kUnknown1) {
  testing::MkvBuilder mkv;
  mkv.StartCluster(timecode, form);
  for (std::int16_t i = 0; i < 4; ++i) {
    mkv.Simple(1, static_cast<std::int16_t>(200 * i), i == 0, say + " picture " + std::to_string(i));
  }
  mkv.Simple(2, 0, true, say + " sound").EndCluster();
  return mkv.out();
}

inline Bytes Joined(std::initializer_list<Bytes> parts) {
  Bytes all;
  for (const Bytes& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace millrace::test
