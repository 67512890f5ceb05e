#include "parser/decoder/frame_selection.h"

#include <algorithm>
#include <charconv>
#include <numeric>

namespace millrace {
namespace {

constexpr std::string_view kKeyFramesText = "key-frames";
constexpr std::string_view kAllText = "all";
constexpr std::string_view kEveryNthPrefix = "every:";
constexpr std::string_view kPerSecondPrefix = "per-second:";

std::optional<std::uint32_t> ParseN(std::string_view digits) {
  std::uint32_t n = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), n);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  if (n < 1 || n > FrameSelection::kNMax) return std::nullopt;
  return n;
}

// In which nth of a second after `first_ns`; exact for every pair of 64-bit times with time >= first.
std::uint64_t SlotOf(std::int64_t time_ns, std::int64_t first_ns, std::uint32_t per_second) {
  constexpr std::uint64_t kSecond = 1'000'000'000;
  const std::uint64_t since = static_cast<std::uint64_t>(time_ns) - static_cast<std::uint64_t>(first_ns);
  return since / kSecond * per_second + since % kSecond * per_second / kSecond;
}

}  // namespace

Result<FrameSelection> ParseFrameSelection(std::string_view text) {
  if (text == kKeyFramesText) return FrameSelection{FrameSelection::Kind::kKeyFrames};
  if (text == kAllText) return FrameSelection{FrameSelection::Kind::kAll};
  if (text.starts_with(kEveryNthPrefix)) {
    if (const auto n = ParseN(text.substr(kEveryNthPrefix.size()))) {
      return FrameSelection{FrameSelection::Kind::kEveryNth, *n};
    }
  }
  if (text.starts_with(kPerSecondPrefix)) {
    if (const auto n = ParseN(text.substr(kPerSecondPrefix.size()))) {
      return FrameSelection{FrameSelection::Kind::kPerSecond, *n};
    }
  }
  return Error{ErrorCode::kInvalidArgument,
               "'" + std::string(text.substr(0, 100)) +
                   "' names no frames: key-frames, all, every:N or per-second:N, "
                   "with N from 1 to " +
                   std::to_string(FrameSelection::kNMax)};
}

std::string ToString(const FrameSelection& selection) {
  switch (selection.kind) {
    case FrameSelection::Kind::kKeyFrames:
      return std::string(kKeyFramesText);
    case FrameSelection::Kind::kEveryNth:
      return std::string(kEveryNthPrefix) + std::to_string(selection.n);
    case FrameSelection::Kind::kPerSecond:
      return std::string(kPerSecondPrefix) + std::to_string(selection.n);
    case FrameSelection::Kind::kAll:
      return std::string(kAllText);
  }
  return {};
}

std::vector<bool> SelectFrames(const FrameSelection& selection, std::span<const SelectableFrame> frames) {
  std::vector<bool> chosen(frames.size(), false);
  if (selection.kind == FrameSelection::Kind::kAll) {
    chosen.assign(frames.size(), true);
    return chosen;
  }
  if (selection.kind == FrameSelection::Kind::kKeyFrames) {
    for (std::size_t i = 0; i < frames.size(); ++i) chosen[i] = frames[i].key_frame;
    return chosen;
  }
  std::vector<std::size_t> shown(frames.size());
  std::iota(shown.begin(), shown.end(), std::size_t{0});
  std::stable_sort(shown.begin(), shown.end(), [&](std::size_t a, std::size_t b) {
    return frames[a].timestamp_ns < frames[b].timestamp_ns;
  });
  std::optional<std::uint64_t> last_slot;
  for (std::size_t place = 0; place < shown.size(); ++place) {
    if (selection.kind == FrameSelection::Kind::kEveryNth) {
      chosen[shown[place]] = place % selection.n == 0;
      continue;
    }
    const std::uint64_t slot =
        SlotOf(frames[shown[place]].timestamp_ns, frames[shown.front()].timestamp_ns, selection.n);
    chosen[shown[place]] = slot != last_slot;
    last_slot = slot;
  }
  return chosen;
}

std::size_t FrameShownAt(std::int64_t time_ns, std::span<const SelectableFrame> frames) {
  std::size_t shown = 0;
  for (std::size_t i = 1; i < frames.size(); ++i) {
    const std::int64_t at = frames[i].timestamp_ns;
    const std::int64_t best = frames[shown].timestamp_ns;
    // The latest of those that are not later; while there is none, the earliest of the others.
    const bool better = best > time_ns ? at < best : at > best && at <= time_ns;
    if (better) shown = i;
  }
  return shown;
}

std::optional<std::size_t> KeyFrameBefore(std::int64_t time_ns, std::span<const SelectableFrame> frames) {
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (!frames[i].key_frame || frames[i].timestamp_ns > time_ns) continue;
    if (!found || frames[i].timestamp_ns >= frames[*found].timestamp_ns) found = i;
  }
  return found;
}

}  // namespace millrace
