// Answers with a resource of HLS or DASH: its headers, 304 where the client has it already, its parts as they
// are.
//
// Threads: on the request's strand.
#pragma once

#include "api/http/http.h"
#include "consumers/hls/hls_service.h"

namespace millrace::api {

net::awaitable<void> RespondResource(const Request& request, ResponseWriter& writer,
                                     const HlsResource& resource);

}  // namespace millrace::api
