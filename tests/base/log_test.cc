#include "base/log.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(RedactUrl, TakesUserAndPasswordOut) {
  EXPECT_EQ(RedactUrl("rtsp://admin:pw@10.0.0.9:554/stream?x=1"), "rtsp://10.0.0.9:554/stream?x=1");
  EXPECT_EQ(RedactUrl("rtsp://host/path"), "rtsp://host/path");
  EXPECT_EQ(RedactUrl("not a url"), "not a url");
}

TEST(RedactUrl, ShowsTooLittleRatherThanAPassword) {
  EXPECT_EQ(RedactUrl("rtsp://admin:p@ss@host/s"), "rtsp://host/s");
  EXPECT_EQ(RedactUrl("rtsp://admin:p/a@host/s"), "rtsp://host/s");
}

}  // namespace
}  // namespace millrace
