// CRC32C (Castagnoli, reflected 0x1EDC6F41): the checksum of everything in the log.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace millrace::storage {

// Goes on from `crc`, which is 0 for a start: Crc32c(b, Crc32c(a)) == Crc32c(ab). Uses the processor's
// instruction (SSE4.2, three streams interleaved) where there is one. Threads: any.
std::uint32_t Crc32c(ByteSpan bytes, std::uint32_t crc = 0);

// The same by table, on any processor: what Crc32c falls back to, and what tests compare it with.
std::uint32_t Crc32cPortable(ByteSpan bytes, std::uint32_t crc = 0);

}  // namespace millrace::storage
