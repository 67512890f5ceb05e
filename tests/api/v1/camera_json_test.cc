// What a put of a camera may say. Bad bodies outnumber good ones; no error text shows a secret.
#include "api/v1/camera_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/v1/json.h"

namespace millrace::api {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(CameraJson, TakesTheLeast) {
  auto put = ParseCameraPut(R"({"url":"rtsp://10.0.0.9/stream"})");
  ASSERT_TRUE(put) << put.error().ToString();
  EXPECT_EQ(put->url.url, "rtsp://10.0.0.9/stream");
  EXPECT_EQ(put->url.port, 554);
  EXPECT_EQ(put->retention, std::chrono::hours(168));
  EXPECT_TRUE(put->enabled);
  EXPECT_FALSE(put->udp);
  EXPECT_FALSE(put->username);
}

TEST(CameraJson, TakesAllOfIt) {
  auto put = ParseCameraPut(
      R"({"url":"RTSPS://Cam.Local:8322/s?x=1","stream":"yard","transport":"udp","tls_verify":false,"username":"u",)"
      R"("password":"p\"w","analyzers":["faces"],"retention_hours":1.5,"labels":{"site":"north"},"enabled":false})");
  ASSERT_TRUE(put) << put.error().ToString();
  EXPECT_EQ(put->url.url, "rtsps://Cam.Local:8322/s?x=1");
  EXPECT_EQ(put->url.host, "cam.local");
  EXPECT_EQ(put->url.port, 8322);
  EXPECT_EQ(put->stream, "yard");
  EXPECT_TRUE(put->udp);
  EXPECT_FALSE(put->tls_verify);
  EXPECT_EQ(put->username, "u");
  EXPECT_EQ(put->password, "p\"w");
  EXPECT_EQ(put->retention, std::chrono::minutes(90));
  EXPECT_EQ(put->labels.at("site"), "north");
  EXPECT_FALSE(put->enabled);
}

TEST(CameraJson, TakesUserAndPasswordOutOfTheUrl) {
  auto put = ParseCameraPut(R"({"url":"rtsp://ad%40min:p%2Fw@host:554/s"})");
  ASSERT_TRUE(put) << put.error().ToString();
  EXPECT_EQ(put->url.url, "rtsp://host:554/s");
  EXPECT_EQ(put->username, "ad@min");
  EXPECT_EQ(put->password, "p/w");
  // What stands on its own counts.
  auto both = ParseCameraPut(R"({"url":"rtsp://a:b@host/s","username":"c","password":"d"})");
  ASSERT_TRUE(both);
  EXPECT_EQ(both->url.url, "rtsp://host/s");
  EXPECT_EQ(both->username, "c");
  EXPECT_EQ(both->password, "d");
}

struct BadBody {
  const char* name;
  std::string body;
  const char* message;
};

class BadCameraJson : public ::testing::TestWithParam<BadBody> {};

TEST_P(BadCameraJson, IsRefusedWithAText) {
  auto put = ParseCameraPut(GetParam().body);
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(put.error().message, HasSubstr(GetParam().message));
  EXPECT_THAT(put.error().message, Not(HasSubstr("s3cret")));
}

INSTANTIATE_TEST_SUITE_P(
    Put, BadCameraJson,
    ::testing::Values(
        BadBody{"empty", "", "empty"}, BadBody{"blank", " \n", "empty"},
        BadBody{"not_json", "{url:", "not JSON"}, BadBody{"cut_off", R"({"url":"rtsp://h/s")", "not JSON"},
        BadBody{"surplus", R"({"url":"rtsp://h/s"} x)", "not JSON"},
        BadBody{"array", R"(["rtsp://h/s"])", "object"}, BadBody{"text", R"("rtsp://h/s")", "object"},
        BadBody{"deep", R"({"labels":)" + std::string(1000, '[') + std::string(1000, ']') + "}", "not JSON"},
        BadBody{"large", "{\"url\":\"" + std::string(kJsonBodyBytesMax, 'x') + "\"}", "larger"},
        BadBody{"bad_utf8", "{\"url\":\"rtsp://h/\xff\"}", "not JSON"},
        BadBody{"no_url", R"({"stream":"x"})", "'url' is required"},
        BadBody{"null_url", R"({"url":null})", "required"},
        BadBody{"misspelt", R"({"url":"rtsp://h/s","retention_hour":1})", "did you mean 'retention_hours'"},
        BadBody{"unknown", R"({"url":"rtsp://h/s","colour":"red"})", "known:"},
        BadBody{"url_type", R"({"url":7})", "'url' must be a string"},
        BadBody{"enabled_type", R"({"url":"rtsp://h/s","enabled":"yes"})", "true or false"},
        BadBody{"retention_type", R"({"url":"rtsp://h/s","retention_hours":"1"})", "number from 0 to 87600"},
        BadBody{"retention_negative", R"({"url":"rtsp://h/s","retention_hours":-1})", "number from 0"},
        BadBody{"retention_large", R"({"url":"rtsp://h/s","retention_hours":1e300})", "87600"},
        BadBody{"transport", R"({"url":"rtsp://h/s","transport":"sctp"})", "\"tcp\" or \"udp\""},
        BadBody{"analyzers", R"({"url":"rtsp://h/s","analyzers":"faces"})", "list"},
        BadBody{"analyzers_type", R"({"url":"rtsp://h/s","analyzers":[1]})", "strings"},
        BadBody{"labels", R"({"url":"rtsp://h/s","labels":{"a":1}})", "strings"},
        BadBody{"stream_name", R"({"url":"rtsp://h/s","stream":"a/b"})", "stream name"},
        BadBody{"lone_password", R"({"url":"rtsp://h/s","password":"s3cret"})", "'username'"},
        BadBody{"http", R"({"url":"http://h/s"})", "rtsp://"},
        BadBody{"no_scheme", R"({"url":"h/s"})", "rtsp://"},
        BadBody{"no_host", R"({"url":"rtsp:///s"})", "host"},
        BadBody{"bad_host", R"({"url":"rtsp://h_$/s"})", "host"},
        BadBody{"bad_port", R"({"url":"rtsp://h:99999/s"})", "port"},
        BadBody{"text_port", R"({"url":"rtsp://h:rtsp/s"})", "port"},
        BadBody{"space", R"({"url":"rtsp://h/a b"})", "spaces"},
        BadBody{"newline", R"({"url":"rtsp://h/a\nb"})", "control"},
        BadBody{"fragment", R"({"url":"rtsp://h/a#b"})", "'#'"},
        BadBody{"slash_in_password", R"({"url":"rtsp://u:s3cret/x@h/s"})", "escaped"},
        BadBody{"percent_in_password", R"({"url":"rtsp://u:s3cret%@h/s"})", "escaped"},
        BadBody{"long_url", "{\"url\":\"rtsp://h/" + std::string(3000, 'x') + "\"}", "longer than"}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(Json, SuggestsOnlyWhatIsNear) {
  EXPECT_EQ(NearestName("ulr", {"url", "stream"}), "url");
  EXPECT_EQ(NearestName("xyzzy", {"url", "stream"}), std::nullopt);
  EXPECT_EQ(NearestName("", {"url"}), std::nullopt);
}

}  // namespace
}  // namespace millrace::api
