// Libraries that are none, or not for this Millrace: each is built of this file with another STRANGE.
#include "consumers/analysis/analyzer_plugin.h"

namespace {

millrace::Result<std::unique_ptr<millrace::FrameAnalyzer>> Make(const boost::json::object& options) {
  if (options.contains("throw")) throw std::runtime_error("no");
  if (options.contains("throw_else")) throw 7;
  if (options.contains("none")) return std::unique_ptr<millrace::FrameAnalyzer>();
  return millrace::Error{millrace::ErrorCode::kInvalidArgument, "option 'x' is not known"};
}

millrace::AnalyzerEntry Entry() {
  millrace::AnalyzerEntry entry{
      millrace::kAnalyzerInterface, MILLRACE_VERSION, "Strange", {}, &Make, nullptr};
#if STRANGE == 1
  entry.interface_version = 77;
#elif STRANGE == 2
  entry.abi.opencv = 1203;
#elif STRANGE == 3
  entry.abi.boost = 105800;
#elif STRANGE == 4
  entry.make_frames = nullptr;
#elif STRANGE == 5
  entry.abi.libstdcxx = 3;
#elif STRANGE == 9
  entry.library_version = "0.0.0-other";
#endif
  return entry;
}

}  // namespace

#if STRANGE == 6  // interface 1
extern "C" std::uint32_t MillraceAnalyzerInterface() { return 1; }
#elif STRANGE == 7  // says nothing
extern "C" const millrace::AnalyzerEntry* MillraceAnalyzer() { return nullptr; }
#elif STRANGE != 8  // no analyzer at all
extern "C" const millrace::AnalyzerEntry* MillraceAnalyzer() {
  static const millrace::AnalyzerEntry entry = Entry();
  return &entry;
}
#endif

// Used in every variant.
extern "C" std::uint32_t StrangeInterface() { return Entry().interface_version; }
