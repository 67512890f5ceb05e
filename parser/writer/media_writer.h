// Fragments into an MP4 or Matroska file by libavformat, frame by frame as they are: nothing is decoded or
// encoded.
//
//   MILLRACE_ASSIGN_OR_RETURN(
//       auto writer, MediaWriter::Create("door.mp4", Container::kMp4, document.TrackInfos()));
//   for (const ParsedFragment& fragment : fragments) {
//     MILLRACE_RETURN_IF_ERROR(writer->Write(fragment));
//   }
//   MILLRACE_RETURN_IF_ERROR(writer->Finish());
//
// Times begin at zero with the earliest frame of the first fragment. Matroska has no decode times: they are
// made of the presentation times, so that they rise and no frame is decoded after it is shown, whatever the
// reordering (B-frames). The time between two fragments stays as it is; a gap shows as a still picture.
//
// Which codecs go where: MKV takes all; MP4 takes H.264, H.265, AV1, VP9, AAC and Opus.
//
// Memory:  the packets' table of one fragment; kMp4 keeps its index until Finish, about 50 bytes a frame.
// Errors:  kUnsupported: a codec that the container cannot hold;
//          kInvalidArgument: no tracks, or an empty path;
//          kNotFound, kPermissionDenied, kNoSpace, kIo: the file;
//          kCorruption: times that go back behind what is written.
//          After an error the file may be Finished, to keep what is there.
// Threads: one owner at a time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "media/codec.h"
#include "parser/parse_fragment.h"

namespace millrace {

enum class Container : std::uint8_t {
  kMp4,  // its index in front, so that it plays while it is still being fetched; written twice at the end
  kFragmentedMp4,  // a movie fragment for each fragment: what is there plays, whatever happens to the rest
  kMkv,
};

class Muxer;

class MediaWriter {
 public:
  // `tracks`: those that are written, by number; frames of others are left out. Replaces a file that is
  // there.
  static Result<std::unique_ptr<MediaWriter>> Create(const std::string& path, Container container,
                                                     const std::vector<TrackInfo>& tracks);
  ~MediaWriter();  // without Finish the file is not complete; an MP4 then cannot be played
  MediaWriter(const MediaWriter&) = delete;
  MediaWriter& operator=(const MediaWriter&) = delete;

  // All of the fragment's frames of the tracks that are written.
  Result<void> Write(const ParsedFragment& fragment);
  // Completes the file; nothing may be written afterwards.
  Result<void> Finish();

  std::uint64_t frames() const { return frames_; }  // written so far

 private:
  // A track in the file.
  struct Output {
    int stream = 0;
    std::int64_t delay_ns = 0;  // how far decode times run ahead; set by the first fragment with its frames
    std::int64_t last_dts_ns = 0;  // of the frame that was written last
    bool begun = false;
  };
  struct TimedFrame {
    const ParsedFrame* frame = nullptr;
    int stream = 0;
    std::int64_t dts_ns = 0;
    std::int64_t duration_ns = 0;
  };

  explicit MediaWriter(std::unique_ptr<Muxer> muxer);
  Result<void> AddDecodeTimes(std::uint32_t track, const ParsedFragment& fragment,
                              std::vector<TimedFrame>& out);

  const std::unique_ptr<Muxer> muxer_;
  std::map<std::uint32_t, Output> outputs_;  // by track number
  std::int64_t zero_ns_ = 0;                 // the file's time zero
  bool begun_ = false;
  std::uint64_t frames_ = 0;
};

}  // namespace millrace
