// A server may open as many files as the system lets it.
#include <sys/resource.h>

#include "tests/server/command_line.h"

namespace millrace::server {
namespace {

class OpenFilesTest : public testing::CommandLineTest {
 protected:
  void SetUp() override {
    CommandLineTest::SetUp();
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    rlimit low = before_;
    low.rlim_cur = 256;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);  // the server inherits it
  }
  void TearDown() override {
    ::setrlimit(RLIMIT_NOFILE, &before_);
    CommandLineTest::TearDown();
  }
  rlimit before_{};
};

TEST_F(OpenFilesTest, TheLimitIsRaisedToWhatIsAllowed) {
  Serve();
  rlimit limit{};
  ASSERT_EQ(::prlimit(server_->pid(), RLIMIT_NOFILE, nullptr, &limit), 0);
  EXPECT_EQ(limit.rlim_cur, before_.rlim_max);
  EXPECT_EQ(StopServer(), 0);
}

}  // namespace
}  // namespace millrace::server
