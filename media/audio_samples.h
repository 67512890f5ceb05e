// How many samples a packet of audio holds, as its codec's headers say.
//
// Errors:  none: what cannot be read gives the codec's usual value, or zero where there is none.
// Threads: pure functions, any thread.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "media/codec.h"

namespace millrace {

// Of every packet of the track, at TrackInfo::sample_rate: AAC 1024 (960 in its short form; twice that where
// the track's rate is that of an explicit SBR layer). Zero where packets may differ (Opus).
std::uint32_t SamplesPerFrame(const TrackInfo& track);

// Of this packet. Opus: RFC 6716 section 3.1, at 48 kHz scaled to the track's rate.
std::uint32_t SamplesOfPacket(const TrackInfo& track, ByteSpan packet);

}  // namespace millrace
