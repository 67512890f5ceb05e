// GetClip and GetImages: stored footage as files. They look things up on the worker pool, and decode and
// write on pools of their own, so that neither keeps the others waiting.
//
// Threads: the Add functions before the server starts. What they are given outlives the server.
#pragma once

#include "api/video_streams/services.h"

namespace millrace::api {

struct FootageServices {
  VideoStreamServices video;
  WorkerPool& decoders;  // its size is the number of pictures that are decoded at a time
  WorkerPool& exports;   // the number of clips at a time
};

// POST /getClip.
void AddClipRoutes(Router& router, FootageServices services);
// POST /getImages.
void AddImageRoutes(Router& router, FootageServices services);

}  // namespace millrace::api
