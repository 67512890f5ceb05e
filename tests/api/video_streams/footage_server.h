// GetClip, GetImages and their friendly likenesses on a real server.
#pragma once

#include <cstdio>

#include "api/v1/services.h"
#include "api/video_streams/footage_services.h"
#include "tests/api/aws_server.h"
#include "tests/wait.h"

namespace millrace::api::testing {

class FootageServerTest : public AwsServerTest {
 protected:
  void SetUp() override {
    AwsServerTest::SetUp();
    ASSERT_TRUE(store_->CreateStream("door", std::chrono::hours(24)));
  }
  std::unique_ptr<Dispatcher> MakeDispatcher() override {
    const FootageServices services{
        {*store_, *sealer_, pool_, budget_, media_budget_, readers_, clock_}, decoders_, exports_};
    AddClipRoutes(*router_, services);
    AddImageRoutes(*router_, services);
    AddImageRoutes(*router_, ImageServices{*store_, decoders_});
    AddExportRoutes(*router_, {*store_, pool_, exports_, clock_});
    return AwsServerTest::MakeDispatcher();
  }
  // An export has its place until some time after its peer has the last of it.
  void WaitForExports() {
    EXPECT_TRUE(test::WaitUntil([&] { return exports_.busy() == 0; }));
  }
  RawAnswer Get(const std::string& target) {
    WaitForExports();
    RawClient client(server_->port());
    client.Send("GET " + target + " HTTP/1.1\r\nHost: localhost:4567\r\n\r\n");
    return client.Receive();
  }
  // "1795240800.250"
  static std::string Seconds(Timestamp time) {
    char text[32];
    std::snprintf(text, sizeof(text), "%lld.%03d", static_cast<long long>(time.seconds()),
                  static_cast<int>(time.millis() % 1000));
    return text;
  }
  static Timestamp At(int ms) { return kNow + std::chrono::milliseconds(ms); }

  WorkerPool decoders_{1, 4};
  WorkerPool exports_{1, 0};
};

}  // namespace millrace::api::testing
