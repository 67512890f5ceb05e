#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>

namespace millrace {
namespace {

Result<int> Half(int n) {
  if (n % 2 != 0) return Error{ErrorCode::kInvalidArgument, "odd"};
  return n / 2;
}

Result<int> Quarter(int n) {
  MILLRACE_ASSIGN_OR_RETURN(int half, Half(n));
  return Half(half);
}

Result<void> CheckEven(int n) {
  MILLRACE_RETURN_IF_ERROR(Half(n));
  return {};
}

TEST(Result, CarriesAValueOrAnError) {
  ASSERT_TRUE(Quarter(8));
  EXPECT_EQ(*Quarter(8), 2);
  ASSERT_FALSE(Quarter(6));
  EXPECT_EQ(Quarter(6).error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(CheckEven(2));
  EXPECT_FALSE(CheckEven(3));
}

TEST(Result, MovesWhatCannotBeCopied) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
  std::unique_ptr<int> value = *std::move(result);
  EXPECT_EQ(*value, 7);
}

TEST(Error, SaysCodeContextAndMessage) {
  Error error = WithContext(Error{ErrorCode::kNotFound, "no such shard"}, "stream 'door'");
  EXPECT_EQ(error.ToString(), "not_found: stream 'door': no such shard");
}

}  // namespace
}  // namespace millrace
