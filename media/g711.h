// G.711 (ITU-T G.711) in Matroska's form: A_MS/ACM, whose CodecPrivate is a WAVEFORMATEX; and its samples.
//
// Threads: pure functions, any thread.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "media/codec.h"

namespace millrace {

// The 18 bytes of a WAVEFORMATEX. REQUIRES: kPcmMulaw or kPcmAlaw.
Bytes MakeWaveFormat(Codec codec, std::uint32_t sample_rate, std::uint32_t channels);
// The codec that a WAVEFORMATEX names; none: not G.711, or cut short.
std::optional<Codec> CodecOfWaveFormat(ByteSpan wave_format);

// A byte's sample, in 16 bits. REQUIRES: kPcmMulaw or kPcmAlaw.
std::int16_t G711Sample(Codec codec, std::uint8_t byte);

}  // namespace millrace
