// GET /v1/streams/{name}/image: one picture of a stream, for dashboards and timelines.
#include <boost/asio/this_coro.hpp>
#include <charconv>

#include "api/http/handlers.h"
#include "api/http/peer_watch.h"
#include "api/v1/services.h"
#include "consumers/images/image_reader.h"

namespace millrace::api {
namespace {

constexpr int kWidthMax = 3840;
constexpr int kHeightMax = 2160;

struct ImageRequest {
  std::string stream;
  std::optional<Timestamp> time;  // none: the newest
  ImageOptions options;
};

Result<int> Number(const Target& target, std::string_view name, int max, int otherwise) {
  const auto text = target.Query(name);
  if (!text) return otherwise;
  int number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc() || end != text->data() + text->size() || number < 1 || number > max) {
    return Error{ErrorCode::kInvalidArgument,
                 "'" + std::string(name) + "' must be a number from 1 to " + std::to_string(max)};
  }
  return number;
}

Result<ImageRequest> ParseImage(const Request& request) {
  const Target& target = request.target;
  MILLRACE_RETURN_IF_ERROR(
      target.CheckQuery({"time", "clock", "frame", "width", "height", "format", "quality"}));
  ImageRequest image;
  image.stream = request.Parameter("name");
  if (const auto text = target.Query("time")) {
    auto time = ParseTime(*text);
    if (!time) return WithContext(std::move(time).error(), "'time'");
    image.time = *time;
  }
  const std::string_view clock = target.Query("clock").value_or("producer");
  if (clock != "producer" && clock != "server") {
    return Error{ErrorCode::kInvalidArgument, "'clock' must be producer or server"};
  }
  if (clock == "server") image.options.clock = ImageClock::kServer;
  const std::string_view frame = target.Query("frame").value_or("exact");
  if (frame != "exact" && frame != "key") {
    return Error{ErrorCode::kInvalidArgument,
                 "'frame' must be exact, or key: the key frame at or before the time, which is found faster"};
  }
  image.options.key_frames_only = frame == "key";
  const auto format = ImageFormatFromString(target.Query("format").value_or("jpeg"));
  if (!format) return Error{ErrorCode::kInvalidArgument, "'format' must be jpeg or png"};
  ImageForm& form = image.options.form;
  form.encoding.format = *format;
  MILLRACE_ASSIGN_OR_RETURN(form.encoding.jpeg_quality, Number(target, "quality", ImageEncoding::kQualityMax,
                                                               ImageEncoding().jpeg_quality));
  MILLRACE_ASSIGN_OR_RETURN(form.width, Number(target, "width", kWidthMax, 0));
  MILLRACE_ASSIGN_OR_RETURN(form.height, Number(target, "height", kHeightMax, 0));
  return image;
}

Result<Image> MakeImage(FragmentStore& store, const ImageRequest& request) {
  MILLRACE_RETURN_IF_ERROR(store.GetStream(request.stream));
  ImageReader reader(store, request.stream, request.options);
  Image image;
  if (request.time) {
    MILLRACE_ASSIGN_OR_RETURN(std::vector<Image> images, reader.Next(std::span(&*request.time, 1)));
    image = std::move(images.front());
  } else {
    MILLRACE_ASSIGN_OR_RETURN(image, reader.Newest());
  }
  const std::string of = "stream '" + request.stream + "' at " + FormatRfc3339(image.time) + ": ";
  if (image.problem == Image::Problem::kNoMedia) {
    return Error{ErrorCode::kNotFound,
                 of + image.explanation + " (GET /v1/streams/" + request.stream + "/coverage says where)"};
  }
  if (image.problem == Image::Problem::kMediaError) {
    return Error{ErrorCode::kUnsupported, of + image.explanation};
  }
  return image;
}

net::awaitable<void> ServeImage(const ImageServices& services, Request& request, ResponseWriter& writer) {
  auto parsed = ParseImage(request);
  if (!parsed) {
    co_await RespondError(writer, std::move(parsed).error());
    co_return;
  }
  const PeerWatch watch(co_await net::this_coro::executor, writer);
  parsed->options.cancelled = watch.Check();
  auto work = [&] { return MakeImage(services.store, *parsed); };
  auto image = co_await services.decoders.Run(work);
  if (!image) {
    const int status = image.error().code == ErrorCode::kUnsupported ? 415 : 0;
    co_await RespondError(writer, std::move(image).error(), status);
    co_return;
  }
  ResponseHead head{200, {}};
  head.headers.Add("Content-Type", std::string(ContentType(parsed->options.form.encoding.format)));
  // Footage can be deleted: a copy must not outlive it for long.
  head.headers.Add("Cache-Control", parsed->time ? "private, max-age=60" : "no-store");
  head.headers.Add("X-Content-Type-Options", "nosniff");
  head.headers.Add("X-Millrace-Producer-Time", FormatRfc3339(image->shown));
  head.headers.Add("X-Millrace-Fragment-Number", image->fragment.ToString());
  SharedBytes bytes(std::move(image->bytes));
  (void)co_await writer.Respond(std::move(head), std::move(bytes));
}

}  // namespace

void AddImageRoutes(Router& router, ImageServices services) {
  router.Add("GET", "/v1/streams/{name}/image",
             [services](Request& request, ResponseWriter& writer) -> net::awaitable<void> {
               co_await ServeImage(services, request, writer);
             });
}

}  // namespace millrace::api
