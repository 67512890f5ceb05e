#include "server/analyzers_config.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <filesystem>
#include <utility>

#include "consumers/analysis/option_reader.h"
#include "consumers/analyzers/built_in_analyzers.h"
#include "parser/decoder/frame_selection.h"
#include "server/config_section.h"
#include "server/options_variable.h"

namespace millrace::server {
namespace {

constexpr std::size_t kInstancesMax = 64;
constexpr std::size_t kDepthMax = 16;
constexpr std::size_t kOptionsBytesMax = 100'000;  // of one instance: they go through a process's environment

bool IsAnalyzerName(const std::string& name) {
  return !name.empty() && name.size() <= 64 &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
}

boost::json::value ScalarToJson(const YAML::Node& node) {
  const std::string& text = node.Scalar();
  if (node.Tag() == "!") return boost::json::string(text);  // it stands in quotes
  if (text == "true" || text == "false") return text == "true";
  if (text == "null" || text == "~" || text.empty()) return nullptr;
  const char* end = text.data() + text.size();
  std::int64_t whole = 0;
  if (auto [last, ec] = std::from_chars(text.data(), end, whole); ec == std::errc() && last == end)
    return whole;
  double number = 0;
  if (auto [last, ec] = std::from_chars(text.data(), end, number); ec == std::errc() && last == end)
    return number;
  return boost::json::string(text);
}

// None: it is nested too deep, or has keys that are no text.
std::optional<boost::json::value> ToJson(const YAML::Node& node, std::size_t depth) {
  if (depth == 0) return std::nullopt;
  if (node.IsScalar()) return ScalarToJson(node);
  if (node.IsSequence()) {
    boost::json::array array;
    for (const YAML::Node& each : node) {
      auto value = ToJson(each, depth - 1);
      if (!value) return std::nullopt;
      array.push_back(std::move(*value));
    }
    return array;
  }
  if (!node.IsMap()) return boost::json::value(nullptr);
  boost::json::object object;
  for (const auto& member : node) {
    auto value = member.first.IsScalar() ? ToJson(member.second, depth - 1) : std::nullopt;
    if (!value) return std::nullopt;
    object[member.first.Scalar()] = std::move(*value);
  }
  return object;
}

void ReadOptions(Section& section, const char* key, const YAML::Node& node, boost::json::object& options) {
  auto json = node.IsMap() ? ToJson(node, kDepthMax) : std::nullopt;
  if (!json || boost::json::serialize(*json).size() > kOptionsBytesMax) {
    return section.Fail(
        node, std::string("'") + key + "' must be a mapping of options, 16 levels deep and 100 kB at most");
  }
  options = std::move(json->get_object());
}

void ReadFrames(Section& section, const char* path, std::string& frames) {
  section.Text("frames", frames);
  auto selection = ParseFrameSelection(frames);
  if (!selection) {
    section.Fail(section.Child("frames"), std::string("'") + path + ".frames': " + selection.error().message);
  }
}

Result<AnalyzerInstance> ReadInstance(const YAML::Node& node, const std::string& file,
                                      const AnalyzerInstance& defaults) {
  constexpr const char* kPath = "analyzers.instances";
  Section section(node, file, kPath,
                  {"name", "analyzer", "plugin", "frames", "when_behind", "options", "streams"});
  AnalyzerInstance made = defaults;
  section.Text("name", made.name);
  section.Text("analyzer", made.analyzer);
  section.Text("plugin", made.plugin);
  section.OneOf<std::string>("when_behind", made.when_behind, {{"catch-up", "catch-up"}, {"skip", "skip"}});
  if (!IsAnalyzerName(made.name)) section.Fail(node, "an analyzer's 'name' is 1 to 64 of a-z 0-9 -");
  if (made.analyzer.empty() == made.plugin.empty()) {
    section.Fail(
        node, "analyzer '" + made.name + "' needs 'analyzer', one that Millrace has, or 'plugin', a library");
  }
  const BuiltInAnalyzer* built_in = FindBuiltInAnalyzer(made.analyzer);
  if (!made.analyzer.empty() && built_in == nullptr) {
    std::string names;
    for (const BuiltInAnalyzer& each : BuiltInAnalyzers()) {
      names += (names.empty() ? "" : ", ") + std::string(each.name);
    }
    section.Fail(section.Child("analyzer"),
                 "'" + made.analyzer + "' is no analyzer of Millrace's: there are " + names);
  }
  if (!made.plugin.empty() && !std::filesystem::path(made.plugin).is_absolute()) {
    section.Fail(section.Child("plugin"), "'plugin' must be the absolute path of a library");
  }
  if (built_in != nullptr) made.frames = built_in->frames;
  ReadFrames(section, kPath, made.frames);
  if (YAML::Node options = section.Child("options"); options.IsDefined()) {
    ReadOptions(section, "options", options, made.options.all);
  }
  if (YAML::Node streams = section.Child("streams"); streams.IsDefined()) {
    if (!streams.IsMap()) section.Fail(streams, "'streams' must be names of streams with their options");
    for (auto stream = streams.begin(); streams.IsMap() && stream != streams.end(); ++stream) {
      if (!stream->first.IsScalar()) {
        section.Fail(streams, "'streams' must be names of streams with their options");
        break;
      }
      ReadOptions(section, "streams", stream->second, made.options.by_stream[stream->first.Scalar()]);
    }
  }
  if (OptionsVariable(made.options).size() > kOptionsVariableMax) {
    section.Fail(node, "analyzer '" + made.name + "': 'options' and 'streams' are 128 KiB at most together");
  }
  MILLRACE_RETURN_IF_ERROR(section.Finish());
  return made;
}

// The short form of instances without options: names with paths.
void ReadPlugins(Section& section, const YAML::Node& plugins, const AnalyzerInstance& defaults,
                 AnalyzersConfig& made) {
  if (!plugins.IsMap())
    return section.Fail(plugins, "'analyzers.plugins' must be names with paths of libraries");
  for (const auto& plugin : plugins) {
    const bool good = plugin.first.IsScalar() && plugin.second.IsScalar() &&
                      IsAnalyzerName(plugin.first.Scalar()) &&
                      std::filesystem::path(plugin.second.Scalar()).is_absolute();
    if (!good) {
      return section.Fail(
          plugin.first,
          "'analyzers.plugins': a name of 1 to 64 of a-z 0-9 -, and the absolute path of a library");
    }
    AnalyzerInstance instance = defaults;
    instance.name = plugin.first.Scalar();
    instance.plugin = plugin.second.Scalar();
    made.instances[instance.name] = std::move(instance);
  }
}

}  // namespace

std::set<std::string> AnalyzersConfig::names() const {
  std::set<std::string> names;
  for (const auto& [name, instance] : instances) names.insert(name);
  return names;
}

std::map<std::string, AnalyzerInstance> AnalyzersConfig::BuiltInInstances() {
  std::map<std::string, AnalyzerInstance> instances;
  for (const BuiltInAnalyzer& built_in : BuiltInAnalyzers()) {
    AnalyzerInstance instance;
    instance.name = instance.analyzer = built_in.name;
    instance.frames = built_in.frames;
    instances[instance.name] = std::move(instance);
  }
  return instances;
}

Result<AnalyzersConfig> ReadAnalyzers(const YAML::Node& node, const std::string& file) {
  Section section(node, file, "analyzers",
                  {"frames", "when_behind", "faces_model", "restart_min_s", "restart_max_s", "frame_max_s",
                   "silence_max_s", "memory_mib", "plugins", "instances"});
  AnalyzersConfig made;
  AnalyzerInstance defaults;
  defaults.frames = "key-frames";
  std::string faces_model;
  ReadFrames(section, "analyzers", defaults.frames);
  section.OneOf<std::string>("when_behind", defaults.when_behind,
                             {{"catch-up", "catch-up"}, {"skip", "skip"}});
  section.Text("faces_model", faces_model);
  section.Seconds("restart_min_s", made.restart_min, 0.01, 60);
  section.Seconds("restart_max_s", made.restart_max, 0.01, 3600);
  section.Seconds("frame_max_s", made.frame_max, 0.1, 3600);
  section.Seconds("silence_max_s", made.silence_max, 2, 3600);
  section.Number("memory_mib", made.memory_bytes_max, 64, 1'048'576, 1 << 20);
  for (auto& [name, instance] : made.instances) {
    // Who sets them means all; an analyzer's own default is for who does not.
    if (section.Child("frames").IsDefined()) instance.frames = defaults.frames;
    instance.when_behind = defaults.when_behind;
    if (name == "faces" && !faces_model.empty()) instance.options.all["model"] = faces_model;
  }
  if (YAML::Node plugins = section.Child("plugins"); plugins.IsDefined()) {
    ReadPlugins(section, plugins, defaults, made);
  }
  YAML::Node instances = section.Child("instances");
  if (instances.IsDefined() && (!instances.IsSequence() || instances.size() > kInstancesMax)) {
    section.Fail(instances, "'analyzers.instances' must be a list of at most 64 analyzers");
  }
  MILLRACE_RETURN_IF_ERROR(section.Finish());
  std::set<std::string> named;
  for (const YAML::Node& each : instances.IsDefined() ? instances : YAML::Node(YAML::NodeType::Sequence)) {
    MILLRACE_ASSIGN_OR_RETURN(AnalyzerInstance instance, ReadInstance(each, file, defaults));
    if (!named.insert(instance.name).second) {
      section.Fail(each, "'analyzers.instances' has '" + instance.name + "' twice");
    }
    made.instances[instance.name] = std::move(instance);
  }
  MILLRACE_RETURN_IF_ERROR(section.Finish());
  return made;
}

Result<void> CheckOptions(const AnalyzerInstance& instance) {
  const BuiltInAnalyzer* built_in = FindBuiltInAnalyzer(instance.analyzer);
  if (built_in == nullptr || (instance.options.all.empty() && instance.options.by_stream.empty())) return {};
  const std::string where = "analyzer '" + instance.name + "'";
  // A file that is not there yet, or a server that has to be asked, is a matter of the analyzer's own
  // process.
  auto judge = [](Error error, const std::string& what) -> Result<void> {
    if (error.code != ErrorCode::kInvalidArgument) return {};
    return WithContext(std::move(error), what);
  };
  auto made = built_in->make(instance.options.all);
  if (!made) return judge(std::move(made).error(), where);
  for (const auto& [stream, own] : instance.options.by_stream) {
    auto opened = (*made)->Open(stream, instance.options.Of(stream));
    if (!opened) {
      MILLRACE_RETURN_IF_ERROR(judge(std::move(opened).error(), where + ", stream '" + stream + "'"));
    }
  }
  return {};
}

}  // namespace millrace::server
