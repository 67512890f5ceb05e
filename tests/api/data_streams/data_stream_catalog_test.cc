// Goal: the catalog makes a stream only where there is none. Method: a log in memory that cannot tell.
#include "api/data_streams/data_stream_catalog.h"

#include <gtest/gtest.h>

#include "tests/fragments/memory_log.h"

namespace millrace::api::testing {
namespace {

TEST(DataStreamCatalog, AStreamThatCannotBeDescribedIsNotMade) {
  test::MemoryLog log;
  auto catalog = DataStreamCatalog::Open(log, "fragments");
  ASSERT_TRUE(catalog) << catalog.error().ToString();
  log.FailDescriptions(Error{ErrorCode::kIo, "the disk does not answer"});
  const auto refused = (*catalog)->Create("door", 1, std::chrono::hours(24), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kIo);
  log.FailDescriptions(std::nullopt);
  EXPECT_FALSE(log.DescribeStream("door"));
  EXPECT_TRUE((*catalog)->Create("door", 1, std::chrono::hours(24), {}));
  EXPECT_EQ((*catalog)->Create("door", 1, std::chrono::hours(24), {}).error().code,
            ErrorCode::kAlreadyExists);
}

}  // namespace
}  // namespace millrace::api::testing
