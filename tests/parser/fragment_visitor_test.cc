#include "parser/fragment_visitor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "parser/parse_fragment.h"
#include "tests/parser/mkv_builder.h"
#include "tests/parser/read_log.h"

namespace millrace::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(FragmentVisitor, GivesTheFramesOfAFragment) {
  MkvBuilder mkv;
  mkv.Header().Tracks().StartCluster(1000).Simple(1, 0, true, "key").Simple(2, 5, false, "sound");
  mkv.Simple(1, -40, false, "delta").EndCluster();
  const ReadLog log = ReadEveryWay(mkv.Take());
  EXPECT_EQ(log.error, "");
  EXPECT_THAT(log.lines,
              ElementsAre(HasSubstr("start 1000000000"), StartsWith("frame 1 @1000000000 +0 key 3 bytes"),
                          StartsWith("frame 2 @1005000000 +0 key 5 bytes"),
                          StartsWith("frame 1 @960000000 +0 5 bytes"), StartsWith("cluster end"),
                          StartsWith("end frames=3")));
}

}  // namespace
}  // namespace millrace::testing
