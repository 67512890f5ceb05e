// Goal: a process whose libav was made quieter for a while talks again. Method: limits that cross, as two
// threads' do.
#include "media/libav_log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

namespace millrace {
namespace {

TEST(LibavLogLimit, IsGoneWithTheLastInWhateverOrder) {
  const int before = av_log_get_level();
  std::optional<LibavLogLimit> first(AV_LOG_WARNING);
  EXPECT_EQ(av_log_get_level(), std::min(before, AV_LOG_WARNING));
  std::optional<LibavLogLimit> second(AV_LOG_QUIET);
  EXPECT_EQ(av_log_get_level(), AV_LOG_QUIET);
  first.reset();
  EXPECT_EQ(av_log_get_level(), AV_LOG_QUIET);
  second.reset();
  EXPECT_EQ(av_log_get_level(), before);
}

TEST(LibavLogLimit, MakesNothingLouder) {
  const int before = av_log_get_level();
  av_log_set_level(AV_LOG_QUIET);
  {
    const LibavLogLimit limit(AV_LOG_WARNING);
    EXPECT_EQ(av_log_get_level(), AV_LOG_QUIET);
  }
  EXPECT_EQ(av_log_get_level(), AV_LOG_QUIET);
  av_log_set_level(before);
}

}  // namespace
}  // namespace millrace
