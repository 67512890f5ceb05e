#include "consumers/analyzers/built_in_analyzers.h"

#include <algorithm>

#include "consumers/faces/faces_analyzer.h"
#include "consumers/motion/motion_analyzer.h"
#include "consumers/objects/objects_analyzer.h"
#include "consumers/tamper/tamper_analyzer.h"
#include "consumers/thumbnails/thumbnails_analyzer.h"

namespace millrace {
namespace {

constexpr BuiltInAnalyzer kAnalyzers[] = {
    {"faces", &FacesAnalyzer::Make, "key-frames", "faces that are seen from the front"},
    {"motion", &MotionAnalyzer::Make, "per-second:5",
     "what moves in which zone, and when it begins and ends"},
    {"tamper", &TamperAnalyzer::Make, "per-second:2",
     "whether the camera is covered, moved, out of focus, black, frozen"},
    {"objects", &ObjectsAnalyzer::Make, "key-frames", "what a detection network of yours finds"},
    {"thumbnails", &ThumbnailsAnalyzer::Make, "key-frames", "a small picture every few seconds"},
};

}  // namespace

std::span<const BuiltInAnalyzer> BuiltInAnalyzers() { return kAnalyzers; }

const BuiltInAnalyzer* FindBuiltInAnalyzer(std::string_view name) {
  const auto* found = std::find_if(std::begin(kAnalyzers), std::end(kAnalyzers),
                                   [&](const BuiltInAnalyzer& analyzer) { return analyzer.name == name; });
  return found != std::end(kAnalyzers) ? found : nullptr;
}

}  // namespace millrace
