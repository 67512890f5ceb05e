#include "base/metrics.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(Metrics, TheSameNameAndLabelsAreTheSameMetric) {
  GetCounter("millrace_test_frames_total", "Frames.", {{"camera", "a"}}).Increment(2);
  GetCounter("millrace_test_frames_total", "Frames.", {{"camera", "a"}}).Increment(3);
  EXPECT_NE(RenderMetrics().find("millrace_test_frames_total{camera=\"a\"} 5"), std::string::npos);
}

TEST(Metrics, RemovedOnesAreNoLongerShown) {
  GetCounter("millrace_test_bytes_total", "Bytes.", {{"camera", "gone"}, {"track", "1"}}).Increment();
  GetCounter("millrace_test_bytes_total", "Bytes.", {{"camera", "kept"}, {"track", "1"}}).Increment();
  RemoveMetrics({{"camera", "gone"}});
  std::string text = RenderMetrics();
  EXPECT_EQ(text.find("gone"), std::string::npos);
  EXPECT_NE(text.find("camera=\"kept\""), std::string::npos);
}

}  // namespace
}  // namespace millrace
