// Fragments in, pictures out: decodes the video of one stream's fragments by libavcodec.
//
//   FragmentDecoder decoder({.selection = {FrameSelection::Kind::kPerSecond, 2}});
//   MILLRACE_ASSIGN_OR_RETURN(ParsedFragment fragment, ParseFragment(bytes));
//   MILLRACE_ASSIGN_OR_RETURN(DecodeReport report, decoder.Decode(fragment, [](const Picture& picture) {
//     return Look(picture.image, picture.timestamp_ns);
//   }));
//
// What a chosen frame needs is decoded: from the key frame before it up to the frame itself. A fragment
// leaves nothing behind: the decoder is set up anew only when the track's codec or its CodecPrivate changes.
// A fragment that does not begin with a key frame (its camera sends them seldom) needs those before it, back
// to one that does: give them to LeadIn.
//
// Memory:  the codec's reference pictures (17 at most, of pixels_max), a copy of one frame's bytes,
//          one converted picture.
// Errors:  kUnsupported: a codec that libavcodec or we do not know; kCorruption: frames were
//          chosen, and none of them could be decoded; kResourceExhausted: no memory, or pictures
//          larger than pixels_max. What cannot be decoded among what can is left out and counted.
//          After an error the next fragment can be tried. Hostile bytes end in these; libavcodec's
//          messages about them are kept off the log.
// Threads: none inside beyond `threads`; one owner at a time, and pictures come on the caller's
//          thread. Decoders of different owners run side by side.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "parser/decoder/frame_selection.h"
#include "parser/decoder/picture.h"
#include "parser/parse_fragment.h"

namespace millrace {

struct DecoderOptions {
  FrameSelection selection{};
  PictureForm form{};
  int threads = 1;  // libavcodec's, for one stream
  // On a device of this machine where libavcodec has one for the codec (VAAPI, CUDA, VDPAU, …); else by the
  // processor, which FragmentDecoder::device says. A device that fails on a stream leaves it to the
  // processor, too.
  bool hardware = false;
  std::int64_t pixels_max = std::int64_t{16} << 20;  // of a coded picture; 4096 x 4096
  // Asked before each frame; true ends a call with kCancelled.
  std::function<bool()> cancelled{};
};

struct DecodeReport {
  std::uint32_t frames = 0;     // of video, in the fragment
  std::uint32_t pictures = 0;   // that were given
  std::uint32_t damaged = 0;    // chosen, but their pictures are incomplete or missing
  std::uint32_t too_early = 0;  // chosen, but before the first key frame, and without a lead-in
  std::uint32_t on_device = 0;  // of the pictures: decoded by a device, not by the processor
  friend bool operator==(const DecodeReport&, const DecodeReport&) = default;
};

// Takes one picture after the other, in the order of display. What it returns as an error ends Decode with
// it.
using PictureSink = std::function<Result<void>(const Picture&)>;

class FragmentDecoder {
 public:
  explicit FragmentDecoder(const DecoderOptions& options);
  ~FragmentDecoder();
  FragmentDecoder(const FragmentDecoder&) = delete;
  FragmentDecoder& operator=(const FragmentDecoder&) = delete;

  // Decodes a fragment, of which no picture is wanted, for the sake of the next one, which begins where this
  // one ends and without a key frame. May be called several times in a row. Does nothing where key frames
  // alone are chosen. Errors: as above, without kCorruption.
  Result<void> LeadIn(const ParsedFragment& fragment);

  // Gives the chosen pictures of the fragment's first video track; a fragment without video has none, and a
  // document of several Clusters counts as one fragment. Exceptions of `sink` pass through; the decoder stays
  // usable.
  Result<DecodeReport> Decode(const ParsedFragment& fragment, const PictureSink& sink);

  // The same for the frames that are shown at exactly these times, instead of those that the options choose.
  Result<DecodeReport> DecodeFrames(const ParsedFragment& fragment,
                                    std::span<const std::int64_t> timestamps_ns, const PictureSink& sink);

  // What decodes: "vaapi", "cuda", …, or "software", with the reason where a device was asked for: "software
  // (no device for h264: vaapi: …)". Empty before the first fragment with video.
  std::string device() const;

 private:
  class Codec;
  struct Footage;

  // The codec, set up for the fragment's video track; nullptr where it has none.
  Result<const MkvTrack*> Prepare(const ParsedFragment& fragment);

  bool Cancelled() const { return options_.cancelled && options_.cancelled(); }
  Result<DecodeReport> DecodeFootage(const MkvTrack& track, const Footage& footage, const PictureSink& sink);

  const DecoderOptions options_;
  std::unique_ptr<Codec> codec_;
};

// The frames of the fragment's first video track, in the file's order; none: it has no video.
std::vector<SelectableFrame> VideoFrames(const ParsedFragment& fragment);

}  // namespace millrace
