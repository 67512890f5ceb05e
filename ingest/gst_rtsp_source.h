// An RtspSource over GStreamer's rtspsrc: RTP over TCP, UDP or TLS; H.264 video and AAC audio, as they come,
// nothing decoded.
//
// The first video and the first audio track that can be recorded are taken, other tracks are not asked for.
// Frames leave on rtspsrc's own threads, under one lock per source. There is no main loop and no bus thread:
// messages are taken where they are posted.
#pragma once

#include <memory>

#include "ingest/rtsp_source.h"

namespace millrace {

// Threads: any; initialises GStreamer at the first call.
std::unique_ptr<RtspSource> MakeGstRtspSource(const RtspSourceOptions& options, RtspSourceEvents& events);

}  // namespace millrace
