#include "consumers/faces/photograph.h"

extern "C" {
#include <libavutil/dict.h>
#include <libavutil/log.h>
}

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <opencv2/core.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "media/libav_handles.h"
#include "parser/decoder/picture_converter.h"

namespace millrace {
namespace {

constexpr std::uint32_t kSideMax = 60'000;
constexpr std::string_view kPngBegins("\x89PNG\r\n\x1a\n", 8);

bool BeginsWith(ByteSpan bytes, std::string_view text) {
  return bytes.size() >= text.size() && std::memcmp(bytes.data(), text.data(), text.size()) == 0;
}

// The chunks that the picture itself is made of.
Bytes PictureChunks(ByteSpan png) {
  Bytes kept(png.begin(), png.begin() + kPngBegins.size());
  std::size_t at = kPngBegins.size();
  while (png.size() - at >= 12) {
    const std::size_t length = ReadBigEndian<std::uint32_t>(png.subspan(at, 4));
    const std::size_t whole = std::min(png.size() - at, length + 12);
    const std::string_view type(reinterpret_cast<const char*>(png.data()) + at + 4, 4);
    if (type == "IHDR" || type == "PLTE" || type == "tRNS" || type == "IDAT" || type == "IEND") {
      kept.insert(kept.end(), png.begin() + static_cast<std::ptrdiff_t>(at),
                  png.begin() + static_cast<std::ptrdiff_t>(at + whole));
    }
    at += whole;
  }
  return kept;
}

bool IsSegmentOf(ByteSpan segment, std::uint8_t marker, std::string_view what) {
  return segment[1] == marker && segment.size() > 4 && BeginsWith(segment.subspan(4), what);
}

// Up to the end of the first picture, without notes that it does not need: what is left out of
// comments, of profiles and behind the picture cannot be taken for scans, neither here nor by the
// decoder.
Bytes PictureSegments(ByteSpan jpeg) {
  Bytes kept(jpeg.begin(), jpeg.begin() + 2);
  kept.reserve(jpeg.size());
  bool in_scans = false;
  for (std::size_t at = 2; at < jpeg.size();) {
    const std::uint8_t marker = jpeg[at] == 0xFF && at + 1 < jpeg.size() ? jpeg[at + 1] : 0;
    std::size_t whole = 1;
    bool keep = true;
    if (marker == 0xD9) {
      whole = 2;
    } else if (marker >= 0xC0 && marker != 0xFF && (marker < 0xD0 || marker > 0xD8) &&
               at + 4 <= jpeg.size()) {
      whole = 2 + ReadBigEndian<std::uint16_t>(jpeg.subspan(at + 2, 2));
      whole = std::min(whole < 4 ? 2 : whole, jpeg.size() - at);
      const ByteSpan segment = jpeg.subspan(at, whole);
      const bool note = (marker >= 0xE0 && marker <= 0xEF) || marker == 0xFE;
      keep = !note || IsSegmentOf(segment, 0xE0, "JFIF") || IsSegmentOf(segment, 0xE1, "Exif") ||
             IsSegmentOf(segment, 0xEE, "Adobe");
      in_scans = in_scans || marker == 0xDA;
    }
    if (keep) {
      kept.insert(kept.end(), jpeg.begin() + static_cast<std::ptrdiff_t>(at),
                  jpeg.begin() + static_cast<std::ptrdiff_t>(at + whole));
    }
    at += whole;
    if (marker == 0xD9 && in_scans) break;
  }
  return kept;
}

// Each scan begins with FF DA, wherever a decoder may find it.
Result<void> CheckScans(ByteSpan jpeg) {
  std::size_t scans = 0;
  for (std::size_t at = 0; at + 1 < jpeg.size(); ++at) {
    if (jpeg[at] == 0xFF && jpeg[at + 1] == 0xDA) ++scans;
  }
  if (scans <= kPhotographScansMax) return {};
  return Error{ErrorCode::kInvalidArgument, "the photograph is a JPEG of more than " +
                                                std::to_string(kPhotographScansMax) +
                                                " scans: save it anew with an ordinary program"};
}

struct HeaderSize {
  std::uint32_t columns = 0;
  std::uint32_t rows = 0;
};

// As the header says; none: it says nothing.
std::optional<HeaderSize> SizeOfPng(ByteSpan png) {
  if (png.size() < 24) return std::nullopt;
  return HeaderSize{ReadBigEndian<std::uint32_t>(png.subspan(16, 4)),
                    ReadBigEndian<std::uint32_t>(png.subspan(20, 4))};
}

std::optional<HeaderSize> SizeOfJpeg(ByteSpan jpeg) {
  // Segments: FF, a marker, a length of 2 bytes that counts itself. SOF is C0 to CF but for C4, C8 and CC.
  for (std::size_t at = 2; at + 9 <= jpeg.size() && jpeg[at] == 0xFF;) {
    const std::uint8_t marker = jpeg[at + 1];
    if (marker == 0xFF) {  // filling
      ++at;
      continue;
    }
    if (marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC) {
      return HeaderSize{ReadBigEndian<std::uint16_t>(jpeg.subspan(at + 7, 2)),
                        ReadBigEndian<std::uint16_t>(jpeg.subspan(at + 5, 2))};
    }
    at += 2 + ReadBigEndian<std::uint16_t>(jpeg.subspan(at + 2, 2));
  }
  return std::nullopt;
}

Result<void> CheckSize(const std::optional<HeaderSize>& size) {
  if (!size || size->columns == 0 || size->rows == 0) {
    return Error{ErrorCode::kCorruption, "the photograph cannot be decoded: it does not say how large it is"};
  }
  if (size->columns > kSideMax || size->rows > kSideMax ||
      std::int64_t{size->columns} * size->rows > kPhotographPixelsMax) {
    return Error{ErrorCode::kInvalidArgument, "the photograph has more than " +
                                                  std::to_string(kPhotographPixelsMax / 1'000'000) +
                                                  " million pixels, or more than " +
                                                  std::to_string(kSideMax) + " on a side: make it smaller"};
  }
  return {};
}

// So that neither side is longer than it may be.
int RowsMax(const AVFrame& frame) {
  const std::int64_t rows = std::int64_t{kPhotographColumnsMax} * frame.height / std::max(frame.width, 1);
  return static_cast<int>(std::clamp<std::int64_t>(rows, 1, kPhotographRowsMax));
}

// 1 to 8, as EXIF has it: where the picture's first row and column lie.
int OrientationOf(const AVFrame& frame) {
  const AVDictionaryEntry* entry = av_dict_get(frame.metadata, "Orientation", nullptr, 0);
  return entry != nullptr ? std::atoi(entry->value) : 1;
}

cv::Mat Upright(const cv::Mat& picture, int orientation) {
  cv::Mat turned = picture;
  if (orientation >= 5 && orientation <= 8) cv::transpose(picture, turned);
  // Now what is left is a mirroring of columns, rows or both.
  const bool columns = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
  const bool rows = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
  cv::Mat upright = turned;
  if (columns || rows) cv::flip(turned, upright, columns && rows ? -1 : columns ? 1 : 0);
  return upright;
}

Result<AvFramePtr> Decode(AVCodecID id, ByteSpan bytes) {
  const AVCodec* codec = avcodec_find_decoder(id);
  AvCodecContextPtr context(codec != nullptr ? avcodec_alloc_context3(codec) : nullptr);
  AvPacketPtr packet(av_packet_alloc());
  AvFramePtr frame(av_frame_alloc());
  if (!context || !packet || !frame || av_new_packet(packet.get(), static_cast<int>(bytes.size())) < 0) {
    return Error{ErrorCode::kResourceExhausted, "no memory for the photograph"};
  }
  std::memcpy(packet->data, bytes.data(), bytes.size());
  context->thread_count = 1;
  context->log_level_offset = AV_LOG_MAX_OFFSET + AV_LOG_TRACE;  // attackers' bytes are not logged
  context->max_pixels = kPhotographPixelsMax;
  if (avcodec_open2(context.get(), codec, nullptr) < 0) {
    return Error{ErrorCode::kInternal, "libavcodec does not open its decoder"};
  }
  int code = avcodec_send_packet(context.get(), packet.get());
  if (code >= 0) {
    avcodec_send_packet(context.get(), nullptr);
    code = avcodec_receive_frame(context.get(), frame.get());
  }
  if (code == AVERROR(ENOMEM)) return Error{ErrorCode::kResourceExhausted, "no memory for the photograph"};
  if (code < 0)
    return Error{ErrorCode::kCorruption, "the photograph cannot be decoded: " + AvErrorText(code)};
  return frame;
}

}  // namespace

Result<cv::Mat> DecodePhotograph(ByteSpan bytes) {
  if (bytes.size() > kPhotographBytesMax) {
    return Error{ErrorCode::kInvalidArgument,
                 "a photograph has at most " + std::to_string(kPhotographBytesMax >> 20) + " MB"};
  }
  const bool png = BeginsWith(bytes, kPngBegins);
  if (!png && !BeginsWith(bytes, "\xff\xd8\xff")) {
    return Error{ErrorCode::kUnsupported, "a photograph is a JPEG or a PNG; this is neither"};
  }
  MILLRACE_RETURN_IF_ERROR(CheckSize(png ? SizeOfPng(bytes) : SizeOfJpeg(bytes)));
  try {
    const Bytes picture_only = png ? PictureChunks(bytes) : PictureSegments(bytes);
    if (!png) MILLRACE_RETURN_IF_ERROR(CheckScans(picture_only));
    MILLRACE_ASSIGN_OR_RETURN(const AvFramePtr frame,
                              Decode(png ? AV_CODEC_ID_PNG : AV_CODEC_ID_MJPEG, picture_only));
    PictureConverter converter({PictureFormat::kBgr, RowsMax(*frame)});
    MILLRACE_ASSIGN_OR_RETURN(const cv::Mat picture, converter.Convert(*frame));
    return Upright(picture, OrientationOf(*frame)).clone();
  } catch (const std::bad_alloc&) {
    return Error{ErrorCode::kResourceExhausted, "no memory for the photograph"};
  } catch (const cv::Exception& e) {
    return Error{ErrorCode::kInternal, std::string("the photograph cannot be converted: ") + e.what()};
  }
}

}  // namespace millrace
