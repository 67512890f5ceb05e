#include "parser/decoder/picture_converter.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <string>

#include "media/libav_handles.h"

extern "C" {
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
}

namespace millrace {
namespace {

constexpr int kBeyondRow = 128;

// Whether the first plane is 8-bit luma, a byte a pixel.
bool HasLumaPlane(const AVFrame& frame) {
  const AVPixFmtDescriptor* format = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
  constexpr std::uint64_t kOther =
      AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_HWACCEL;
  return format != nullptr && (format->flags & kOther) == 0 && format->comp[0].plane == 0 &&
         format->comp[0].step == 1 && format->comp[0].depth == 8 && frame.linesize[0] >= frame.width;
}

// As is, unless the video says otherwise.
int ScalerMatrix(AVColorSpace space) {
  switch (space) {
    case AVCOL_SPC_BT709:
      return SWS_CS_ITU709;
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL:
      return SWS_CS_BT2020;
    case AVCOL_SPC_FCC:
      return SWS_CS_FCC;
    case AVCOL_SPC_SMPTE240M:
      return SWS_CS_SMPTE240M;
    default:
      return SWS_CS_ITU601;
  }
}

// libswscale warns of the "J" formats, which say the range that the frame says too.
AVPixelFormat WithoutRange(AVPixelFormat format) {
  switch (format) {
    case AV_PIX_FMT_YUVJ420P:
      return AV_PIX_FMT_YUV420P;
    case AV_PIX_FMT_YUVJ422P:
      return AV_PIX_FMT_YUV422P;
    case AV_PIX_FMT_YUVJ444P:
      return AV_PIX_FMT_YUV444P;
    case AV_PIX_FMT_YUVJ440P:
      return AV_PIX_FMT_YUV440P;
    default:
      return format;
  }
}

bool FullRange(const AVFrame& frame) {
  return frame.color_range == AVCOL_RANGE_JPEG ||
         WithoutRange(static_cast<AVPixelFormat>(frame.format)) != frame.format;
}

int InProportion(int value, int numerator, int denominator) {
  return std::max(1, static_cast<int>(std::lround(static_cast<double>(value) * numerator / denominator)));
}

struct Size {
  int width;
  int height;
};

Size SizeOf(const PictureForm& form, const AVFrame& decoded) {
  if (form.width > 0 && form.height > 0) return {form.width, form.height};
  if (form.width > 0) return {form.width, InProportion(decoded.height, form.width, decoded.width)};
  if (form.height > 0) return {InProportion(decoded.width, form.height, decoded.height), form.height};
  if (form.rows_max <= 0 || decoded.height <= form.rows_max) return {decoded.width, decoded.height};
  return {InProportion(decoded.width, form.rows_max, decoded.height), form.rows_max};
}

}  // namespace

struct PictureConverter::Scaler {
  struct Kind {
    int from_width;
    int from_height;
    int to_width;
    int to_height;
    int from_format;
    int colorspace;
    bool full_range;
    friend bool operator==(const Kind&, const Kind&) = default;
  };
  Kind kind{};
  struct Free {
    void operator()(SwsContext* context) const noexcept { sws_freeContext(context); }
  };
  std::unique_ptr<SwsContext, Free> context;
};

PictureConverter::PictureConverter(const PictureForm& form) : form_(form) {}
PictureConverter::~PictureConverter() = default;

Result<cv::Mat> PictureConverter::Convert(const AVFrame& decoded) {
  const auto [width, height] = SizeOf(form_, decoded);
  const bool enlarged = width > decoded.width || height > decoded.height;
  if (form_.format != PictureFormat::kGray || !HasLumaPlane(decoded) || enlarged) {
    return Scale(decoded, width, height);
  }

  cv::Mat luma(decoded.height, decoded.width, CV_8UC1, decoded.data[0],
               static_cast<std::size_t>(decoded.linesize[0]));
  if (height == decoded.height && width == decoded.width) return luma;
  // First by a whole factor, where averaging whole pixels is quick, then by what is left.
  const int factor = std::min(decoded.height / height, decoded.width / width);
  if (factor > 1) {
    luma = luma(cv::Rect(0, 0, luma.cols / factor * factor, luma.rows / factor * factor));
    cv::resize(luma, coarse_, {luma.cols / factor, luma.rows / factor}, 0, 0, cv::INTER_AREA);
    luma = coarse_;
  }
  if (luma.cols == width && luma.rows == height) return luma;
  cv::resize(luma, converted_, {width, height}, 0, 0, cv::INTER_LINEAR);
  return converted_;
}

Result<cv::Mat> PictureConverter::Scale(const AVFrame& decoded, int width, int height) {
  const auto format = static_cast<AVPixelFormat>(decoded.format);
  const bool gray = form_.format == PictureFormat::kGray;
  const Scaler::Kind kind{decoded.width,      decoded.height,    width, height, decoded.format,
                          decoded.colorspace, FullRange(decoded)};
  if (scaler_ == nullptr || scaler_->kind != kind) {
    scaler_ = std::make_unique<Scaler>();
    scaler_->kind = kind;
    // Averages whole pixels where there are more than enough, and curves where some have to be made up.
    const bool enlarged = width > decoded.width || height > decoded.height;
    scaler_->context.reset(sws_getContext(decoded.width, decoded.height, WithoutRange(format), width, height,
                                          gray ? AV_PIX_FMT_GRAY8 : AV_PIX_FMT_BGR24,
                                          enlarged ? SWS_BICUBIC : SWS_AREA, nullptr, nullptr, nullptr));
    if (scaler_->context == nullptr) {
      scaler_.reset();
      const char* name = av_get_pix_fmt_name(format);
      return Error{ErrorCode::kUnsupported, std::string("pictures in the pixel format ") +
                                                (name != nullptr ? name : "that has no name") +
                                                " cannot be converted"};
    }
    const int* matrix = sws_getCoefficients(ScalerMatrix(decoded.colorspace));
    // Gray keeps the video's range, as the luma plane does.
    const int range = kind.full_range ? 1 : 0;
    sws_setColorspaceDetails(scaler_->context.get(), matrix, range, sws_getCoefficients(SWS_CS_DEFAULT),
                             gray ? range : 1, 0, 1 << 16, 1 << 16);
  }
  // libswscale writes whole vectors, up to kBeyondRow bytes beyond the end of a row: into the next one, which
  // comes after it, and behind the last one into rows that are not shown.
  const int type = gray ? CV_8UC1 : CV_8UC3;
  const int row_bytes = width * (gray ? 1 : 3);
  padded_.create(height + (kBeyondRow + row_bytes - 1) / row_bytes, width, type);
  converted_ = padded_.rowRange(0, height);
  std::uint8_t* planes[4] = {converted_.data, nullptr, nullptr, nullptr};
  const int strides[4] = {static_cast<int>(converted_.step[0]), 0, 0, 0};
  const int rows =
      sws_scale(scaler_->context.get(), decoded.data, decoded.linesize, 0, decoded.height, planes, strides);
  if (rows != height) return Error{ErrorCode::kInternal, "libswscale: " + AvErrorText(rows)};
  return converted_;
}

}  // namespace millrace
