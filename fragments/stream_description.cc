#include "fragments/stream_description.h"

#include <cinttypes>
#include <cstdio>

namespace millrace {

std::string StreamDescription::Version() const {
  char text[40];
  std::snprintf(text, sizeof(text), "%" PRIx64 "x%" PRIx64, static_cast<std::uint64_t>(created.millis()),
                revision);
  return text;
}

}  // namespace millrace
