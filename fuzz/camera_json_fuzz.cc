// The body of PUT /v1/cameras/{name}: any bytes give a camera within its bounds, or a short UTF-8 text that
// says what is wrong and quotes no secret.
#include <algorithm>
#include <string>
#include <vector>

#include "api/http/error_response.h"
#include "api/http/target.h"
#include "api/v1/camera_json.h"
#include "base/text.h"
#include "fuzz/fuzz_target.h"

namespace millrace::fuzz {
namespace {

void CheckRefusal(const Error& error) {
  FUZZ_CHECK(error.code == ErrorCode::kInvalidArgument, error.ToString());
  FUZZ_CHECK(!error.message.empty() && error.message.size() <= 600, error.message);
  FUZZ_CHECK(IsUtf8(error.message), error.message);
  FUZZ_CHECK(IsUtf8(api::ErrorJson(error)), error.message);
}

void CheckUrl(const api::CameraUrl& url) {
  const Result<api::CameraUrl> again = api::ParseCameraUrl(url.url);
  FUZZ_CHECK(again, url.url + ": " + (again ? "" : again.error().ToString()));
  FUZZ_CHECK(!again->username && !again->password, url.url);
  FUZZ_CHECK(again->url == url.url && again->host == url.host && again->port == url.port, url.url);
  FUZZ_CHECK(url.port != 0, url.url);
}

void CheckCamera(const api::CameraPut& put) {
  CheckUrl(put.url);
  FUZZ_CHECK(!put.stream || api::CheckName(*put.stream, "stream name"), *put.stream);
  FUZZ_CHECK(!put.password || put.username, "a password without a user");
  FUZZ_CHECK(put.retention >= Duration{0} && put.retention <= std::chrono::hours(87'600), "retention");
  FUZZ_CHECK(put.analyzers.size() <= 16 && put.labels.size() <= 64, "lists");
  for (const auto& [name, value] : put.labels) {
    FUZZ_CHECK(IsUtf8(name) && IsUtf8(value), "a label");
  }
}

}  // namespace

std::vector<Seed> Seeds() {
  return {TextSeed(
              "whole",
              R"({"url":"rtsp://user:p%40ss@Camera.local:8554/stream?x=1","stream":"door","transport":"udp",)"
              R"("tls_verify":false,"analyzers":["faces"],"retention_hours":0.5,)"
              R"("labels":{"site":"north"},"enabled":true})"),
          TextSeed("credentials", R"({"url":"rtsps://[fe80::1%25eth0]/","username":"a","password":"b"})"),
          TextSeed("null-members", R"({"url":"rtsp://h","stream":null,"labels":null})"),
          TextSeed("misspelt", R"({"url":"rtsp://h","strem":"x"})"),
          TextSeed("unicode-member", "{\"\xC3\xA9t\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x8E\xA5\":1}"),
          TextSeed("escapes", R"({"url":"rtsp://h/\u00e9\ud83c\udfa5","labels":{"\ud800":"x"}})"),
          TextSeed("deep", R"({"labels":[[[[[[[[[[1]]]]]]]]]]})"),
          TextSeed("numbers", R"({"retention_hours":1e400,"enabled":-0.0})"),
          TextSeed("slash-in-password", "rtsp://user:a/b@host/x")};
}

}  // namespace millrace::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  using namespace millrace::fuzz;
  const std::string_view text = AsText(ByteSpan(data, size));
  if (const auto put = api::ParseCameraPut(text)) {
    CheckCamera(*put);
  } else {
    CheckRefusal(put.error());
  }
  if (const auto url = api::ParseCameraUrl(text)) {
    CheckUrl(*url);
  } else {
    CheckRefusal(url.error());
  }
  return 0;
}
