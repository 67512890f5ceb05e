#include "storage/engine.h"

namespace millrace::storage {

Result<void> RaiseFormat(Engine& engine, std::uint32_t format) {
  const std::lock_guard lock(engine.format_mutex);
  if (engine.format >= format) return {};
  auto written = engine.directory.WriteMarker(engine.files(), format);
  // It may come before a change that frees space.
  if (!written && written.error().code == ErrorCode::kNoSpace && engine.ballast.Release()) {
    written = engine.directory.WriteMarker(engine.files(), format);
  }
  MILLRACE_RETURN_IF_ERROR(written);
  engine.format = format;
  return {};
}

}  // namespace millrace::storage
