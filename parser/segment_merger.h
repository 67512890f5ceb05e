// Consecutive documents of one source as one: the fragments of a GetMedia body, or files that follow each
// other, joined into a Segment that any player takes, without touching a frame.
//
//   class ToFiles : public SegmentSink {
//     Result<void> OnSegmentStart(const MkvDocument&, SegmentChange) override { return file_.OpenNext(); }
//     Result<void> OnBytes(ByteSpan bytes) override { return file_.Write(bytes); }
//   };
//   SegmentMerger merger(to_files);
//   while (ReadSome(body, chunk)) MILLRACE_RETURN_IF_ERROR(merger.Push(chunk));   // any split
//   MILLRACE_RETURN_IF_ERROR(merger.Finish());
//
// What is written of a Segment: the EBML header, Info and Tracks of its first document, and the Clusters of
// all, byte for byte. The Segment is of unknown size and has no Duration, for nobody knows them yet. What
// speaks of a single document is left out: its SeekHead, Cues, Chapters, Attachments and Tags, the service's
// too.
//
// A new Segment begins where one decoder, one after the other, could not go on: the tracks have changed
// (number, type, codec, CodecPrivate, size or rate of any), TimestampScale has, or a Cluster's Timestamp does
// not rise above the one before. Names, languages and UIDs of tracks may change. With `stop_at_change` the
// merger takes no more there.
//
// Memory:  one document's header up to limits.header_bytes_max, and what of an element spans two calls.
// Errors:  MkvParser's and the sink's;
//          kCorruption: a Cluster before Tracks, or without a Timestamp before its frames;
//          kFailedPrecondition: more was pushed after it had stopped at a change.
// Threads: none inside; one owner at a time. The sink is called within Push and Finish.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "parser/document.h"
#include "parser/mkv_parser.h"

namespace millrace {

// Why a Segment begins.
enum class SegmentChange : std::uint8_t {
  kFirst,      // it is the first one
  kTracks,     // the tracks are others
  kTimestamp,  // time does not rise: a producer began anew, or its clock was set back
};

class SegmentSink {
 public:
  virtual ~SegmentSink() = default;
  // What follows belongs to a new Segment. `document` is valid during the call.
  virtual Result<void> OnSegmentStart(const MkvDocument& document, SegmentChange why) = 0;
  // The next bytes of the Segment, valid during the call.
  virtual Result<void> OnBytes(ByteSpan bytes) = 0;
};

class SegmentMerger : private MkvVisitor {
 public:
  struct Options {
    bool stop_at_change = false;  // only what belongs to the first Segment is written
  };

  // `sink` outlives the merger.
  explicit SegmentMerger(SegmentSink& sink) : SegmentMerger(sink, Options{}) {}
  SegmentMerger(SegmentSink& sink, const Options& options, const ParserLimits& limits = {});

  Result<void> Push(ByteSpan bytes);
  // The input is over. Errors: kCorruption, when it is over within an element.
  Result<void> Finish();

  bool stopped() const { return stopped_; }  // at a change

 private:
  Result<void> OnStartMaster(const ElementHeader& element) override;
  Result<void> OnEndMaster(const ElementHeader& element, std::uint64_t end_offset) override;
  Result<void> OnData(const ElementHeader& element, const ElementData& data) override;

  Result<void> OpenCluster(const ElementHeader& timestamp, ByteSpan payload);
  Result<void> NoTimestamp() const;
  Result<void> StartSegment(SegmentChange why);
  // The input's bytes from `begin` to `end`, both offsets: what was held, and what the call brought.
  // REQUIRES: they are still there.
  std::array<ByteSpan, 2> Input(std::uint64_t begin, std::uint64_t end) const;
  // The call's input is over: what is not done with is held.
  void Hold();
  Result<void> CopyUpTo(std::uint64_t end);

  SegmentSink& sink_;
  const Options options_;
  const ParserLimits limits_;
  MkvParser parser_;

  Bytes held_;  // what earlier calls left, from held_offset_ on
  std::uint64_t held_offset_ = 0;
  ByteSpan input_;                          // the call's, behind it
  std::optional<std::uint64_t> keep_from_;  // what begins here is not done with yet

  // Of the document that is being read.
  DocumentBuilder builder_;
  Bytes ebml_, info_, tracks_;  // whole elements

  // Of the Segment that is being written.
  std::vector<MkvTrack> segment_tracks_;
  std::int64_t segment_scale_ns_ = 0;
  std::int64_t last_timestamp_ns_ = 0;
  bool in_segment_ = false;

  std::optional<std::uint64_t> cluster_offset_;  // of the Cluster that is open
  std::optional<std::uint64_t> copied_;          // it is being written, up to here
  bool stopped_ = false;
};

}  // namespace millrace
