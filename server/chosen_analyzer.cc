#include "server/chosen_analyzer.h"

#include <utility>

#include "consumers/analysis/plugin_library.h"
#include "consumers/analyzers/built_in_analyzers.h"

namespace millrace::server {

Result<OwnedAnalyzer> MakeAnalyzer(const AnalyzerChoice& choice, const boost::json::object& options) {
  const std::string& name = choice.analyzer;
  if (choice.plugin) {
    MILLRACE_ASSIGN_OR_RETURN(const PluginLibrary library, PluginLibrary::Load(*choice.plugin));
    return library.Make(options);
  }
  if (const BuiltInAnalyzer* built_in = FindBuiltInAnalyzer(name)) {
    auto made = built_in->make(options);
    if (!made) return WithContext(std::move(made).error(), name);
    return OwnedAnalyzer{std::move(*made), nullptr};
  }
  std::string names;
  for (const BuiltInAnalyzer& each : BuiltInAnalyzers()) {
    names += (names.empty() ? "" : ", ") + std::string(each.name);
  }
  return Error{ErrorCode::kInvalidArgument, "'" + name + "' is no analyzer: there are " + names +
                                                "; a library of one's own goes to --plugin"};
}

}  // namespace millrace::server
