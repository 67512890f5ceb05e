// Goal: GetImages gives each time its picture, page by page, in the form asked for, and each bad request its
// error. Method: pictures carry their numbers; raw requests to a real server, images decoded by OpenCV.
#include <gmock/gmock.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <future>
#include <opencv2/imgcodecs.hpp>

#include "footage_server.h"
#include "tests/consumers/images/numbered_footage.h"
#include "tests/wait.h"
#include "wire/base64.h"

namespace millrace::api::testing {
namespace {

using millrace::testing::MakeVideo;
using millrace::testing::NumberIn;
using millrace::testing::PutVideo;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr int kNoMedia = -1;
constexpr int kMediaError = -2;

cv::Mat Decoded(std::string_view bytes) {
  return cv::imdecode(std::vector<char>(bytes.begin(), bytes.end()), cv::IMREAD_COLOR);
}

class GetImagesTest : public FootageServerTest {
 protected:
  // Ten frames a second with a key frame a second, in fragments of two seconds.
  void Record(int seconds, Timestamp start = kNow, Duration late = Duration{0}) {
    PutVideo(*store_, "door", MakeVideo({.pictures = seconds * 10, .fps = 10, .key_frame_interval = 10}),
             start, 20, late);
  }
  AwsAnswer Ask(Timestamp start, Timestamp end, const std::string& more,
                const std::string& clock = "PRODUCER_TIMESTAMP", const std::string& format = "JPEG") {
    return Rest("/getImages", R"({"StreamName":"door","ImageSelectorType":")" + clock +
                                  R"(","StartTimestamp":)" + Seconds(start) + R"(,"EndTimestamp":)" +
                                  Seconds(end) + R"(,"Format":")" + format + "\"" + more + "}");
  }
  // The number in each picture, or what is wrong.
  static std::vector<int> Numbers(const AwsAnswer& answer) {
    std::vector<int> numbers;
    EXPECT_EQ(answer.status(), 200) << answer.raw.body.substr(0, 500);
    if (answer.status() != 200) return numbers;
    for (const auto& one : answer.object().at("Images").as_array()) {
      const auto& image = one.as_object();
      if (const auto* error = image.if_contains("Error")) {
        EXPECT_EQ(image.if_contains("ImageContent"), nullptr);
        numbers.push_back(error->as_string() == "NO_MEDIA" ? kNoMedia : kMediaError);
        continue;
      }
      const auto bytes = wire::DecodeBase64(image.at("ImageContent").as_string().c_str());
      EXPECT_TRUE(bytes);
      const auto number = NumberIn(Decoded(AsText(*bytes)));
      EXPECT_TRUE(number);
      numbers.push_back(static_cast<int>(number.value_or(9999)));
    }
    return numbers;
  }
};

TEST_F(GetImagesTest, EachTimeHasItsPicture) {
  Record(4);
  const auto answer = Ask(At(0), At(3'900), R"(,"SamplingInterval":700)");
  EXPECT_THAT(Numbers(answer), ElementsAre(0, 7, 14, 21, 28, 35));
  EXPECT_EQ(answer.object().if_contains("NextToken"), nullptr);
  EXPECT_THAT(answer.raw.body, HasSubstr(R"("TimeStamp":1795240800.700,"ImageContent":)"));
  EXPECT_THAT(Numbers(Ask(At(450), At(450), "")), ElementsAre(4)) << "the picture of the start";
  EXPECT_THAT(Numbers(Ask(At(450), At(3'449), R"(,"SamplingInterval":20000)")), ElementsAre(4));
  EXPECT_THAT(Numbers(Ask(At(0), At(3'900), "")), ElementsAre(0, 30)) << "every three seconds, unless asked";
}

TEST_F(GetImagesTest, TimesWithoutFootageSaySo) {
  Record(2);
  Record(2, At(4'000));
  EXPECT_THAT(Numbers(Ask(At(-1'000), At(7'000), R"(,"SamplingInterval":1000)")),
              ElementsAre(kNoMedia, 0, 10, kNoMedia, kNoMedia, 0, 10, kNoMedia, kNoMedia));
}

TEST_F(GetImagesTest, ServerTimesAreTheServers) {
  Record(2, kNow, std::chrono::minutes(10));
  EXPECT_THAT(Numbers(Ask(At(600'000), At(600'900), R"(,"SamplingInterval":300)", "SERVER_TIMESTAMP")),
              ElementsAre(0, 3, 6, 9));
  EXPECT_THAT(Numbers(Ask(At(0), At(0), "", "SERVER_TIMESTAMP")), ElementsAre(kNoMedia));
}

TEST_F(GetImagesTest, PagesGoOnWhereTheyEnded) {
  Record(6);
  const std::string every = R"(,"SamplingInterval":200)";
  std::vector<int> all;
  std::string token;
  std::vector<std::size_t> pages;
  do {
    const auto answer =
        Ask(At(0), At(5'999),
            every + R"(,"MaxResults":12)" + (token.empty() ? "" : R"(,"NextToken":")" + token + "\""));
    const auto numbers = Numbers(answer);
    pages.push_back(numbers.size());
    all.insert(all.end(), numbers.begin(), numbers.end());
    token = answer.Text("NextToken");
  } while (!token.empty() && pages.size() < 10);
  EXPECT_THAT(pages, ElementsAre(12U, 12U, 6U));
  ASSERT_EQ(all.size(), 30U);
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i], static_cast<int>(2 * i));
  // 25 at most, whatever is asked for.
  const auto large = Ask(At(0), At(5'999), every + R"(,"MaxResults":100)");
  EXPECT_EQ(Numbers(large).size(), 25U);
  const std::string next = R"(,"NextToken":")" + large.Text("NextToken") + "\"";
  EXPECT_EQ(Numbers(Ask(At(0), At(5'999), every + next)).size(), 5U);
  // A token is good for its own request alone.
  for (const auto& answer :
       {Ask(At(0), At(5'998), every + next), Ask(At(1), At(5'999), every + next), Ask(At(0), At(5'999), next),
        Ask(At(0), At(5'999), every + next, "SERVER_TIMESTAMP")}) {
    EXPECT_THAT(answer.Fault(), StartsWith("InvalidArgumentException: NextToken is of another request"));
  }
  EXPECT_EQ(Ask(At(0), At(5'999), every + R"(,"NextToken":"AAAA")").Fault(),
            "InvalidArgumentException: NextToken is invalid.");
}

TEST_F(GetImagesTest, SizesAndFormatsAreThoseAskedFor) {
  Record(1);
  const auto picture = [&](const std::string& more, const std::string& format) {
    const auto answer = Ask(At(500), At(500), more, "PRODUCER_TIMESTAMP", format);
    EXPECT_EQ(answer.status(), 200) << answer.raw.body;
    return *wire::DecodeBase64(answer.object().at("Images").at(0).at("ImageContent").as_string().c_str());
  };
  const auto size = [&](const std::string& more) { return Decoded(AsText(picture(more, "PNG"))).size(); };
  EXPECT_EQ(size(""), cv::Size(320, 180));
  EXPECT_EQ(size(R"(,"WidthPixels":160)"), cv::Size(160, 90));
  EXPECT_EQ(size(R"(,"HeightPixels":360)"), cv::Size(640, 360));
  EXPECT_EQ(size(R"(,"WidthPixels":300,"HeightPixels":300)"), cv::Size(300, 300));
  EXPECT_THAT(std::string(AsText(picture("", "PNG"))), StartsWith("\x89PNG"));
  EXPECT_THAT(std::string(AsText(picture("", "JPEG"))), StartsWith("\xFF\xD8\xFF"));
  const auto quality = [&](const char* value) {
    return picture(std::string(R"(,"FormatConfig":{"JPEGQuality":")") + value + "\"}", "JPEG").size();
  };
  EXPECT_LT(quality("1"), quality("80"));
  EXPECT_LT(quality("80"), quality("100"));
  EXPECT_EQ(quality("80"), picture("", "JPEG").size());
}

TEST_F(GetImagesTest, BadRequestsAreRefused) {
  Record(1);
  ASSERT_TRUE(store_->CreateStream("ring", Duration{0}));
  for (const char* more :
       {R"(,"SamplingInterval":199)", R"(,"SamplingInterval":-5)", R"(,"WidthPixels":0)",
        R"(,"WidthPixels":3841)", R"(,"HeightPixels":2161)", R"(,"MaxResults":0)", R"(,"MaxResults":101)",
        R"(,"FormatConfig":{"JPEGQuality":"0"})", R"(,"FormatConfig":{"JPEGQuality":"101"})",
        R"(,"FormatConfig":{"JPEGQuality":"best"})", R"(,"FormatConfig":{"PNGQuality":"50"})"}) {
    EXPECT_THAT(Ask(At(0), At(500), more).Fault(), StartsWith("InvalidArgumentException: ")) << more;
  }
  EXPECT_THAT(Ask(At(0), At(300'001), "").Fault(), HasSubstr("300 seconds"));
  EXPECT_THAT(Ask(At(1), At(0), "").Fault(), StartsWith("InvalidArgumentException: "));
  EXPECT_THAT(Ask(At(0), At(1), "", "ARRIVAL").Fault(), StartsWith("InvalidArgumentException: "));
  EXPECT_THAT(Ask(At(0), At(1), "", "PRODUCER_TIMESTAMP", "GIF").Fault(),
              StartsWith("InvalidArgumentException: "));
  EXPECT_THAT(Rest("/getImages", R"({"StreamName":"door"})").Fault(),
              StartsWith("InvalidArgumentException: "));
  const auto of = [&](const char* stream) {
    return Rest("/getImages", std::string(R"({"StreamName":")") + stream +
                                  R"(","ImageSelectorType":"PRODUCER_TIMESTAMP","StartTimestamp":1,)"
                                  R"("EndTimestamp":2,"Format":"JPEG"})");
  };
  EXPECT_EQ(of("nowhere").Fault(),
            "ResourceNotFoundException: The requested stream is not found or not active.");
  EXPECT_EQ(of("nowhere").status(), 404);
  EXPECT_THAT(of("ring").Fault(), StartsWith("NoDataRetentionException: "));
  EXPECT_EQ(of("ring").status(), 400);
}

TEST_F(GetImagesTest, ABusyServerSaysSo) {
  Record(1);
  // All threads and places are taken.
  std::promise<void> leave;
  auto left = leave.get_future().share();
  net::io_context context;
  auto wait = [left]() -> Result<void> {
    left.wait();
    return {};
  };
  for (int i = 0; i < 5; ++i) {
    auto occupy = [this, &wait]() -> net::awaitable<void> { (void)co_await decoders_.Run(wait); };
    net::co_spawn(context, std::move(occupy), net::detached);
  }
  context.poll();
  test::WaitUntil([&] { return decoders_.busy() == 5; });
  EXPECT_THAT(Ask(At(0), At(500), "").Fault(), StartsWith("ClientLimitExceededException: "));
  leave.set_value();
  context.run();
  EXPECT_THAT(Numbers(Ask(At(0), At(500), "")), ElementsAre(0));
  test::WaitUntil([&] { return media_budget_.taken() == 0; });
  EXPECT_EQ(media_budget_.taken(), 0U);
}

TEST_F(GetImagesTest, AFriendlyPathGivesOnePicture) {
  Record(3);
  const auto number = [&](const RawAnswer& answer) {
    EXPECT_EQ(answer.status, 200) << answer.body.substr(0, 300);
    return static_cast<int>(NumberIn(Decoded(answer.body)).value_or(9999));
  };
  const auto newest = Get("/v1/streams/door/image");
  EXPECT_EQ(number(newest), 29);
  EXPECT_EQ(newest.Header("Content-Type"), "image/jpeg");
  EXPECT_EQ(newest.Header("Cache-Control"), "no-store");
  EXPECT_EQ(newest.Header("X-Millrace-Producer-Time"), FormatRfc3339(At(2'900)));
  const std::string time = "/v1/streams/door/image?time=" + FormatRfc3339(At(1'750));
  EXPECT_EQ(number(Get(time)), 17);
  EXPECT_EQ(number(Get(time + "&frame=key")), 10);
  const auto small = Get(time + "&width=200&format=png");
  EXPECT_EQ(small.Header("Content-Type"), "image/png");
  EXPECT_EQ(Decoded(small.body).size(), cv::Size(200, 113));
  EXPECT_EQ(number(small), 17);
  EXPECT_EQ(Get("/v1/streams/door/image?time=" + FormatRfc3339(At(3'000))).status, 404);
  EXPECT_EQ(Get("/v1/streams/nowhere/image").status, 404);
  ASSERT_TRUE(store_->CreateStream("empty", std::chrono::hours(1)));
  EXPECT_THAT(Get("/v1/streams/empty/image").body, HasSubstr("no footage yet"));
  for (const char* bad : {"time=yesterday", "width=0", "width=9999", "height=x", "format=gif", "quality=101",
                          "frame=all", "clock=wall", "sharpness=1"}) {
    EXPECT_EQ(Get(std::string("/v1/streams/door/image?") + bad).status, 400) << bad;
  }
}

}  // namespace
}  // namespace millrace::api::testing
