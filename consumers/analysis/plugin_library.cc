#include "consumers/analysis/plugin_library.h"

#include <dlfcn.h>

#include <exception>
#include <filesystem>
#include <string_view>

namespace millrace {
namespace {

std::string Text(const AnalyzerAbi& abi) {
  std::string text = "libstdc++ " + std::to_string(abi.libstdcxx);
  if (abi.new_strings == 0) text += " with old strings";
  if (abi.debug_containers != 0) text += " with debug containers";
  text += ", OpenCV " + std::to_string(abi.opencv / 100) + "." + std::to_string(abi.opencv % 100);
  return text + ", Boost " + std::to_string(abi.boost / 100'000) + "." +
         std::to_string(abi.boost / 100 % 1000);
}

// It may be any library's: nothing but its beginning is read where the interface is another.
Result<void> CheckEntry(const std::string& path, const AnalyzerEntry& entry) {
  if (entry.interface_version != kAnalyzerInterface) {
    return Error{ErrorCode::kUnsupported,
                 path + " is built for interface " + std::to_string(entry.interface_version) +
                     " of analyzers; this Millrace (" MILLRACE_VERSION ") has interface " +
                     std::to_string(kAnalyzerInterface) + ": build it again with this one's headers"};
  }
  if (std::string_view(entry.library_version) != MILLRACE_VERSION) {
    return Error{ErrorCode::kUnsupported,
                 path + " (" + entry.name + ") is built with the headers of Millrace " +
                     entry.library_version +
                     "; this is Millrace " MILLRACE_VERSION ": build it again with this one's"};
  }
  if (entry.abi != AnalyzerAbi{}) {
    return Error{ErrorCode::kUnsupported, path + " (" + entry.name + ") is built with " + Text(entry.abi) +
                                              "; this Millrace with " + Text(AnalyzerAbi{}) +
                                              ": build it again on this machine"};
  }
  return {};
}

}  // namespace

Result<PluginLibrary> PluginLibrary::Load(const std::string& path) {
  std::error_code ec;
  if (!std::filesystem::is_regular_file(path, ec)) {
    return Error{ErrorCode::kNotFound, "there is no analyzer at " + path};
  }
  const std::string absolute = std::filesystem::absolute(path, ec).string();
  void* library = ::dlopen(absolute.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* why = ::dlerror();
    return Error{ErrorCode::kInvalidArgument, why != nullptr ? why : path + " cannot be loaded"};
  }
  auto find = reinterpret_cast<const AnalyzerEntry* (*)()>(::dlsym(library, "MillraceAnalyzer"));
  if (find == nullptr) {
    const bool first = ::dlsym(library, "MillraceAnalyzerInterface") != nullptr;
    return first ? Error{ErrorCode::kUnsupported,
                         path +
                             " is built for interface 1 of analyzers; this Millrace (" MILLRACE_VERSION
                             ") has interface " +
                             std::to_string(kAnalyzerInterface)}
                 : Error{ErrorCode::kInvalidArgument,
                         path + " is no analyzer: MILLRACE_ANALYZER stands nowhere in it"};
  }
  const AnalyzerEntry* entry = find();
  if (entry == nullptr || (entry->interface_version == kAnalyzerInterface && entry->make_frames == nullptr &&
                           entry->make_fragments == nullptr)) {
    return Error{ErrorCode::kInvalidArgument, path + " says nothing of its analyzer"};
  }
  MILLRACE_RETURN_IF_ERROR(CheckEntry(path, *entry));
  return PluginLibrary(path, entry);
}

Result<OwnedAnalyzer> PluginLibrary::Make(const boost::json::object& options) const {
  OwnedAnalyzer owned;
  auto take = [&](auto made, auto& into) -> Result<void> {
    if (!made) return WithContext(std::move(made).error(), path_);
    into = std::move(*made);
    if (into == nullptr) return Error{ErrorCode::kInternal, path_ + " made no analyzer"};
    return {};
  };
  try {
    MILLRACE_RETURN_IF_ERROR(entry_->make_frames != nullptr
                                 ? take(entry_->make_frames(options), owned.frames)
                                 : take(entry_->make_fragments(options), owned.fragments));
  } catch (const std::exception& e) {
    return Error{ErrorCode::kInternal, path_ + " threw: " + e.what()};
  } catch (...) {
    return Error{ErrorCode::kInternal, path_ + " threw what is no std::exception"};
  }
  return owned;
}

}  // namespace millrace
