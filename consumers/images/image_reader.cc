#include "consumers/images/image_reader.h"

#include <algorithm>
#include <utility>

#include "consumers/fragment_frames.h"
#include "consumers/fragment_range.h"
#include "parser/decoder/fragment_decoder.h"
#include "parser/parse_fragment.h"

namespace millrace {
namespace {

// Fragments that are decoded for the sake of one picture: ten minutes of a camera that sends no key frames,
// at the default length.
constexpr std::size_t kLeadInMax = 64;

DecoderOptions ForImages(const ImageOptions& options) {
  DecoderOptions decoder;
  decoder.selection.kind = FrameSelection::Kind::kAll;  // so that it can be led in
  decoder.form.width = options.form.width;
  decoder.form.height = options.form.height;
  decoder.cancelled = options.cancelled;
  return decoder;
}

struct ReadFragment {
  ParsedFragment parsed;
  Duration shift{0};                    // producer time = document's time + shift
  std::vector<SelectableFrame> frames;  // of video
};

// What a fragment's own bytes are to blame for; the rest is the store's business.
bool SpeaksOfMedia(ErrorCode code) {
  return code == ErrorCode::kCorruption || code == ErrorCode::kUnsupported ||
         code == ErrorCode::kResourceExhausted || code == ErrorCode::kInvalidArgument;
}

Result<ReadFragment> Read(FragmentStore& store, const std::string& stream, const FragmentNumber& number) {
  MILLRACE_ASSIGN_OR_RETURN(const Fragment fragment, store.Read(stream, number));
  ReadFragment read;
  MILLRACE_ASSIGN_OR_RETURN(read.parsed, ParseFragment(fragment.mkv));
  MILLRACE_ASSIGN_OR_RETURN(read.shift, DocumentShift(fragment.facts, read.parsed));
  read.frames = VideoFrames(read.parsed);
  return read;
}

void SetProblem(std::vector<Image>& images, Image::Problem problem, const std::string& explanation) {
  for (Image& image : images) {
    if (!image.bytes.empty()) continue;
    image.problem = problem;
    image.explanation = explanation;
  }
}

}  // namespace

ImageReader::ImageReader(FragmentStore& store, std::string stream, ImageOptions options)
    : store_(store),
      stream_(std::move(stream)),
      options_(std::move(options)),
      decoder_(std::make_unique<FragmentDecoder>(ForImages(options_))) {}

ImageReader::~ImageReader() = default;

Result<std::optional<FragmentFacts>> ImageReader::Containing(Timestamp time) {
  if (options_.clock == ImageClock::kProducer) {
    auto found = store_.FindContaining(stream_, time);
    if (found) return std::optional(std::move(*found));
    if (found.error().code != ErrorCode::kNotFound) return std::move(found).error();
  } else {
    FragmentQuery query{.order = FragmentOrder::kServerTime, .to = time, .descending = true, .limit = 1};
    MILLRACE_ASSIGN_OR_RETURN(std::vector<FragmentFacts> found, store_.List(stream_, query));
    if (!found.empty() && found[0].server_start + found[0].duration > time) {
      return std::optional(std::move(found[0]));
    }
  }
  return std::optional<FragmentFacts>();
}

Timestamp ImageReader::ProducerTime(const FragmentFacts& facts, Timestamp time) const {
  return options_.clock == ImageClock::kProducer ? time : facts.start + (time - facts.server_start);
}

Result<std::vector<Image>> ImageReader::Next(std::span<const Timestamp> times) {
  MILLRACE_ASSIGN_OR_RETURN(const std::optional<FragmentFacts> facts, Containing(times.front()));
  std::vector<Image> images(1);
  images[0].time = times.front();
  if (!facts) {
    SetProblem(images, Image::Problem::kNoMedia, "there is no footage at this time");
    return images;
  }
  for (const Timestamp time : times.subspan(1)) {
    MILLRACE_ASSIGN_OR_RETURN(const std::optional<FragmentFacts> other, Containing(time));
    if (!other || other->number != facts->number) break;
    images.emplace_back().time = time;
  }
  MILLRACE_RETURN_IF_ERROR(Make(*facts, images));
  // What was left out for its bytes is the next call's.
  const auto left_out = std::find_if(images.begin(), images.end(), [](const Image& image) {
    return image.bytes.empty() && image.problem == Image::Problem::kNone;
  });
  images.erase(left_out, images.end());
  return images;
}

Result<Image> ImageReader::Newest() {
  FragmentQuery query{.order = FragmentOrder::kNumber, .descending = true, .limit = 1};
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<FragmentFacts> newest, store_.List(stream_, query));
  if (newest.empty()) {
    return Error{ErrorCode::kNotFound, "stream '" + stream_ + "' has no footage yet"};
  }
  const FragmentFacts& facts = newest.front();
  std::vector<Image> images(1);
  // In the clock's time, so that it is the fragment's last picture under either.
  const Timestamp begin = options_.clock == ImageClock::kProducer ? facts.start : facts.server_start;
  images[0].time = begin + std::max(facts.duration - Duration{1}, Duration{0});
  MILLRACE_RETURN_IF_ERROR(Make(facts, images));
  return std::move(images[0]);
}

Result<void> ImageReader::Make(const FragmentFacts& facts, std::vector<Image>& images) {
  auto decoded = Decode(facts, images);
  if (decoded) return {};
  const ErrorCode code = decoded.error().code;
  // Deleted or expired since it was found.
  if (code == ErrorCode::kNotFound) {
    SetProblem(images, Image::Problem::kNoMedia, "the footage of this time has just been deleted");
  } else if (SpeaksOfMedia(code)) {
    SetProblem(images, Image::Problem::kMediaError,
               "fragment " + facts.number.ToString() + ": " + decoded.error().message);
  } else {
    return decoded;
  }
  return {};
}

Result<std::vector<FragmentFacts>> ImageReader::LeadIn(const FragmentFacts& facts) {
  std::vector<FragmentFacts> before;
  if (facts.independent) return before;
  MILLRACE_ASSIGN_OR_RETURN(const FragmentFacts begin, IndependentBefore(store_, stream_, facts));
  if (begin.number == facts.number) return before;  // it is gone: what can be decoded is
  FragmentQuery query{.order = FragmentOrder::kNumber,
                      .from_number = begin.number,
                      .to_number = facts.number,
                      .limit = kLeadInMax + 2};
  MILLRACE_ASSIGN_OR_RETURN(before, store_.List(stream_, query));
  std::erase_if(before, [&](const FragmentFacts& one) { return one.number >= facts.number; });
  if (before.size() > kLeadInMax) {
    return Error{ErrorCode::kUnsupported,
                 "its last key frame lies more than " + std::to_string(kLeadInMax) + " fragments before it"};
  }
  return before;
}

Result<void> ImageReader::Decode(const FragmentFacts& facts, std::vector<Image>& images) {
  MILLRACE_ASSIGN_OR_RETURN(ReadFragment read, Read(store_, stream_, facts.number));
  if (read.frames.empty()) {
    return Error{ErrorCode::kUnsupported, "it has no video"};
  }
  FragmentNumber number = facts.number;
  const auto in_document = [&](const Image& image) {
    return (ProducerTime(facts, image.time) - read.shift).ns;
  };
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<FragmentFacts> before, LeadIn(facts));
  if (!options_.key_frames_only) {
    for (const FragmentFacts& one : before) {
      MILLRACE_ASSIGN_OR_RETURN(const ReadFragment lead, Read(store_, stream_, one.number));
      MILLRACE_RETURN_IF_ERROR(decoder_->LeadIn(lead.parsed));
    }
  } else if (!before.empty() && !KeyFrameBefore(in_document(images.front()), read.frames)) {
    // The run's last key frame stands in another fragment, and the others of this one need it no less.
    number = before.front().number;
    MILLRACE_ASSIGN_OR_RETURN(read, Read(store_, stream_, number));
    if (read.frames.empty()) return Error{ErrorCode::kUnsupported, "it has no video"};
  }

  std::vector<std::int64_t> wanted;  // for each image: when its frame is shown, in the document's time
  for (const Image& image : images) {
    std::size_t frame = FrameShownAt(in_document(image), read.frames);
    if (options_.key_frames_only) {
      frame = KeyFrameBefore(in_document(image), read.frames).value_or(frame);
    }
    wanted.push_back(read.frames[frame].timestamp_ns);
  }
  std::uint64_t bytes = 0;
  bool full = false;
  const auto take = [&](const Picture& picture) -> Result<void> {
    MILLRACE_ASSIGN_OR_RETURN(const Bytes encoded, EncodeImage(picture.image, options_.form.encoding));
    for (std::size_t i = 0; i < images.size(); ++i) {
      if (wanted[i] != picture.timestamp_ns) continue;
      full = bytes >= options_.bytes_max;
      if (full) return Error{ErrorCode::kCancelled, "enough"};
      images[i].bytes = encoded;
      images[i].shown = Timestamp{picture.timestamp_ns} + read.shift;
      images[i].fragment = number;
      bytes += encoded.size();
    }
    return {};
  };
  auto report = decoder_->DecodeFrames(read.parsed, wanted, take);
  if (full) return {};
  if (!report) return std::move(report).error();
  SetProblem(images, Image::Problem::kMediaError,
             "fragment " + number.ToString() +
                 (report->too_early > 0 ? ": the key frame that this time needs is not stored any more"
                                        : ": the frame of this time cannot be decoded"));
  return {};
}

}  // namespace millrace
