// Continuity counters of MPEG-TS segments that are made one by one and played one after the other
// (docs/decisions/0013-transport-stream-segments.md).
//
// The counter of a PID goes up by one with each packet that has a payload, modulo 16 (ISO/IEC 13818-1 section
// 2.4.3.3), over segments' borders too; but no segment knows how many packets came before it. So every
// segment is given a multiple of 16 packets for each of its PIDs, counted from 0 to 15: any two then fit
// together. Packets are added by sending the last bytes of a payload one by one, with stuffing; tables are
// repeated.
//
// Threads: pure; any.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

namespace millrace {

// `stream`: whole packets of 188 bytes, as a muxer wrote them; the service description table is left out.
// Errors: kInternal: no such packets.
Result<Bytes> AlignContinuity(ByteSpan stream);

}  // namespace millrace
