#include "consumers/analysis/analyzer_plugin.h"

#include <dlfcn.h>

#include <exception>
#include <filesystem>

namespace millrace {

Result<std::unique_ptr<FrameAnalyzer>> LoadAnalyzer(const std::string& path) {
  std::error_code ec;
  if (!std::filesystem::is_regular_file(path, ec)) {
    return Error{ErrorCode::kNotFound, "there is no analyzer at " + path};
  }
  std::string absolute = std::filesystem::absolute(path, ec).string();
  void* library = ::dlopen(absolute.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* why = ::dlerror();
    return Error{ErrorCode::kInvalidArgument, why != nullptr ? why : path + " cannot be loaded"};
  }
  auto interface = reinterpret_cast<std::uint32_t (*)()>(::dlsym(library, "MillraceAnalyzerInterface"));
  auto make = reinterpret_cast<FrameAnalyzer* (*)()>(::dlsym(library, "MillraceMakeAnalyzer"));
  if (interface == nullptr || make == nullptr) {
    return Error{ErrorCode::kInvalidArgument,
                 path + " is no analyzer: MILLRACE_ANALYZER stands nowhere in it"};
  }
  if (interface() != kAnalyzerInterface) {
    return Error{ErrorCode::kUnsupported, path + " is made for interface " + std::to_string(interface()) +
                                              " of analyzers; this is " + std::to_string(kAnalyzerInterface)};
  }
  try {
    std::unique_ptr<FrameAnalyzer> analyzer(make());
    if (analyzer != nullptr) return analyzer;
  } catch (const std::exception& e) {
    return Error{ErrorCode::kInternal, path + " threw: " + e.what()};
  }
  return Error{ErrorCode::kInternal, path + " made no analyzer"};
}

}  // namespace millrace
