// Goal: notifications and image generation of a video stream are kept and told as the model has them, need a
// stream that keeps something, and are removed by a request without one.
#include <gmock/gmock.h>

#include "tests/api/aws_server.h"

namespace millrace::api::testing {
namespace {

constexpr char kInvalid[] = "InvalidArgumentException";
constexpr char kTopic[] = R"("DestinationConfig":{"Uri":"arn:aws:sns:us-east-1:000000000000:motion"})";
constexpr char kBucket[] =
    R"("DestinationConfig":{"Uri":"s3://bucket/a b","DestinationRegion":"us-gov-west-1"})";

class VideoStreamConfigurationTest : public AwsServerTest {
 protected:
  void SetUp() override {
    AwsServerTest::SetUp();
    ASSERT_TRUE(store_->CreateStream("door", std::chrono::hours(24)));
    ASSERT_TRUE(store_->CreateStream("live", Duration{0}));
  }
  // The body, or the error's name.
  std::string Outcome(const std::string& operation, const std::string& members) {
    const auto answer = Rest("/" + operation, "{" + members + "}");
    return answer.status() == 200 ? answer.raw.body : answer.raw.Header("x-amzn-ErrorType");
  }
  std::string SetNotification(const std::string& members, const std::string& stream = "door") {
    return Outcome("updateNotificationConfiguration",
                   R"("StreamName":")" + stream + R"(","NotificationConfiguration":{)" + members + "}");
  }
  std::string SetImages(const std::string& members, const std::string& stream = "door") {
    return Outcome("updateImageGenerationConfiguration",
                   R"("StreamName":")" + stream + R"(","ImageGenerationConfiguration":{)" + members + "}");
  }
  std::string Notification() {
    return Outcome("describeNotificationConfiguration", R"("StreamName":"door")");
  }
  std::string Images() { return Outcome("describeImageGenerationConfiguration", R"("StreamName":"door")"); }
};

TEST_F(VideoStreamConfigurationTest, NotificationsAreToldAsTheyWereSet) {
  const std::string wanted = std::string(R"("Status":"ENABLED",)") + kTopic;
  const std::string version = store_->DescribeStream("door").value()->Version();
  EXPECT_EQ(SetNotification(wanted), "{}");
  EXPECT_NE(store_->DescribeStream("door").value()->Version(), version);
  Reopen();
  EXPECT_EQ(Notification(), "{\"NotificationConfiguration\":{" + wanted + "}}");
  EXPECT_TRUE(store_->DescribeStream("door").value()->settings.notification->enabled);
  const std::string off = std::string(R"("Status":"DISABLED",)") + kTopic;
  EXPECT_EQ(SetNotification(off), "{}");
  EXPECT_EQ(Notification(), "{\"NotificationConfiguration\":{" + off + "}}");
  EXPECT_EQ(
      Outcome("updateNotificationConfiguration", R"("StreamName":"door","NotificationConfiguration":null)"),
      "{}");
  EXPECT_EQ(Notification(), "{}");
  EXPECT_EQ(SetNotification(wanted, "live"), "NoDataRetentionException");
  EXPECT_EQ(Outcome("updateNotificationConfiguration", R"("StreamName":"live")"), "{}");
}

TEST_F(VideoStreamConfigurationTest, ImageGenerationIsToldAsItWasSet) {
  const std::string least = std::string(R"("Status":"ENABLED","ImageSelectorType":"SERVER_TIMESTAMP",)") +
                            kBucket + R"(,"SamplingInterval":3000,"Format":"JPEG")";
  EXPECT_EQ(SetImages(least), "{}");
  EXPECT_EQ(Images(), "{\"ImageGenerationConfiguration\":{" + least + "}}");
  const std::string most = std::string(R"("Status":"DISABLED","ImageSelectorType":"PRODUCER_TIMESTAMP",)") +
                           kBucket +
                           R"(,"SamplingInterval":200,"Format":"PNG","FormatConfig":{"JPEGQuality":"80"},)" +
                           R"("WidthPixels":3840,"HeightPixels":2160)";
  EXPECT_EQ(SetImages(most), "{}");
  Reopen();
  EXPECT_EQ(Images(), "{\"ImageGenerationConfiguration\":{" + most + "}}");
  EXPECT_EQ(SetImages(least, "live"), "NoDataRetentionException");
  EXPECT_EQ(Outcome("updateImageGenerationConfiguration", R"("StreamName":"door")"), "{}");
  EXPECT_EQ(Images(), "{}");
}

TEST_F(VideoStreamConfigurationTest, BadNotificationsAreRefused) {
  for (const std::string& members : std::vector<std::string>{
           "", R"("Status":"ENABLED")", kTopic, std::string(R"("Status":"ON",)") + kTopic,
           R"("Status":"ENABLED","DestinationConfig":{})",
           R"("Status":"ENABLED","DestinationConfig":{"Uri":""})",
           R"("Status":"ENABLED","DestinationConfig":{"Uri":"topic"})",
           R"("Status":"ENABLED","DestinationConfig":{"Uri":"s3:///x"})",
           R"("Status":"ENABLED","DestinationConfig":{"Uri":"s-3://x"})",
           R"("Status":"ENABLED","DestinationConfig":{"Uri":"s3://x/*"})",
           R"("Status":"ENABLED","DestinationConfig":{"Uri":"s3://)" + std::string(251, 'x') + "\"}"}) {
    EXPECT_EQ(SetNotification(members), kInvalid) << members;
  }
  EXPECT_EQ(Notification(), "{}");
}

TEST_F(VideoStreamConfigurationTest, BadImageGenerationIsRefused) {
  const auto with = [&](const std::string& status, const std::string& selector,
                        const std::string& destination, const std::string& interval,
                        const std::string& format, const std::string& more = "") {
    return SetImages("\"Status\":" + status + ",\"ImageSelectorType\":" + selector +
                     ",\"DestinationConfig\":" + destination + ",\"SamplingInterval\":" + interval +
                     ",\"Format\":" + format + more);
  };
  const std::string to = R"({"Uri":"s3://b","DestinationRegion":"us-east-1"})";
  const auto good = [&](const std::string& more) {
    return with("\"ENABLED\"", "\"SERVER_TIMESTAMP\"", to, "200", "\"JPEG\"", more);
  };
  ASSERT_EQ(good(""), "{}");
  EXPECT_EQ(SetImages(""), kInvalid);
  EXPECT_EQ(with("null", "\"SERVER_TIMESTAMP\"", to, "200", "\"JPEG\""), kInvalid);
  EXPECT_EQ(with("\"ENABLED\"", "\"TIMESTAMP\"", to, "200", "\"JPEG\""), kInvalid);
  EXPECT_EQ(with("\"ENABLED\"", "\"SERVER_TIMESTAMP\"", to, "200", "\"GIF\""), kInvalid);
  for (const char* interval : {"199", "20001", "-1", "null"}) {
    EXPECT_EQ(with("\"ENABLED\"", "\"SERVER_TIMESTAMP\"", to, interval, "\"JPEG\""), kInvalid) << interval;
  }
  for (const char* region : {"us-east", "useast-1", "us-east-11", "us-east-a", "US-EAST-1",
                             "us-east-north-south-1", "-east-one-1", "us--east-1", "a-b-1"}) {
    EXPECT_EQ(
        with("\"ENABLED\"", "\"SERVER_TIMESTAMP\"",
             std::string(R"({"Uri":"s3://b","DestinationRegion":")") + region + "\"}", "200", "\"JPEG\""),
        kInvalid)
        << region;
  }
  for (const char* more :
       {R"(,"WidthPixels":0)", R"(,"WidthPixels":3841)", R"(,"HeightPixels":2161)", R"(,"FormatConfig":{})",
        R"(,"FormatConfig":{"Quality":"80"})", R"(,"FormatConfig":{"JPEGQuality":"-1"})",
        R"(,"FormatConfig":{"JPEGQuality":"0"})", R"(,"FormatConfig":{"JPEGQuality":"101"})",
        R"(,"FormatConfig":{"JPEGQuality":"80%"})", R"(,"FormatConfig":{"JPEGQuality":"80","b":"c"})"}) {
    EXPECT_EQ(good(more), kInvalid) << more;
  }
}

}  // namespace
}  // namespace millrace::api::testing
