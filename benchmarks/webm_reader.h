// The peer libwebm, as parser_bench measures it. Its headers speak in another tongue, so they stay in one
// file.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace millrace {

struct WebmTotals {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};

// All frames of a document by webm::WebmParser. `copy`: each frame's bytes are read; else they are passed
// over. Throws std::runtime_error where libwebm refuses the document.
WebmTotals ReadByLibwebm(ByteSpan document, bool copy);

}  // namespace millrace
