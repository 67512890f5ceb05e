// Others' Matroska to fragments: cuts the byte stream of one producer into documents, one a Cluster.
//
// Input:   bytes in any split: one or more documents, end to end; Segments and Clusters of known or unknown
//          size, SimpleBlocks and BlockGroups, any lacing, any codec.
// Output:  for each Cluster an OpenedFragment when its Timestamp is read, and an AssembledFragment when it is
//          over: at the next Cluster, the producer's AWS_KINESISVIDEO_END_OF_FRAGMENT, the end of the Segment
//          or of the input.
// Bytes:   the producer's own. A fragment's document is the EBML header, a Segment of unknown size,
//          what stood before the first Cluster, the Cluster, and what followed it up to the next.
//          Left out are the tags that the service writes itself (of a body that came from
//          GetMedia), a Segment's CRC-32, and large elements that playing needs not (attachments,
//          Cues), which would be repeated in each fragment.
// Time:    absolute: the Cluster's Timestamp; relative: that after the producer's start. Cluster
//          Timestamps do not go back, over the producer's documents too, and of each track the
//          frames of a fragment come after those of the one before.
// Memory:  one fragment (fragment_bytes_max) and the piece that is pushed; what is complete is the caller's.
//          As each document repeats what stands before the first Cluster, a few bytes can bring about many
//          times as much: push_bytes_max.
// Errors:  a FragmentRefusal; the assembler is finished then. What was complete before is in the events.
// Threads: none inside; one owner at a time (the connection's strand).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "fragments/fragment.h"
#include "fragments/fragment_refusal.h"
#include "fragments/run_facts.h"
#include "parser/fragment_visitor.h"
#include "parser/mkv_parser.h"
#include "parser/parse_fragment.h"

namespace millrace {

struct AssemblerLimits {
  std::size_t fragment_bytes_max = 50 * 1000 * 1000;          // of its document
  std::size_t header_bytes_max = std::size_t{2} << 20;        // of what stands before the first Cluster
  Duration fragment_duration_max = std::chrono::seconds(20);  // from the first to the last frame
  std::size_t frames_max = 32'768;                            // of a fragment
  std::size_t tracks_max = 3;
  std::size_t tags_max = 10;  // of a fragment, beside those that speak of a track
  std::size_t tag_name_bytes_max = 128;
  std::size_t tag_value_bytes_max = 256;
  // Fragments a second of the producer's time, in the long run; kFragmentBurst may come at once.
  std::int64_t fragments_per_second = 5;
  // Each fragment has to have a frame of every declared track.
  bool frames_of_every_track = true;
};

struct AssemblerOptions {
  // Of the time of a Cluster's Timestamp of zero; none: Timestamps are absolute.
  std::optional<Timestamp> relative_to{};
  AssemblerLimits limits{};
};

// A fragment began.
struct OpenedFragment {
  std::uint64_t timecode = 0;  // the Cluster's Timestamp as it came, in ticks
  Timestamp start;             // on the producer's clock
};

// A fragment of which some is here.
struct PartialFragment {
  OpenedFragment opened;
  Timestamp last;  // of its latest frame so far
};

// A fragment is whole.
struct AssembledFragment {
  std::uint64_t timecode = 0;
  bool starts_run = false;   // it does not go on where the one before ended
  Fragment fragment;         // but for facts.number, facts.run and facts.server_start
  ParsedFragment parsed;     // its frames, as views of fragment.mkv
  std::vector<MkvTag> tags;  // the producer's, of this fragment
};

using AssemblerEvent = std::variant<OpenedFragment, AssembledFragment>;
using AssemblerEvents = std::vector<AssemblerEvent>;

class FragmentAssembler final : private MkvVisitor, private FragmentHandler {
 public:
  static constexpr std::int64_t kFragmentBurst = 20;
  static constexpr std::size_t kPassedOverBytesMax = 64 * 1024;  // of a larger one nothing is kept

  // Of the documents that push_bytes_max bytes bring about, beside what was pushed before.
  static constexpr std::size_t kPushedDocumentBytesMax = std::size_t{32} << 20;

  explicit FragmentAssembler(AssemblerOptions options);
  ~FragmentAssembler() override;
  FragmentAssembler(const FragmentAssembler&) = delete;
  FragmentAssembler& operator=(const FragmentAssembler&) = delete;

  // Takes the next bytes and appends what they bring about, in order. A refusal: this and every further call
  // give it.
  std::optional<FragmentRefusal> Push(ByteSpan bytes, AssemblerEvents& events);
  // The input ended where the producer meant it to: completes the open fragment. A refusal: it ended within
  // an element.
  std::optional<FragmentRefusal> Finish(AssemblerEvents& events);
  // The input broke off: completes the open fragment if its Cluster was whole, and forgets it otherwise. Call
  // nothing afterwards.
  void BreakOff(AssemblerEvents& events);

  std::optional<PartialFragment> open() const;
  // How much to push at most before what is complete is accounted for. Above zero; changes with each Push.
  std::size_t push_bytes_max() const;
  // Held now.
  std::size_t bytes() const { return buffer_.capacity(); }

 private:
  // The time of each track's latest frame.
  using Latest = std::vector<std::pair<std::uint32_t, std::int64_t>>;
  // The fragment that is open, from its Timestamp on.
  struct Open {
    OpenedFragment opened;
    std::set<std::uint32_t> tracks;  // with a frame
    Latest latest_ns;
    std::int64_t first_ns = 0;
    std::int64_t last_ns = 0;
    std::uint64_t frames = 0;
  };
  // A fragment whose end is known; it waits for the time of the next one.
  struct Closed {
    Open open;
    SharedBytes document;
    std::vector<MkvTag> tags;
    FragmentEnd end = FragmentEnd::kKeyFrame;
  };

  Result<void> OnStartMaster(const ElementHeader& element) override;
  Result<void> OnEndMaster(const ElementHeader& element, std::uint64_t end_offset) override;
  Result<void> OnData(const ElementHeader& element, const ElementData& data) override;
  Result<void> OnFragmentStart(const MkvFragment& fragment) override;
  Result<void> OnFrame(const MkvFragment& fragment, const MkvFrame& frame) override;
  Result<void> OnClusterEnd(const MkvFragment& fragment) override;
  Result<void> OnFragmentEnd(const MkvFragment& fragment) override;

  Result<void> BeginCluster(const ElementHeader& element);
  Result<void> CheckBlock(const ElementHeader& element, ByteSpan payload);
  Result<void> CheckTags(const std::vector<MkvTag>& tags);
  Result<void> CheckSize();
  bool Spend(Timestamp start);
  Result<void> Emit(std::optional<Timestamp> next);
  Error Refuse(RefusalId id, std::string message);
  std::optional<FragmentRefusal> Refused(const Error& error);
  void Forget(std::uint64_t offset);
  ByteSpan BufferedFrom(std::uint64_t offset) const;

  const AssemblerOptions options_;
  FragmentVisitor visitor_;
  MkvParser parser_;
  std::optional<FragmentRefusal> refusal_;
  AssemblerEvents* events_ = nullptr;  // during a call

  // The input from buffer_offset_ on that is still needed; where a fragment is open, its document so far.
  Bytes buffer_;
  std::uint64_t buffer_offset_ = 0;  // in the input, of buffer_[prefix_bytes_]
  std::size_t prefix_bytes_ = 0;     // of buffer_ that did not come from there
  bool in_document_ = false;
  bool in_fragment_ = false;  // from its Cluster's first byte on
  // Of the current document.
  std::uint64_t ebml_end_ = 0;
  std::uint64_t segment_payload_ = 0;
  std::optional<Bytes> head_;  // what each of its fragments begins with; known from its first Cluster on
  std::shared_ptr<const MkvDocument> document_;
  std::size_t track_entries_ = 0;
  ElementId within_{};  // EBML header, Info, Tracks or Tags; none of them: zero
  // Of the fragment that is open.
  std::uint64_t boundary_ = 0;     // where it ends in the input, if it ends now
  std::uint64_t cluster_end_ = 0;  // 0: not known yet
  std::uint64_t tags_end_ = 0;     // of the last whole Tags behind it
  std::optional<Open> open_;
  std::optional<Closed> closed_;

  std::int64_t shift_ns_ = 0;       // from the documents' time to the producer's
  std::optional<Timestamp> start_;  // of the newest fragment that was opened
  Latest latest_ns_;                // before the open fragment
  std::int64_t allowance_ns_ = 0;   // fragments that may come, as the time that they are for
  std::optional<RunFacts> run_;
};

}  // namespace millrace
