// Ready-made visitors of elements: several at once, a count, a map of what stands where.
//
//   ElementCounter counter;
//   ElementMap map;
//   VisitorList both({&counter, &map});
//   MkvParser parser(both);
//
// Threads: as MkvVisitor's owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "parser/mkv_parser.h"

namespace millrace {

// Hands each event to all of its visitors, in their order. The first error ends the event and the parsing.
class VisitorList final : public MkvVisitor {
 public:
  // They outlive the list.
  explicit VisitorList(std::vector<MkvVisitor*> visitors) : visitors_(std::move(visitors)) {}

  Result<void> OnStartMaster(const ElementHeader& element) override;
  Result<void> OnEndMaster(const ElementHeader& element, std::uint64_t end_offset) override;
  Result<void> OnData(const ElementHeader& element, const ElementData& data) override;

 private:
  const std::vector<MkvVisitor*> visitors_;
};

// How often each element occurs. A master counts when it ends.
class ElementCounter final : public MkvVisitor {
 public:
  Result<void> OnEndMaster(const ElementHeader& element, std::uint64_t end_offset) override;
  Result<void> OnData(const ElementHeader& element, const ElementData& data) override;

  std::uint64_t count(ElementId id) const;
  const std::map<ElementId, std::uint64_t>& counts() const { return counts_; }  // of those that occur

 private:
  std::map<ElementId, std::uint64_t> counts_;
};

// Where each element stands, in the order in which they begin. For looking into a document; it grows with it,
// up to `elements_max`: then kResourceExhausted ends the parsing.
class ElementMap final : public MkvVisitor {
 public:
  struct Entry {
    ElementHeader header;
    std::uint64_t end_offset = 0;  // of the byte after it; 0 while it is open
    std::size_t depth = 0;         // masters around it
  };

  explicit ElementMap(std::size_t elements_max = 1'000'000) : elements_max_(elements_max) {}

  Result<void> OnStartMaster(const ElementHeader& element) override;
  Result<void> OnEndMaster(const ElementHeader& element, std::uint64_t end_offset) override;
  Result<void> OnData(const ElementHeader& element, const ElementData& data) override;

  const std::vector<Entry>& entries() const { return entries_; }

 private:
  Result<void> Add(const ElementHeader& element, std::uint64_t end_offset);

  const std::size_t elements_max_;
  std::vector<Entry> entries_;
  std::vector<std::size_t> open_;  // in entries_, outermost first
};

}  // namespace millrace
