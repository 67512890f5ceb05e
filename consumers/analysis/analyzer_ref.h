// An analyzer of either kind, as the host holds it: one is set.
//
// Threads: as the analyzer's.
#pragma once

#include <algorithm>
#include <memory>

#include "consumers/analysis/fragment_consumer.h"
#include "consumers/analysis/frame_analyzer.h"

namespace millrace {

inline constexpr Duration kWarmUpMax = std::chrono::minutes(10);

struct AnalyzerRef {
  AnalyzerRef(FrameAnalyzer& analyzer) : frames(&analyzer) {}        // NOLINT: implicit by design
  AnalyzerRef(FragmentConsumer& consumer) : fragments(&consumer) {}  // NOLINT: implicit by design

  std::string name() const { return frames != nullptr ? frames->name() : fragments->name(); }
  std::string version() const { return frames != nullptr ? frames->version() : fragments->version(); }
  PictureForm picture_form() const { return frames != nullptr ? frames->picture_form() : PictureForm{}; }
  Duration warm_up() const {
    const Duration asked = frames != nullptr ? frames->warm_up() : fragments->warm_up();
    return std::clamp(asked, Duration{0}, kWarmUpMax);
  }

  FrameAnalyzer* frames = nullptr;
  FragmentConsumer* fragments = nullptr;
};

// One that somebody owns.
struct OwnedAnalyzer {
  std::unique_ptr<FrameAnalyzer> frames;
  std::unique_ptr<FragmentConsumer> fragments;
  AnalyzerRef ref() const { return frames != nullptr ? AnalyzerRef(*frames) : AnalyzerRef(*fragments); }
};

}  // namespace millrace
