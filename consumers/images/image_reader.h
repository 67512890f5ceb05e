// Still pictures of a stored stream: what a viewer saw at given times.
//
//   ImageReader reader(store, "door", {.form = {.width = 640}});
//   MILLRACE_ASSIGN_OR_RETURN(std::vector<Image> images, reader.Next(times));   // of the first of `times`
//
// The picture of a time is the frame that was shown then: the last one of the fragment that contains the
// time. No more is decoded than from the key frame before it; a fragment that does not begin with a key frame
// is led in by those before it. Times of one fragment are decoded together.
//
// Clocks:  a time is one of the producer's clock, or of the server's: then the fragment is that which was
//          open at the time, and the frame lies as far behind its beginning as the time behind its opening.
// Memory:  one fragment (two while it is led in), the decoder's pictures, one converted picture, and the
//          encoded images: Next ends a little above bytes_max.
// Errors:  of the store, and kCancelled. What is wrong with a single image stands in it.
// Threads: one owner at a time. Next waits for the disk, and decodes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "consumers/images/image_encoder.h"
#include "fragments/fragment_store.h"

namespace millrace {

class FragmentDecoder;

enum class ImageClock : std::uint8_t { kProducer, kServer };

// In pixels. One of them alone: the other follows in proportion; none: as the video has it.
struct ImageForm {
  int width = 0;
  int height = 0;
  ImageEncoding encoding{};
};

struct ImageOptions {
  ImageClock clock = ImageClock::kProducer;
  ImageForm form{};
  // The key frame at or before each time: the cheapest, and good enough for a timeline.
  bool key_frames_only = false;
  std::uint64_t bytes_max = std::uint64_t{32} << 20;  // of the encoded images of one Next
  std::function<bool()> cancelled{};                  // asked before each frame
};

struct Image {
  enum class Problem : std::uint8_t {
    kNone,
    kNoMedia,     // there is no footage at this time
    kMediaError,  // there is, but no picture can be made of it: sound alone, damaged, an unknown codec
  };

  Timestamp time;  // that was asked for
  Problem problem = Problem::kNone;
  std::string explanation;  // of the problem
  // Without a problem:
  Bytes bytes;      // of the image file
  Timestamp shown;  // the frame's producer time
  FragmentNumber fragment;
};

class ImageReader {
 public:
  // `store` outlives the reader. The stream must exist.
  ImageReader(FragmentStore& store, std::string stream, ImageOptions options);
  ~ImageReader();
  ImageReader(const ImageReader&) = delete;
  ImageReader& operator=(const ImageReader&) = delete;

  // The images of the first of `times`, which rise: of as many as lie in one fragment, at least of one.
  // REQUIRES: there is a time.
  Result<std::vector<Image>> Next(std::span<const Timestamp> times);

  // The newest picture that is stored. kNotFound where there is no footage.
  Result<Image> Newest();

 private:
  struct Place;

  Result<std::optional<FragmentFacts>> Containing(Timestamp time);
  Timestamp ProducerTime(const FragmentFacts& facts, Timestamp time) const;
  Result<std::vector<FragmentFacts>> LeadIn(const FragmentFacts& facts);
  // Fills in what `images` lack; their times lie in the fragment. An image that has no bytes yet afterwards,
  // and no problem, was left out for bytes_max.
  Result<void> Make(const FragmentFacts& facts, std::vector<Image>& images);
  Result<void> Decode(const FragmentFacts& facts, std::vector<Image>& images);

  FragmentStore& store_;
  const std::string stream_;
  const ImageOptions options_;
  std::unique_ptr<FragmentDecoder> decoder_;
};

}  // namespace millrace
