#include "consumers/images/image_encoder.h"

#include <png.h>
#include <turbojpeg.h>

#include <memory>
#include <string>

namespace millrace {
namespace {

constexpr int kSideMax = 65'500;  // JPEG's

struct DestroyJpeg {
  void operator()(void* jpeg) const noexcept { tjDestroy(jpeg); }
};

Result<Bytes> EncodeJpeg(const cv::Mat& picture, int quality) {
  const std::unique_ptr<void, DestroyJpeg> jpeg(tjInitCompress());
  if (!jpeg) return Error{ErrorCode::kResourceExhausted, "no memory for a JPEG"};
  // Into a buffer of ours that is large enough for any picture: nothing is allocated by a library then.
  Bytes bytes(tjBufSize(picture.cols, picture.rows, TJSAMP_420));
  unsigned char* place = bytes.data();
  unsigned long size = bytes.size();
  const int code = tjCompress2(jpeg.get(), picture.data, picture.cols, static_cast<int>(picture.step[0]),
                               picture.rows, TJPF_BGR, &place, &size, TJSAMP_420, quality, TJFLAG_NOREALLOC);
  if (code != 0) return Error{ErrorCode::kInternal, std::string("libjpeg: ") + tjGetErrorStr2(jpeg.get())};
  bytes.resize(size);
  bytes.shrink_to_fit();
  return bytes;
}

Result<Bytes> EncodePng(const cv::Mat& picture) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(picture.cols);
  image.height = static_cast<png_uint_32>(picture.rows);
  image.format = PNG_FORMAT_BGR;
  image.flags = PNG_IMAGE_FLAG_FAST;  // a fifth larger, in a third of the time
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  Bytes bytes(size);
  const int done = png_image_write_to_memory(&image, bytes.data(), &size, 0, picture.data,
                                             static_cast<png_int_32>(picture.step[0]), nullptr);
  const std::string message = image.message;
  png_image_free(&image);
  if (done == 0) return Error{ErrorCode::kInternal, "libpng: " + message};
  bytes.resize(size);
  bytes.shrink_to_fit();
  return bytes;
}

}  // namespace

std::optional<ImageFormat> ImageFormatFromString(std::string_view name) {
  if (name == "jpeg" || name == "jpg") return ImageFormat::kJpeg;
  if (name == "png") return ImageFormat::kPng;
  return std::nullopt;
}

std::string_view ContentType(ImageFormat format) {
  return format == ImageFormat::kJpeg ? "image/jpeg" : "image/png";
}

std::string_view FileEnding(ImageFormat format) { return format == ImageFormat::kJpeg ? ".jpg" : ".png"; }

Result<Bytes> EncodeImage(const cv::Mat& picture, const ImageEncoding& encoding) {
  if (picture.empty() || picture.type() != CV_8UC3 || picture.cols > kSideMax || picture.rows > kSideMax) {
    return Error{ErrorCode::kInvalidArgument, "no picture that can be encoded"};
  }
  if (encoding.jpeg_quality < 1 || encoding.jpeg_quality > ImageEncoding::kQualityMax) {
    return Error{ErrorCode::kInvalidArgument, "the JPEG quality must be 1 to 100"};
  }
  try {
    return encoding.format == ImageFormat::kJpeg ? EncodeJpeg(picture, encoding.jpeg_quality)
                                                 : EncodePng(picture);
  } catch (const std::bad_alloc&) {
    return Error{ErrorCode::kResourceExhausted, "no memory for an image"};
  }
}

}  // namespace millrace
