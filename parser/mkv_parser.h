// The first layer: a push parser that turns Matroska bytes, however they are split, into element events.
//
//   class CodecLister : public MkvVisitor {
//    public:
//     Result<void> OnData(const ElementHeader& element, const ElementData& data) override {
//       if (element.id == ElementId::kCodecId) std::cout << DecodeText(data.span()) << "\n";
//       return {};
//     }
//   };
//
//   CodecLister lister;
//   MkvParser parser(lister);
//   while (auto chunk = Read(socket)) MILLRACE_RETURN_IF_ERROR(parser.Push(chunk));
//   MILLRACE_RETURN_IF_ERROR(parser.Finish());
//
// Most readers want frames and fragments instead: parser/fragment_visitor.h (streams) and
// parser/parse_fragment.h (a fragment that is in memory).
//
// Input:   one or more Matroska or WebM documents, end to end; any split. Segment and Cluster may be of
// unknown size:
//          an element of their own or a higher level ends them. Unknown elements, Void, CRC-32 and those that
//          the table marks `passed_over` are skipped without an event.
// Memory:  at most one element's payload, and only where it spans calls; it grows as bytes arrive, never by a
// claimed size. Errors:  kCorruption: malformed; kUnsupported: not Matroska, or a version or id length that
// we do not read;
//          kResourceExhausted: a limit was passed; what the visitor returns, as it is. Messages carry element
//          and offset. After an error the parser is finished: each further call returns the same error.
// Threads: none inside; one owner at a time. The visitor is called within Push and Finish, and must not call
// the parser.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "parser/ebml.h"
#include "parser/limits.h"

namespace millrace {

// A data element's payload during OnData.
class ElementData {
 public:
  // `owner` may be null: then nobody can keep `span`, and Share() copies.
  ElementData(ByteSpan span, const SharedBytes* owner) : span_(span), owner_(owner) {}

  // Valid until OnData returns.
  ByteSpan span() const { return span_; }

  // The payload, to keep. Costs no copy where the input came as SharedBytes or the payload was gathered from
  // several calls. A slice keeps the whole buffer that it came in alive.
  SharedBytes Share() const {
    if (owner_ == nullptr) return SharedBytes(Bytes(span_.begin(), span_.end()));
    return owner_->Slice(static_cast<std::size_t>(span_.data() - owner_->data()), span_.size());
  }

  // A part of it, as if it were an element of its own. REQUIRES: `part` lies in span().
  ElementData Part(ByteSpan part) const { return {part, owner_}; }

 private:
  ByteSpan span_;
  const SharedBytes* owner_;
};

// What a parser tells. An error that is returned stops the parser and comes out of Push or Finish.
class MkvVisitor {
 public:
  virtual ~MkvVisitor() = default;
  virtual Result<void> OnStartMaster(const ElementHeader& /*element*/) { return {}; }
  // `end_offset` is that of the first byte after the element.
  virtual Result<void> OnEndMaster(const ElementHeader& /*element*/, std::uint64_t /*end_offset*/) {
    return {};
  }
  virtual Result<void> OnData(const ElementHeader& element, const ElementData& data) = 0;
};

class MkvParser {
 public:
  // `visitor` outlives the parser.
  explicit MkvParser(MkvVisitor& visitor, ParserLimits limits = {}) : visitor_(visitor), limits_(limits) {}
  MkvParser(const MkvParser&) = delete;
  MkvParser& operator=(const MkvParser&) = delete;

  // Takes the next bytes. They may go away after the call.
  Result<void> Push(ByteSpan bytes);
  // The same, and payloads that lie in `bytes` can be kept without a copy (ElementData::Share).
  Result<void> Push(const SharedBytes& bytes);

  // The input is over: ends what is of unknown size. Errors: kCorruption, when it is over within an element.
  Result<void> Finish();

  // How many bytes were taken in full: the place of the next element, or of the next byte of a payload.
  std::uint64_t offset() const { return offset_; }

  // For readers that walk Clusters themselves because they hold them in memory (ParseFragment). Like Push,
  // but stops in front of a Cluster. Returns how many of `bytes` were taken.
  Result<std::size_t> PushUntilCluster(ByteSpan bytes);
  // The next `count` bytes, whole elements, were read by the caller. REQUIRES: as after PushUntilCluster.
  void Pass(std::uint64_t count);
  // Where the innermost open master of known size ends, or kUnknownSize.
  std::uint64_t enclosing_end() const { return open_.empty() ? kUnknownSize : open_.back().limit; }

 private:
  struct OpenMaster {
    ElementHeader header;
    std::uint64_t end;    // kUnknownSize where the element does not say
    std::uint64_t limit;  // the nearest end that is known, its own or an ancestor's
  };
  // The checked facts of an EBML header (RFC 8794 section 11.2).
  struct EbmlFacts {
    std::uint64_t id_length_max = 4;
    std::uint64_t size_length_max = 8;
    std::string doc_type;
    std::uint64_t read_version = 1;
    std::uint64_t doc_type_read_version = 1;
  };

  Result<std::size_t> Run(ByteSpan bytes, const SharedBytes* owner, bool stop_at_cluster);
  Result<std::size_t> Consume(ByteSpan bytes, const SharedBytes* owner, bool stop_at_cluster);
  // False where `window` ends within the header.
  Result<bool> DecodeHeader(ByteSpan window, ElementHeader& element) const;
  Result<bool> Place(const ElementHeader& element);
  Result<void> CheckSize(const ElementHeader& element, bool skip) const;
  Result<void> Enter(const ElementHeader& element);
  Result<void> CloseEnded();
  Result<void> CloseInnermost();
  Result<void> CloseAtEnd();
  std::size_t SkipSome(ByteSpan bytes);
  std::size_t GatherSome(ByteSpan bytes);
  Result<void> EndCurrent();
  Result<void> Deliver(const ElementHeader& element, const ElementData& data);
  Result<void> CheckEbmlValue(const ElementHeader& element, ByteSpan payload);
  Result<void> CheckEbmlHeader(const ElementHeader& element);

  MkvVisitor& visitor_;
  const ParserLimits limits_;
  std::uint64_t offset_ = 0;
  std::vector<OpenMaster> open_;   // outermost first
  EbmlFacts ebml_;                 // of the header that is being read, or was read last
  bool segment_expected_ = false;  // an EBML header has been read and its Segment may follow
  int size_length_max_ = 8;        // what that header allows its document

  // A header that is cut by the end of a call; offset_ is still at its first byte.
  std::array<std::uint8_t, kElementHeaderBytesMax> partial_{};
  std::size_t partial_size_ = 0;
  // A payload that is being gathered, or skipped, across calls.
  std::optional<ElementHeader> current_;
  bool skipping_ = false;
  std::uint64_t missing_ = 0;  // bytes of it that have not arrived
  Bytes gathered_;
  std::uint64_t cluster_end_max_ = kUnknownSize;  // where the open Cluster becomes too large

  std::optional<Error> failed_;
};

}  // namespace millrace
