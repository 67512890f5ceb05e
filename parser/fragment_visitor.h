// The second layer: element events become fragments, with what they carry: tracks, tags and frames.
//
//   class Printer : public FragmentHandler {
//    public:
//     Result<void> OnFrame(const MkvFragment& fragment, const MkvFrame& frame) override {
//       std::cout << fragment.service.fragment_number.value_or("-") << " track " << frame.track << " at "
//                 << frame.timestamp_ns << " ns: " << frame.data.span().size() << " bytes\n";
//       return {};
//     }
//   };
//
//   Printer printer;
//   FragmentReader reader(printer);
//   while (ReadSome(body, chunk)) MILLRACE_RETURN_IF_ERROR(reader.Push(chunk));   // any split
//   MILLRACE_RETURN_IF_ERROR(reader.Finish());
//
// A fragment is a Cluster and the tags that go with it. Which tags do (as Kinesis Video lays them out): the
// service's number and timestamps stand before the Cluster, its continuation token and lag after it; a
// producer's tags follow the Cluster that they speak of; those before the first Cluster are the document's.
//
// Order of the calls, for each fragment: OnFragmentStart, OnFrame…, OnClusterEnd, OnFragmentEnd. A fragment
// ends at what comes first: the service's continuation token, the producer's
// AWS_KINESISVIDEO_END_OF_FRAGMENT, the next Cluster, the end of the Segment or of the input. So OnClusterEnd
// has all frames at once, and OnFragmentEnd may have to wait for the next fragment's first byte where a body
// has no such marks.
//
// Memory and errors: as MkvParser's (parser/mkv_parser.h); kCorruption also for a block of an undeclared
// track, a block before its Cluster's Timestamp, and lacing that does not add up. Tags and tracks are bounded
// by ParserLimits. Threads: none inside; one owner at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "parser/document.h"
#include "parser/limits.h"
#include "parser/mkv_parser.h"
#include "parser/tags.h"

namespace millrace {

// A frame as it passes by.
struct MkvFrame {
  std::uint32_t track = 0;        // MkvTrack::number
  std::int64_t timestamp_ns = 0;  // presentation time: Cluster + block; CodecDelay is not taken off
  Duration duration{0};           // BlockDuration, shared out over a lace; zero where the file does not say
  bool key_frame = false;         // of audio: always
  bool discardable = false;
  // span() is valid during the call; Share() keeps it.
  ElementData data;
};

struct MkvFragment {
  std::shared_ptr<const MkvDocument> document;  // never null; one object for all fragments of a document
  std::int64_t timestamp_ns = 0;                // Cluster Timestamp x TimestampScale
  std::uint64_t document_offset = 0;            // of its document's EBML header in the input
  std::uint64_t offset = 0;                     // of the Cluster's first byte in the input
  std::uint64_t end_offset = 0;                 // of the byte after the Cluster; known from OnClusterEnd on
  std::uint64_t frames = 0;                     // so far
  ServiceTags service;       // those before the Cluster at OnFragmentStart, all at OnFragmentEnd
  std::vector<MkvTag> tags;  // the producer's; complete at OnFragmentEnd
};

// Who reads fragments. An error that is returned ends the reading and comes out of Push or Finish.
class FragmentHandler {
 public:
  virtual ~FragmentHandler() = default;
  virtual Result<void> OnFragmentStart(const MkvFragment& /*fragment*/) { return {}; }
  virtual Result<void> OnFrame(const MkvFragment& /*fragment*/, const MkvFrame& /*frame*/) { return {}; }
  virtual Result<void> OnClusterEnd(const MkvFragment& /*fragment*/) { return {}; }
  virtual Result<void> OnFragmentEnd(const MkvFragment& /*fragment*/) { return {}; }
  // A document without a Cluster in which the service says why it stopped (error_id, error_code,
  // fragment_number).
  virtual Result<void> OnServiceError(const ServiceTags& /*service*/) { return {}; }
};

// The visitor by itself, for those who have an MkvParser. Others take FragmentReader.
class FragmentVisitor final : public MkvVisitor {
 public:
  // `handler` outlives the visitor.
  explicit FragmentVisitor(FragmentHandler& handler, const ParserLimits& limits = {})
      : handler_(handler), limits_(limits), builder_(limits) {}

  Result<void> OnStartMaster(const ElementHeader& element) override;
  Result<void> OnEndMaster(const ElementHeader& element, std::uint64_t end_offset) override;
  Result<void> OnData(const ElementHeader& element, const ElementData& data) override;

  // The input is over: ends the last fragment. Call after MkvParser::Finish.
  Result<void> Finish();

 private:
  struct OpenGroup {
    std::optional<ElementHeader> block;
    SharedBytes payload;
    std::optional<std::uint64_t> duration_ticks;
    bool key_frame = true;  // until a ReferenceBlock
  };

  Result<void> StartCluster(const ElementHeader& element);
  Result<void> SetTimestamp(const ElementHeader& element, ByteSpan payload);
  Result<void> TakeBlock(const ElementHeader& element, const ElementData& data, const OpenGroup* group);
  Result<void> EndGroup(const ElementHeader& element);
  Result<void> EndTags(const ElementHeader& element);
  Result<void> KeepTag(const ElementHeader& element, MkvTag tag);
  Result<void> EndFragment();
  Result<void> EndDocument();
  const MkvTrack* FindTrack(std::uint64_t number);

  FragmentHandler& handler_;
  const ParserLimits limits_;
  DocumentBuilder builder_;
  std::shared_ptr<const MkvDocument> document_;  // from the first Cluster on
  std::optional<MkvFragment> fragment_;          // from its Cluster's start to OnFragmentEnd
  std::uint64_t document_offset_ = 0;
  bool started_ = false;                  // fragment_'s Timestamp is known
  const MkvTrack* last_track_ = nullptr;  // of document_: the one that was asked for last
  ServiceTags pending_service_;           // for the next Cluster
  std::vector<MkvTag> pending_tags_;
  std::size_t tags_kept_ = 0;  // by fragment_ and pending_tags_, or by a document's header
  std::uint64_t tag_bytes_kept_ = 0;
  OpenGroup group_;
  std::vector<ByteSpan> laced_;
};

// Bytes in, fragments out: a parser and its visitor in one.
class FragmentReader {
 public:
  // `handler` outlives the reader.
  explicit FragmentReader(FragmentHandler& handler, const ParserLimits& limits = {})
      : visitor_(handler, limits), parser_(visitor_, limits) {}

  // Takes the next bytes; see MkvParser::Push for the difference.
  Result<void> Push(ByteSpan bytes) { return parser_.Push(bytes); }
  Result<void> Push(const SharedBytes& bytes) { return parser_.Push(bytes); }
  // The input is over. Errors: kCorruption, when it is over within an element.
  Result<void> Finish() {
    MILLRACE_RETURN_IF_ERROR(parser_.Finish());
    return visitor_.Finish();
  }
  std::uint64_t offset() const { return parser_.offset(); }

 private:
  FragmentVisitor visitor_;
  MkvParser parser_;
};

}  // namespace millrace
