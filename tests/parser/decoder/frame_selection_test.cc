// Which frames become pictures.
#include "parser/decoder/frame_selection.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

namespace millrace::testing {
namespace {

using Kind = FrameSelection::Kind;

std::vector<SelectableFrame> Frames(const std::vector<std::int64_t>& times_ms) {
  std::vector<SelectableFrame> frames;
  for (const std::int64_t ms : times_ms) frames.push_back({ms * 1'000'000, frames.empty()});
  return frames;
}

std::vector<std::size_t> Chosen(const FrameSelection& selection, const std::vector<SelectableFrame>& frames) {
  const std::vector<bool> chosen = SelectFrames(selection, frames);
  EXPECT_EQ(chosen.size(), frames.size());
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    if (chosen[i]) places.push_back(i);
  }
  return places;
}

using Places = std::vector<std::size_t>;

TEST(FrameSelectionTest, KeyFramesAreThoseThatSaySo) {
  std::vector<SelectableFrame> frames = Frames({0, 40, 80, 120});
  frames[2].key_frame = true;
  EXPECT_EQ(Chosen({Kind::kKeyFrames}, frames), (Places{0, 2}));
  EXPECT_EQ(Chosen({Kind::kAll}, frames), (Places{0, 1, 2, 3}));
}

TEST(FrameSelectionTest, EveryNthCountsInTheOrderOfDisplay) {
  // decode order of I P B B P B B
  const auto frames = Frames({0, 120, 40, 80, 240, 160, 200});
  EXPECT_EQ(Chosen({Kind::kEveryNth, 1}, frames), (Places{0, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(Chosen({Kind::kEveryNth, 2}, frames), (Places{0, 3, 4, 5}));
  EXPECT_EQ(Chosen({Kind::kEveryNth, 3}, frames), (Places{0, 1, 4}));
  EXPECT_EQ(Chosen({Kind::kEveryNth, 1000}, frames), (Places{0}));
}

TEST(FrameSelectionTest, PerSecondTakesTheFirstOfEachPartOfASecond) {
  std::vector<std::int64_t> times;
  for (int i = 0; i < 60; ++i) times.push_back(1'000'013 + i * 40);  // whatever the first one's time
  EXPECT_EQ(Chosen({Kind::kPerSecond, 1}, Frames(times)), (Places{0, 25, 50}));
  EXPECT_EQ(Chosen({Kind::kPerSecond, 2}, Frames(times)), (Places{0, 13, 25, 38, 50}));
  EXPECT_EQ(Chosen({Kind::kPerSecond, 100}, Frames(times)).size(), 60u);
}

TEST(FrameSelectionTest, PerSecondTakesWhatThereIsAfterAHole) {
  EXPECT_EQ(Chosen({Kind::kPerSecond, 1}, Frames({0, 40, 5300, 5340, 6000})), (Places{0, 2, 4}));
}

TEST(FrameSelectionTest, TakesTimesOfAnyKind) {
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  const std::vector<SelectableFrame> frames = {{kMost, true}, {kLeast, false}, {0, false}, {0, false}};
  EXPECT_EQ(Chosen({Kind::kPerSecond, FrameSelection::kNMax}, frames), (Places{0, 1, 2}));
  EXPECT_EQ(Chosen({Kind::kEveryNth, 2}, frames), (Places{1, 3}));
  EXPECT_EQ(Chosen({Kind::kPerSecond, 1}, {}), Places{});
}

struct TextCase {
  const char* name;
  std::string text;
  bool good;
  FrameSelection selection{};
};
void PrintTo(const TextCase& test, std::ostream* out) { *out << test.name; }

class FrameSelectionText : public ::testing::TestWithParam<TextCase> {};

TEST_P(FrameSelectionText, IsReadOrRefused) {
  const auto parsed = ParseFrameSelection(GetParam().text);
  ASSERT_EQ(parsed.has_value(), GetParam().good);
  if (!parsed) {
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(parsed.error().message.find("every:N"), std::string::npos) << parsed.error().message;
    return;
  }
  EXPECT_EQ(*parsed, GetParam().selection);
  EXPECT_EQ(ToString(*parsed), GetParam().text);
}

INSTANTIATE_TEST_SUITE_P(
    All, FrameSelectionText,
    ::testing::Values(TextCase{"KeyFrames", "key-frames", true, {Kind::kKeyFrames}},
                      TextCase{"EveryFrame", "all", true, {Kind::kAll}},
                      TextCase{"EveryFifth", "every:5", true, {Kind::kEveryNth, 5}},
                      TextCase{"TwoASecond", "per-second:2", true, {Kind::kPerSecond, 2}},
                      TextCase{"Most", "per-second:1000", true, {Kind::kPerSecond, 1000}},
                      TextCase{"Nothing", "", false}, TextCase{"AnotherCase", "All", false},
                      TextCase{"NoNumber", "every:", false}, TextCase{"Zero", "every:0", false},
                      TextCase{"Negative", "every:-1", false}, TextCase{"TooMany", "per-second:1001", false},
                      TextCase{"OutOfRange", "every:99999999999999999999", false},
                      TextCase{"Fraction", "per-second:0.5", false}, TextCase{"Trailing", "every:5 ", false},
                      TextCase{"Long", std::string(100000, 'x'), false}),
    [](const auto& test) { return test.param.name; });

TEST(FrameSelectionTest, FindsTheFrameThatIsShownAtATime) {
  // In the order of decoding: two of them are shown before the one that they follow.
  const std::vector<SelectableFrame> frames{
      {100, true}, {400, false}, {200, false}, {300, false}, {500, true}};
  const struct {
    std::int64_t time;
    std::size_t shown;
  } cases[] = {{-5, 0}, {99, 0}, {100, 0}, {199, 0}, {200, 2}, {399, 3}, {400, 1}, {500, 4}, {1'000'000, 4}};
  for (const auto& test : cases) EXPECT_EQ(FrameShownAt(test.time, frames), test.shown) << test.time;
  EXPECT_EQ(KeyFrameBefore(99, frames), std::nullopt);
  EXPECT_EQ(KeyFrameBefore(499, frames), 0U);
  EXPECT_EQ(KeyFrameBefore(500, frames), 4U);
  EXPECT_EQ(FrameShownAt(5, std::vector<SelectableFrame>{{300, true}, {200, false}}), 1U) << "the earliest";
}

}  // namespace
}  // namespace millrace::testing
