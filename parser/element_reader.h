// Elements one by one, asked for instead of told: the pull form of MkvParser.
//
//   ElementReader reader(source);
//   for (;;) {
//     MILLRACE_ASSIGN_OR_RETURN(const std::optional<MkvElement> element, reader.Next());
//     if (!element) break;
//     if (element->header.id == ElementId::kCodecId) std::cout << DecodeText(element->data.span()) << "\n";
//   }
//
// Memory:  what MkvParser holds, and the elements of one read of 64 KiB.
// Errors:  MkvParser's and the source's, once all elements before them were given; then the same again.
// Threads: one owner at a time.
#pragma once

#include <cstdint>
#include <optional>

#include "parser/byte_source.h"
#include "parser/mkv_parser.h"
#include "parser/pull_queue.h"

namespace millrace {

struct MkvElement {
  enum class Kind : std::uint8_t { kStart, kEnd, kData };  // a master's start, its end; a value

  Kind kind = Kind::kData;
  ElementHeader header;
  std::uint64_t end_offset = 0;  // of the byte after it; 0 at a master's start
  SharedBytes data;              // of a value; a slice of what was read, to keep or not
};

class ElementReader : private MkvVisitor {
 public:
  // `source` outlives the reader.
  explicit ElementReader(ByteSource& source, const ParserLimits& limits = {})
      : source_(source), parser_(*this, limits) {}

  // None: the end.
  Result<std::optional<MkvElement>> Next() { return ahead_.Next(source_, parser_); }

 private:
  Result<void> OnStartMaster(const ElementHeader& element) override;
  Result<void> OnEndMaster(const ElementHeader& element, std::uint64_t end_offset) override;
  Result<void> OnData(const ElementHeader& element, const ElementData& data) override;

  ByteSource& source_;
  MkvParser parser_;
  PullQueue<MkvElement> ahead_;
};

}  // namespace millrace
