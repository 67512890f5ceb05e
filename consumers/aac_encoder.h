// libavcodec's AAC-LC encoder, block by block, at a fixed quality and without noise substitution: so it keeps
// no books over what it spent, and what a block becomes depends on its neighbours.
//
// Threads: one owner at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/result.h"
#include "media/libav_handles.h"

namespace millrace {

class AacEncoder {
 public:
  static constexpr std::size_t kBlock = 1024;  // samples of a channel
  // Packets come so many blocks late: feeding block n gives the packet whose sound begins with block n -
  // kDelayBlocks.
  static constexpr std::size_t kDelayBlocks = 2;
  // After so many blocks two encoders that began at different places choose the same windows, so that a
  // packet of the one and the next of the other overlap as they should. (From four on; measured over 10,000
  // packets with attacks.)
  static constexpr std::size_t kWarmUpBlocks = 6;

  // Whether AAC-LC has this rate, and this takes so many channels (one or two).
  static bool Takes(std::uint32_t sample_rate, std::uint32_t channels);
  // Its AudioSpecificConfig (ISO/IEC 14496-3 section 1.6.2.1). REQUIRES: Takes(sample_rate, channels).
  static Bytes Config(std::uint32_t sample_rate, std::uint32_t channels);

  // Errors: kInternal: libavcodec has no such encoder or refuses.
  static Result<AacEncoder> Open(std::uint32_t sample_rate, std::uint32_t channels);

  // `samples`: kBlock of each channel in turn (planar), -1 to 1. None: the first block makes no packet yet.
  Result<std::optional<Bytes>> Feed(std::span<const float> samples);

 private:
  AacEncoder() = default;

  AvCodecContextPtr context_;
  AvFramePtr frame_;
  AvPacketPtr packet_;
};

}  // namespace millrace
